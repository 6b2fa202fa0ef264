from __future__ import annotations

import numpy as np
import pytest
from made_frames import DISK, SHAPE, as_low_res, block

from napari_sam_decoder.interactive.actions import Action, Shown
from napari_sam_decoder.interactive.clues import Clues, most_of
from napari_sam_decoder.interactive.focus import Focus
from napari_sam_decoder.model.refinement import CLUES
from napari_sam_decoder.model.values import GRID_SIDE
from napari_sam_decoder.prompts import PaintedMask

PICTURE = np.random.default_rng(0).integers(0, 255, (3, *SHAPE)).astype(np.uint8)
FOCUS = Focus.around((20, 24), 48, SHAPE)
NEWEST = Action((20, 24), is_positive=True)
PLACES = {
    "mask": (3, DISK),
    "on object": (12, block((10, 14), (10, 14))),
    "beside": (13, block((10, 14), (36, 40))),
    "region": (16, block((6, 34), (8, 44))),
    "others": (17, block((30, 36), (30, 40))),
}
TOGETHER, ALONE = range(4, 8), range(8, 12)
ADDED, REMOVED, INSIDE, NEARNESS = 14, 15, 18, 19


def painted(name, *, is_positive):
    return Action(PaintedMask.of(PLACES[name][1]), is_positive)


def seen(focus=FOCUS, newest=NEWEST, **values):
    actions = [
        painted("on object", is_positive=True),
        painted("beside", is_positive=False),
        *([] if newest is None else [newest]),
    ]
    known = {
        "together": np.stack([as_low_res(DISK) / n for n in (1, 2, 3, 4)]),
        "alone": np.stack([-as_low_res(DISK) / n for n in (1, 2, 3, 4)]),
        "region": PLACES["region"][1],
        "others": PLACES["others"][1],
        **values,
    }
    clues = Clues(PICTURE, DISK, Shown(actions), newest, **known)
    return clues.seen(focus)


def test_each_channel_shows_what_it_is_for():
    channels = seen()
    assert channels.shape == (CLUES, GRID_SIDE, GRID_SIDE)
    for name, (number, mask) in PLACES.items():
        (expected,) = FOCUS.sample([mask])
        apart = np.hypot(*(np.indices(expected.shape) - GRID_SIDE / 2)) > 10
        np.testing.assert_allclose(
            channels[number][apart], expected[apart], atol=1e-6, err_msg=name
        )


@pytest.mark.parametrize(("channels", "sign"), [(TOGETHER, 1), (ALONE, -1)])
def test_masks_of_the_decoder_are_squashed(channels, sign):
    found = seen()[channels]
    for number, plane in enumerate(found, start=1):
        assert sign * plane.max() == pytest.approx(
            sign * np.tanh(sign * 9 / number / 4 if sign > 0 else 9 / number / 4),
            abs=1e-3,
        )
    inside = FOCUS.sample([DISK])[0] > 0.99
    assert (sign * found[:, inside] > 0).mean() > 0.95


@pytest.mark.parametrize("is_positive", [True, False])
def test_the_newest_action_is_told_from_the_others(is_positive):
    channels = seen(newest=Action((20, 24), is_positive))
    shown, hidden = (ADDED, REMOVED) if is_positive else (REMOVED, ADDED)
    dot = np.argwhere(channels[shown] == 1)
    middle = (np.array([20.5, 24.5]) - (FOCUS.row, FOCUS.column)) / FOCUS.cell
    assert np.abs(dot.mean(axis=0) + 0.5 - middle).max() < 1
    assert not channels[hidden].any()
    peak = np.unravel_index(channels[NEARNESS].argmax(), channels[NEARNESS].shape)
    assert np.abs(np.array(peak) + 0.5 - middle).max() <= 1


def test_an_outline_is_no_newest_action():
    channels = seen(newest=None)
    assert not channels[[ADDED, REMOVED, NEARNESS]].any()
    assert channels[16].any()


def test_what_is_not_known_is_nothing():
    channels = seen(together=None, alone=None, region=None, others=None)
    assert not channels[[*TOGETHER, *ALONE, 16, 17]].any()


@pytest.mark.parametrize("contrast", [0, 1, 255])
@pytest.mark.parametrize("middle", [(20, 24), (0, 0), (39, 55)])
def test_all_values_are_between_minus_one_and_one(contrast, middle):
    focus = Focus.around(middle, 60, SHAPE)
    picture = (contrast * DISK).astype(np.uint8)
    clues = Clues(np.stack([picture] * 3), DISK, Shown([]), None, region=DISK)
    channels = clues.seen(focus)
    assert np.isfinite(channels).all()
    assert np.abs(channels).max() <= 1 + 1e-6
    off = channels[INSIDE] == 0
    assert not channels[:3, off].any()


def test_brightness_does_not_matter():
    dark = np.stack([np.where(DISK, 60, 20).astype(np.uint8)] * 3)
    inside = Focus.around((20, 24), 30, SHAPE)
    clues = [
        Clues(one, DISK, Shown([])).seen(inside)[:3]
        for one in (dark, (dark + 100).astype(np.uint8))
    ]
    np.testing.assert_allclose(*clues, atol=1e-4)


def test_a_few_pixels_stand_for_a_long_scribble():
    pixels = np.argwhere(block((5, 6), (0, 56)))
    few = most_of(pixels, 5)
    assert few[:, 1].tolist() == [0, 13, 27, 41, 55]
    assert len(most_of(pixels[:3], 5)) == 3
