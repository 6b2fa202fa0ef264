from __future__ import annotations

import numpy as np
import pytest
from made_frames import DISK, LOW_RES, MASK, PROPOSAL, SHAPE, as_low_res, frame_with

from napari_sam_decoder.interactive import redraw


class NotingRefiner:
    """Draws the mask that it was given, and keeps what it sees."""

    def refine(self, seen):
        self.seen = seen[0]
        return 2 * seen[:, MASK] - 1, np.ones(len(seen), np.float32)


@pytest.fixture
def refiner():
    return NotingRefiner()


def drawn_by(refiner, moved):
    decoded = np.stack([as_low_res(DISK)] * 4)
    place, logits = redraw(frame_with(refiner), DISK, moved, decoded)
    drawn = np.zeros((LOW_RES, LOW_RES), bool)
    drawn[place] = logits > 0
    return drawn


def test_what_the_refiner_draws_is_where_it_was(refiner):
    moved = np.roll(DISK, (2, 4), axis=(0, 1))
    covered = frame_with(refiner).geometry.coverage(moved, LOW_RES)
    is_clear = np.abs(covered - 0.5) > 0.3
    assert (drawn_by(refiner, moved) == (covered > 0.5))[is_clear].all()


def test_it_sees_the_moved_mask_and_the_decoder_and_no_action(refiner):
    drawn_by(refiner, np.zeros(SHAPE, bool))
    assert not refiner.seen[MASK].any()
    assert refiner.seen[PROPOSAL].max() > 0.9
    assert not refiner.seen[12:16].any()
