from __future__ import annotations

import numpy as np
import pytest
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

from napari_sam_decoder.prompts import Prompt
from napari_sam_decoder.propagation import Views, preview_prompts
from napari_sam_decoder.propagation.initial_masks import initial_masks

CORNER, IN_CORNER = (56, 56), box_mask((50, 62), (50, 62))


@pytest.mark.parametrize("picks", [{}, {LEFT: 2}, {LEFT: 3}, {RIGHT: 1}])
def test_the_shown_score_of_what_is_chosen_is_the_best(touching_cells, picks):
    prompts = [
        click(number, at, hypothesis=picks.get(at))
        for number, at in enumerate((LEFT, RIGHT), start=1)
    ]
    shown = preview_prompts(Views(context_of(touching_cells)), prompts)
    for one in shown:
        if one.prompt.hypothesis is None:
            best = max(offered.score for offered in one.hypotheses)
            assert one.chosen.score >= best
        else:
            assert one.chosen.number == one.prompt.hypothesis


def test_known_previews_are_not_decoded_again(touching_cells):
    context = context_of(touching_cells)
    first = preview_prompts(Views(context), [click(1, LEFT)])
    assert first[0].chosen.number == 3
    both = preview_prompts(Views(context), [click(1, LEFT), click(2, RIGHT)], first)
    assert touching_cells.asked == [[[1]], [[1]]]
    assert [one.chosen.number for one in both] == [2, 2]
    picked = preview_prompts(
        Views(context), [click(1, LEFT, hypothesis=3), click(2, RIGHT)], both
    )
    assert len(touching_cells.asked) == 2
    np.testing.assert_array_equal(picked[0].chosen.mask, PAIR)


def test_objects_that_are_told_apart_are_not_answered_again_for_others():
    around = box_mask((4, 28), (4, 44))
    offers = {
        at: [(mask, 0.9), (mask, 0.8), (ALL, 0.7)]
        for at, mask in ((LEFT, PAIR), (RIGHT, around))
    }
    apart = {at: [(CELLS[at], 0.6), (PAIR, 0.9), (ALL, 0.7)] for at in CELLS}
    network = TouchingCells({**offers, CORNER: [(IN_CORNER, 0.9)] * 3}, apart)
    views = Views(context_of(network))
    pair, third = [click(1, LEFT), click(2, RIGHT)], click(3, CORNER)
    told_apart = preview_prompts(views, pair)
    answered = len(network.asked)
    *again, _ = preview_prompts(views, [*pair, third], told_apart)
    assert network.asked[answered:] == [[[1]]], "the third object alone"
    for one, before in zip(again, told_apart, strict=True):
        assert one.apart is before.apart is not None
        np.testing.assert_array_equal(one.chosen.mask, before.chosen.mask)


def test_a_preview_shows_what_propagation_starts_from(touching_cells):
    context = context_of(touching_cells)
    prompts = [click(1, LEFT), click(2, RIGHT)]
    shown = preview_prompts(Views(context), prompts)
    planted = initial_masks(Views(context), 0, prompts)
    for one, initial in zip(shown, planted, strict=True):
        np.testing.assert_array_equal(one.chosen.mask, initial.logits > 0)


def test_previews_are_shown_without_their_arrays(touching_cells):
    (shown,) = preview_prompts(Views(context_of(touching_cells)), [click(1, LEFT)])
    assert repr(shown.chosen) == (
        "Hypothesis(number=3, mask=512 of 4096 pixels, iou_prediction=0.80, score=0.80)"
    )
    assert repr(shown).startswith(f"Preview(prompt={shown.prompt!r}, hypotheses=(")
    assert "array" not in repr(shown)


def test_a_painted_prompt_has_no_hypotheses(touching_cells):
    painted = Prompt(1, 0, mask=ALL)
    (shown,) = preview_prompts(Views(context_of(touching_cells)), [painted])
    assert shown.hypotheses == ()
    np.testing.assert_array_equal(shown.chosen.mask, ALL)
