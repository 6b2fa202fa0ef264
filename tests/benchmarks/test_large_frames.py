from __future__ import annotations

import numpy as np
import pytest
from large_frames_parts.methods import HALO, TILE, Tiles
from large_frames_parts.mosaics import DRIFT, Mosaic, Tile, rescaled
from large_frames_parts.scenes import Scene

from napari_sam_decoder.frames import Window

LENGTH, SIDE = 4, 200


@pytest.fixture(scope="module")
def mosaic():
    masks = np.zeros((LENGTH, 40, 60), np.int32)
    masks[:, 5:20, 8:26] = 1
    masks[:, 22:38, 30:50] = 7
    frames = np.where(masks > 0, 100 + 10 * masks, 20).astype(np.uint8)
    return Mosaic([Tile(frames, masks)], SIDE, LENGTH)


def test_a_mosaic_fills_the_frame_and_its_truth_fits(mosaic):
    assert mosaic.frames.shape == mosaic.masks.shape == (LENGTH, SIDE, SIDE)
    assert (mosaic.frames >= 20).all()
    expected = np.where(mosaic.masks > 0, 100 + 10 * (mosaic.masks % 1000), 20)
    np.testing.assert_array_equal(mosaic.frames, expected)


def test_bands_drift_against_each_other(mosaic):
    scene = Scene.apart("", mosaic, count=100)
    steps = set()
    for place in scene.places:
        columns = [
            np.argwhere(mask == place.object_id).mean(axis=0)[1]
            for mask in mosaic.masks
        ]
        (step,) = set(np.diff(columns))
        steps.add(step)
    assert steps == {-DRIFT, DRIFT}


def test_the_objects_of_a_scene_are_whole_on_all_frames(mosaic):
    scene = Scene.near("", mosaic, count=5)
    stage = scene.whole()
    assert len(stage.objects) == 5
    for place in scene.places:
        own = mosaic.tiles[place.tile].masks[0] == place.own_id
        areas = (stage.masks == place.object_id).sum(axis=(1, 2))
        assert (areas == own.sum()).all()


def test_small_movies_have_the_same_objects(mosaic):
    scene = Scene.near("", mosaic, count=5)
    small = list(scene.small())
    assert sum(len(stage.objects) for stage in small) == 5
    assert all(
        (stage.masks[0] == one).any() for stage in small for one in stage.objects
    )


def test_a_rescaled_tile_has_objects_of_the_asked_size():
    masks = np.zeros((1, 90, 90), np.int32)
    masks[:, 10:70, 20:80] = 1
    small = rescaled(Tile(np.full((1, 90, 90), 7, np.uint8), masks), 30)
    assert small.masks.shape == (1, 45, 45)
    assert np.sqrt((small.masks == 1).sum()) == pytest.approx(30, abs=1)


def test_tiles_cover_the_frame_and_hold_the_middle_of_an_object():
    tiles = Tiles((1000, 1500), (TILE + 2 * HALO,))
    covered = np.zeros((1000, 1500), bool)
    for window in tiles.all():
        covered[window.place] = True
    assert covered.all()
    box = Window(380, 700, 30, 30)
    tile = tiles.window_for(box)
    assert tile.contains(box)
    assert tile.side <= TILE + 2 * HALO
    assert tiles.next_window(box, box, tile, ()) == tile
