from __future__ import annotations

import numpy as np
import pytest
from theatre import movie_of

from napari_sam_decoder.prompts import Prompt, PromptSet
from napari_sam_decoder.propagation import CurrentLabels, Reason, Verdict, correct
from napari_sam_decoder.propagation.corrected_frame import EXTENT, LocalCorrection
from napari_sam_decoder.propagation.correction import WIDENING, MaskChange

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
    patch = LocalCorrection.of(
        logits(OBJECT), logits(OBJECT | leak | elsewhere), (33, 13)
    )
    np.testing.assert_array_equal(patch.logits > 0, OBJECT | elsewhere)
    assert patch.centrality == 1


def test_a_missing_part_is_added():
    missing = block(slice(20, 30), slice(10, 30))
    patch = LocalCorrection.of(logits(OBJECT), logits(OBJECT & ~missing), (25, 20))
    np.testing.assert_array_equal(patch.logits > 0, OBJECT)


def test_a_change_ends_far_from_the_click():
    strip = block(slice(40, 43), slice(0, 60))
    patch = LocalCorrection.of(logits(OBJECT | strip), logits(OBJECT), (41, 5))
    changed = (patch.logits > 0) & ~OBJECT
    assert changed[41, 5]
    assert np.flatnonzero(changed.any(axis=0)).max() == 5 + EXTENT * 2


def test_a_click_at_the_rim_of_a_change_says_little_for_it():
    large = block(slice(35, 60), slice(35, 60))
    at_rim = LocalCorrection.of(logits(OBJECT | large), logits(OBJECT), (37, 47))
    inside = LocalCorrection.of(logits(OBJECT | large), logits(OBJECT), (47, 47))
    assert at_rim.centrality < 0.5 < inside.centrality


def test_a_candidate_that_leaves_the_click_as_it_was_is_none():
    assert LocalCorrection.of(logits(OBJECT), logits(OBJECT), (20, 20)) is None


def test_a_change_goes_both_ways():
    newer, older = block(slice(0, 4), slice(0, 8)), block(slice(0, 8), slice(0, 4))
    change = MaskChange.between(newer, older)
    np.testing.assert_array_equal(change.added, block(slice(0, 4), slice(4, 8)))
    np.testing.assert_array_equal(change.removed, block(slice(4, 8), slice(0, 4)))
    np.testing.assert_array_equal(change.pixels, newer ^ older)


def test_a_change_moves_with_the_picture_but_not_into_the_padding():
    change = MaskChange.between(OBJECT, block(slice(0, 0), slice(0, 0)))
    displacement = np.zeros((2, 40, SIDE), np.float32)
    displacement[0] = -15
    moved = change.moved(displacement)
    np.testing.assert_array_equal(moved.added, block(slice(25, 40), slice(10, 30)))
    assert not moved.removed.any()


@pytest.mark.parametrize("away", [WIDENING, WIDENING + 1])
def test_only_what_turns_the_same_way_at_the_same_place_is_carried_on(away):
    nothing = np.zeros_like(OBJECT)
    before = MaskChange.between(OBJECT, nothing)
    beside = block(20, slice(29 + away, 30 + away))
    kept = before.confine(MaskChange.between(beside, nothing))
    assert kept.added.any() == (away <= WIDENING)
    assert not before.confine(MaskChange.between(nothing, beside)).pixels.any()


def test_an_unknown_change_may_be_anywhere():
    change = MaskChange.anywhere((SIDE, SIDE))
    any_other = MaskChange.between(OBJECT, ~OBJECT)
    kept = change.confine(any_other)
    np.testing.assert_array_equal(kept.pixels, any_other.pixels)


FRAMES = range(12)


def falling(frame):
    return 2 * frame, 20


def still(frame):
    return 40, 44


def fixed(truth, frame, object_id=1, **values):
    return Prompt(object_id, frame, mask=truth[frame] == object_id, **values)


def corrected(context, labels, prompts, place):
    """Correct, and write each result back at once; returns the results by frame."""
    current = CurrentLabels(labels.__getitem__, PromptSet(prompts))
    results = {}
    for result in correct(context, current, [place], FRAMES):
        labels[result.frame] = result.labels
        results[result.frame] = result
    return results


def centre(truth, frame, object_id=1):
    rows, columns = np.nonzero(truth[frame] == object_id)
    return int(rows.mean()), int(columns.mean())


def test_a_click_fills_the_gap_around_its_frame_and_nothing_else(stage):
    truth = movie_of(falling, frames=12)
    _, context = stage(truth)
    labels = truth.copy()
    labels[5:7] = 0
    click = Prompt(1, 5, [centre(truth, 5)])
    results = corrected(context, labels, [fixed(truth, 0), click], (1, 5))
    np.testing.assert_array_equal(labels, truth)
    assert sorted(results) == [5, 6]
    assert results[5].objects[1].verdict is Verdict.PROMPTED


def test_a_cut_is_carried_on_as_far_as_it_is_needed(stage):
    truth = movie_of(falling, frames=12)
    _, context = stage(truth)
    labels = truth.copy()
    for frame in range(4, 8):
        row, column = falling(frame)
        labels[frame, row : row + 8, column + 12 : column + 20] = 1
    row, column = falling(5)
    click = Prompt(1, 5, [(row + 4, column + 16)], [0])
    results = corrected(context, labels, [fixed(truth, 0), click], (1, 5))
    np.testing.assert_array_equal(labels, truth)
    assert sorted(results) == [2, 3, 4, 5, 6, 7, 8, 9]


