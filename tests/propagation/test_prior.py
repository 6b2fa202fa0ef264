from __future__ import annotations

import numpy as np
import pytest

from napari_sam_decoder.memory import Memory, View
from napari_sam_decoder.model.values import Embedding
from napari_sam_decoder.propagation.prior import (
    FARTHEST_PENALTY,
    MEMORY_GAIN,
    MOVED_LIMIT,
    REACH,
    STEADY_REACH,
    beyond,
    claimed,
    join,
    recall,
    redrawn,
    steadiness_weight,
    strongest_part,
)

SIDE = 64
ZERO = np.zeros((2, 2))


def square(row, column, size=16, logit=8.0):
    logits = np.full((SIDE, SIDE), -8, np.float32)
    logits[row : row + size, column : column + size] = logit
    return logits


def view_with_object():
    """The object fills the cells under ``square(16, 16)``."""
    features = np.zeros((2, 16, 16), np.float16)
    features[0, 4:8, 4:8] = 1
    features[1] = 1 - features[0]
    return View(Embedding(features, (SIDE, SIDE)), (62, SIDE), SIDE)


def test_memory_speaks_in_logits_of_the_frame():
    view = view_with_object()
    recalled = recall(Memory.of(view, square(16, 16)), view)
    assert recalled.shape == (62, SIDE)
    assert recalled[24, 24] == pytest.approx(MEMORY_GAIN, rel=0.05)
    assert recalled[50, 50] == pytest.approx(-MEMORY_GAIN, rel=0.05)


@pytest.mark.parametrize(
    ("steadiness", "weight"), [(0.2, 0), (0.5, 0), (0.7, 0.5), (0.9, 1), (1.0, 1)]
)
def test_the_last_mask_of_an_unsteady_object_says_nothing(steadiness, weight):
    assert steadiness_weight(steadiness) == pytest.approx(weight)


def test_the_memory_alone_says_where_an_unsteady_object_is():
    recalled, moved = square(4, 4), square(30, 30)
    np.testing.assert_array_equal(join(recalled, moved, moved / 2, 0.0), recalled)


def test_of_a_mask_that_the_memory_agrees_with_nothing_is_lost():
    thin = square(16, 16)
    thin[17, 40:60] = 5
    drawn = np.where(square(16, 16) > 0, 3.0, -3.0)
    joined = join(recalled=drawn, moved=thin, drawn=drawn, weight=1.0)
    np.testing.assert_array_equal(joined > 0, thin > 0)


def test_where_the_memory_differs_it_moves_the_outline():
    moved, elsewhere = square(16, 16), square(16, 20)
    drawn, recalled = (np.where(mask > 0, 3.0, -3.0) for mask in (moved, elsewhere))
    certain = join(recalled * 3, moved, drawn, 1.0)
    np.testing.assert_array_equal(certain > 0, elsewhere > 0)


@pytest.mark.parametrize("logit", [-100, 100])
def test_the_decoder_does_not_outvote_the_memory_without_limit(logit):
    joined = join(ZERO, ZERO + logit, ZERO, 1.0)
    assert np.abs(joined).max() <= MOVED_LIMIT


def test_a_mask_is_redrawn_by_cells():
    view = view_with_object()
    redrawn_mask = redrawn(square(16, 16), view)
    assert redrawn_mask.shape == (62, SIDE)
    assert redrawn_mask[24, 24] == pytest.approx(MEMORY_GAIN, rel=0.01)
    assert redrawn_mask[50, 50] == pytest.approx(-MEMORY_GAIN, rel=0.01)
    half = redrawn(square(16, 18, size=2), view)
    assert abs(half[18, 18]) < MEMORY_GAIN


@pytest.mark.parametrize(("weight", "reach"), [(0, REACH), (1, STEADY_REACH)])
def test_far_places_are_unlikely_and_less_so_later(weight, reach):
    side = 40.0
    moved = np.full((200, 200), -8.0)
    moved[:40, :40] = 8
    now, later = (beyond(moved, side**2, steps, weight) for steps in (1, 4))
    assert not now[:40, :40].any()
    at_reach = 39 + int(side * reach)
    assert now[0, at_reach] == pytest.approx(1)
    assert later[0, at_reach] == pytest.approx(1 / 4)
    assert now.max() == FARTHEST_PENALTY


def test_an_object_that_moved_out_is_not_in_the_picture():
    penalties = beyond(np.full((8, 8), -1.0), 9.0, 1, 0.0)
    assert (penalties == FARTHEST_PENALTY).all()


def test_the_part_that_speaks_most_for_the_object_is_kept():
    logits = square(4, 4, size=10, logit=1.0)
    logits[40:46, 40:46] = 7
    kept = strongest_part(logits)
    np.testing.assert_array_equal(np.argwhere(kept > 0), np.argwhere(logits == 7))
    assert (kept[logits == 1] == -FARTHEST_PENALTY).all()


@pytest.mark.parametrize("logits", [square(4, 4), np.full((8, 8), -1.0)])
def test_a_single_part_or_none_is_left_as_it_is(logits):
    np.testing.assert_array_equal(strongest_part(logits), logits)


def test_others_cost_only_where_the_object_was_not():
    theirs, ours = square(16, 16), square(16, 24)
    claims = claimed(theirs, ours)
    assert (claims[16:32, 16:24] == 2 * MOVED_LIMIT).all()
    assert not claims[16:32, 24:].any()
