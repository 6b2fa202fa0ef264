from __future__ import annotations

import numpy as np
import pytest
from ideal_network import as_logits, movie_of

from napari_sam_decoder.appearance.memory import Memory
from napari_sam_decoder.prompts import Prompt
from napari_sam_decoder.propagation import Verdict
from napari_sam_decoder.propagation.corrected_frame import (
    EXTENT,
    FixedFrames,
    LocalCorrection,
    decode_corrected_frame,
)

SIZE = 144
LEAK = np.s_[24:30, 22:28]


def path(frame):
    return 12, 20 + 4 * frame


@pytest.fixture
def truth():
    return movie_of(path, frames=3)


@pytest.fixture
def context(make_context, truth):
    return make_context(truth)[1]


def fixed_frames(context, truth, size=SIZE):
    return FixedFrames(Memory.of(context.features(0), as_logits(truth[0] == 1)), size)


def click(row, column, label=1, frame=0, **values):
    return Prompt(1, frame, [(row, column)], [label], **values)


def mask_of(initial):
    return initial.logits > 0


def test_a_negative_click_removes_only_the_error_around_it(context, truth):
    leaking = truth[0] == 1
    leaking[LEAK] = True
    leaking[50:54, 50:54] = True
    initial = decode_corrected_frame(
        context, click(27, 25, 0), as_logits(leaking), None
    )
    leaking[LEAK] = False
    np.testing.assert_array_equal(mask_of(initial), leaking)
    assert initial.estimate.result.verdict is Verdict.PROMPTED


def test_a_positive_click_adds_the_missing_part(context, truth):
    whole = truth[0] == 1
    partial = whole.copy()
    partial[18:] = False
    initial = decode_corrected_frame(
        context, click(21, 26), as_logits(partial), fixed_frames(context, truth)
    )
    np.testing.assert_array_equal(mask_of(initial), whole)


def test_several_clicks_are_applied_one_after_the_other(context, truth):
    whole = truth[0] == 1
    wrong = whole.copy()
    wrong[18:] = False
    wrong[12:18, 32:40] = True
    prompt = Prompt(1, 0, [(21, 26), (15, 36)], [1, 0])
    initial = decode_corrected_frame(context, prompt, as_logits(wrong), None)
    np.testing.assert_array_equal(mask_of(initial), whole)


def test_clicks_that_agree_with_the_mask_change_nothing(context, truth):
    odd = truth[0] == 1
    odd[40, 40] = True
    initial = decode_corrected_frame(
        context, click(15, 25), as_logits(odd), fixed_frames(context, truth)
    )
    np.testing.assert_array_equal(mask_of(initial), odd)


def test_a_click_counts_even_if_no_mask_obeys_it(context, truth):
    mask = truth[0] == 1
    inside = click(18, 26, 0)
    initial = decode_corrected_frame(context, inside, as_logits(mask), None)
    assert not mask_of(initial)[18, 26]
    assert mask_of(initial)[12:15, 20:23].all()


def test_a_click_far_away_says_that_the_object_is_there_instead(context, truth):
    elsewhere = np.zeros_like(truth[0], bool)
    elsewhere[50:60, 50:60] = True
    initial = decode_corrected_frame(
        context, click(18, 26), as_logits(elsewhere), fixed_frames(context, truth)
    )
    np.testing.assert_array_equal(mask_of(initial), truth[0] == 1)


def test_a_box_decodes_the_object_as_a_whole(context, truth):
    partial = truth[0] == 1
    partial[18:] = False
    prompt = Prompt(1, 0, [(15, 26)], box=(12, 20, 23, 31))
    initial = decode_corrected_frame(
        context, prompt, as_logits(partial), fixed_frames(context, truth)
    )
    np.testing.assert_array_equal(mask_of(initial), truth[0] == 1)


def test_an_object_that_was_missing_is_found_at_the_click(context, truth):
    initial = decode_corrected_frame(
        context, click(18, 33, frame=2), None, fixed_frames(context, truth)
    )
    np.testing.assert_array_equal(mask_of(initial), truth[2] == 1)
    assert initial.confidence > 0.5


def test_nothing_much_larger_than_the_object_is_found(context, truth):
    initial = decode_corrected_frame(
        context, click(18, 33, frame=2), None, fixed_frames(context, truth, size=20)
    )
    assert np.count_nonzero(mask_of(initial)) < SIZE / 2
    assert mask_of(initial)[18, 33]
    assert initial.estimate.result.verdict is Verdict.DOUBTFUL


def test_without_fixed_frames_the_object_is_decoded_as_a_new_one(context, truth):
    initial = decode_corrected_frame(context, click(18, 26), None, None)
    np.testing.assert_array_equal(mask_of(initial), truth[0] == 1)


def test_a_painted_mask_is_taken_unchanged(context, truth):
    painted = np.zeros_like(truth[0], bool)
    painted[5:9, 5:9] = True
    initial = decode_corrected_frame(
        context, Prompt(1, 0, mask=painted), as_logits(truth[0] == 1), None
    )
    np.testing.assert_array_equal(mask_of(initial), painted)


SIDE = 64


def block(rows, columns):
    mask = np.zeros((SIDE, SIDE), bool)
    mask[rows, columns] = True
    return mask


def logits(mask):
    return np.where(mask, 4, -4).astype(np.float32)


OBJECT = block(slice(10, 30), slice(10, 30))


def test_only_the_error_at_the_click_changes():
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


def test_a_click_at_the_rim_of_a_change_has_low_centrality():
    large = block(slice(35, 60), slice(35, 60))
    at_rim = LocalCorrection.of(logits(OBJECT | large), logits(OBJECT), (37, 47))
    inside = LocalCorrection.of(logits(OBJECT | large), logits(OBJECT), (47, 47))
    assert at_rim.centrality < 0.5 < inside.centrality


def test_a_candidate_without_a_change_at_the_click_is_dropped():
    assert LocalCorrection.of(logits(OBJECT), logits(OBJECT), (20, 20)) is None
