from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Event

import numpy as np
import pytest
from ideal_network import MASKS_ALONE, SIDE, IdealNetwork, ObedientRefiner, movie_of

from napari_sam_decoder.errors import OptionError
from napari_sam_decoder.model.heads import Heads
from napari_sam_decoder.model.values import FrameLogits
from napari_sam_decoder.prompts import Prompt, PromptSet
from napari_sam_decoder.propagation import (
    Context,
    Direction,
    Settings,
    Views,
    plan,
    preview_prompts,
    propagate,
)
from napari_sam_decoder.propagation.context import Memo


def test_each_value_is_computed_once():
    made = []
    memo = Memo(lambda *key: made.append(key) or sum(key), 2)
    assert [memo(1, 2), memo(3, 4), memo(1, 2)] == [3, 7, 3]
    assert made == [(1, 2), (3, 4)]


def test_the_oldest_value_is_dropped_even_if_it_was_used_last():
    made = []
    memo = Memo(lambda key: made.append(key), 2)
    for key in (1, 2, 1, 3, 2, 1):
        memo(key)
    assert made == [1, 2, 3, 1]


def test_a_second_thread_waits_for_the_value():
    asked, may_go_on, made = Event(), Event(), []

    def make(key):
        made.append(key)
        asked.set()
        may_go_on.wait(10)
        return object()

    memo = Memo(make, 1)
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(memo, 0)
        assert asked.wait(10)
        second = pool.submit(memo, 0)
        may_go_on.set()
        assert first.result() is second.result()
    assert made == [0]


def test_errors_are_not_remembered():
    errors = [ValueError("first"), None]

    def make(_):
        error = errors.pop(0)
        if error:
            raise error
        return 5

    memo = Memo(make, 1)
    with pytest.raises(ValueError, match="first"):
        memo(0)
    assert memo(0) == 5


@pytest.mark.parametrize(
    "values",
    [
        {"absent_below": 0.7},
        {"doubtful_below": 1.1},
        {"absent_below": -0.1},
        {"patience": -1},
        {"unlike_below": 1.5},
        {"stabilise": -0.1},
        {"stabilise": 1.1},
    ],
)
def test_settings_out_of_range_are_refused(values):
    with pytest.raises(OptionError, match="must"):
        Settings(**values)


class Sharpener:
    """Draws a single pixel, and notes what it was shown."""

    def __init__(self):
        self.shown = []

    def sharpen(self, frame, embedding, low_res_logits):
        self.shown.append((frame, embedding, low_res_logits))
        return FrameLogits(np.ones((1, 1), np.float32), (slice(3, 4), slice(5, 6)))


def context_of(network, heads):
    refiner = ObedientRefiner(MASKS_ALONE + 2)
    return Context(network, network, (SIDE, SIDE), Settings(), heads, refiner)


def test_the_sharpener_draws_masks():
    network = IdealNetwork(movie_of(lambda frame: (10, 10 + frame)))
    sharpener = Sharpener()
    context = context_of(network, Heads(None, sharpener))
    logits = np.ones((SIDE, SIDE), np.float32)
    mask = context.draw(4, logits).mask((SIDE, SIDE))
    assert np.argwhere(mask).tolist() == [[3, 5]]
    ((frame, embedding, given),) = sharpener.shown
    np.testing.assert_array_equal(frame, network.picture(4))
    assert embedding.features.flat[0] == 4
    assert given is logits


def test_low_res_logits_are_propagated_not_drawn_masks():
    truth = movie_of(lambda frame: (10, 10 + frame))
    network = IdealNetwork(truth)
    context = context_of(network, Heads(None, Sharpener()))
    prompts = PromptSet([Prompt(1, 0, mask=truth[0] == 1)])
    itinerary = plan(prompts, range(4), Direction.FORWARD)
    results = list(propagate(Views(context), itinerary))
    assert [np.count_nonzero(result.labels) for result in results] == [144, 1, 1, 1]
    assert all(result.objects[1].confidence > 0.5 for result in results)


def test_a_preview_offers_what_the_sharpener_draws():
    network = IdealNetwork(movie_of(lambda frame: (10, 10)))
    context = context_of(network, Heads(None, Sharpener()))
    (shown,) = preview_prompts(Views(context), [Prompt(1, 2, points=[(14, 14)])])
    # And the click, which it must not leave out.
    assert np.argwhere(shown.chosen.mask).tolist() == [[3, 5], [14, 14]]


class Rater:
    """Thinks best of the part."""

    def rate(self, tokens):
        assert tokens.shape == (1, 5, 2)
        return np.array([[0.8, 0.3, 0.2]])


def with_tokens(network):
    """Hand out tokens with what it offers."""
    decode = network.decode

    def told(*asked):
        return replace(decode(*asked), tokens=np.zeros((1, 5, 2)))

    network.decode = told
    return network


@pytest.mark.parametrize(
    ("rater", "number", "rating"), [(Rater(), 2, 0.8), (None, 3, 0.54)]
)
def test_a_single_click_is_rated_by_the_rater_if_there_is_one(rater, number, rating):
    network = with_tokens(IdealNetwork(movie_of(lambda frame: (10, 10))))
    context = context_of(network, Heads(rater))
    (shown,) = preview_prompts(Views(context), [Prompt(1, 2, points=[(14, 14)])])
    assert shown.chosen.number == number
    part = shown.hypotheses[1]
    assert part.iou_prediction == pytest.approx(rating)


def test_boxes_are_rated_by_sam():
    network = with_tokens(IdealNetwork(movie_of(lambda frame: (10, 10))))
    context = context_of(network, Heads(Rater()))
    (shown,) = preview_prompts(Views(context), [Prompt(1, 2, box=(10, 10, 22, 22))])
    best = shown.chosen.iou_prediction
    assert [one.iou_prediction for one in shown.hypotheses] == [best] * 3


def test_the_confidence_after_a_click_is_the_rating_of_its_mask():
    network = with_tokens(IdealNetwork(movie_of(lambda frame: (10, 10))))
    sure = []
    for rater in (Rater(), None):
        context = context_of(network, Heads(rater))
        prompts = PromptSet([Prompt(1, 2, points=[(14, 14)], hypothesis=None)])
        (result,) = propagate(
            Views(context), plan(prompts, range(2, 3), Direction.FORWARD)
        )
        sure.append(result.objects[1].iou_prediction)
    assert sure == pytest.approx([0.8, 0.9])
