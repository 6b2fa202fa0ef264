"""Labels with more axes than a movie are corrected, at one position or at several."""

from __future__ import annotations

import csv

import numpy as np
import pytest
import tifffile
from terminal import COLUMNS, FRAMES, ROWS, complaint_of, read_labels

from napari_sam_decoder.formats import read_provenance
from napari_sam_decoder.jobs import CorrectJob, MovieOptions, correct_each
from napari_sam_decoder.prompts import PromptSet

PLANES = 3
HEADER = "axis-0,axis-1,axis-2,axis-3,label,object_id\n"


@pytest.fixture
def five(tmp_path):
    """T, Z, C, Y, X."""
    rng = np.random.default_rng(1)
    shape = FRAMES, PLANES, 2, ROWS, COLUMNS
    pixels = rng.integers(0, 4000, shape).astype(np.uint16)
    path = tmp_path / "five.ome.tif"
    axes = {"axes": "TZCYX", "PhysicalSizeZ": 2.0}
    tifffile.imwrite(path, pixels, photometric="minisblack", metadata=axes)
    return path


@pytest.fixture(params=[".zarr", ".tif"])
def labels(request, run, five, tmp_path):
    """Object 1 in planes 0 and 2, made from a click each."""
    table, path = tmp_path / "points.csv", tmp_path / f"labels{request.param}"
    table.write_text(HEADER + "0,0,20,30,1,1\n0,2,24,10,1,1\n")
    given = "--points", table, "-o", path, "--quiet", "--channel", "1", "--each", "z"
    assert run("segment", five, *given)[0] == 0
    return path


@pytest.fixture
def correct(run, five, labels):
    def correct_(*more):
        given = "--labels", labels, "--channel", "1", "--quiet"
        return run("correct", five, *given, *more)

    return correct_


@pytest.fixture
def fixes(tmp_path):
    """A correction in plane 0, and one in plane 2."""
    path = tmp_path / "fixes.csv"
    path.write_text(HEADER + "2,0,40,50,1,1\n1,2,5,60,1,1\n")
    return path


@pytest.fixture
def alone(run, five, labels, tmp_path):
    """Correct the labels of one plane in a file of their own."""

    def alone_(plane, row):
        own, fix = tmp_path / f"own{plane}.zarr", tmp_path / f"fix{plane}.csv"
        first = {0: "0,20,30", 2: "0,24,10"}[plane]
        fix.write_text(f"axis-0,axis-1,axis-2,object_id\n{first},1\n")
        at = "--at", f"z={plane}", "--channel", "1", "--quiet"
        assert run("segment", five, "--points", fix, "-o", own, *at)[0] == 0
        np.testing.assert_array_equal(read_labels(own), read_labels(labels)[:, plane])
        fix.write_text(f"axis-0,axis-1,axis-2,object_id\n{row},1\n")
        assert run("correct", five, "--labels", own, "--points", fix, *at)[0] == 0
        return read_labels(own)

    return alone_


def test_one_position(correct, alone, labels, fixes):
    before, expected = read_labels(labels), alone(2, "1,5,60")
    assert (expected != before[:, 2]).any()

    code, out, err = correct("--points", fixes, "--at", "z=2")

    assert (code, err) == (0, "")
    assert f"labels: {labels}" in out
    assert "no earlier prompts" not in out
    after = read_labels(labels)
    np.testing.assert_array_equal(after[:, 2], expected)
    np.testing.assert_array_equal(after[:, :2], before[:, :2])
    noted = read_provenance(labels)
    assert (noted["axes"], noted["scale"]) == ("TZYX", [1.0, 2.0, 1.0, 1.0])
    prompts = {one["at"]["Z"]: len(one["prompts"]) for one in noted["positions"]}
    assert prompts == {0: 1, 2: 2}


def test_each_position(correct, alone, labels, fixes, tmp_path):
    before = read_labels(labels)
    expected = {0: alone(0, "2,40,50"), 2: alone(2, "1,5,60")}
    report, output = tmp_path / "report.csv", tmp_path / f"fixed{labels.suffix}"
    more = "--each", "z", "--report", report, "-o", output

    code, out, err = correct("--points", fixes, *more)

    assert (code, err) == (0, "")
    assert [line.partition(":")[0] for line in out.splitlines()] == [
        *("Z=0", "Z=2", "labels")
    ]
    after = read_labels(output)
    for plane in (0, 2):
        np.testing.assert_array_equal(after[:, plane], expected[plane])
    assert not after[:, 1].any()
    np.testing.assert_array_equal(read_labels(labels), before)
    with report.open() as file:
        assert {row["position"] for row in csv.DictReader(file)} == {"Z=0", "Z=2"}


def test_corrections_chain(correct, labels, fixes, tmp_path):
    assert correct("--points", fixes, "--each", "z")[0] == 0
    more = tmp_path / "more.csv"
    more.write_text(HEADER + "3,2,30,30,1,1\n")
    assert correct("--points", more, "--each", "z")[0] == 0
    noted = read_provenance(labels)["positions"]
    prompts = {one["at"]["Z"]: len(one["prompts"]) for one in noted}
    assert prompts == {0: 2, 2: 3}


def test_the_library_gives_the_same(correct, labels, fixes, five, tmp_path, tiny_sam):
    movie = MovieOptions(five, channel=1, each=("z",), cache=None)
    output = tmp_path / "again.zarr"
    job = CorrectJob(movie, labels, PromptSet(), output=output, tables=(fixes,))
    assert list(correct_each(job, tiny_sam)) == ["Z=0", "Z=2"]
    assert correct("--points", fixes, "--each", "z")[0] == 0
    np.testing.assert_array_equal(read_labels(output), read_labels(labels))


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ((), "choose a position along one of T, Z with --at"),
        (("--at", "z=1"), "there is no correction at this position"),
        (("--at", "z=7"), "no position 7 along Z"),
        (("--each", "z", "--project", "p.samproject"), "leave --labels"),
    ],
)
def test_what_cannot_be_corrected(correct, labels, fixes, more, message):
    before = read_labels(labels)
    assert message in complaint_of(correct("--points", fixes, *more))
    np.testing.assert_array_equal(read_labels(labels), before)


def test_labels_of_one_movie_have_no_positions(run, five, fixes, tmp_path):
    own, at = tmp_path / "own.zarr", ("--at", "z=0", "--channel", "1", "--quiet")
    assert run("segment", five, "--box", "0,9,9,30,30", "-o", own, *at)[0] == 0
    given = "--labels", own, "--points", fixes, "--each", "z", "--channel", "1"
    assert "leave --each" in complaint_of(run("correct", five, *given))
