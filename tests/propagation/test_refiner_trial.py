from __future__ import annotations

import numpy as np
import pytest
from ideal_network import BEST_TOGETHER, MASK, SIDE, IdealNetwork, as_logits, movie_of

from napari_sam_decoder.propagation import Context, Settings, Views
from napari_sam_decoder.propagation.accumulator import PackedLogits
from napari_sam_decoder.propagation.refiner_trial import (
    LARGE_LOSS,
    LARGEST_SHARE,
    MOST_TRIALS,
    refiner_share,
)


class CopyingRefiner:
    """Draws one of the clues, with the columns left of some one taken away."""

    def __init__(self, clue, lost=0):
        self.clue = clue
        self.lost = lost
        self.calls = 0

    def refine(self, seen):
        self.calls += 1
        drawn = 2 * (seen[:, self.clue] > 0.5).astype(np.float32) - 1
        if self.lost:
            columns = np.flatnonzero((drawn > 0).any(axis=(0, 1)))
            drawn[..., : columns[0] + round(self.lost * len(columns))] = -1
        return drawn, np.ones(len(seen), np.float32)


@pytest.fixture
def truth():
    return movie_of(lambda frame: (12, 12), size=40)


def share(truth, refiner, *, is_grey=True, frames=(0,)):
    network = IdealNetwork(truth)
    colours = network.picture
    if is_grey:
        network.picture = lambda frame: np.repeat(colours(frame)[..., :1], 3, axis=2)
    context = Context(network, network, (SIDE, SIDE), Settings(), refiner=refiner)
    return refiner_share(
        Views(context),
        [
            (one, PackedLogits.pack(as_logits(truth[one] == 1), context.window))
            for one in frames
        ],
    )


def test_a_refiner_that_draws_known_masks_counts(truth):
    assert share(truth, CopyingRefiner(BEST_TOGETHER)) == LARGEST_SHARE


def test_one_that_repeats_the_moved_mask_does_not(truth):
    assert share(truth, CopyingRefiner(MASK)) == 0


def test_in_between_it_counts_by_what_it_loses(truth):
    few, many = (
        share(truth, CopyingRefiner(BEST_TOGETHER, lost))
        for lost in (0.4 * LARGE_LOSS, 2 * LARGE_LOSS)
    )
    assert 0 == many < few <= LARGEST_SHARE


def test_it_is_not_tried_on_colours(truth):
    refiner = CopyingRefiner(BEST_TOGETHER)
    assert share(truth, refiner, is_grey=False) == 0
    assert not refiner.calls


def test_nothing_known_is_nothing_believed(truth):
    assert share(truth, CopyingRefiner(BEST_TOGETHER), frames=()) == 0


def test_trials_are_few(truth):
    refiner = CopyingRefiner(BEST_TOGETHER)
    assert share(truth, refiner, frames=(0,) * 20) == LARGEST_SHARE
    assert refiner.calls == 2 * MOST_TRIALS
