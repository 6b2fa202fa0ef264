from __future__ import annotations

import numpy as np
import pytest
from ideal_network import MASK, OTHERS, as_logits, movie_of

from napari_sam_decoder.appearance.memory import Memory
from napari_sam_decoder.prompts import Prompt, Scribble
from napari_sam_decoder.propagation import Reason, Verdict
from napari_sam_decoder.propagation.corrected_frame import FixedFrames, corrected_mask

SIZE = 144
LEAK = np.s_[24:30, 22:28]
OTHER = 2


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
    return initial.estimate.painted.to_array()


def test_a_negative_click_removes_only_the_error_around_it(context, truth):
    leaking = truth[0] == 1
    leaking[LEAK] = True
    leaking[50:54, 50:54] = True
    initial = corrected_mask(context, click(27, 25, 0), leaking.astype(int), None)
    leaking[LEAK] = False
    np.testing.assert_array_equal(mask_of(initial), leaking)
    assert initial.estimate.result.verdict is Verdict.PROMPTED


def test_a_positive_click_adds_the_missing_part(context, truth):
    partial = truth[0].copy()
    partial[18:] = 0
    initial = corrected_mask(
        context, click(21, 26), partial, fixed_frames(context, truth)
    )
    np.testing.assert_array_equal(mask_of(initial), truth[0] == 1)


def test_several_clicks_are_applied_one_after_the_other(context, truth):
    wrong = truth[0].copy()
    wrong[18:] = 0
    wrong[12:18, 32:40] = 1
    prompt = Prompt(1, 0, [(21, 26), (15, 36)], [1, 0])
    initial = corrected_mask(context, prompt, wrong, None)
    np.testing.assert_array_equal(mask_of(initial), truth[0] == 1)


def test_clicks_that_agree_with_the_mask_change_nothing(context, truth):
    odd = truth[0].copy()
    odd[40, 40] = 1
    initial = corrected_mask(context, click(15, 25), odd, fixed_frames(context, truth))
    np.testing.assert_array_equal(mask_of(initial), odd == 1)


def test_scribbles_are_in_the_mask_to_the_pixel(context, truth):
    stripe, hole = np.zeros((2, *truth[0].shape), bool)
    stripe[15, 26:40] = True
    hole[20:22, 22:24] = True
    prompt = Prompt(1, 0, scribbles=[Scribble(stripe), Scribble(hole, False)])
    mask = mask_of(corrected_mask(context, prompt, truth[0], None))
    assert mask[stripe].all()
    assert not mask[hole].any()


def test_an_object_that_is_erased_as_a_whole_is_absent(context, truth):
    prompt = Prompt(1, 0, scribbles=[Scribble(truth[0] == 1, is_positive=False)])
    initial = corrected_mask(context, prompt, truth[0], None)
    assert initial.estimate.result.verdict is Verdict.ABSENT
    assert initial.estimate.result.reason is Reason.ERASED
    assert initial.memory is None


def test_a_pick_of_an_earlier_mask_does_not_stand_in_the_way(context, truth):
    leaking = truth[0].copy()
    leaking[LEAK] = 1
    prompt = click(27, 25, 0, hypothesis=2)
    initial = corrected_mask(context, prompt, leaking, None)
    np.testing.assert_array_equal(mask_of(initial), truth[0] == 1)


def test_a_click_far_away_says_that_the_object_is_there_instead(context, truth):
    elsewhere = np.zeros_like(truth[0])
    elsewhere[50:60, 50:60] = 1
    initial = corrected_mask(
        context, click(18, 26), elsewhere, fixed_frames(context, truth)
    )
    np.testing.assert_array_equal(mask_of(initial), truth[0] == 1)


