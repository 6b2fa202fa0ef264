from __future__ import annotations

import csv

import numpy as np
import pytest
import tifffile
import zarr
from terminal import COLUMNS, FRAMES, ROWS, complaint_of, read_labels, write_stack

from napari_sam_decoder import Prompt
from napari_sam_decoder.formats import read_provenance
from napari_sam_decoder.jobs.provenance import Provenance

HEADER = "axis-0,axis-1,axis-2,label,object_id\n"


@pytest.fixture(params=[".tif", ".zarr"])
def labels(request, run, movie, tmp_path):
    """Object 1 from a box on frame 0, as segment writes it."""
    path = tmp_path / f"labels{request.param}"
    run("segment", movie, "--box", "0,10,10,30,40", "-o", path)
    return path


@pytest.fixture
def foreign(tmp_path):
    """Object 1 on all frames and object 9 below it, made by something else."""
    stack = np.zeros((FRAMES, ROWS, COLUMNS), np.uint8)
    stack[:, 10:30, 20:40] = 1
    stack[:, 34:40] = 9
    write_stack(tmp_path / "foreign.tif", stack)
    return tmp_path / "foreign.tif"


@pytest.fixture
def clicks(tmp_path):
    """Write a table of clicks and return its path."""

    def write(name, *rows):
        path = tmp_path / name
        path.write_text(HEADER + "".join(f"{row}\n" for row in rows))
        return path

    return write


def places(path):
    return [
        (prompt.object_id, prompt.frame) for prompt in Provenance.read(path).prompts
    ]


def test_corrections_and_prompts_add_up(run, movie, foreign, clicks):
    tables = [clicks(f"{frame}.csv", f"{frame},20,30,,1") for frame in range(FRAMES)]
    earlier, later = tables[:2], tables[2:]
    options = [part for table in later for part in ("--points", table)]
    options += [part for table in earlier for part in ("--prompts", table)]
    code, *_ = run("correct", movie, "--labels", foreign, *options, "--quiet")
    assert code == 0
    assert places(foreign) == [(1, 0), (1, 1), (1, 2), (1, 3)]


def test_corrections_chain(run, movie, labels, clicks):
    first = clicks("first.csv", "2,20,30,positive,1")
    code, out, _ = run("correct", movie, "--labels", labels, "--points", first)
    assert code == 0
    assert "of 4 frames recomputed" in out
    assert f"labels: {labels}" in out
    assert places(labels) == [(1, 0), (1, 2)]
    once = read_labels(labels)
    second = clicks("second.csv", "3,25,25,positive,1")
    code, out, _ = run("correct", movie, "--labels", labels, "--points", second)
    assert code == 0
    assert "object 1: 1 of 4 frames recomputed" in out
    assert places(labels) == [(1, 0), (1, 2), (1, 3)]
    np.testing.assert_array_equal(read_labels(labels)[:3], once[:3])


def test_prompts_in_a_table_take_the_place_of_those_that_are_noted(
    run, movie, labels, clicks
):
    new, old = clicks("new.csv", "3,20,30,positive,1"), clicks("old.csv", "2,20,30,1,1")
    before = read_labels(labels)
    code, out, _ = run(
        *("correct", movie, "--labels", labels, "--points", new, "--prompts", old)
    )
    assert code == 0
    assert "object 1: 1 of 4 frames" in out
    assert places(labels) == [(1, 2), (1, 3)]
    np.testing.assert_array_equal(read_labels(labels)[:3], before[:3])


def test_a_painted_frame_is_kept_to_the_pixel(run, movie, labels):
    edited = read_labels(labels)
    edited[2] = 0
    edited[2, 11:37, 13:51] = 1
    write_back(labels, edited)
    code, _, _ = run("correct", movie, "--labels", labels, "--painted", "1:2")
    assert code == 0
    np.testing.assert_array_equal(read_labels(labels)[2], edited[2])
    assert Provenance.read(labels).prompts.at(1, 2) == Prompt(1, 2, mask=edited[2] == 1)


