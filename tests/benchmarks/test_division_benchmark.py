from __future__ import annotations

from collections import Counter
from functools import cache

import division
import numpy as np
from division_parts.movie import Division, dividing_cells
from scipy import ndimage

from napari_sam_decoder import FrameResult, ObjectResult, Verdict
from napari_sam_decoder.prompts import PaintedMask

MASK = PaintedMask.of(np.ones((2, 2), bool))

generated = cache(dividing_cells)


def results(*offers, frames=10, object_ids=(1, 2)):
    """Results of a run in which some (object, frame) are offered daughters."""
    for frame in range(frames):
        yield FrameResult(
            frame,
            np.zeros((2, 2), np.uint16),
            {
                one: ObjectResult(
                    one,
                    Verdict.DOUBTFUL,
                    daughters=(MASK, MASK) if (one, frame) in offers else None,
                )
                for one in object_ids
            },
        )


def test_an_offer_is_right_near_the_division_of_its_own_object():
    there = [Division(1, (3, 4), 5)]
    for offer, is_right in [((1, 5), 1), ((1, 8), 1), ((1, 9), 0), ((2, 5), 0)]:
        counts = division.score(results(offer), there)
        assert (counts["offers"], counts["right"]) == (1, is_right)
        assert (counts["divisions"], counts["object-frames"]) == (1, 20)


def test_the_summary_has_recall_and_precision_or_the_rate_of_offers():
    counts = Counter({"object-frames": 200, "divisions": 4, "offers": 3, "right": 2})
    assert division.summary(counts, has_truth=True) == "recall 0.50, precision 0.67"
    assert division.summary(counts, has_truth=False).startswith("1.50 offers per 100")


def test_mothers_are_followed_by_their_daughters():
    movie = generated(0)
    assert len(movie.divisions) == 3
    for one in movie.divisions:
        before, after = movie.truth[one.frame - 1], movie.truth[one.frame]
        assert (before == one.mother).any()
        assert not np.isin(before, one.daughters).any()
        assert not (after == one.mother).any()
        mother = ndimage.binary_dilation(before == one.mother, iterations=3)
        for daughter in one.daughters:
            mask = after == daughter
            assert (mask & mother).sum() > 0.9 * mask.sum()


def test_the_others_stay_and_some_come_close():
    movie = generated(0)
    others = set(range(1, 10)) - {one.mother for one in movie.divisions}
    for ids in movie.truth:
        assert others <= set(np.unique(ids))
    near = [
        (
            ndimage.binary_dilation(ids == one, iterations=6)
            & np.isin(ids, [*others - {one}])
        ).any()
        for ids in movie.truth
        for one in others
    ]
    assert any(near)
    assert not all(near)


def test_a_movie_comes_out_the_same_again():
    np.testing.assert_array_equal(dividing_cells(0).frames, generated(0).frames)
