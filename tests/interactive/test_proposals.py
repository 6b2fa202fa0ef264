from __future__ import annotations

import numpy as np
import pytest
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

from napari_sam_decoder.interactive.actions import actions_of
from napari_sam_decoder.interactive.proposals import propose, region_of
from napari_sam_decoder.metrics import mask_iou
from napari_sam_decoder.prompts import Prompt

EVERYTHING, NOTHING = block((0, 40), (0, 56)), block((0, 0), (0, 0))
OFFERS = (DISK, block((16, 24), (20, 28)), DISK, block((8, 32), (10, 40)))
BOX = (11, 15, 29, 33)
LASSO = [(11, 15), (11, 33), (29, 33), (29, 15)]


def proposed(prompt, refiner, offers=OFFERS):
    is_outline = prompt.outer_box is not None
    first = None if is_outline else actions_of(prompt, SHAPE)[0]
    return propose(frame_with(refiner, offers), prompt, first)


@pytest.mark.parametrize("kind", ["on", "off", "noise"])
@pytest.mark.parametrize("offers", [OFFERS, (EVERYTHING,) * 4, (NOTHING,) * 4])
@pytest.mark.parametrize(
    "prompt",
    [
        click(),
        click((0, 55)),
        Prompt(1, 0, scribbles=[scribble(block((20, 22), (18, 30)))]),
        Prompt(1, 0, box=BOX),
        Prompt(1, 0, box=(-30, -30, 4, 4)),
        Prompt(1, 0, lasso=LASSO),
    ],
    ids=["click", "corner", "scribble", "box", "cut box", "lasso"],
)
def test_three_are_offered_ordered_by_area_whatever_the_networks_say(
    prompt, offers, kind
):
    proposals = proposed(prompt, MadeRefiner(kind), offers)
    areas = [np.count_nonzero(one.mask) for one in proposals.hypotheses]
    assert len(areas) == 3
    assert areas == sorted(areas)
    for one in (*proposals.hypotheses, proposals.best):
        assert one.mask.shape == SHAPE
        assert one.mask.dtype == bool
        assert 0 <= one.rating <= 1


@pytest.mark.parametrize("kind", ["on", "off", "noise"])
@pytest.mark.parametrize(
    "offers", [OFFERS, (NOTHING,) * 4, (block((0, 8), (0, 8)),) * 4]
)
@pytest.mark.parametrize(
    "prompt",
    [click(), Prompt(1, 0, scribbles=[scribble(block((20, 22), (14, 34)))])],
    ids=["click", "scribble"],
)
def test_all_that_is_offered_holds_what_was_shown(prompt, offers, kind):
    (first,) = actions_of(prompt, SHAPE)
    for one in proposed(prompt, MadeRefiner(kind), offers).hypotheses:
        assert not len(first.contradicted(one.mask))


def test_the_best_for_a_click_is_one_of_the_three():
    proposals = proposed(click(), ProposalRefiner())
    assert any(one is proposals.best for one in proposals.hypotheses)
    assert proposals.taken(None) is proposals.best
    assert proposals.taken(2) is proposals.hypotheses[1]
    assert proposals.best.rating == max(one.rating for one in proposals.hypotheses)


def test_masks_for_a_click_differ():
    first, second, third = proposed(click(), ProposalRefiner()).hypotheses
    for one, other in ((first, second), (second, third), (first, third)):
        assert mask_iou(one.mask, other.mask) < 0.85


@pytest.mark.parametrize("outline", [{"box": BOX}, {"lasso": LASSO}])
def test_an_outline_has_a_best_mask_beside_the_three(outline):
    proposals = proposed(Prompt(1, 0, **outline), ProposalRefiner())
    assert not any(one is proposals.best for one in proposals.hypotheses)
    assert mask_iou(proposals.best.mask, DISK) > 0.8
    assert all(one.rating <= proposals.best.rating for one in proposals.hypotheses)


@pytest.mark.parametrize("nothing", [EVERYTHING, NOTHING])
def test_where_nothing_is_recognised_masks_lie_around_the_click(nothing):
    """The decoder offers whole pictures, or nothing; windows of several sizes help."""
    proposals = proposed(click(), MadeRefiner("on"), (nothing,) * 4)
    for one in proposals.hypotheses:
        assert one.mask[MIDDLE]
    rows, columns = np.nonzero(proposals.hypotheses[0].mask)
    assert abs(rows.mean() - MIDDLE[0]) <= 1
    assert abs(columns.mean() - MIDDLE[1]) <= 1


def test_parts_that_were_not_shown_are_left_out():
    two = DISK | block((34, 40), (46, 56))
    refined = proposed(click(), ProposalRefiner(), (two, NOTHING, NOTHING, NOTHING))
    for one in refined.hypotheses:
        assert not one.mask[34:, 46:].any()


def test_the_inside_of_an_outline():
    inside = region_of(Prompt(1, 0, box=BOX), SHAPE)
    np.testing.assert_array_equal(inside, block((11, 29), (15, 33)))
    lasso = region_of(Prompt(1, 0, lasso=LASSO), SHAPE)
    assert mask_iou(lasso, inside) > 0.85
    assert region_of(click(), SHAPE) is None
    assert region_of(Prompt(1, 0, box=(20.2, 20.2, 20.4, 20.4)), SHAPE).sum() == 1
