from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from ideal_network import FIRST_RATING, SIDE, movie_of
from touching_cells import (
    ALL,
    CELLS,
    LEFT,
    PAIR,
    RIGHT,
    TouchingCells,
    box_mask,
    click,
    context_of,
)

from napari_sam_decoder.appearance.memory import Memory
from napari_sam_decoder.interactive.proposals import HANDICAP
from napari_sam_decoder.metrics import mask_iou
from napari_sam_decoder.prompts import Prompt
from napari_sam_decoder.prompts.painted_mask import LOGIT_SCALE
from napari_sam_decoder.propagation import (
    Reason,
    Verdict,
    Views,
)
from napari_sam_decoder.propagation.initial_masks import (
    answer_prompts,
    decide_prompts,
    initial_masks,
)

NUCLEUS, NUCLEUS_AT = box_mask((13, 19), (13, 19)), (16, 16)


def decided(network, prompts):
    frame = context_of(network).shown(0)
    return decide_prompts(frame, answer_prompts(frame, prompts))


def test_alone_the_best_hypothesis_is_chosen(touching_cells):
    (decision,) = decided(touching_cells, [click(1, LEFT)])
    assert decision.number == 3, "the largest"
    np.testing.assert_array_equal(decision.mask, PAIR)
    assert decision.score == decision.rating == pytest.approx(0.8)
    refined = FIRST_RATING - HANDICAP
    assert decision.scores == pytest.approx({1: refined, 2: 0.7, 3: 0.8})


@pytest.mark.parametrize("order", [1, -1])
def test_two_touching_cells_do_not_both_take_the_pair(touching_cells, order):
    prompts = [click(1, LEFT), click(2, RIGHT)][::order]
    left, right = decided(touching_cells, prompts)[::order]
    np.testing.assert_array_equal(left.mask, CELLS[LEFT])
    np.testing.assert_array_equal(right.mask, CELLS[RIGHT])
    assert touching_cells.asked == [[[1]], [[1]]], "each by itself, once"


def test_a_pick_stays_and_the_other_object_adapts(touching_cells):
    (left, right) = decided(
        touching_cells, [click(1, LEFT, hypothesis=3), click(2, RIGHT)]
    )
    assert left.number == 3
    np.testing.assert_array_equal(left.mask, PAIR)
    np.testing.assert_array_equal(right.mask, CELLS[RIGHT])


def test_if_all_masks_are_pairs_they_are_answered_again():
    around = box_mask((4, 28), (4, 44))
    offers = {
        at: [(mask, 0.9), (mask, 0.8), (ALL, 0.7)]
        for at, mask in ((LEFT, PAIR), (RIGHT, around))
    }
    apart = {at: [(CELLS[at], 0.6), (PAIR, 0.9), (ALL, 0.7)] for at in CELLS}
    network = TouchingCells(offers, apart)
    decisions = decided(network, [click(1, LEFT), click(2, RIGHT)])
    # What the other one's click shows by itself is known.
    first, apart_from_the_other = [[1]], [[1, 0]]
    assert network.asked == [first] * 2 + [apart_from_the_other] * 2
    for decision, at in zip(decisions, (LEFT, RIGHT), strict=True):
        assert mask_iou(decision.mask, CELLS[at]) > 0.98
        assert decision.number == 0
        assert decision.score == decision.rating


def test_an_inner_object_is_removed_from_the_outer_one():
    inner = [(NUCLEUS, 0.9), (CELLS[LEFT], 0.5), (ALL, 0.1)]
    outer = [(box_mask((8, 24), (8, 10)), 0.6), (CELLS[LEFT], 0.8), (ALL, 0.1)]
    network = TouchingCells({NUCLEUS_AT: inner, (9, 9): outer})
    around, inside = decided(network, [click(1, (9, 9)), click(2, NUCLEUS_AT)])
    np.testing.assert_array_equal(inside.mask, NUCLEUS)
    np.testing.assert_array_equal(around.mask, CELLS[LEFT] & ~NUCLEUS)
    assert around.number == 0, "not one that can be picked"


def test_a_painted_mask_stays_and_the_other_object_adapts(touching_cells):
    painted = Prompt(1, 0, mask=CELLS[LEFT])
    left, right = decided(touching_cells, [painted, click(2, RIGHT)])
    np.testing.assert_array_equal(left.mask, CELLS[LEFT])
    np.testing.assert_array_equal(right.mask, CELLS[RIGHT])


def test_a_box_in_which_nothing_is_found_is_decided_beside_others(touching_cells):
    frame = context_of(touching_cells).shown(0)
    prompts = [Prompt(1, 0, box=(8, 8, 24, 24)), click(2, RIGHT)]
    boxed, clicked = answer_prompts(frame, prompts)
    nothing = replace(boxed.answer, mask=np.zeros_like(PAIR))
    left, right = decide_prompts(frame, [replace(boxed, answer=nothing), clicked])
    assert not left.mask.any()
    np.testing.assert_array_equal(right.mask, PAIR)


