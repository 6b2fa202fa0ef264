"""A movie of a file with more axes, at a position along the others."""

from __future__ import annotations

import numpy as np
import pytest
import tifffile
import zarr
from terminal import COLUMNS, FRAMES, ROWS, complaint_of, read_labels

from napari_sam_decoder.formats import read_provenance
from napari_sam_decoder.prompts import read_points
from napari_sam_decoder.session import Session


@pytest.fixture
def stack():
    pixels = np.random.default_rng(0).integers(0, 4000, (FRAMES, ROWS, COLUMNS))
    return pixels.astype(np.uint16)


@pytest.fixture
def five(tmp_path, stack):
    """Five axes, with the stack in channel 1 at plane 2, and through it."""
    rng = np.random.default_rng(1)
    pixels = rng.integers(0, 4000, (FRAMES, 3, 2, ROWS, COLUMNS)).astype(np.uint16)
    pixels[:, 2, 1] = stack
    metadata = {"axes": "TZCYX", "PhysicalSizeY": 0.5, "PhysicalSizeX": 0.5}
    path = tmp_path / "five.ome.tif"
    tifffile.imwrite(path, pixels, photometric="minisblack", metadata=metadata)
    return path


@pytest.fixture
def segment(run, points, tmp_path):
    def segment_(movie, *more):
        output = tmp_path / "labels.zarr"
        given = "--points", points, "-o", output, "--quiet", "--replace"
        return run("segment", movie, *given, *more), output

    return segment_


def test_a_position_is_segmented_as_a_movie_of_its_own(segment, movie, five):
    done, output = segment(movie)
    assert done[0] == 0
    expected = read_labels(output)

    done, output = segment(five, "--channel", "1", "--at", "z=2")

    assert (done[0], done[2]) == (0, "")
    assert expected.any()
    np.testing.assert_array_equal(read_labels(output), expected)
    noted = read_provenance(output)
    assert (noted["at"], noted["channel"], noted["axes"]) == ({"Z": 2}, 1, "TYX")
    assert noted["scale"] == [1.0, 0.5, 0.5]


def test_depth_is_followed_at_a_time(run, segment, five, tmp_path):
    table = tmp_path / "points.csv"
    table.write_text("axis-0,axis-1,axis-2\n1,20,30\n")

    done = run(
        *("segment", five, "--points", table, "-o", tmp_path / "z.zarr", "--quiet"),
        *("--channel", "1", "--at", "t=3"),
    )

    assert done[0] == 0
    labels = zarr.open(tmp_path / "z.zarr")
    assert labels.shape == (3, ROWS, COLUMNS)
    assert labels.attrs["axes"] == "ZYX"


def test_each_position_has_a_cache_of_its_own(run, five, tmp_path):
    for place in range(3):
        done = run("embed", five, "--channel", "1", "--at", f"z={place}", "--quiet")
        assert done[1].startswith(f"{FRAMES} frames embedded")
    done = run("embed", five, "--channel", "1", "--at", "Z=1", "--quiet")
    assert done[1] == f"0 frames embedded, {FRAMES} in the cache already\n"
    caches = list((tmp_path / "default-cache" / "embeddings").iterdir())
    assert len(caches) == 3
    done = run("cache", "info", caches[0])
    assert "position: Z=" in done[1]


def test_a_cache_of_another_position_is_refused(run, five, tmp_path):
    given = "embed", five, "--channel", "1", "--quiet", "--cache", tmp_path / "cache"
    assert run(*given, "--at", "z=0")[0] == 0
    line = complaint_of(run(*given, "--at", "z=1"))
    assert "position: the cache has Z=0, this job has Z=1" in line


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ((), "choose a position along one of T, Z with --at"),
        (("--at", "z=3"), "no position 3 along Z"),
        (("--at", "q=3"), "there is no axis Q"),
        (("--at", "c=1", "--at", "z=1"), "choose it with --channel"),
        (("--at", "z"), "is not AXIS=NUMBER, such as z=5"),
        (("--at", "z=1", "--at", "z=2"), "--at is given 2 times for z"),
        (("--at", "z=1", "--axes", "TYX"), "do not fit"),
        (("--at", "z=1", "--at", "t=1", "--frames", "0:3"), "has 1 frames"),
    ],
)
def test_positions_that_cannot_be_used(segment, five, more, message):
    done, output = segment(five, "--channel", "1", *more)
    assert message in complaint_of(done)
    assert not output.exists()


def test_a_project_remembers_the_position(run, five, points, tmp_path):
    project, output = tmp_path / "work.samproject", tmp_path / "labels.zarr"
    given = "--points", points, "-o", output, "--quiet", "--project", project
    asked = "--channel", "1", "--at", "z=2"
    assert run("segment", five, *given, *asked)[0] == 0
    again = tmp_path / "again.zarr"

    done = run("replay", project, "-o", again, "--quiet", "--recompute")

    assert done[0] == 0, done
    assert "0 frames differ" in done[1]
    np.testing.assert_array_equal(read_labels(again), read_labels(output))
    assert read_provenance(again)["at"] == {"Z": 2}


def test_channels_become_a_composite(segment, five, tmp_path, tiny_sam):
    pixels = tifffile.imread(five)
    asked = "--channel", "1", "--channel", "0", "--at", "z=2"
    limits = "--contrast", "0", "4000", "--contrast", "100", "900"
    done, output = segment(five, *asked, *limits)
    assert (done[0], done[2]) == (0, "")
    labels = read_labels(output)
    noted = read_provenance(output)
    assert noted["channel"] == [1, 0]
    assert noted["contrast"] == [[0.0, 4000.0], [100.0, 900.0]]
    assert noted["axes"] == "TYXC"

    movie = Session(
        pixels,
        axes="TZCYX",
        channel=(1, 0),
        at={"z": 2},
        contrast=[(0, 4000), (100, 900)],
        model=tiny_sam,
    )
    for prompt in read_points(tmp_path / "points.csv"):
        movie.add_prompt(prompt)
    for result in movie.propagate():
        if result.is_final:
            np.testing.assert_array_equal(result.labels, labels[result.frame])

    done, _ = segment(five, "--channel", "1", "--at", "z=2")
    assert done[0] == 0
    caches = list((tmp_path / "default-cache" / "embeddings").iterdir())
    assert len(caches) == 2, "a composite has a cache of its own"


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (("--channel", "0", "--channel", "0"), "--channel is given 2 times for 0"),
        (("--channel", "0", "--channel", "5"), "no channel 5"),
        (
            ("--channel", "0", "--channel", "1", "--contrast", "0", "9"),
            "2 channels but 1 contrast limits",
        ),
        (
            ("--channel", "0", "--contrast", "0", "9", "--contrast", "0", "9"),
            "--contrast is given 2 times, --channel 1 times",
        ),
        (("--channel", "0", "--channel", "1", "--project", "p"), "about one channel"),
    ],
)
def test_channels_that_cannot_be_joined(segment, five, tmp_path, more, message):
    more = [str(tmp_path / "p.samproject") if one == "p" else one for one in more]
    done, output = segment(five, "--at", "z=0", *more)
    assert message in complaint_of(done)
    assert not output.exists()
