from __future__ import annotations

import numpy as np
import pytest

from napari_sam_decoder.frames import Window
from napari_sam_decoder.propagation.accumulator import (
    LOGIT_LIMIT,
    Estimate,
    PackedLogits,
    fuse,
    stabilise,
)
from napari_sam_decoder.propagation.results import ObjectResult, Verdict
from napari_sam_decoder.selection import Expectation

CONTENT = (12, 16)


def slab(width, logit=4.0):
    logits = np.full((16, 16), -4.0, np.float32)
    logits[:10, :width] = logit
    return logits


def expecting(moved):
    visible = moved[: CONTENT[0]]
    return Expectation(visible, visible)


def test_nothing_is_stabilised_by_default():
    np.testing.assert_array_equal(stabilise(slab(10), expecting(slab(9)), 0), slab(10))


def test_a_pixel_that_flickers_is_averaged_with_the_frame_before():
    flickering = slab(10)
    flickering[4, 4] = -1
    stabilised = stabilise(flickering, expecting(slab(10)), 1.0)
    assert stabilised[4, 4] == pytest.approx((4 - 1) / 2)
    assert stabilised[5, 5] == 4
    half = stabilise(flickering, expecting(slab(10)), 0.5)
    assert half[4, 4] == pytest.approx(0.25 * 4 - 0.75)


def test_a_changing_shape_is_not_stabilised():
    changed = stabilise(slab(10), expecting(slab(4)), 1.0)
    np.testing.assert_array_equal(changed, slab(10))


def test_certain_pixels_do_not_change_sides():
    certain = slab(10, logit=LOGIT_LIMIT + 4)
    certain[0, 10] = 0.5
    before = expecting(slab(10, logit=50.0))
    before.moved[2, 2] = -50
    stabilised = stabilise(certain, before, 1.0)
    assert stabilised[2, 2] > 0
    assert stabilised[0, 10] < 0


def test_the_padding_stays_and_the_decision_is_not_changed_in_place():
    decided = slab(10)
    kept = decided.copy()
    stabilised = stabilise(decided, expecting(slab(9)), 1.0)
    np.testing.assert_array_equal(decided, kept)
    np.testing.assert_array_equal(stabilised[12:], decided[12:])


def test_two_empty_masks_are_no_error():
    nothing = np.full((16, 16), -4.0, np.float32)
    np.testing.assert_array_equal(stabilise(nothing, expecting(nothing), 1.0), nothing)


WINDOW = Window(0, 0, 64, 64)


def square(left, logit=8.0):
    logits = np.full((64, 64), -8, np.float32)
    logits[20:30, left : left + 10] = logit
    return logits


def estimate(logits, distance, confidence=0.9):
    packed = None if logits is None else PackedLogits.pack(logits, WINDOW)
    verdict = Verdict.ABSENT if logits is None else Verdict.SURE
    result = ObjectResult(1, verdict, confidence=confidence)
    return Estimate(result, packed, distance)


@pytest.mark.parametrize("left", [0, 25, 54])
def test_packing_keeps_the_mask_and_the_slope_of_its_edge(left):
    logits = square(left)
    packed = PackedLogits.pack(logits, WINDOW)
    back = packed.unpack()
    np.testing.assert_array_equal(back > 0, logits > 0)
    near = slice(19, 31), slice(max(left - 1, 0), left + 11)
    np.testing.assert_array_equal(back[near], logits[near])
    assert packed.values.nbytes < logits.nbytes / 30


def test_packing_nothing_takes_nothing():
    packed = PackedLogits.pack(np.full((8, 8), -1, np.float32), WINDOW)
    assert packed.values.size == 0
    assert (packed.unpack() < 0).all()


def test_the_leg_that_sees_the_object_is_right():
    seen, lost = estimate(square(5), 9), estimate(None, 1)
    assert fuse(seen, lost) is seen
    assert fuse(lost, seen) is seen
    assert fuse(lost, estimate(None, 2)).logits is None


def test_agreeing_legs_are_mixed_by_nearness():
    fused = fuse(estimate(square(20), 1), estimate(square(21), 3))
    logits = fused.logits.unpack()
    assert logits[25, 20] == pytest.approx(0.75 * 8 - 0.25 * 8)
    assert logits[25, 30] == pytest.approx(-0.75 * 8 + 0.25 * 8)
    assert fused.result.verdict is Verdict.SURE


def test_contradicting_legs_are_doubtful_and_the_nearer_wins():
    near, far = estimate(square(5), 1), estimate(square(40), 4)
    fused = fuse(far, near)
    assert fused.result.verdict is Verdict.DOUBTFUL
    np.testing.assert_array_equal(fused.logits.unpack() > 0, square(5) > 0)


def test_a_confident_leg_may_win_from_further_away():
    near, far = estimate(square(5), 2, 0.3), estimate(square(40), 3, 0.9)
    np.testing.assert_array_equal(fuse(near, far).logits.unpack() > 0, square(40) > 0)
