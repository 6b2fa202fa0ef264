"""A project that is about all positions of a file with more axes."""

from __future__ import annotations

import numpy as np
import pytest
import tifffile
from terminal import COLUMNS, FRAMES, ROWS, complaint_of, read_labels

from napari_sam_decoder.formats import read_provenance

PLANES = 3
HEADER = "axis-0,axis-1,axis-2,axis-3,label,object_id\n"


@pytest.fixture
def five(tmp_path):
    """T, Z, C, Y, X."""
    rng = np.random.default_rng(1)
    shape = FRAMES, PLANES, 2, ROWS, COLUMNS
    pixels = rng.integers(0, 4000, shape).astype(np.uint16)
    path = tmp_path / "five.ome.tif"
    axes = {"axes": "TZCYX"}
    tifffile.imwrite(path, pixels, photometric="minisblack", metadata=axes)
    return path


@pytest.fixture
def table(tmp_path):
    """Two objects in plane 0, one of which is in plane 2 as well."""
    path = tmp_path / "points.csv"
    rows = "0,0,20,30,1,1\n1,0,30,50,1,2\n0,2,24,10,1,1\n"
    path.write_text(HEADER + rows)
    return path


FIXES = {
    "z": "2,0,40,50,1,1\n1,2,5,60,1,1\n",
    "t": "0,1,40,50,1,1\n1,2,5,60,1,2\n",
}


@pytest.fixture
def fixes(tmp_path, axis):
    """A correction at each of two positions."""
    path = tmp_path / "fixes.csv"
    path.write_text(HEADER + FIXES[axis])
    return path


@pytest.fixture
def project(tmp_path):
    return tmp_path / "work.samproject"


@pytest.fixture(params=["z", "t"])
def axis(request):
    return request.param


@pytest.fixture
def segment(run, five, table, axis, tmp_path):
    def segment_(name, *more):
        output = tmp_path / f"{name}.zarr"
        given = "--points", table, "-o", output, "--quiet", "--channel", "1"
        return run("segment", five, *given, "--each", axis, *more), output

    return segment_


@pytest.fixture
def made(segment, project):
    done, output = segment("made", "--project", project)
    assert (done[0], done[2]) == (0, ""), done
    return output


def test_labels_are_those_without_a_project(segment, made):
    _, alone = segment("alone")
    labels = read_labels(made)
    assert labels.any()
    np.testing.assert_array_equal(labels, read_labels(alone))
    noted, expected = read_provenance(made), read_provenance(alone)
    assert noted["axes"] == expected["axes"] == "TZYX"
    assert noted["positions"] == expected["positions"]
    assert noted["project"] == "work.samproject"


def test_corrections_are_those_of_labels_in_a_file(
    run, five, segment, made, fixes, axis, project, tmp_path
):
    _, alone = segment("alone")
    given = "--points", fixes, "--each", axis, "--channel", "1", "--quiet"
    assert run("correct", five, "--labels", alone, *given)[0] == 0
    before = read_labels(made)

    done = run("correct", five, "--project", project, "-o", made, *given)

    assert (done[0], done[2]) == (0, ""), done
    names = {"z": ["Z=0", "Z=2"], "t": ["T=0", "T=1"]}[axis]
    assert [line.partition(":")[0] for line in done[1].splitlines()[:2]] == names
    after = read_labels(made)
    assert (after != before).any()
    np.testing.assert_array_equal(after, read_labels(alone))


def test_it_is_replayed_and_computed_again(run, made, fixes, five, axis, project):
    given = "--points", fixes, "--each", axis, "--channel", "1", "--quiet"
    assert run("correct", five, "--project", project, "-o", made, *given)[0] == 0
    again = made.with_name("again.zarr")
    done = run("replay", project, "-o", again, "--quiet", "--recompute")
    assert done[0] == 0, done
    assert "0 frames differ" in done[1]
    np.testing.assert_array_equal(read_labels(again), read_labels(made))
    assert read_provenance(again)["axes"] == "TZYX"


def test_objects_are_segmented_again_at_all_positions(segment, made, project, table):
    before = read_labels(made)
    assert "already has objects 1, 2" in complaint_of(
        segment("made", "--project", project)[0]
    )
    done, _ = segment("made", "--project", project, "--replace")
    assert done[0] == 0, done
    np.testing.assert_array_equal(read_labels(made), before)


def test_a_mistake_leaves_all_positions_as_they_were(
    run, five, made, axis, project, tmp_path
):
    before = project.read_bytes()
    bad = tmp_path / "bad.csv"
    bad.write_text(HEADER + "2,0,40,50,1,1\n1,2,5,60,1,9\n")
    given = "--points", bad, "--each", axis, "--channel", "1", "--quiet"
    line = complaint_of(run("correct", five, "--project", project, *given))
    assert "object 9 cannot be corrected" in line
    copy = tmp_path / "copy.zarr"
    assert run("replay", project, "-o", copy, "--quiet")[0] == 0
    np.testing.assert_array_equal(read_labels(copy), read_labels(made))
    assert project.read_bytes()[: len(before)] == before


def test_one_position_is_another_movie(run, five, made, axis, project, fixes):
    other = {"z": "t=1", "t": "z=0"}[axis]
    at = {"z": "z=0", "t": "t=1"}[axis]
    assert other != at
    given = "--points", fixes, "--at", at, "--channel", "1"
    line = complaint_of(run("correct", five, "--project", project, *given))
    assert "belongs to another movie" in line
