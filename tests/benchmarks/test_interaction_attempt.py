from __future__ import annotations

import numpy as np
import pytest
from interaction_parts.attempt import Attempt, attempt
from interaction_parts.methods import Offer
from interaction_parts.objects import objects_on
from interaction_parts.person import Person

TRUTH = np.zeros((40, 50), bool)
TRUTH[10:30, 10:30] = True


def part(rows):
    mask = np.zeros_like(TRUTH)
    mask[10 : 10 + rows, 10:30] = True
    return mask


class Drawn:
    """Offers some masks, and then shows the next ones, whatever is done."""

    def __init__(self, offers, later):
        self._offers = [Offer(number, mask) for number, mask in enumerate(offers)]
        self._later = iter(later)
        self.actions = []

    def first(self, action):
        self.actions.append(action)
        return self._offers

    def take(self, offer):
        self.taken = offer.number

    def next(self, action):
        self.actions.append(action)
        return next(self._later)


@pytest.fixture
def person():
    (target,) = objects_on(TRUTH[np.newaxis].astype(int), 0)
    return Person(target, "clicks")


def test_the_best_offer_is_taken_and_then_corrected(person):
    method = Drawn([part(2), part(10), part(5)], [part(4), part(16), TRUTH])
    made = attempt(method, person)
    assert method.taken == 1
    assert made.ious == pytest.approx((0.5, 0.2, 0.8, 1.0))
    assert len(made.seconds) == 4
    assert len(method.actions) == 4, "nothing was wrong any more"
    assert method.actions[1].points[0][0] > 20, "where the picked mask lacks most"


def test_ten_actions_are_the_most(person):
    made = attempt(Drawn([part(1)], [part(n) for n in range(2, 20)]), person)
    assert made.ious == pytest.approx([n / 20 for n in range(1, 11)])


def test_a_perfect_offer_needs_no_correction(person):
    assert attempt(Drawn([TRUTH], []), person).ious == (1.0,)


def test_what_an_attempt_says():
    made = Attempt((0.5, 0.83, 0.815, 0.7, 0.9), (0.1,) * 5)
    assert [made.after(n) for n in (1, 2, 5, 10)] == [0.5, 0.83, 0.9, 0.9]
    assert [made.needed(iou) for iou in (0.8, 0.9, 0.95)] == [2, 5, 11]
    assert len(made.steps) == 4
    assert made.setbacks == 1, "0.015 is not noticeable"
