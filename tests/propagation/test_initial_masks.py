from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pytest
from theatre import SIDE, STRIDE, as_logits, movie_of

from napari_sam_decoder.appearance.memory import Memory
from napari_sam_decoder.model.values import Embedding, FrameLogits, MaskCandidates
from napari_sam_decoder.prompts import Prompt
from napari_sam_decoder.prompts.prompt import LOGIT_SCALE
from napari_sam_decoder.propagation import (
    Context,
    Reason,
    Settings,
    Verdict,
    preview_prompts,
)
from napari_sam_decoder.propagation.initial_masks import (
    decide_prompts,
    decode_prompts,
    initial_masks,
)

LEFT, RIGHT = (16, 16), (16, 32)
"""Points in the middle of two cells that touch."""


def box_mask(rows, columns):
    mask = np.zeros((SIDE, SIDE), bool)
    mask[slice(*rows), slice(*columns)] = True
    return mask


CELLS = {LEFT: box_mask((8, 24), (8, 24)), RIGHT: box_mask((8, 24), (24, 40))}
PAIR = CELLS[LEFT] | CELLS[RIGHT]
ALL = np.ones((SIDE, SIDE), bool)
NUCLEUS, NUCLEUS_AT = box_mask((13, 19), (13, 19)), (16, 16)


@dataclass
class Twins:
    """A network that sees two touching cells, and rates its decoded as it is told."""

    offers: dict[tuple[int, int], list[tuple[np.ndarray, float]]]
    apart: dict[tuple[int, int], list[tuple[np.ndarray, float]]] = field(
        default_factory=dict
    )
    image_size: int = STRIDE * SIDE
    mask_size: int = SIDE
    asked: list[list[list[int]]] = field(default_factory=list)

    def get(self, frame):
        return Embedding(np.zeros((1, 16, 16), np.float16), (SIDE, SIDE))

    def get_with_pixels(self, frame):
        return self.get(frame), np.zeros((SIDE, SIDE, 3), np.uint8)

    def decode(self, embedding, prompts, previous_logits=None):
        self.asked.append([prompt.signs.tolist() for prompt in prompts])
        decoded = [self._answer(prompt) for prompt in prompts]
        return MaskCandidates(*map(np.stack, zip(*decoded, strict=True)))

    def enlarge(self, low_res_logits, frame_shape):
        return FrameLogits(low_res_logits, (slice(None), slice(None)))

    def _answer(self, prompt):
        column, row = (prompt.points[0] / STRIDE).astype(int)
        has_beside = (prompt.signs == 0).any()
        known = (self.apart or self.offers) if has_beside else self.offers
        single, *three = [
            known[int(row), int(column)][0],
            *known[int(row), int(column)],
        ]
        masks = [single[0], *(mask for mask, _ in three)]
        ratings = [0.0, *(rating for _, rating in three)]
        return (
            np.stack([as_logits(mask) for mask in masks]),
            np.array(ratings, np.float32),
        )


def cell(at, own=0.7, pair=0.8):
    return [(CELLS[at], own), (PAIR, pair), (ALL, 0.95)]


@pytest.fixture
def duplicates():
    return Twins({LEFT: cell(LEFT), RIGHT: cell(RIGHT)})


def context_of(network):
    return Context(network, network, (SIDE, SIDE), Settings())


def click(object_id, at, **values):
    return Prompt(object_id, 0, [at], **values)


def decided(network, prompts):
    context = context_of(network)
    embedding = network.get(0)
    return decide_prompts(
        context, embedding, decode_prompts(context, embedding, prompts)
    )


def masks_of(decisions):
    return [decision.choice.logits > 0 for decision in decisions]


def test_alone_the_best_hypothesis_is_chosen(duplicates):
    (decision,) = decided(duplicates, [click(1, LEFT)])
    assert decision.choice.index == 2
    assert decision.score == pytest.approx(0.8)
    np.testing.assert_allclose(decision.scores[1:], [0.7, 0.8, 0], atol=1e-6)


@pytest.mark.parametrize("order", [1, -1])
def test_two_touching_cells_do_not_both_take_the_pair(duplicates, order):
    prompts = [click(1, LEFT), click(2, RIGHT)][::order]
    found = masks_of(decided(duplicates, prompts))[::order]
    np.testing.assert_array_equal(found[0], CELLS[LEFT])
    np.testing.assert_array_equal(found[1], CELLS[RIGHT])
    assert len(duplicates.asked) == 1, "all in one call"


