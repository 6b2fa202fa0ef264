from __future__ import annotations

import numpy as np
import pytest
from interaction_parts.objects import objects_on
from interaction_parts.person import Person

MASKS = np.zeros((2, 60, 80), int)
MASKS[1, 20:41, 10:51] = 5


@pytest.fixture
def target():
    (target,) = objects_on(MASKS, 1)
    return target


def test_the_first_click_is_inmost_and_the_next_where_most_is_wrong(target):
    person = Person(target, "clicks")
    first = person.first()
    assert (first.object_id, first.frame) == (5, 1)
    ((row, column),) = first.points
    assert row == 30
    assert 20 <= column <= 40
    too_much = person.truth.copy()
    too_much[20:41, 51:72] = True
    assert person.next(too_much).points == ((30, 61),)
    assert person.next(too_much).signs == (False,)
    assert person.next(person.truth) is None


def test_the_first_click_is_in_the_deepest_part_not_the_largest():
    masks = np.zeros((1, 60, 80), int)
    masks[0, 5:8, 5:75] = masks[0, 40:51, 30:41] = 1
    (target,) = objects_on(masks, 0)
    assert Person(target, "clicks").first().points == ((45, 35),)


@pytest.mark.parametrize("protocol", ["box", "loose-box"])
def test_clicks_follow_a_box(target, protocol):
    person = Person(target, protocol)
    assert person.first().points == ()
    correction = person.next(np.zeros((60, 80), bool))
    assert (correction.box, correction.signs) == (None, (True,))


def test_a_tight_box_is_exact_and_a_loose_one_is_not(target):
    exact = np.array([20, 10, 41, 51])
    assert Person(target, "box").first().box == tuple(exact)
    loose = np.array(Person(target, "loose-box").first().box)
    off = abs(loose - exact)
    assert (off <= [2.1, 4.1, 2.1, 4.1]).all()
    assert (off > 0).all()
    assert off.max() > 1
    assert Person(target, "loose-box").first().box == tuple(loose), "always the same"


def test_a_loose_box_stays_within_the_picture():
    masks = np.ones((4, 30, 20), int)
    for frame in range(4):
        (target,) = objects_on(masks, frame)
        row0, column0, row1, column1 = Person(target, "loose-box").first().box
        assert 0 <= row0 < row1 <= 30
        assert 0 <= column0 < column1 <= 20


def test_scribbles_follow_a_scribble(target):
    person = Person(target, "scribble")
    (first,) = person.first().scribbles
    assert first.is_positive
    assert person.truth[first.pixels.to_array()].all()
    too_much = person.truth.copy()
    too_much[20:41, 51:72] = True
    (second,) = person.next(too_much).scribbles
    assert not second.is_positive