def test_what_is_not_concerned_stays_as_it_is_to_the_pixel(stage):
    truth = movie_of(falling, frames=12)
    _, context = stage(truth)
    labels = truth.copy()
    labels[:, 60, 2:9:2] = 1
    expected = labels.copy()
    row, column = falling(5)
    labels[5, row : row + 8, column + 12 : column + 20] = 1
    click = Prompt(1, 5, [(row + 4, column + 16)], [0])
    corrected(context, labels, [fixed(truth, 0), click], (1, 5))
    np.testing.assert_array_equal(labels, expected)


def test_a_click_that_agrees_computes_no_other_frame(stage):
    truth = movie_of(falling, frames=12)
    _, context = stage(truth)
    labels = truth.copy()
    prompts = [fixed(truth, 0), Prompt(1, 5, [centre(truth, 5)])]
    assert list(corrected(context, labels, prompts, (1, 5))) == [5]
    np.testing.assert_array_equal(labels, truth)


def test_an_object_that_is_lost_on_the_way_stays_where_it_was_found(stage):
    truth = movie_of(falling, frames=12)
    theatre, context = stage(truth)
    theatre.quality.update(dict.fromkeys(range(6, 12), 0.1))
    labels = truth.copy()
    row, column = falling(5)
    labels[5, row : row + 8, column + 12 : column + 20] = 1
    click = Prompt(1, 5, [(row + 4, column + 16)], [0])
    results = corrected(context, labels, [fixed(truth, 0), click], (1, 5))
    np.testing.assert_array_equal(labels, truth)
    assert max(results) == 5


def test_fixed_frames_are_not_touched(stage):
    truth = movie_of(falling, frames=12)
    _, context = stage(truth)
    labels = np.zeros_like(truth)
    labels[[2, 8]] = truth[[2, 8]]
    labels[2, 60:, 60:] = 1
    painted = labels[2].copy()
    prompts = [
        Prompt(1, 2, mask=painted == 1),
        Prompt(1, 5, [centre(truth, 5)]),
        fixed(truth, 8),
    ]
    results = corrected(context, labels, prompts, (1, 5))
    assert set(results) == {3, 4, 5, 6, 7}
    np.testing.assert_array_equal(labels[2], painted)


def test_a_painted_correction_is_kept_to_the_pixel(stage):
    truth = movie_of(falling, frames=12)
    _, context = stage(truth)
    labels = truth.copy()
    painted = truth[4] == 1
    painted[0, 0] = True
    results = corrected(
        context, labels, [fixed(truth, 0), Prompt(1, 4, mask=painted)], (1, 4)
    )
    np.testing.assert_array_equal(labels[4] == 1, painted)
    assert results[4].objects[1].verdict is Verdict.PROMPTED


def test_saying_that_the_object_is_absent_empties_the_way_to_the_next_fixed_frame(
    stage,
):
    truth = movie_of(falling, frames=12)
    _, context = stage(truth)
    labels = truth.copy()
    labels[3] = 0
    nothing = Prompt(1, 6, mask=np.zeros_like(truth[6], bool))
    corrected(context, labels, [fixed(truth, 0), nothing, fixed(truth, 9)], (1, 6))
    assert not labels[3:9].any()
    # Where it was not found any more, another stretch begins.
    np.testing.assert_array_equal(labels[[2, 9]], truth[[2, 9]])


def test_taking_an_object_away_needs_no_embeddings(stage, monkeypatch):
    truth = movie_of(falling, frames=12)
    theatre, context = stage(truth)
    appearances, read_frame = [], theatre.get_with_pixels
    monkeypatch.setattr(
        theatre, "get_with_pixels", lambda t: appearances.append(t) or read_frame(t)
    )
    nothing = Prompt(1, 6, mask=np.zeros_like(truth[6], bool))
    corrected(context, truth.copy(), [fixed(truth, 0), nothing], (1, 6))
    assert set(appearances) <= {0, 6}


@pytest.mark.parametrize("foreign", [2, 7])
def test_other_objects_keep_what_is_theirs(stage, foreign):
    truth = movie_of(falling, still, frames=12)
    _, context = stage(truth)
    labels = np.where(truth == 2, foreign, truth).astype(truth.dtype)
    labels[5][labels[5] == 1] = 0
    before = labels == foreign
    prompts = [fixed(truth, 0), Prompt(1, 5, [centre(truth, 5)])]
    results = corrected(context, labels, prompts, (1, 5))
    np.testing.assert_array_equal(labels == foreign, before)
    np.testing.assert_array_equal(labels == 1, truth == 1)
    assert set(results[5].objects) == {1}


def test_who_loses_to_a_correction_is_told(stage):
    truth = movie_of(still, lambda frame: (12, 40))
    _, context = stage(truth)
    labels = truth.copy()
    prompts = PromptSet(
        [Prompt(1, 3, mask=truth[3] > 0), Prompt(2, 0, mask=truth[0] == 2)]
    )
    current = CurrentLabels(labels.__getitem__, prompts)
    results = correct(context, current, [(1, 3)], range(3, 4))
    (result,) = results
    lost = result.affected[2]
    assert (lost.verdict, lost.reason, lost.rival) == (
        Verdict.ABSENT,
        Reason.TAKEN,
        1,
    )
    assert not (result.labels == 2).any()
    assert result.objects[1].verdict is Verdict.PROMPTED
