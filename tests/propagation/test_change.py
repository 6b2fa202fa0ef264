from __future__ import annotations

import numpy as np
import pytest

from napari_sam_decoder.propagation.change import EXTENT, WIDENING, Change, Patch

SIDE = 64


def block(rows, columns):
    mask = np.zeros((SIDE, SIDE), bool)
    mask[rows, columns] = True
    return mask


def logits(mask):
    return np.where(mask, 4, -4).astype(np.float32)


OBJECT = block(slice(10, 30), slice(10, 30))


def test_only_what_is_wrong_at_the_click_changes():
    leak, elsewhere = block(slice(30, 36), slice(10, 16)), block(50, slice(50, 60))
    patch = Patch.of(logits(OBJECT), logits(OBJECT | leak | elsewhere), (33, 13))
    np.testing.assert_array_equal(patch.logits > 0, OBJECT | elsewhere)
    assert patch.centrality == 1


def test_a_missing_part_is_added():
    missing = block(slice(20, 30), slice(10, 30))
    patch = Patch.of(logits(OBJECT), logits(OBJECT & ~missing), (25, 20))
    np.testing.assert_array_equal(patch.logits > 0, OBJECT)


def test_a_change_ends_far_from_the_click():
    strip = block(slice(40, 43), slice(0, 60))
    patch = Patch.of(logits(OBJECT | strip), logits(OBJECT), (41, 5))
    changed = (patch.logits > 0) & ~OBJECT
    assert changed[41, 5]
    assert np.flatnonzero(changed.any(axis=0)).max() == 5 + EXTENT * 2


def test_a_click_at_the_rim_of_a_change_says_little_for_it():
    large = block(slice(35, 60), slice(35, 60))
    at_rim = Patch.of(logits(OBJECT | large), logits(OBJECT), (37, 47))
    inside = Patch.of(logits(OBJECT | large), logits(OBJECT), (47, 47))
    assert at_rim.centrality < 0.5 < inside.centrality


def test_a_candidate_that_leaves_the_click_as_it_was_is_none():
    assert Patch.of(logits(OBJECT), logits(OBJECT), (20, 20)) is None


def test_a_change_goes_both_ways():
    newer, older = block(slice(0, 4), slice(0, 8)), block(slice(0, 8), slice(0, 4))
    change = Change.between(newer, older)
    np.testing.assert_array_equal(change.added, block(slice(0, 4), slice(4, 8)))
    np.testing.assert_array_equal(change.removed, block(slice(4, 8), slice(0, 4)))
    np.testing.assert_array_equal(change.pixels, newer ^ older)


def test_a_change_moves_with_the_picture_but_not_into_the_padding():
    change = Change.between(OBJECT, block(slice(0, 0), slice(0, 0)))
    displacement = np.zeros((2, 40, SIDE), np.float32)
    displacement[0] = -15
    moved = change.moved(displacement)
    np.testing.assert_array_equal(moved.added, block(slice(25, 40), slice(10, 30)))
    assert not moved.removed.any()


@pytest.mark.parametrize("away", [WIDENING, WIDENING + 1])
def test_only_what_turns_the_same_way_at_the_same_place_is_carried_on(away):
    nothing = np.zeros_like(OBJECT)
    before = Change.between(OBJECT, nothing)
    beside = block(20, slice(29 + away, 30 + away))
    kept = before.confine(Change.between(beside, nothing))
    assert kept.added.any() == (away <= WIDENING)
    assert not before.confine(Change.between(nothing, beside)).pixels.any()


def test_an_unknown_change_may_be_anywhere():
    change = Change.anywhere((SIDE, SIDE))
    any_other = Change.between(OBJECT, ~OBJECT)
    kept = change.confine(any_other)
    np.testing.assert_array_equal(kept.pixels, any_other.pixels)