@pytest.mark.parametrize("is_known", [False, True])
def test_a_part_far_away_is_added(context, truth, is_known):
    rest = np.zeros_like(truth[0])
    rest[44:64, 30:64] = 1
    part = truth[0] == 1
    whole = as_logits(part | (rest == 1))
    memory = Memory.of(context.features(0), whole)
    fixed = FixedFrames(memory, size=824) if is_known else None
    mask = mask_of(corrected_mask(context, click(18, 26), rest, fixed))
    assert mask[rest == 1].all()
    assert mask[part].mean() > 0.8
    assert not mask[~part & (rest == 0)].any()


def test_a_far_click_leaves_a_mask_of_another_size_than_on_other_frames(context, truth):
    elsewhere = np.zeros_like(truth[0])
    elsewhere[44:64, 30:64] = 1
    fixed = fixed_frames(context, truth)
    mask = mask_of(corrected_mask(context, click(18, 26), elsewhere, fixed))
    np.testing.assert_array_equal(mask, truth[0] == 1)


@pytest.mark.parametrize(
    "outline",
    [
        {"box": (12, 20, 23, 31)},
        {"lasso": [(12, 20), (12, 31), (23, 31), (23, 20)]},
    ],
)
def test_an_outline_shows_the_object_as_a_whole(context, truth, outline):
    partial = truth[0].copy()
    partial[18:] = 0
    partial[50:54, 50:54] = 1
    initial = corrected_mask(
        context, Prompt(1, 0, **outline), partial, fixed_frames(context, truth)
    )
    np.testing.assert_array_equal(mask_of(initial), truth[0] == 1)


def test_what_an_outline_shows_may_have_another_size_than_before(context, truth):
    initial = corrected_mask(
        context,
        Prompt(1, 2, box=(12, 28, 23, 39)),
        truth[2],
        fixed_frames(context, truth, size=60),
    )
    np.testing.assert_array_equal(mask_of(initial), truth[2] == 1)


def test_an_object_that_was_missing_is_found_at_the_click(context, truth):
    nothing = np.zeros_like(truth[0])
    initial = corrected_mask(
        context, click(18, 33, frame=2), nothing, fixed_frames(context, truth)
    )
    np.testing.assert_array_equal(mask_of(initial), truth[2] == 1)
    assert initial.confidence > 0.5


def test_of_several_hypotheses_that_of_the_usual_size_is_chosen(context, truth):
    nothing = np.zeros_like(truth[0])
    initial = corrected_mask(
        context, click(18, 33, frame=2), nothing, fixed_frames(context, truth, size=60)
    )
    assert np.count_nonzero(mask_of(initial)) < SIZE / 2
    assert mask_of(initial)[18, 33]


def test_without_fixed_frames_the_object_is_found_as_a_new_one(context, truth):
    nothing = np.zeros_like(truth[0])
    initial = corrected_mask(context, click(18, 26), nothing, None)
    np.testing.assert_array_equal(mask_of(initial), truth[0] == 1)


def test_what_is_beside_an_object_that_is_lost_finds_nothing(context, truth):
    nothing = np.zeros_like(truth[0])
    initial = corrected_mask(context, click(18, 26, 0), nothing, None)
    assert initial.estimate.result.verdict is Verdict.ABSENT
    assert initial.estimate.result.reason is Reason.LOST
    assert initial.logits is None


def test_a_painted_mask_is_taken_unchanged(context, truth):
    painted = np.zeros_like(truth[0], bool)
    painted[5:9, 5:9] = True
    initial = corrected_mask(context, Prompt(1, 0, mask=painted), truth[0], None)
    np.testing.assert_array_equal(mask_of(initial), painted)


def test_other_objects_are_shown_to_the_refiner(context, truth, monkeypatch):
    refiner = context.shown(0).refiner
    seen, refine = [], refiner.refine
    monkeypatch.setattr(
        refiner, "refine", lambda clues: seen.append(clues) or refine(clues)
    )
    labels = truth[0].copy()
    labels[18:24, 20:32] = 0
    labels[24:30, 20:32] = OTHER
    corrected_mask(context, click(21, 26), labels, None)
    (clues,) = seen
    places = clues[:, OTHERS] > 0.9
    assert places.any()
    assert (clues[:, MASK][places] < 0.1).all()
