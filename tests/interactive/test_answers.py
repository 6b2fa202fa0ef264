from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_frames import (
    DISK,
    MIDDLE,
    SHAPE,
    MadeRefiner,
    ProposalRefiner,
    block,
    click,
    frame_with,
    scribble,
)
from scipy import ndimage

from napari_sam_decoder.interactive.actions import actions_of
from napari_sam_decoder.interactive.answers import answer
from napari_sam_decoder.metrics import mask_iou
from napari_sam_decoder.prompts import PaintedMask, Prompt

KINDS = ["noise", "on", "off"]
OFFERS = (DISK, block((16, 24), (20, 28)), DISK, block((8, 32), (10, 40)))

rows, columns = st.integers(0, SHAPE[0] - 1), st.integers(0, SHAPE[1] - 1)
places = st.tuples(rows, columns)


@st.composite
def strokes(draw):
    row, column = draw(places)
    height, width = draw(st.integers(1, 8)), draw(st.integers(1, 16))
    return block((row, row + height), (column, column + width))


@st.composite
def prompts(draw, most=5):
    """A start of any kind, and what follows."""
    points = draw(st.lists(places, max_size=most))
    signs = draw(st.lists(st.booleans(), min_size=len(points), max_size=len(points)))
    drawn = [
        scribble(mask, is_positive=sign, after=after)
        for mask, sign, after in draw(
            st.lists(
                st.tuples(strokes(), st.booleans(), st.integers(0, len(points))),
                max_size=3,
            )
        )
    ]
    start = draw(st.sampled_from(["click", "box", "lasso", "mask"]))
    if start == "click":
        points, signs = [draw(places), *points], [True, *signs]
    shown = {
        "box": {"box": (11, 15, 29, 33)},
        "lasso": {"lasso": [(11, 15), (11, 33), (29, 24)]},
        "mask": {"mask": PaintedMask.of(DISK)},
    }.get(start, {})
    picked = draw(st.sampled_from([None, 1, 3]))
    return Prompt(1, 0, points, signs, scribbles=drawn, hypothesis=picked, **shown)


def in_agreement(prompt):
    """Value of each pixel that was shown: where actions overlap, of the later."""
    said = np.zeros(SHAPE, int)
    for action in actions_of(prompt, SHAPE):
        said[action.index] = 1 if action.is_positive else -1
    return said


def at(place):
    dot = np.zeros(SHAPE, bool)
    dot[place] = True
    return dot


def assert_agrees(mask, prompt):
    said = in_agreement(prompt)
    assert mask[said > 0].all()
    assert not mask[said < 0].any()


def without_last_point(prompt):
    count = len(prompt.points) - 1
    return replace(
        prompt, points=prompt.points[:count], signs=(prompt.signs or ())[:count]
    )


def with_point(prompt, place, sign):
    return replace(
        prompt, points=(*prompt.points, place), signs=(*(prompt.signs or ()), sign)
    )


@pytest.mark.parametrize("kind", KINDS)
@given(prompt=prompts())
@settings(max_examples=25)
def test_the_mask_agrees_with_all_that_was_shown(kind, prompt):
    found = answer(frame_with(MadeRefiner(kind), OFFERS), prompt)
    assert_agrees(found.mask, prompt)
    assert 0 <= found.rating <= 1


@pytest.mark.parametrize("kind", KINDS)
@given(prompt=prompts(most=3))
@settings(max_examples=15)
def test_the_mask_agrees_on_top_of_an_existing_one(kind, prompt):
    existing = block((4, 20), (4, 30))
    found = answer(
        frame_with(MadeRefiner(kind), OFFERS),
        prompt,
        existing=existing,
        others=~existing,
    )
    assert_agrees(found.mask, prompt)
    np.testing.assert_array_equal(existing, block((4, 20), (4, 30)))


@pytest.mark.parametrize("kind", KINDS)
@given(prompt=prompts(most=3), place=places, sign=st.booleans())
@settings(max_examples=15)
def test_a_click_changes_what_is_connected_to_it(kind, prompt, place, sign):
    frame = frame_with(MadeRefiner(kind), OFFERS)
    before = answer(frame, prompt).mask
    after = answer(frame, with_point(prompt, place, sign)).mask
    changed = before != after
    assert (after[changed] == sign).all()
    # What was shown earlier stays as it is, and may divide what changes.
    parts, _ = ndimage.label(changed | (in_agreement(prompt) != 0) | at(place))
    assert (parts[changed] == parts[place]).all()
    assert changed[place] == (before[place] != sign)


@pytest.mark.parametrize("kind", KINDS)
@given(prompt=prompts(most=3), place=places, sign=st.booleans())
@settings(max_examples=15)
def test_what_is_known_is_not_answered_again(kind, prompt, place, sign):
    later = with_point(prompt, place, sign)
    scratch = answer(frame_with(MadeRefiner(kind), OFFERS), later)
    refiner = MadeRefiner(kind)
    frame = frame_with(refiner, OFFERS)
    known = answer(frame, prompt)
    found = answer(frame, later, known=[known])
    np.testing.assert_array_equal(found.mask, scratch.mask)
    assert (found.rating, found.actions) == (scratch.rating, scratch.actions)
    asked = refiner.asked
    again = answer(frame, later, known=[known, found])
    assert refiner.asked == asked
    assert again is found


