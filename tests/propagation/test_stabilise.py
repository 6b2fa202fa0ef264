from __future__ import annotations

import numpy as np
import pytest

from napari_sam_decoder.propagation.stabilise import LOGIT_LIMIT, smooth
from napari_sam_decoder.selection import Expectation

CONTENT = (12, 16)


def square(width, logit=4.0):
    logits = np.full((16, 16), -4.0, np.float32)
    logits[:10, :width] = logit
    return logits


def expecting(moved):
    visible = moved[: CONTENT[0]]
    return Expectation(visible, visible)


def test_nothing_is_smoothed_unless_asked():
    np.testing.assert_array_equal(
        smooth(square(10), expecting(square(9)), 0), square(10)
    )


def test_a_pixel_that_flickers_is_averaged_with_the_frame_before():
    flickering = square(10)
    flickering[4, 4] = -1
    smoothed = smooth(flickering, expecting(square(10)), 1.0)
    assert smoothed[4, 4] == pytest.approx((4 - 1) / 2)
    assert smoothed[5, 5] == 4
    half = smooth(flickering, expecting(square(10)), 0.5)
    assert half[4, 4] == pytest.approx(0.25 * 4 - 0.75)


def test_a_shape_that_changes_is_not_held_back():
    changed = smooth(square(10), expecting(square(4)), 1.0)
    np.testing.assert_array_equal(changed, square(10))


def test_what_is_sure_does_not_change_sides():
    certain = square(10, logit=LOGIT_LIMIT + 4)
    certain[0, 10] = 0.5
    before = expecting(square(10, logit=50.0))
    before.moved[2, 2] = -50
    smoothed = smooth(certain, before, 1.0)
    assert smoothed[2, 2] > 0
    assert smoothed[0, 10] < 0


def test_the_padding_stays_and_the_decision_is_not_changed_in_place():
    decided = square(10)
    kept = decided.copy()
    smoothed = smooth(decided, expecting(square(9)), 1.0)
    np.testing.assert_array_equal(decided, kept)
    np.testing.assert_array_equal(smoothed[12:], decided[12:])


def test_two_empty_masks_are_no_error():
    nothing = np.full((16, 16), -4.0, np.float32)
    np.testing.assert_array_equal(smooth(nothing, expecting(nothing), 1.0), nothing)