@pytest.mark.parametrize("picks", [{}, {LEFT: 1}, {LEFT: 2}, {RIGHT: 3}])
def test_the_shown_score_of_what_is_chosen_is_the_best(duplicates, picks):
    prompts = [
        click(number, at, hypothesis=picks.get(at))
        for number, at in enumerate((LEFT, RIGHT), start=1)
    ]
    shown = preview_prompts(context_of(duplicates), prompts)
    for one in shown:
        if one.prompt.hypothesis is None:
            best = max(offered.score for offered in one.hypotheses)
            assert one.chosen.score >= best
        else:
            assert one.chosen.number == one.prompt.hypothesis


def test_a_pick_stays_and_the_other_object_adapts(duplicates):
    (left, right) = decided(duplicates, [click(1, LEFT, hypothesis=2), click(2, RIGHT)])
    assert left.choice.index == 2
    np.testing.assert_array_equal(left.choice.logits > 0, PAIR)
    np.testing.assert_array_equal(right.choice.logits > 0, CELLS[RIGHT])


def test_where_only_pairs_are_offered_the_decoder_is_asked_again():
    only = [(PAIR, 0.9), (PAIR, 0.8), (ALL, 0.7)]
    apart = {at: [(CELLS[at], 0.6), (PAIR, 0.9), (ALL, 0.7)] for at in CELLS}
    network = Twins({LEFT: only, RIGHT: only}, apart)
    decisions = decided(network, [click(1, LEFT), click(2, RIGHT)])
    assert network.asked == [[[1], [1]], [[1, 0], [1, 0]]]
    for decision, at in zip(decisions, (LEFT, RIGHT), strict=True):
        np.testing.assert_array_equal(decision.choice.logits > 0, CELLS[at])
        assert decision.choice.index == 0
        assert decision.score >= decision.scores.max()


def test_what_lies_inside_is_taken_out_and_not_avoided():
    inner = [(NUCLEUS, 0.9), (CELLS[LEFT], 0.5), (ALL, 0.1)]
    outer = [(box_mask((8, 24), (8, 10)), 0.6), (CELLS[LEFT], 0.8), (ALL, 0.1)]
    network = Twins({NUCLEUS_AT: inner, (9, 9): outer})
    around, inside = decided(network, [click(1, (9, 9)), click(2, NUCLEUS_AT)])
    np.testing.assert_array_equal(inside.choice.logits > 0, NUCLEUS)
    np.testing.assert_array_equal(around.choice.logits > 0, CELLS[LEFT] & ~NUCLEUS)
    assert around.choice.index == 2


def test_what_is_painted_stays_and_the_other_object_adapts(duplicates):
    painted = Prompt(1, 0, mask=CELLS[LEFT])
    left, right = decided(duplicates, [painted, click(2, RIGHT)])
    np.testing.assert_array_equal(left.choice.logits > 0, CELLS[LEFT])
    np.testing.assert_array_equal(right.choice.logits > 0, CELLS[RIGHT])


def test_known_answers_are_not_asked_for_again(duplicates):
    context = context_of(duplicates)
    first = preview_prompts(context, [click(1, LEFT)])
    assert first[0].chosen.number == 2
    both = preview_prompts(context, [click(1, LEFT), click(2, RIGHT)], first)
    assert duplicates.asked == [[[1]], [[1]]]
    assert [one.chosen.number for one in both] == [1, 1]
    picked = preview_prompts(
        context, [click(1, LEFT, hypothesis=2), click(2, RIGHT)], both
    )
    assert len(duplicates.asked) == 2
    np.testing.assert_array_equal(picked[0].chosen.mask, PAIR)


def test_a_preview_shows_what_propagation_starts_from(duplicates):
    context = context_of(duplicates)
    prompts = [click(1, LEFT), click(2, RIGHT)]
    shown = preview_prompts(context, prompts)
    planted = initial_masks(context, 0, prompts)
    for one, initial in zip(shown, planted, strict=True):
        np.testing.assert_array_equal(one.chosen.mask, initial.logits > 0)


def test_objects_that_are_not_carried_have_a_say(duplicates):
    context = context_of(duplicates)
    (initial,) = initial_masks(context, 0, [click(1, LEFT)], [click(2, RIGHT)])
    np.testing.assert_array_equal(initial.logits > 0, CELLS[LEFT])


def test_an_object_that_was_said_to_be_away_says_why(duplicates):
    away = Prompt(1, 0, mask=np.zeros((SIDE, SIDE), bool))
    gone, there = initial_masks(context_of(duplicates), 0, [away, click(2, RIGHT)])
    assert gone.estimate.result.verdict is Verdict.ABSENT
    assert gone.estimate.result.reason is Reason.SAID
    assert there.estimate.result.reason is None


