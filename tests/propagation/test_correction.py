from __future__ import annotations

import numpy as np
import pytest
from ideal_network import movie_of

from napari_sam_decoder.metrics import mask_iou
from napari_sam_decoder.prompts import Prompt, PromptSet, Scribble
from napari_sam_decoder.propagation import (
    CurrentLabels,
    Reason,
    Verdict,
    Views,
    correct,
)
from napari_sam_decoder.propagation.correction import WIDENING, MaskChange

SIDE = 64


def block(rows, columns):
    mask = np.zeros((SIDE, SIDE), bool)
    mask[rows, columns] = True
    return mask


OBJECT = block(slice(10, 30), slice(10, 30))


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
def test_only_the_same_change_at_the_same_pixels_is_carried_on(away):
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
    for result in correct(Views(context), current, [place], FRAMES):
        labels[result.frame] = result.labels
        results[result.frame] = result
    return results


def centre(truth, frame, object_id=1):
    rows, columns = np.nonzero(truth[frame] == object_id)
    return int(rows.mean()), int(columns.mean())


def test_a_click_fills_the_gap_around_its_frame_and_nothing_else(make_context):
    truth = movie_of(falling, frames=12)
    _, context = make_context(truth)
    labels = truth.copy()
    labels[5:7] = 0
    click = Prompt(1, 5, [centre(truth, 5)])
    results = corrected(context, labels, [fixed(truth, 0), click], (1, 5))
    np.testing.assert_array_equal(labels, truth)
    assert sorted(results) == [5, 6]
    assert results[5].objects[1].verdict is Verdict.PROMPTED


def test_a_cut_is_carried_on_as_far_as_it_is_needed(make_context):
    truth = movie_of(falling, frames=12)
    _, context = make_context(truth)
    labels = truth.copy()
    for frame in range(4, 8):
        row, column = falling(frame)
        labels[frame, row : row + 8, column + 12 : column + 20] = 1
    row, column = falling(5)
    click = Prompt(1, 5, [(row + 4, column + 16)], [0])
    results = corrected(context, labels, [fixed(truth, 0), click], (1, 5))
    np.testing.assert_array_equal(labels, truth)
    assert sorted(results) == [2, 3, 4, 5, 6, 7, 8, 9]


def test_all_other_pixels_stay_as_they_are(make_context):
    truth = movie_of(falling, frames=12)
    _, context = make_context(truth)
    labels = truth.copy()
    labels[:, 60, 2:9:2] = 1
    expected = labels.copy()
    row, column = falling(5)
    labels[5, row : row + 8, column + 12 : column + 20] = 1
    click = Prompt(1, 5, [(row + 4, column + 16)], [0])
    corrected(context, labels, [fixed(truth, 0), click], (1, 5))
    np.testing.assert_array_equal(labels, expected)


def test_a_click_that_agrees_computes_no_other_frame(make_context):
    truth = movie_of(falling, frames=12)
    _, context = make_context(truth)
    labels = truth.copy()
    prompts = [fixed(truth, 0), Prompt(1, 5, [centre(truth, 5)])]
    assert list(corrected(context, labels, prompts, (1, 5))) == [5]
    np.testing.assert_array_equal(labels, truth)


def test_an_object_that_is_lost_on_the_way_stays_where_it_was_found(make_context):
    truth = movie_of(falling, frames=12)
    network, context = make_context(truth)
    network.quality.update(dict.fromkeys(range(6, 12), 0.1))
    labels = truth.copy()
    row, column = falling(5)
    labels[5, row : row + 8, column + 12 : column + 20] = 1
    click = Prompt(1, 5, [(row + 4, column + 16)], [0])
    results = corrected(context, labels, [fixed(truth, 0), click], (1, 5))
    np.testing.assert_array_equal(labels, truth)
    assert max(results) == 5


def test_fixed_frames_are_not_touched(make_context):
    truth = movie_of(falling, frames=12)
    _, context = make_context(truth)
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


def test_between_fixed_frames_the_labels_count_near_the_other_one(make_context):
    truth = movie_of(falling, frames=12)
    network, context = make_context(truth)
    # The network sees only half of the object.
    network.truth = truth.copy()
    for frame in FRAMES:
        row, column = falling(frame)
        network.truth[frame, row : row + 12, column + 8 : column + 12] = 0
    labels = truth.copy()
    prompts = [fixed(truth, 0), fixed(network.truth, 10)]
    labels[10] = network.truth[10]
    corrected(context, labels, prompts, (1, 10))
    np.testing.assert_array_equal(labels[1:4], truth[1:4])
    assert mask_iou(labels[7:10] == 1, network.truth[7:10] == 1) > 0.9