@pytest.mark.parametrize("kind", KINDS)
@given(prompt=prompts(most=3), place=places, sign=st.booleans())
@settings(max_examples=10)
def test_without_its_last_click_a_prompt_gives_the_mask_before(
    kind, prompt, place, sign
):
    frame = frame_with(MadeRefiner(kind), OFFERS)
    before = answer(frame, prompt)
    later = with_point(prompt, place, sign)
    after = answer(frame, later, known=[before])
    undone = answer(frame, without_last_point(later), known=[after, before])
    np.testing.assert_array_equal(undone.mask, before.mask)
    afresh = answer(frame, without_last_point(later), known=[after])
    np.testing.assert_array_equal(afresh.mask, before.mask)


def test_what_was_shown_before_the_first_positive_action_is_overruled_by_it():
    frame = frame_with(ProposalRefiner())
    around = block((18, 23), (22, 27))
    prompt = click(scribbles=[scribble(around, is_positive=False, after=0)])
    mask = answer(frame, prompt).mask
    np.testing.assert_array_equal(mask[around], at(MIDDLE)[around])
    reverse = click(scribbles=[scribble(around, is_positive=False, after=1)])
    assert not answer(frame, reverse, known=[answer(frame, prompt)]).mask[around].any()


def test_a_click_that_agrees_changes_nothing():
    refiner = MadeRefiner("noise")
    frame = frame_with(refiner)
    before = answer(frame, Prompt(1, 0, box=(11, 15, 29, 33)))
    asked = refiner.asked
    inside = tuple(np.argwhere(before.mask)[0].tolist())
    found = answer(frame, Prompt(1, 0, [inside], box=(11, 15, 29, 33)), known=[before])
    assert found.mask is before.mask
    assert refiner.asked == asked
    assert found.is_confirmed


def test_a_click_finds_what_the_decoder_proposes():
    found = answer(frame_with(ProposalRefiner()), click())
    assert mask_iou(found.mask, DISK) > 0.85
    assert not found.is_confirmed
    assert found.proposals is not None


def test_a_picked_hypothesis_is_the_mask():
    frame = frame_with(MadeRefiner("noise"), OFFERS)
    offered = answer(frame, click()).proposals
    for number, one in enumerate(offered.hypotheses, start=1):
        found = answer(frame, click(hypothesis=number))
        np.testing.assert_array_equal(found.mask, one.mask)
        assert found.is_confirmed


def test_another_pick_needs_no_network():
    refiner = MadeRefiner("noise")
    frame = frame_with(refiner, OFFERS)
    known = answer(frame, click())
    asked = refiner.asked
    found = answer(frame, click(hypothesis=1), known=[known])
    assert refiner.asked == asked
    assert found.proposals is known.proposals


@pytest.mark.parametrize(
    ("again", "strength", "is_large"),
    [(True, 1, False), (True, 5, True), (False, 1, True)],
)
@pytest.mark.parametrize("sign", [True, False])
def test_what_the_decoder_draws_again_changes_only_where_that_is_certain(
    again, strength, is_large, sign
):
    existing, other = block((8, 24), (10, 30)), block((30, 36), (40, 50))
    kind, place = ("on", (4, 20)) if sign else ("off", (16, 20))
    refiner = MadeRefiner(kind, strength, rating=0.9)
    frame = frame_with(refiner, (existing if again else other,) * 4)
    found = answer(frame, Prompt(1, 0, [place], [sign]), existing=existing)
    changed = found.mask != existing
    assert changed[place]
    assert (changed.sum() > 1) == is_large


def test_a_box_replaces_an_existing_mask_and_a_click_does_not():
    existing = block((30, 40), (40, 56))
    frame = frame_with(ProposalRefiner())
    boxed = answer(frame, Prompt(1, 0, box=(11, 15, 29, 33)), existing=existing)
    assert not (boxed.mask & existing).any()
    clicked = answer(frame, click(), existing=existing)
    assert (clicked.mask & existing).sum() == existing.sum()
    assert clicked.mask[MIDDLE]


def test_what_beside_says_alone_only_takes_away():
    frame = frame_with(ProposalRefiner(), (block((0, 0), (0, 0)),) * 4)
    found = answer(frame, Prompt(1, 0, [MIDDLE], [False], hypothesis=2), existing=DISK)
    assert not found.mask[MIDDLE]
    assert not (found.mask & ~DISK).any()


def test_without_anything_on_the_object_there_is_no_answer():
    with pytest.raises(ValueError, match="nothing shows where the object is"):
        answer(frame_with(ProposalRefiner()), Prompt(1, 0, [MIDDLE], [False]))


@pytest.mark.parametrize("rating", [0.3, 0.9])
@pytest.mark.parametrize("sign", [True, False])
def test_a_mask_from_other_frames_outweighs_a_poor_guess(rating, sign):
    existing, other = block((8, 24), (10, 30)), block((30, 36), (40, 50))
    kind, place = ("on", (4, 20)) if sign else ("off", (16, 20))
    frame = frame_with(MadeRefiner(kind, 1, rating), (other,) * 4)
    found = answer(frame, Prompt(1, 0, [place], [sign]), existing=existing)
    changed = found.mask != existing
    assert changed[place]
    assert (changed.sum() > 1) == (rating > 0.8)
