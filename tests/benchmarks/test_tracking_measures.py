from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage
from skimage.morphology import disk
from tracking_parts.measures import (
    auc,
    boundary_f,
    boundary_f_within,
    boundary_iou,
    dice,
    flicker,
    mean,
    precision_recall,
)

SHAPE = (300, 400)
TOLERANCE = 4
"""ceil(0.008 * 500)"""


def square(row=100, column=100, side=50):
    mask = np.zeros(SHAPE, bool)
    mask[row : row + side, column : column + side] = True
    return mask


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (square(), 1),
        (square(row=100 + TOLERANCE), 1),
        (square(row=98, column=103), 1),
        (square(200, 200), 0),
        (np.zeros(SHAPE, bool), 0),
    ],
)
def test_boundaries_within_the_tolerance_are_found(found, expected):
    assert boundary_f(square(), found) == expected
    assert boundary_f(found, square()) == expected


def test_a_side_beyond_the_tolerance_is_not_found():
    wide = square() | square(column=100 + 30)
    # Right side and the ends of the upper and lower beyond 150 + 4 columns are wrong.
    perimeter, wrong = 2 * (80 + 50), 50 + 2 * (30 - TOLERANCE)
    precision = 1 - wrong / perimeter
    recall = 1 - (50 - 2 * TOLERANCE) / 200
    expected = 2 * precision * recall / (precision + recall)
    assert boundary_f(square(), wide) == pytest.approx(expected, abs=0.02)


def test_two_empty_masks_agree():
    assert boundary_f(np.zeros(SHAPE, bool), np.zeros(SHAPE, bool)) == 1


@pytest.mark.parametrize("seed", range(8))
def test_the_window_changes_nothing(seed):
    """Compare with the definition on the whole frame, by dilation."""
    rng = np.random.default_rng(seed)
    truth, found = (
        ndimage.gaussian_filter(rng.normal(size=(60, 90)), 6) > 0.01 * seed
        for _ in range(2)
    )
    assert boundary_f(truth, found) == pytest.approx(dilated_f(truth, found))


def dilated_f(truth, found):
    radius = int(np.ceil(0.008 * np.hypot(*truth.shape)))
    edges = [whole_boundary(mask) for mask in (truth, found)]
    near = [ndimage.binary_dilation(edge, disk(radius)) for edge in edges]
    recall = (edges[0] & near[1]).sum() / edges[0].sum()
    precision = (edges[1] & near[0]).sum() / edges[1].sum()
    return 2 * precision * recall / (precision + recall)


def whole_boundary(mask):
    edge = np.zeros_like(mask)
    rows, columns = mask.shape
    for row in range(rows):
        for column in range(columns):
            below, right = min(row + 1, rows - 1), min(column + 1, columns - 1)
            others = mask[row, right], mask[below, column], mask[below, right]
            edge[row, column] = any(other != mask[row, column] for other in others)
    return edge


def test_flicker_counts_only_overlap_that_is_lacking():
    still = [square(), square(), square()]
    jumping = [square(), square(column=200), square(column=200)]
    assert flicker(still, still) == 0
    assert flicker(still, jumping) == pytest.approx(0.5)
    assert flicker(jumping, still) == 0, "steadier than the truth is no flicker"
    half = [square(), square(column=125), square(column=125)]
    assert flicker(still, half) == pytest.approx((1 - 1 / 3) / 2)
    assert flicker(still[:1], still[:1]) is None


def test_dice_is_that_of_the_volume():
    truth = [square(), square(), np.zeros(SHAPE, bool)]
    found = [square(), np.zeros(SHAPE, bool), np.zeros(SHAPE, bool)]
    assert dice(truth, found) == pytest.approx(2 / 3)
    assert dice(truth[2:], found[2:]) == 1
    assert dice([], []) is None


@pytest.mark.parametrize(
    ("scores", "positive", "expected"),
    [
        ([0.1, 0.2, 0.8, 0.9], [0, 0, 1, 1], 1),
        ([0.1, 0.2, 0.8, 0.9], [1, 1, 0, 0], 0),
        ([0.5, 0.5, 0.5, 0.5], [0, 1, 0, 1], 0.5),
        ([0.1, 0.5, 0.5, 0.9], [0, 0, 1, 1], 3.5 / 4),
        ([0.1, 0.2], [1, 1], None),
        ([0.1, 0.2], [0, 0], None),
    ],
)
def test_auc_counts_ties_half(scores, positive, expected):
    assert auc(np.array(scores), np.array(positive, bool)) == expected


def test_precision_and_recall():
    truth = np.array([True, True, True, False])
    assert precision_recall(truth, np.array([1, 0, 0, 1], bool)) == (0.5, 1 / 3)
    nothing = np.zeros(4, bool)
    assert precision_recall(truth, nothing) == (None, 0)
    assert precision_recall(nothing, truth) == (0, None)


def test_what_is_not_there_has_no_say_in_a_mean():
    assert mean([1, None, 3]) == 2
    assert mean([None]) is None


SMALL = (60, 80)


def small_square(shift=0):
    mask = np.zeros(SMALL, bool)
    mask[20:40, 20 + shift : 40 + shift] = True
    return mask


def test_a_boundary_is_found_within_a_radius() -> None:
    assert boundary_f_within(small_square(), small_square(), (1, 2, 4)) == [1, 1, 1]
    near, middle, far = boundary_f_within(small_square(), small_square(3), (1, 2, 4))
    assert near < middle < far == 1
    assert boundary_f_within(small_square(), small_square() & False, (1, 2)) == [0, 0]


def test_the_radius_of_davis_is_one_of_them() -> None:
    radius = np.ceil(0.008 * np.hypot(*SMALL))
    expected = boundary_f_within(small_square(), small_square(2), [radius])
    assert [boundary_f(small_square(), small_square(2))] == expected


def test_boundary_iou_forgets_what_lies_deep_inside() -> None:
    assert boundary_iou(small_square(), small_square()) == 1
    hollow = small_square()
    hollow[26:34, 26:34] = False
    solid = small_square()
    # Only the rim of the hole differs, which is not near the outline of the solid one.
    assert boundary_iou(solid, hollow) < 1
    assert boundary_iou(small_square(), small_square(2)) < 18 / 22
