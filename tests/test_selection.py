from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from napari_sam_decoder.selection import (
    Expectation,
    choose_expected,
    choose_together,
    is_unambiguous,
    overlap_costs,
    soft_iou,
    stability,
)

CONTENT = (8, 16)


def square(left, width=4, logit=8.0):
    logits = np.full((16, 16), -8, np.float32)
    logits[2:6, left : left + width] = logit
    return logits


def expecting(prior, **values):
    """Memory and motion, which need not agree, are joined in the prior."""
    shown = prior[: CONTENT[0]]
    parts = {"moved": shown, "prior": shown}
    return Expectation(**{**parts, **values})


EXPECTED = expecting(square(4), size=16.0)


def test_soft_iou_of_hard_masks_is_iou():
    assert soft_iou(np.array([1.0, 1, 0, 0]), np.array([0.0, 1, 1, 0])) == 1 / 3


def test_two_empty_masks_agree():
    assert soft_iou(np.zeros(3), np.zeros(3)) == 1


@pytest.mark.parametrize(
    ("logits", "expected"),
    [([8.0, 8.0, -8.0], 1), ([8.0, 0.5, -8.0], 0.5), ([-8.0, -8.0, -8.0], 0)],
)
def test_stability_drops_with_undecided_pixels(logits, expected):
    assert stability(np.array(logits)) == expected


def test_a_worse_rated_mask_in_the_right_place_wins():
    logits = np.stack([square(10), square(4), square(2, 12), square(11)])
    ratings = np.array([0.95, 0.8, 0.95, 0.95])
    choice = choose_expected(logits, ratings, EXPECTED)
    assert choice.index == 1
    assert choice.memory_agreement == pytest.approx(1, abs=0.01)
    assert choice.confidence == pytest.approx(0.8)


def test_among_masks_in_the_right_place_the_better_rated_wins():
    logits = np.stack([square(4), square(4), square(4), square(4)])
    ratings = np.array([0.5, 0.7, 0.9, 0.6])
    assert choose_expected(logits, ratings, EXPECTED).index == 2


def test_padding_has_no_say():
    logits = np.stack([square(4)] * 4)
    logits[:, 8:] = 9
    choice = choose_expected(logits, np.ones(4), EXPECTED)
    assert choice.memory_agreement == pytest.approx(1, abs=0.01)


def test_the_prior_decides_and_likeness_to_the_last_mask_is_only_reported():
    expected = expecting(square(4), moved=square(8)[: CONTENT[0]])
    logits = np.stack([square(8), square(8), square(4), square(6)])
    choice = choose_expected(logits, np.full(4, 0.9), expected)
    assert choice.index == 2
    assert choice.memory_agreement == pytest.approx(1, abs=0.01)
    assert choice.temporal_iou == pytest.approx(0, abs=0.01)
    assert choice.confidence == pytest.approx(0.9)


def test_the_index_is_that_within_a_set():
    elsewhere = [square(10)] * 4
    logits = np.stack([*elsewhere, square(10), square(10), square(4), square(10)])
    choice = choose_expected(logits, np.full(8, 0.9), EXPECTED)
    assert choice.index == 2
    np.testing.assert_array_equal(choice.logits, square(4))


def test_ratings_outside_0_to_1_are_clipped():
    logits = np.stack([square(4)] * 4)
    choice = choose_expected(logits, np.array([-0.2, -0.1, 1.3, -1]), EXPECTED)
    assert (choice.index, choice.iou_prediction) == (2, 1.0)


@pytest.mark.parametrize(("usual_size", "index"), [(12.0, 1), (20.0, 2), (None, 2)])
def test_the_usual_size_decides_where_two_masks_fit_about_as_well(usual_size, index):
    expected = expecting(square(4), size=usual_size)
    logits = np.stack([square(10), square(4, 3), square(4, 5), square(10)])
    assert choose_expected(logits, np.full(4, 0.9), expected).index == index


def test_masks_of_the_scene_are_never_the_object():
    expected = expecting(square(2, 12), largest=60.0)
    scene = np.full((16, 16), 9, np.float32)
    among = choose_expected(
        np.stack([scene, scene, square(4), scene]), np.ones(4), expected
    )
    assert among.index == 2
    alone = choose_expected(np.stack([scene] * 4), np.ones(4), expected)
    assert alone.score == 0


@pytest.mark.parametrize(
    ("found", "rating", "clear"),
    [(square(4), 1.0, True), (square(4), 0.8, False), (square(4, 3), 1.0, False)],
)
def test_a_choice_is_clear_when_good_expected_and_of_usual_size(found, rating, clear):
    choice = choose_expected(np.stack([found] * 4), np.full(4, rating), EXPECTED)
    assert is_unambiguous(choice, EXPECTED) is clear


def test_the_padding_does_not_make_a_choice_unclear():
    found = square(4)
    found[8:] = 9
    choice = choose_expected(np.stack([found] * 4), np.ones(4), EXPECTED)
    assert is_unambiguous(choice, EXPECTED)


def best_sum(scores, owners, costs):
    """By looking at every combination."""
    places = [np.flatnonzero(owners == owner) for owner in np.unique(owners)]
    return max(
        scores[list(picks)].sum() - costs[np.ix_(picks, picks)].sum() / 2
        for picks in product(*places)
    )


@pytest.mark.parametrize("seed", range(20))
def test_what_is_chosen_together_has_nearly_the_largest_sum(seed):
    random = np.random.default_rng(seed)
    owners = np.repeat(np.arange(4), 3)
    scores = random.random(12)
    masks = random.random((12, 9)) < 0.6
    costs = overlap_costs(masks, owners)
    picks = choose_together(scores, owners, costs)
    np.testing.assert_array_equal(owners[picks], np.arange(4))
    found = scores[picks].sum() - costs[np.ix_(picks, picks)].sum() / 2
    assert found >= best_sum(scores, owners, costs) - 0.1
    # Whoever comes first makes no difference.
    order = np.concatenate([np.flatnonzero(owners == owner) for owner in (2, 0, 3, 1)])
    again = choose_together(scores[order], owners, costs[np.ix_(order, order)])
    assert set(order[again]) == set(picks)


def test_what_may_not_be_chosen_is_not():
    scores = np.array([-np.inf, 0.1, 0.9, 0.2])
    owners = np.array([0, 0, 1, 1])
    costs = np.zeros((4, 4))
    assert choose_together(scores, owners, costs).tolist() == [1, 2]


def test_one_object_may_lie_inside_another_at_no_cost():
    masks = np.array([[1] * 10, [1] * 3 + [0] * 7, [1] * 9 + [0]], bool)
    costs = overlap_costs(masks, np.array([0, 1, 2]))
    assert costs[0, 1] == 0
    assert costs[0, 2] == pytest.approx((0.9 - 0.3) / 0.7)
