from __future__ import annotations

import numpy as np
import pytest
import tifffile
from terminal import COLUMNS, FRAMES, ROWS, complaint_of, write_stack

from napari_sam_decoder import Prompt, Scribble
from napari_sam_decoder.jobs.provenance import Provenance
from napari_sam_decoder.project import Project


def line(row, *columns, object_id=3):
    plane = np.zeros((ROWS, COLUMNS), np.uint8)
    plane[row, slice(*columns)] = object_id
    return plane


@pytest.fixture
def drawn(tmp_path):
    """Lines over object 3 on frames 1 and 2, and one over object 5 on frame 2."""
    planes = np.zeros((FRAMES, ROWS, COLUMNS), np.uint8)
    planes[1], planes[2] = line(20, 20, 40), line(22, 22, 40)
    planes[2, 40, 5:15] = 5
    write_stack(tmp_path / "drawn.tif", planes)
    return planes


@pytest.fixture
def erased(tmp_path):
    np.save(tmp_path / "erased.npy", line(20, 36, 60))
    return tmp_path / "erased.npy"


def test_scribbles_of_a_stack_are_prompts(run, movie, drawn, tmp_path):
    output = tmp_path / "labels.tif"
    files = ("--scribbles", tmp_path / "drawn.tif")
    code, out, _ = run("segment", movie, *files, "-o", output)
    assert code == 0
    assert "object 3: 4 frames" in out
    assert "object 5: 4 frames" in out
    assert list(Provenance.read(output).prompts) == [
        Prompt(3, 1, scribbles=[Scribble(drawn[1] == 3)]),
        Prompt(3, 2, scribbles=[Scribble(drawn[2] == 3)]),
        Prompt(5, 2, scribbles=[Scribble(drawn[2] == 5)]),
    ]


def test_negative_scribbles_come_behind_points_and_positive_ones(
    run, movie, drawn, erased, tmp_path
):
    (tmp_path / "points.csv").write_text("axis-0,axis-1,axis-2,object_id\n1,20,30,3\n")
    output = tmp_path / "labels.tif"
    code, _, _ = run(
        *("segment", movie, "--points", tmp_path / "points.csv", "-o", output),
        *("--negative-scribbles", erased, "--scribbles-frame", 1),
    )
    assert code == 0
    (prompt,) = Provenance.read(output).prompts
    off = Scribble(line(20, 36, 60), is_positive=False, after=1)
    assert prompt == Prompt(3, 1, [(20, 30)], scribbles=[off])


@pytest.mark.parametrize(("arguments", "frame"), [([], 0), ([2], 2)])
def test_a_picture_belongs_to_one_frame(run, movie, tmp_path, arguments, frame):
    np.save(tmp_path / "drawn.npy", line(20, 20, 40))
    output = tmp_path / "labels.tif"
    for number in arguments:
        arguments = ["--scribbles-frame", number]
    files = ("--scribbles", tmp_path / "drawn.npy")
    assert run("segment", movie, *files, *arguments, "-o", output)[0] == 0
    assert [one.frame for one in Provenance.read(output).prompts] == [frame]


def test_a_lasso_is_typed_as_its_vertices(run, movie, tmp_path):
    output = tmp_path / "labels.tif"
    lassos = ("--lasso", "1,10,10,10,40,30,25.5", "--lasso", "2,5,5,5,20,20,5,8")
    assert run("segment", movie, *lassos, "-o", output)[0] == 0
    assert list(Provenance.read(output).prompts) == [
        Prompt(1, 1, lasso=[(10, 10), (10, 40), (30, 25.5)]),
        Prompt(8, 2, lasso=[(5, 5), (5, 20), (20, 5)]),
    ]


@pytest.fixture
def labels(run, movie, points, tmp_path):
    output = tmp_path / "labels.tif"
    assert run("segment", movie, "--points", points, "-o", output)[0] == 0
    return output


def test_labels_are_corrected_by_scribbles_boxes_and_lassos(
    run, movie, labels, tmp_path
):
    np.save(tmp_path / "drawn.npy", line(20, 20, 40, object_id=1))
    code, out, _ = run(
        *("correct", movie, "--labels", labels, "--scribbles-frame", 3),
        *("--scribbles", tmp_path / "drawn.npy", "--box", "1,10,10,30,40"),
        *("--lasso", "1,10,10,10,40,30,25,70000"),
    )
    assert code == 0
    prompts = Provenance.read(labels).prompts
    assert prompts.at(1, 3).scribbles == (Scribble(line(20, 20, 40)),)
    assert prompts.at(1, 1).box == (10, 10, 30, 40)
    assert len(prompts.at(70000, 1).lasso) == 3
    assert "labels: " in out


