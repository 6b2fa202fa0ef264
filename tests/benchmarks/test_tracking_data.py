from __future__ import annotations

import numpy as np
import pytest
import tifffile
from PIL import Image
from tracking_parts.data import choose_targets, read

from napari_sam_decoder.errors import FormatError


def write_folders(folder, pixels, masks):
    for name, stack in (("frames", pixels), ("masks", masks)):
        (folder / name).mkdir()
        for frame, picture in enumerate(stack):
            Image.fromarray(picture).save(folder / name / f"{frame}.png")


def test_folders_of_pictures_are_read_and_white_is_object_1(tmp_path, pixels, truth):
    white = np.where(truth == 1, 255, 0).astype(np.uint8)
    write_folders(tmp_path, pixels, white)
    clip = read(tmp_path)
    assert clip.name == tmp_path.name
    np.testing.assert_array_equal(clip.masks, truth == 1)
    np.testing.assert_array_equal(clip.movie.raw(3), pixels[3])


def test_stacks_are_read(tmp_path, pixels, truth):
    tifffile.imwrite(tmp_path / "image.tif", pixels)
    tifffile.imwrite(tmp_path / "masks.tif", truth.astype(np.uint16) * 300)
    clip = read(tmp_path)
    assert len(clip.movie) == len(pixels)
    np.testing.assert_array_equal(clip.masks, truth.astype(int) * 300)


def test_white_is_an_object_of_its_own_where_1_is_taken(tmp_path, pixels, truth):
    tifffile.imwrite(tmp_path / "image.tif", pixels)
    tifffile.imwrite(tmp_path / "masks.tif", np.where(truth == 2, 255, truth))
    assert np.unique(read(tmp_path).masks).tolist() == [0, 1, 255]


def test_colours_of_a_palette_are_objects(tmp_path, pixels, truth):
    colours = np.array([[0, 0, 0], [0, 128, 0], [128, 0, 0]], np.uint8)
    write_folders(tmp_path, pixels, colours[truth])
    np.testing.assert_array_equal(read(tmp_path).masks, truth)


def test_masks_that_do_not_fit_are_refused(tmp_path, pixels, truth):
    write_folders(tmp_path, pixels, truth[:-1])
    with pytest.raises(FormatError, match="give each frame one mask"):
        read(tmp_path)


def test_objects_of_a_movie_start_on_their_first_frame(truth):
    first, second = choose_targets(truth, "first")
    assert (first.object_id, first.start, first.frames) == (1, 0, range(6))
    assert (second.object_id, second.start, second.frames) == (2, 2, range(2, 6))
    assert first.scored == (1, 2, 3, 4)
    assert second.sweeps == (range(3, 6), range(1, 1, -1))
    np.testing.assert_array_equal(second.truth(4), truth[4] == 2)


def test_the_largest_of_the_first_frame_come_first():
    masks = np.zeros((4, 20, 20), int)
    masks[:, :3, :3] = 5
    masks[:, 5:9, 5:9] = 6
    masks[1:, 10:, 10:] = 7
    masks[:2, 15:, :5] = 8
    ids = [target.object_id for target in choose_targets(masks, "first")]
    assert ids == [6, 5, 7], "7 comes later, and 8 is there for two frames only"
    assert len(choose_targets(masks, "first", 2)) == 2


def test_objects_of_a_volume_start_where_they_are_largest():
    masks = np.zeros((7, 30, 30), int)
    masks[1:6, :8, :8] = 3
    masks[2, :10, :10] = 3
    masks[:, 12:22, 12:22] = 4
    masks[:4, 24:, :20] = 5
    masks[:, 24:, 23:] = 6
    four, three = choose_targets(masks, "largest")
    assert (four.object_id, three.object_id) == (4, 3), "5 is short and 6 is thin"
    assert (three.start, three.frames) == (2, range(1, 6))
    assert three.scored == (1, 3, 4, 5)
    assert three.sweeps == (range(3, 6), range(1, 0, -1))
    assert [target.object_id for target in choose_targets(masks, "largest", 1)] == [4]


def test_nothing_to_follow():
    assert choose_targets(np.zeros((3, 4, 4), int), "first") == []
