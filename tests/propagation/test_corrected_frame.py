from __future__ import annotations

import numpy as np
import pytest
from theatre import as_logits, movie_of

from napari_sam_decoder.appearance.memory import Memory
from napari_sam_decoder.prompts import Prompt
from napari_sam_decoder.propagation import Verdict
from napari_sam_decoder.propagation.corrected_frame import (
    FixedFrames,
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
def context(stage, truth):
    return stage(truth)[1]


def fixed_frames(context, truth, size=SIZE):
    return FixedFrames(Memory.of(context.features(0), as_logits(truth[0] == 1)), size)


def click(row, column, label=1, frame=0, **values):
    return Prompt(1, frame, [(row, column)], [label], **values)


def mask_of(initial):
    return initial.logits > 0


def test_a_negative_click_cuts_what_is_wrong_around_it_and_nothing_else(context, truth):
    leaking = truth[0] == 1
    leaking[LEAK] = True
    leaking[50:54, 50:54] = True
    initial = decode_corrected_frame(
        context, click(27, 25, 0), as_logits(leaking), None
    )
    leaking[LEAK] = False
    np.testing.assert_array_equal(mask_of(initial), leaking)
    assert initial.estimate.result.verdict is Verdict.PROMPTED


def test_a_positive_click_adds_what_is_missing(context, truth):
    whole = truth[0] == 1
    partial = whole.copy()
    partial[18:] = False
    initial = decode_corrected_frame(
        context, click(21, 26), as_logits(partial), fixed_frames(context, truth)
    )
    np.testing.assert_array_equal(mask_of(initial), whole)


def test_several_clicks_are_obeyed_one_after_the_other(context, truth):
    whole = truth[0] == 1
    wrong = whole.copy()
    wrong[18:] = False
    wrong[12:18, 32:40] = True
    prompt = Prompt(1, 0, [(21, 26), (15, 36)], [1, 0])
    initial = decode_corrected_frame(context, prompt, as_logits(wrong), None)
    np.testing.assert_array_equal(mask_of(initial), whole)


def test_clicks_that_agree_change_nothing(context, truth):
    odd = truth[0] == 1
    odd[40, 40] = True
    initial = decode_corrected_frame(
        context, click(15, 25), as_logits(odd), fixed_frames(context, truth)
    )
    np.testing.assert_array_equal(mask_of(initial), odd)


def test_a_click_where_the_decoder_sees_nothing_is_obeyed_all_the_same(context, truth):
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


def test_an_object_of_which_nothing_is_known_is_decoded_as_if_it_were_new(
    context, truth
):
    initial = decode_corrected_frame(context, click(18, 26), None, None)
    np.testing.assert_array_equal(mask_of(initial), truth[0] == 1)


def test_what_was_painted_is_taken_as_it_is(context, truth):
    painted = np.zeros_like(truth[0], bool)
    painted[5:9, 5:9] = True
    initial = decode_corrected_frame(
        context, Prompt(1, 0, mask=painted), as_logits(truth[0] == 1), None
    )
    np.testing.assert_array_equal(mask_of(initial), painted)