def write_back(path, stack):
    """Edit pixels as a person does in napari, and leave what is noted."""
    if path.suffix == ".zarr":
        zarr.open(path, mode="r+")[:] = stack
    else:
        metadata = {"axes": "TYX", "provenance": read_provenance(path)}
        tifffile.imwrite(path, stack, photometric="minisblack", metadata=metadata)


def test_a_frame_painted_empty_says_that_the_object_is_not_there(run, movie, labels):
    edited = read_labels(labels)
    edited[2] = 0
    write_back(labels, edited)
    code, out, _ = run("correct", movie, "--labels", labels, "--painted", "1:2")
    assert code == 0
    assert "absent" in out
    assert not read_labels(labels)[2].any()
    assert Provenance.read(labels).prompts.at(1, 2).is_absence


def test_labels_of_others_can_be_corrected(run, movie, foreign, clicks, tmp_path):
    before, stack = foreign.read_bytes(), tifffile.imread(foreign)
    output, report = tmp_path / "corrected.zarr", tmp_path / "report.csv"
    code, out, _ = run(
        *("correct", movie, "--labels", foreign, "-o", output, "--report", report),
        *("--points", clicks("new.csv", "1,20,30,positive,1"), "--frames", "1:3"),
    )
    assert code == 0
    assert "no earlier prompts are known" in out
    assert foreign.read_bytes() == before
    corrected = read_labels(output)
    np.testing.assert_array_equal(corrected[[0, 3]], stack[[0, 3]])
    np.testing.assert_array_equal(corrected == 9, stack == 9)
    rows = list(csv.DictReader(report.read_text().splitlines()))
    # The click agrees with the mask, so that nothing is carried on.
    assert {row["frame"] for row in rows} == {"1"}


def test_a_click_may_bring_a_new_object_with_a_large_id(
    run, movie, foreign, clicks, tmp_path
):
    new = clicks("new.csv", "1,5,30,positive,70000")
    code, out, _ = run("correct", movie, "--labels", foreign, "--points", new)
    assert code == 0
    assert "object 70000: " in out
    assert tifffile.imread(foreign).dtype == np.uint32


def test_labels_without_room_for_notes_need_another_output(
    run, movie, foreign, tmp_path
):
    labels, output = tmp_path / "labels.npy", tmp_path / "corrected.tif"
    np.save(labels, tifffile.imread(foreign))
    arguments = ("correct", movie, "--labels", labels, "--painted", "1:1")
    assert "ends in .zarr" in complaint_of(run(*arguments))
    code, _, _ = run(*arguments, "-o", output)
    assert code == 0
    np.testing.assert_array_equal(
        tifffile.imread(output)[1] == 1, np.load(labels)[1] == 1
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "give --points, --box, --lasso, --scribbles or --painted"),
        (["--points", "nowhere.csv"], "nowhere.csv"),
        (["--painted", "1-2"], "is not ID:FRAME"),
        (["--painted", "1:9"], "the movie has frames 0 to 3"),
        (["--painted", "1:3", "--frames", "0:2"], "that may change (0:2)"),
        (["--painted", "1:3", "--frames", "0:2"], "widen --frames"),
        (["--painted", "4:1"], "has no object 4"),
        (["--painted", "0:1"], "object ids start at 1"),
        (["--painted", "1:1", "--prompts", "nowhere.csv"], "nowhere.csv"),
        (["--painted", "1:1", "-o", "movie.tif"], "would overwrite"),
        (["--painted", "1:1", "--report", "foreign.tif"], "would overwrite"),
        (["--painted", "1:1", "-o", "l.tif", "--report", "foreign.tif"], "overwrite"),
        (["--painted", "1:1", "--report", "nowhere/r.csv"], "make the folder"),
        (["--painted", "1:1", "--axes", "TYXC"], "do not fit"),
    ],
)
def test_mistakes_end_with_one_line_and_change_nothing(
    run, movie, foreign, monkeypatch, arguments, message
):
    monkeypatch.chdir(foreign.parent)
    before = {path: path.read_bytes() for path in (movie, foreign)}
    done = run("correct", movie, "--labels", foreign, *arguments)
    assert message in complaint_of(done)
    assert {path: path.read_bytes() for path in before} == before
    assert not (foreign.parent / "l.tif").exists()


