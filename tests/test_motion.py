from __future__ import annotations

import numpy as np
import pytest

from napari_sam_decoder.motion import Motion, mask_centre, shift_logits, warp_logits


def test_a_still_object_stays():
    motion = Motion((5, 5)).seen_at((5, 5)).seen_at((5, 5))
    assert motion.velocity == (0, 0)


def test_the_first_step_counts_whole_and_later_ones_half():
    motion = Motion((0, 0)).seen_at((2, 4))
    assert motion.velocity == (2, 4)
    assert motion.seen_at((6, 4)).velocity == (3, 2)


def test_a_step_over_several_frames_is_divided():
    assert Motion((0, 0)).seen_at((6, 3), frames=3).velocity == (2, 1)


def test_the_centre_of_a_mask():
    mask = np.zeros((9, 9), bool)
    mask[2:5, 4:8] = True
    assert mask_centre(mask) == (3, 5.5)


def blob():
    logits = np.full((16, 16), -8, np.float32)
    logits[4:8, 4:8] = 8
    return logits


@pytest.mark.parametrize("step", [(0, 0), (2, 3), (-2, 1)])
def test_whole_steps_move_the_object_exactly(step):
    moved = shift_logits(blob(), step)
    rows, columns = np.nonzero(moved > 0)
    assert (rows.min(), columns.min()) == (4 + step[0], 4 + step[1])
    assert (moved > 0).sum() == 16


def test_half_steps_lie_between():
    moved = shift_logits(blob(), (0.5, 0))
    assert moved[4, 5] == pytest.approx(0)


def test_what_comes_in_continues_the_rim():
    logits = np.full((8, 8), -8, np.float32)
    logits[:2] = 8
    assert (shift_logits(logits, (3, 0))[:5] > 0).all()


def test_a_mask_goes_where_its_pixels_went():
    displacement = np.zeros((2, 16, 16), np.float32)
    displacement[0], displacement[1] = -2, 1
    moved = warp_logits(blob(), displacement)
    np.testing.assert_array_equal(moved, np.roll(blob(), (2, -1), axis=(0, 1)))


def test_parts_of_a_mask_may_go_different_ways():
    displacement = np.zeros((2, 16, 16), np.float32)
    displacement[1, 6:] = -3
    rows, columns = np.nonzero(warp_logits(blob(), displacement) > 0)
    assert set(columns[rows < 6]) == {4, 5, 6, 7}
    assert set(columns[rows >= 6]) == {7, 8, 9, 10}


def test_what_comes_in_from_outside_continues_the_rim():
    logits = np.full((8, 8), -8, np.float32)
    logits[:2] = 8
    displacement = np.zeros((2, 8, 8), np.float32)
    displacement[0] = -5
    assert (warp_logits(logits, displacement)[:7] > 0).all()
