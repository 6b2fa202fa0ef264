from __future__ import annotations

import numpy as np
import pytest
import tifffile
from terminal import COLUMNS, FRAMES, ROWS, complaint_of, write_stack

from napari_sam_decoder import Prompt, Settings
from napari_sam_decoder.formats import read_provenance
from napari_sam_decoder.jobs.provenance import Provenance


@pytest.fixture
def painting():
    """Object 3 as a rectangle."""
    plane = np.zeros((ROWS, COLUMNS), np.uint8)
    plane[10:30, 20:45] = 3
    return plane


@pytest.fixture
def stack(tmp_path, painting):
    """Painted on frames 1 and 2 of the movie, on frame 2 with object 5 beside it."""
    planes = np.zeros((FRAMES, ROWS, COLUMNS), np.uint8)
    planes[1] = planes[2] = painting
    planes[2, 35:45, 5:15] = 5
    write_stack(tmp_path / "painted.tif", planes)
    return planes


def test_painted_frames_stay_as_they_are(run, movie, stack, tmp_path):
    output = tmp_path / "labels.tif"
    code, out, _ = run(
        "segment", movie, "--masks", tmp_path / "painted.tif", "-o", output
    )
    assert code == 0
    assert "object 3: 4 frames" in out
    assert "object 5: 4 frames" in out
    labels = tifffile.imread(output)
    np.testing.assert_array_equal(labels[1] == 3, stack[1] == 3)
    np.testing.assert_array_equal(labels[2], stack[2])


def test_what_was_painted_is_noted_to_the_pixel(run, movie, stack, tmp_path):
    output = tmp_path / "labels.zarr"
    run("segment", movie, "--masks", tmp_path / "painted.tif", "-o", output)
    assert list(Provenance.read(output).prompts) == [
        Prompt(3, 1, mask=stack[1] == 3),
        Prompt(3, 2, mask=stack[2] == 3),
        Prompt(5, 2, mask=stack[2] == 5),
    ]


@pytest.mark.parametrize(("arguments", "frame"), [([], 0), (["--masks-frame", 2], 2)])
def test_a_picture_belongs_to_one_frame(
    run, movie, painting, tmp_path, arguments, frame
):
    np.save(tmp_path / "painted.npy", painting)
    output = tmp_path / "labels.tif"
    code, _, _ = run(
        *("segment", movie, "--masks", tmp_path / "painted.npy", "-o", output),
        *arguments,
    )
    assert code == 0
    np.testing.assert_array_equal(tifffile.imread(output)[frame], painting)


def test_masks_add_up(run, movie, painting, tmp_path):
    for frame in (1, 3):
        np.save(tmp_path / f"{frame}.npy", painting)
    output = tmp_path / "labels.tif"
    asked = ("segment", movie, "-o", output, "--quiet")
    for frame in (3, 1):
        asked += ("--masks", tmp_path / f"{frame}.npy", "--masks-frame", frame)
    assert run(*asked)[0] == 0
    labels = tifffile.imread(output)
    np.testing.assert_array_equal(labels[[1, 3]], [painting, painting])
    assert "is given 3 times, --masks 2 times" in complaint_of(
        run(*asked, "--masks-frame", 0)
    )
    again = ("--masks", tmp_path / "1.npy", "--masks-frame", 0)
    assert "1.npy is given 2 times" in complaint_of(run(*asked, *again))


def test_masks_that_contradict_each_other_are_refused(run, movie, painting, tmp_path):
    for name in "ab":
        np.save(tmp_path / f"{name}.npy", painting)
    masks = ("--masks", tmp_path / "a.npy", "--masks", tmp_path / "b.npy")
    line = complaint_of(run("segment", movie, *masks, "-o", tmp_path / "labels.tif"))
    assert "object 3 is painted on frame 0 in both" in line


def test_points_stand_beside_masks(run, movie, points, stack, tmp_path):
    code, out, _ = run(
        *("segment", movie, "--masks", tmp_path / "painted.tif"),
        *("--points", points, "-o", tmp_path / "labels.tif"),
    )
    assert code == 0
    for object_id in (1, 3, 5, 70000):
        assert f"object {object_id}: 4 frames" in out