@pytest.mark.parametrize("row", ["1,20,30,negative,4", "1,99,30,positive,1"])
def test_points_that_say_nothing_are_refused(run, movie, foreign, clicks, row):
    before = foreign.read_bytes()
    new = clicks("new.csv", row)
    complaint_of(run("correct", movie, "--labels", foreign, "--points", new))
    assert foreign.read_bytes() == before


def test_earlier_prompts_of_another_movie_are_refused(run, movie, foreign, clicks):
    old = clicks("old.csv", "7,20,30,positive,1")
    arguments = ("--labels", foreign, "--painted", "1:1", "--prompts", old)
    assert "frames 0 to 3" in complaint_of(run("correct", movie, *arguments))


def test_labels_of_another_movie_are_refused(run, movie, tmp_path):
    labels = tmp_path / "labels.tif"
    write_stack(labels, np.ones((2, 30, 30), np.uint8))
    line = complaint_of(run("correct", movie, "--labels", labels, "--painted", "1:1"))
    assert "choose the labels of this movie" in line


def test_labels_that_are_not_there_are_named(run, movie, tmp_path):
    labels = tmp_path / "labels.tif"
    line = complaint_of(run("correct", movie, "--labels", labels, "--painted", "1:1"))
    assert "labels.tif" in line


def test_notes_that_cannot_be_read_are_refused_unless_points_are_given(
    run, movie, foreign, clicks
):
    stack = tifffile.imread(foreign)
    metadata = {"axes": "TYX", "provenance": {"prompts": [{"object": 1}]}}
    tifffile.imwrite(foreign, stack, photometric="minisblack", metadata=metadata)
    arguments = ("correct", movie, "--labels", foreign, "--painted", "1:1")
    assert "with --prompts" in complaint_of(run(*arguments))
    code, _, _ = run(*arguments, "--prompts", clicks("old.csv", "0,20,30,1,1"))
    assert code == 0


def test_ctrl_c_leaves_the_labels_as_they_were(
    run, movie, foreign, tiny_sam, monkeypatch
):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(tiny_sam, "decode", interrupt)
    before = foreign.read_bytes()
    code, _, _ = run("correct", movie, "--labels", foreign, "--painted", "1:1")
    assert code == 130
    assert foreign.read_bytes() == before


def test_prompts_of_objects_that_stay_are_kept_when_others_join(run, movie, labels):
    code, _, _ = run("segment", movie, "--box", "1,35,45,45,60,2", "-o", labels)
    assert code == 0
    assert places(labels) == [(1, 0), (2, 1)]


def test_another_file_is_replaced_only_if_that_is_meant(
    run, movie, labels, clicks, tmp_path
):
    other = tmp_path / f"other{labels.suffix}"
    run("segment", movie, "--box", "0,20,20,40,50,7", "-o", other)
    before = read_labels(other)
    new = clicks("new.csv", "2,20,30,positive,1")
    command = ("correct", movie, "--labels", labels, "--points", new, "--quiet")
    assert "--replace" in complaint_of(run(*command, "-o", other))
    np.testing.assert_array_equal(read_labels(other), before)
    assert run(*command, "-o", other, "--replace")[0] == 0
    assert places(other) == [(1, 0), (1, 2)]
    assert run(*command, "-o", labels)[0] == 0
    assert places(labels) == [(1, 0), (1, 2)]