def test_scribbles_go_into_a_project_and_come_back(run, movie, points, drawn, tmp_path):
    project, output = tmp_path / "work.samproject", tmp_path / "labels.tif"
    files = ("--points", points, "--scribbles", tmp_path / "drawn.tif")
    asked = ("--project", project, "--quiet")
    lasso = ("--lasso", "1,10,10,10,40,30,25")
    code, _, _ = run("segment", movie, *files, *lasso, *asked, "-o", output)
    assert code == 0
    # Object 1 has two points on frame 0, and the eraser comes after both of them.
    np.save(tmp_path / "off.npy", line(20, 30, 40, object_id=1))
    off = ("--negative-scribbles", tmp_path / "off.npy")
    np.save(tmp_path / "on.npy", line(25, 30, 40, object_id=1))
    on = ("--scribbles", tmp_path / "on.npy")
    assert run("correct", movie, *on, *off, *asked)[0] == 0
    document = Project.open(project, is_read_only=True)[0].history.document
    rows = document.rows("scribbles")
    assert [(row.object_id, row.place, row.after) for row in rows] == [
        *((3, (1,), 0), (3, (2,), 0), (5, (2,), 0)),
        *((1, (0,), 2), (1, (0,), 2)),
    ]
    assert [row.is_positive for row in rows] == [True] * 4 + [False]
    assert [row.kind for row in document.rows("shapes")] == ["polygon"]
    code, out, _ = run("replay", project, "--recompute", "-o", tmp_path / "again.tif")
    assert code == 0, out
    assert "0 frames differ from what is stored" in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--scribbles", "empty.npy"], "nothing is drawn in"),
        (["--scribbles", "small.npy"], "give a scribble of the whole frame"),
        (["--scribbles", "short.npy"], "has 2 frames, but the movie has 4"),
        (["--scribbles", "no.npy"], "no.npy"),
        (["--scribbles", "on.npy", "--scribbles", "on.npy"], "is given 2 times"),
        (["--scribbles", "on.npy", "--scribbles-frame", "9"], "frames 0 to 3"),
        (["--scribbles", "on.npy", "--scribbles-frame", "x"], "is not a frame"),
        (["--negative-scribbles", "on.npy"], "there is no prompt; give --points"),
        (["--scribbles-frame", "1"], "there is no prompt"),
        (["--box", "0,1,1,9,9", "--scribbles-frame", "1"], "needs --scribbles"),
        (
            ["--box", "0,1,1,9,9", "--lasso", "0,1,1,1,9,9,9"],
            "object 1 has 2 boxes or lassos on frame 0",
        ),
        (["--lasso", "0,1,1,1,9"], "three or more times ROW,COL"),
        (["--lasso", "0,1,1,1,9,9,x"], "three or more times ROW,COL"),
        (["--lasso", "0.5,1,1,1,9,9,9"], "three or more times ROW,COL"),
        (["--lasso", "0,1,1,2,2,3,3"], "lie on one line"),
        (["--lasso", "9,1,1,1,9,9,9"], "frames 0 to 3"),
        (["--lasso", "0,999,1,1000,9,1001,1"], "outside the picture"),
    ],
)
def test_mistakes_end_with_one_line(run, movie, tmp_path, arguments, message):
    plane = line(20, 20, 40)
    np.save(tmp_path / "on.npy", plane)
    np.save(tmp_path / "empty.npy", plane * 0)
    np.save(tmp_path / "small.npy", plane[:25])
    np.save(tmp_path / "short.npy", np.stack([plane] * 2))
    files = [tmp_path / one if one.endswith(".npy") else one for one in arguments]
    output = tmp_path / "labels.tif"
    assert message in complaint_of(run("segment", movie, *files, "-o", output))
    assert not output.exists()


def test_scribbles_are_never_overwritten(run, movie, drawn, tmp_path):
    output = tmp_path / "drawn.tif"
    said = complaint_of(run("segment", movie, "--scribbles", output, "-o", output))
    assert "drawn.tif" in said
    np.testing.assert_array_equal(tifffile.imread(output), drawn)
