from __future__ import annotations

import numpy as np
import pytest

from napari_sam_decoder.selection import (
    Expectation,
    choose_by_quality,
    choose_like,
    is_clear,
    soft_iou,
    stability,
)

CONTENT = (8, 16)


def square(left, width=4, logit=8.0):
    logits = np.full((16, 16), -8, np.float32)
    logits[2:6, left : left + width] = logit
    return logits


EXPECTED = Expectation(square(4), size=16.0)


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


def test_the_best_rated_of_the_allowed_masks_is_chosen():
    logits = np.stack([square(1), square(4), square(8), square(10)])
    ratings = np.array([1.2, 0.3, 0.9, 0.8])
    choice = choose_by_quality(logits, ratings, (1, 2, 3), CONTENT)
    assert (choice.index, choice.agreement) == (2, 1.0)
    assert choice.iou_prediction == pytest.approx(0.9)
    assert choose_by_quality(logits, ratings, (0, 1), CONTENT).iou_prediction == 1


def test_the_whole_picture_is_no_object():
    logits = np.stack([square(0, 16, 9), np.full((16, 16), 9), square(4), square(4)])
    ratings = np.array([0.9, 1.0, 0.5, 0.4])
    assert choose_by_quality(logits, ratings, (1, 2, 3), CONTENT).index == 2
    assert choose_by_quality(logits, ratings, (1,), CONTENT).index == 1


def test_a_worse_rated_mask_in_the_right_place_wins():
    logits = np.stack([square(10), square(4), square(2, 12), square(11)])
    ratings = np.array([0.95, 0.8, 0.95, 0.95])
    choice = choose_like(logits, ratings, EXPECTED, CONTENT)
    assert choice.index == 1
    assert choice.agreement == pytest.approx(1, abs=0.01)
    assert choice.confidence == pytest.approx(0.8)


def test_among_masks_in_the_right_place_the_better_rated_wins():
    logits = np.stack([square(4), square(4), square(4), square(4)])
    ratings = np.array([0.5, 0.7, 0.9, 0.6])
    assert choose_like(logits, ratings, EXPECTED, CONTENT).index == 2


def test_padding_has_no_say():
    logits = np.stack([square(4)] * 4)
    logits[:, 8:] = 9
    choice = choose_like(logits, np.ones(4), EXPECTED, CONTENT)
    assert choice.agreement == pytest.approx(1, abs=0.01)


def test_ratings_outside_0_to_1_are_clipped():
    logits = np.stack([square(4)] * 4)
    choice = choose_like(logits, np.array([-0.2, -0.1, 1.3, -1]), EXPECTED, CONTENT)
    assert (choice.index, choice.iou_prediction) == (2, 1.0)


def test_a_mask_of_the_usual_size_wins_over_one_that_repeats_the_last():
    shrunk = Expectation(square(4, 3), size=16.0)
    logits = np.stack([square(4, 3), square(4), square(10), square(10)])
    assert choose_like(logits, np.full(4, 0.9), shrunk, CONTENT).index == 1


def test_masks_of_the_scene_are_never_the_object():
    expected = Expectation(square(2, 12), largest=60.0)
    scene = np.full((16, 16), 9, np.float32)
    among = choose_like(
        np.stack([scene, scene, square(4), scene]), np.ones(4), expected, CONTENT
    )
    assert among.index == 2
    alone = choose_like(np.stack([scene] * 4), np.ones(4), expected, CONTENT)
    assert alone.score == 0


@pytest.mark.parametrize(
    ("found", "rating", "clear"),
    [(square(4), 1.0, True), (square(4), 0.8, False), (square(4, 3), 1.0, False)],
)
def test_a_choice_is_clear_when_good_expected_and_of_usual_size(found, rating, clear):
    choice = choose_like(np.stack([found] * 4), np.full(4, rating), EXPECTED, CONTENT)
    assert is_clear(choice, EXPECTED) is clear