def test_a_leg_ends_where_the_labels_are_more_likely_the_object(make_context):
    truth = movie_of(falling, lambda frame: (2 * frame, 44), frames=12)
    _, context = make_context(truth)
    labels = np.where(truth == 1, 1, 0)
    # Somebody takes the twin for the object, on a single frame.
    twin = truth[10] == 2
    results = corrected(
        context, labels, [fixed(truth, 0), Prompt(1, 10, mask=twin)], (1, 10)
    )
    np.testing.assert_array_equal(labels[1:5] == 1, truth[1:5] == 1)
    np.testing.assert_array_equal(labels[7:10] == 1, truth[7:10] == 2)
    assert min(results) in (5, 6)


def test_beyond_the_last_fixed_frame_the_correction_counts_to_the_end(make_context):
    truth = movie_of(falling, lambda frame: (2 * frame, 44), frames=12)
    _, context = make_context(truth)
    labels = np.where(truth == 1, 1, 0)
    prompts = [fixed(truth, 0), Prompt(1, 2, mask=truth[2] == 2)]
    corrected(context, labels, prompts, (1, 2))
    np.testing.assert_array_equal(labels[2:] == 1, truth[2:] == 2)


def test_a_painted_correction_is_kept_to_the_pixel(make_context):
    truth = movie_of(falling, frames=12)
    _, context = make_context(truth)
    labels = truth.copy()
    painted = truth[4] == 1
    painted[0, 0] = True
    results = corrected(
        context, labels, [fixed(truth, 0), Prompt(1, 4, mask=painted)], (1, 4)
    )
    np.testing.assert_array_equal(labels[4] == 1, painted)
    assert results[4].objects[1].verdict is Verdict.PROMPTED


def absent(truth, frame):
    return Prompt(1, frame, mask=np.zeros_like(truth[frame], bool))


def erased(truth, frame):
    """An eraser that takes all of the object."""
    pixels = truth[frame] == 1
    return Prompt(1, frame, scribbles=[Scribble(pixels, is_positive=False)])


@pytest.mark.parametrize("gone", [absent, erased])
@pytest.mark.parametrize("is_fixed", [True, False])
def test_an_object_that_is_not_there_changes_no_other_frame(
    make_context, gone, is_fixed
):
    truth = movie_of(falling, frames=12)
    _, context = make_context(truth)
    labels = truth.copy()
    known = [fixed(truth, 0), fixed(truth, 9)] if is_fixed else []
    results = corrected(context, labels, [*known, gone(truth, 6)], (1, 6))
    assert list(results) == [6]
    assert results[6].objects[1].verdict is Verdict.ABSENT
    expected = truth.copy()
    expected[6] = 0
    np.testing.assert_array_equal(labels, expected)


def test_an_absence_costs_no_embedding_of_other_frames(make_context, monkeypatch):
    truth = movie_of(falling, frames=12)
    network, context = make_context(truth)
    appearances, read_frame = [], network.get_with_pixels
    monkeypatch.setattr(
        network, "get_with_pixels", lambda t: appearances.append(t) or read_frame(t)
    )
    prompts = [fixed(truth, 0), absent(truth, 6)]
    corrected(context, truth.copy(), prompts, (1, 6))
    assert set(appearances) <= {0, 6}


def test_a_correction_counts_up_to_a_frame_without_the_object(make_context):
    truth = movie_of(falling, lambda frame: (2 * frame, 44), frames=12)
    _, context = make_context(truth)
    labels = np.where(truth == 1, 1, 0)
    labels[9] = 0
    twin = Prompt(1, 2, mask=truth[2] == 2)
    corrected(context, labels, [fixed(truth, 0), twin, absent(truth, 9)], (1, 2))
    np.testing.assert_array_equal(labels[2:9] == 1, truth[2:9] == 2)
    assert not labels[9].any()


@pytest.mark.parametrize("foreign", [2, 7])
def test_other_objects_keep_what_is_theirs(make_context, foreign):
    truth = movie_of(falling, still, frames=12)
    _, context = make_context(truth)
    labels = np.where(truth == 2, foreign, truth).astype(truth.dtype)
    labels[5][labels[5] == 1] = 0
    before = labels == foreign
    prompts = [fixed(truth, 0), Prompt(1, 5, [centre(truth, 5)])]
    results = corrected(context, labels, prompts, (1, 5))
    np.testing.assert_array_equal(labels == foreign, before)
    np.testing.assert_array_equal(labels == 1, truth == 1)
    assert set(results[5].objects) == {1}


def test_objects_that_lose_to_a_correction_are_reported(make_context):
    truth = movie_of(still, lambda frame: (12, 40))
    _, context = make_context(truth)
    labels = truth.copy()
    prompts = PromptSet(
        [Prompt(1, 3, mask=truth[3] > 0), Prompt(2, 0, mask=truth[0] == 2)]
    )
    current = CurrentLabels(labels.__getitem__, prompts)
    results = correct(Views(context), current, [(1, 3)], range(3, 4))
    (result,) = results
    lost = result.affected[2]
    assert (lost.verdict, lost.reason, lost.rival) == (
        Verdict.ABSENT,
        Reason.TAKEN,
        1,
    )
    assert not (result.labels == 2).any()
    assert result.objects[1].verdict is Verdict.PROMPTED