def test_points_on_a_painted_frame_refine_the_mask(run, movie, painting, tmp_path):
    np.save(tmp_path / "painted.npy", painting)
    (tmp_path / "points.csv").write_text(
        "axis-0,axis-1,axis-2,label,object_id\n0,12,22,negative,3\n"
    )
    output = tmp_path / "labels.tif"
    code, _, _ = run(
        *("segment", movie, "--masks", tmp_path / "painted.npy"),
        *("--points", tmp_path / "points.csv", "-o", output),
    )
    assert code == 0
    (prompt,) = Provenance.read(output).prompts
    assert prompt == Prompt(3, 0, [(12, 22)], [False], mask=painting == 3)


def test_mistakes_with_masks_end_with_one_line(run, movie, stack, painting, tmp_path):
    np.save(tmp_path / "empty.npy", np.zeros_like(painting))
    np.save(tmp_path / "small.npy", painting[:20])
    np.save(tmp_path / "short.npy", stack[:2])
    np.save(tmp_path / "below.npy", -painting.astype(np.int16))
    np.save(tmp_path / "float.npy", painting / 2)

    def complaint(masks, *more):
        output = ("-o", tmp_path / "labels.tif")
        return complaint_of(
            run("segment", movie, "--masks", tmp_path / masks, *output, *more)
        )

    assert "nothing is painted" in complaint("empty.npy")
    assert "give a mask of the whole frame" in complaint("small.npy")
    assert "has 2 frames, but the movie has 4" in complaint("short.npy")
    assert "-3, which is not an object id" in complaint("below.npy")
    assert "1.5, which is not an object id" in complaint("float.npy")
    assert "no.tif" in complaint("no.tif")
    assert "leave --masks-frame out" in complaint("painted.tif", "--masks-frame", 1)
    assert "frames 0 to 3" in complaint("small.npy", "--masks-frame", 9)
    assert not (tmp_path / "labels.tif").exists()


def test_a_frame_without_masks_is_refused(run, movie, tmp_path):
    line = complaint_of(
        run(
            *("segment", movie, "--box", "0,1,1,9,9", "--masks-frame", "1"),
            *("-o", tmp_path / "labels.tif"),
        )
    )
    assert "give both" in line
    assert "is not a frame" in complaint_of(
        run("segment", movie, "--masks-frame", "last", "-o", tmp_path / "labels.tif")
    )


def test_the_masks_are_not_overwritten(run, movie, stack, tmp_path):
    masks = tmp_path / "painted.tif"
    before = masks.read_bytes()
    line = complaint_of(
        run("segment", movie, "--masks", masks, "-o", masks, "--replace")
    )
    assert "would overwrite" in line
    assert masks.read_bytes() == before


@pytest.mark.parametrize(("arguments", "share"), [([], 0), (["--stabilise", 0.5], 0.5)])
def test_outlines_are_stabilised_as_asked(run, movie, tmp_path, arguments, share):
    output = tmp_path / "labels.tif"
    box = ("--box", "0,10,10,30,40")
    code, _, _ = run("segment", movie, "-o", output, *box, *arguments)
    assert code == 0
    assert read_provenance(output)["settings"]["stabilise"] == share
    assert Provenance.read(output).settings == Settings(stabilise=share)


def test_the_smallest_window_is_as_asked(run, movie, tmp_path):
    output = tmp_path / "labels.tif"
    asked = ("--box", "0,10,10,30,40", "--smallest-window", 256)
    code, _, _ = run("segment", movie, "-o", output, *asked)
    assert code == 0
    assert Provenance.read(output).settings == Settings(smallest_window=256)


def test_a_share_of_more_than_all_is_refused(run, movie, tmp_path):
    arguments = ("--box", "0,10,10,30,40", "--stabilise", "2")
    line = complaint_of(run("segment", movie, "-o", tmp_path / "l.tif", *arguments))
    assert "0..1" in line
