from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from tracking_parts.data import Target
from tracking_parts.prompting import (
    INITS,
    correcting_box,
    correcting_click,
    correcting_mask,
    correcting_scribble,
    inmost,
    outline,
)

ROWS, COLUMNS = 40, 50


def mask_of(*blocks):
    mask = np.zeros((ROWS, COLUMNS), bool)
    for rows, columns in blocks:
        mask[slice(*rows), slice(*columns)] = True
    return mask


def target_of(mask):
    return Target(1, 0, range(1), False, mask[np.newaxis].astype(int))


def test_the_inmost_pixel_keeps_away_from_the_border():
    assert inmost(mask_of(((10, 15), (20, 25)))) == (12, 22)
    assert inmost(mask_of(((0, 7), (0, 7)))) == (3, 3)


def test_the_outline_holds_the_whole_mask():
    assert outline(mask_of(((10, 15), (20, 30)))) == (10, 20, 15, 30)
    assert outline(mask_of(((10, 11), (20, 21)))) == (10, 20, 11, 21)


@pytest.mark.parametrize(
    ("found", "position", "is_positive"),
    [
        # A lacking block of 9 x 9 beside one of 5 x 5.
        (mask_of(((0, 20), (20, 40))), (4, 4), True),
        # Too much by 11 x 11, which is more than the lacking block of 9 x 9.
        (mask_of(((0, 20), (20, 40)), ((25, 36), (30, 41))), (30, 35), False),
        # Many lacking pixels in all, but in small parts.
        (
            mask_of(((0, 9), (0, 9)), ((0, 20), (20, 40)), ((30, 33), (20, 23))),
            (32, 2),
            True,
        ),
    ],
)
def test_the_click_goes_into_the_largest_wrong_part(found, position, is_positive):
    truth = mask_of(((0, 9), (0, 9)), ((30, 35), (0, 5)), ((0, 20), (20, 40)))
    click = correcting_click(target_of(truth), 0, found)
    assert click.points == (position,)
    assert click.signs == (is_positive,)
    assert (click.object_id, click.frame) == (1, 0)


def test_nothing_wrong_needs_no_click():
    truth = mask_of(((0, 9), (0, 9)))
    assert correcting_click(target_of(truth), 0, truth) is None


class Shown:
    """A session whose decoder offers these masks, and chooses the last one."""

    def __init__(self, *masks):
        self.asked = []
        self._offers = [
            SimpleNamespace(number=number, mask=mask)
            for number, mask in enumerate(masks, start=1)
        ]

    def preview(self, prompt):
        self.asked.append(prompt)
        return SimpleNamespace(hypotheses=self._offers, chosen=self._offers[-1])


TRUTH = mask_of(((10, 21), (10, 21)))


def test_one_click_picks_the_hypothesis_that_fits_best():
    part, whole = mask_of(((10, 15), (10, 15))), mask_of(((0, 40), (0, 50)))
    prompt = INITS["click1"](Shown(part, TRUTH, whole), target_of(TRUTH))
    assert (prompt.points, prompt.signs, prompt.hypothesis) == (
        ((15, 15),),
        (True,),
        2,
    )


def test_three_clicks_correct_what_is_shown():
    session = Shown(mask_of(((10, 21), (10, 31))))
    prompt = INITS["click3"](session, target_of(TRUTH))
    assert prompt.points == ((15, 15), (14, 25), (14, 25))
    assert prompt.signs == (True, False, False)
    assert prompt.hypothesis is None
    assert [len(asked.points) for asked in session.asked] == [1, 2]


def test_no_more_clicks_than_needed():
    assert len(INITS["click3"](Shown(TRUTH), target_of(TRUTH)).points) == 1


def test_a_box_and_a_mask_are_those_of_the_truth():
    box = INITS["box"](Shown(), target_of(TRUTH))
    assert (box.box, box.points) == ((10, 10, 21, 21), ())
    mask = INITS["mask"](Shown(), target_of(TRUTH))
    np.testing.assert_array_equal(mask.mask.to_array(), TRUTH)


TOO_MUCH = mask_of(((10, 21), (10, 41)))


def test_a_scribble_goes_along_the_largest_wrong_part():
    click = correcting_scribble(target_of(TRUTH), 0, TOO_MUCH)
    (scribble,) = click.scribbles
    drawn = scribble.pixels.to_array()
    assert not scribble.is_positive
    assert not (drawn & ~TOO_MUCH).any()
    rows, columns = np.nonzero(drawn)
    assert set(rows) == {14, 15, 16}
    assert 21 < columns.min() < columns.max() < 41


def test_a_scribble_shows_a_lacking_object():
    nothing = np.zeros_like(TRUTH)
    (scribble,) = correcting_scribble(target_of(TRUTH), 0, nothing).scribbles
    assert scribble.is_positive
    assert TRUTH[scribble.pixels.to_array()].all()


def test_a_box_corrects_by_showing_the_whole_object():
    correction = correcting_box(target_of(TRUTH), 0, TOO_MUCH)
    assert (correction.box, correction.points) == ((10, 10, 21, 21), ())


def test_what_is_not_there_cannot_be_boxed():
    nowhere = target_of(np.zeros_like(TRUTH))
    correction = correcting_box(nowhere, 0, TRUTH)
    assert (correction.points, correction.signs) == (((15, 15),), (False,))


def test_the_whole_object_is_painted():
    correction = correcting_mask(target_of(TRUTH), 0, TOO_MUCH)
    np.testing.assert_array_equal(correction.mask.to_array(), TRUTH)


@pytest.mark.parametrize(
    "correct", [correcting_box, correcting_scribble, correcting_mask]
)
def test_nothing_wrong_needs_nothing(correct):
    assert correct(target_of(TRUTH), 0, TRUTH) is None