def test_other_objects_are_taken_into_account(touching_cells):
    context = context_of(touching_cells)
    (initial,) = initial_masks(Views(context), 0, [click(1, LEFT)], [click(2, RIGHT)])
    np.testing.assert_array_equal(initial.logits > 0, CELLS[LEFT])
    np.testing.assert_array_equal(initial.estimate.painted.to_array(), CELLS[LEFT])


def test_an_absent_object_has_a_reason(touching_cells):
    away = Prompt(1, 0, mask=np.zeros((SIDE, SIDE), bool))
    gone, there = initial_masks(
        Views(context_of(touching_cells)), 0, [away, click(2, RIGHT)]
    )
    assert gone.estimate.result.verdict is Verdict.ABSENT
    assert gone.estimate.result.reason is Reason.SAID
    assert there.estimate.result.reason is None


@pytest.mark.parametrize(
    ("prompt", "number"),
    [
        (click(1, LEFT), 3),
        (click(1, LEFT, hypothesis=2), 2),
        (Prompt(1, 0, [LEFT, (18, 18)]), 0),
        (Prompt(1, 0, box=(8, 8, 24, 24)), 0),
        (Prompt(1, 0, box=(8, 8, 24, 24), hypothesis=1), 1),
    ],
)
def test_what_is_one_of_the_hypotheses_has_its_number(touching_cells, prompt, number):
    (decision,) = decided(touching_cells, [prompt])
    assert decision.number == number


def still(frame):
    return 12, 12


@pytest.fixture
def truth():
    return movie_of(still)


def initial_of(context, prompt):
    (initial,) = initial_masks(Views(context), prompt.frame, [prompt])
    return initial


def test_every_prompt_gives_an_initial_mask(make_context):
    _, context = make_context(movie_of(still, lambda frame: (12, 40)))
    masks = initial_masks(
        Views(context), 0, [Prompt(1, 0, [(16, 16)]), Prompt(2, 0, [(16, 44)])]
    )
    assert [initial.estimate.result.object_id for initial in masks] == [1, 2]
    assert all(
        (initial.logits[16, 16] > 0) != (initial.logits[16, 44] > 0)
        for initial in masks
    )


def test_a_click_is_decoded(make_context, truth):
    network, context = make_context(truth)
    initial = initial_of(context, Prompt(1, 0, [(16, 16)]))
    np.testing.assert_array_equal(initial.logits > 0, truth[0] == 1)
    assert network.shown == [[None]]
    assert initial.confidence == pytest.approx(0.9)
    np.testing.assert_array_equal(initial.estimate.painted.to_array(), truth[0] == 1)
    features = context.features(0)
    assert initial.memory.cell_scores(features).max() == pytest.approx(1, abs=0.1)


def test_a_picked_hypothesis_is_certain(make_context, truth):
    _, context = make_context(truth, quality={0: 0.5})
    automatic = initial_of(context, Prompt(1, 0, [(16, 16)]))
    picked = initial_of(context, Prompt(1, 0, [(16, 16)], hypothesis=2))
    confidences = (automatic.confidence, picked.confidence)
    assert confidences == pytest.approx((0.5, 1))
    verdicts = [initial.estimate.result.verdict for initial in (automatic, picked)]
    assert verdicts == [Verdict.DOUBTFUL, Verdict.PROMPTED]


def test_a_painted_mask_is_taken_as_it_is(make_context, truth):
    network, context = make_context(truth)
    painted = truth[0] == 1
    initial = initial_of(context, Prompt(1, 0, mask=painted))
    assert not network.asked
    np.testing.assert_array_equal(initial.logits > 0, painted)
    np.testing.assert_array_equal(initial.estimate.painted.to_array(), painted)
    result = initial.estimate.result
    assert (result.verdict, result.confidence) == (Verdict.PROMPTED, 1)
    assert (result.likeness, result.temporal_iou, result.area_change) == (1, 1, 1)
    assert initial.confidence == 1


def test_a_click_beside_a_painted_mask_is_decoded_on_top_of_it(make_context, truth):
    network, context = make_context(truth)
    painted = truth[0] == 1
    painted[:, 16:] = False
    initial = initial_of(context, Prompt(1, 0, [(16, 20)], mask=painted))
    ((shown, alone),) = network.shown
    np.testing.assert_array_equal(shown, np.where(painted, LOGIT_SCALE, -LOGIT_SCALE))
    assert alone is None
    np.testing.assert_array_equal(initial.estimate.painted.to_array(), truth[0] == 1)


def test_nothing_starts_from_an_absence(make_context, truth):
    network, context = make_context(truth)
    absence = Prompt(1, 0, mask=np.zeros((SIDE, SIDE), bool))
    initial = initial_of(context, absence)
    assert not network.asked
    assert initial.estimate.result.verdict is Verdict.ABSENT
    assert initial.estimate.logits is None
    assert initial.memory is None
    known = Memory.of(context.features(0), np.full((SIDE, SIDE), 8.0))
    assert initial.start_track(known, context.grid) is None