@pytest.mark.parametrize(
    ("prompt", "index"),
    [
        (Prompt(1, 0, [(3, 3)]), 1),
        (Prompt(1, 0, [(3, 3)], hypothesis=3), 3),
        (Prompt(1, 0, [(3, 3), (5, 5)]), 0),
        (Prompt(1, 0, box=(1, 1, 9, 9)), 0),
    ],
)
def test_one_click_asks_for_a_hypothesis_and_more_prompts_for_any_mask(prompt, index):
    class Steps(Twins):
        def _answer(self, prompt):
            masks = [ALL & (np.arange(SIDE) < width) for width in (5, 10, 15, 20)]
            logits = np.stack([as_logits(mask) for mask in masks])
            return logits, np.array([0.9, 0.8, 0.7, 0.6], np.float32)

    (decision,) = decided(Steps({}), [prompt])
    assert decision.choice.index == index


def still(frame):
    return 12, 12


@pytest.fixture
def truth():
    return movie_of(still)


def initial_of(context, prompt):
    (initial,) = initial_masks(context, prompt.frame, [prompt])
    return initial


def test_every_prompt_gives_a_seed(stage):
    _, context = stage(movie_of(still, lambda frame: (12, 40)))
    masks = initial_masks(
        context, 0, [Prompt(1, 0, [(16, 16)]), Prompt(2, 0, [(16, 44)])]
    )
    assert [initial.estimate.result.object_id for initial in masks] == [1, 2]
    assert all(
        (initial.logits[16, 16] > 0) != (initial.logits[16, 44] > 0)
        for initial in masks
    )


def test_a_click_is_answered_by_the_decoder(stage, truth):
    theatre, context = stage(truth)
    initial = initial_of(context, Prompt(1, 0, [(16, 16)]))
    np.testing.assert_array_equal(initial.logits > 0, truth[0] == 1)
    assert theatre.shown == [[None]]
    assert initial.confidence == pytest.approx(0.9)
    assert initial.estimate.painted is None
    features = context.features(0)
    assert initial.memory.cell_scores(features).max() == pytest.approx(1, abs=0.1)


def test_a_picked_hypothesis_is_trusted(stage, truth):
    _, context = stage(truth, quality={0: 0.5})
    automatic = initial_of(context, Prompt(1, 0, [(16, 16)]))
    picked = initial_of(context, Prompt(1, 0, [(16, 16)], hypothesis=2))
    assert (automatic.confidence, picked.confidence) == (0.5, 1)
    verdicts = [initial.estimate.result.verdict for initial in (automatic, picked)]
    assert verdicts == [Verdict.DOUBTFUL, Verdict.PROMPTED]


def test_a_painted_mask_is_taken_as_it_is(stage, truth):
    theatre, context = stage(truth)
    painted = truth[0] == 1
    initial = initial_of(context, Prompt(1, 0, mask=painted))
    assert not theatre.asked
    np.testing.assert_array_equal(initial.logits > 0, painted)
    np.testing.assert_array_equal(initial.estimate.painted.to_array(), painted)
    result = initial.estimate.result
    assert (result.verdict, result.confidence) == (Verdict.PROMPTED, 1)
    assert (result.likeness, result.temporal_iou, result.area_change) == (1, 1, 1)
    assert initial.confidence == 1


def test_a_click_beside_a_painted_mask_is_decoded_on_top_of_it(stage, truth):
    theatre, context = stage(truth)
    painted = truth[0] == 1
    painted[:, 16:] = False
    initial = initial_of(context, Prompt(1, 0, [(16, 20)], mask=painted))
    ((shown,),) = theatre.shown
    np.testing.assert_array_equal(shown, np.where(painted, LOGIT_SCALE, -LOGIT_SCALE))
    np.testing.assert_array_equal(initial.logits > 0, truth[0] == 1)
    assert initial.estimate.painted is None


def test_nothing_starts_from_an_absence(stage, truth):
    theatre, context = stage(truth)
    absence = Prompt(1, 0, mask=np.zeros((SIDE, SIDE), bool))
    initial = initial_of(context, absence)
    assert not theatre.asked
    assert initial.estimate.result.verdict is Verdict.ABSENT
    assert initial.estimate.logits is None
    assert initial.memory is None
    known = Memory.of(context.features(0), np.full((SIDE, SIDE), 8.0))
    assert initial.start_track(known, context.grid) is None
