from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from ideal_network import SIDE, as_logits, movie_of

from napari_sam_decoder.appearance.memory import Memory
from napari_sam_decoder.model.values import BACKGROUND_LOGIT, DECODER_LIMIT
from napari_sam_decoder.propagation import Settings
from napari_sam_decoder.propagation.decoding import (
    DECODER_SHARE,
    MovedTracks,
    build_queries,
    decode_queries,
    logits_of_others,
)
from napari_sam_decoder.propagation.prior import CERTAIN_LOGIT
from napari_sam_decoder.propagation.track import Motion, Track


@pytest.fixture
def truth():
    return movie_of(lambda frame: (12, 12))


def track_of(network, context, **values):
    """The object on frame 0."""
    logits = as_logits(network.truth[0] == 1)
    track = Track.start(
        logits, context.window, context.grid, Memory.of(context.features(0), logits)
    )
    return replace(track, **values)


def query_on(network, context, **values):
    """What is asked for the object on frame 1; None if it is not asked for."""
    tracks = {1: track_of(network, context, **values)}
    moved_tracks = MovedTracks.between(context, 1, 0, tracks)
    queries = build_queries(context, context.features(1), moved_tracks, {})
    return queries[0] if queries else None


def answer(network, context, query):
    (choice,) = decode_queries(context, 1, [query])
    return choice


def test_alternative_prompts_are_without_mask_and_with_the_moved_one(
    make_context, truth
):
    query = query_on(*make_context(truth))
    expectation = query.expectation
    without, by_motion = query.alternatives
    np.testing.assert_allclose(query.prompt.mask, expectation.prior, rtol=1e-6)
    assert without.mask is None
    assert without.prompt is query.prompt.prompt
    np.testing.assert_array_equal(by_motion.mask, expectation.moved)


def test_a_missed_object_is_expected_by_its_velocity(make_context, truth):
    network, context = make_context(truth)
    going = Motion((17.5, 17.5), velocity=(0.0, 10.0), is_moving=True)
    query = query_on(network, context, motion=going, missed=1)
    moved = np.roll(truth[0], 20, axis=1) == 1
    np.testing.assert_array_equal(query.expectation.moved > 0, moved)


def test_an_object_outside_the_picture_gives_no_query(make_context, truth):
    truth[1] = 0
    network, context = make_context(truth)
    gone = as_logits(np.zeros((SIDE, SIDE), bool))
    assert query_on(network, context, logits=gone) is None


@pytest.mark.parametrize(("missed", "is_found"), [(2, False), (3, True)])
def test_beyond_patience_the_object_may_be_anywhere(
    make_context, truth, missed, is_found
):
    truth[1] = np.roll(truth[0], (36, 36), axis=(0, 1))
    network, context = make_context(truth, Settings(patience=2))
    query = query_on(network, context, missed=missed)
    assert (query.expectation.prior[54, 54] > 0) == is_found


@pytest.mark.parametrize(("quality", "calls"), [(1.0, 1), (0.8, 2)])
def test_only_an_ambiguous_query_is_decoded_again(make_context, truth, quality, calls):
    network, context = make_context(truth, quality={1: quality})
    choice = answer(network, context, query_on(network, context))
    assert network.asked == [(1, 1), (1, 2)][:calls]
    assert choice.iou_prediction == pytest.approx(quality)


def test_a_mask_is_averaged_with_what_the_refiner_draws(make_context, truth):
    """That of `make_context` draws nothing at all in its window."""
    network, context = make_context(truth)
    query = query_on(network, context)
    alone = answer(network, context, query)
    mixed = answer(network, context, replace(query, refiner_share=0.5))
    inside = truth[1] == 1
    assert (alone.logits[inside] > 0).all()
    np.testing.assert_allclose(
        mixed.logits[inside], (alone.logits[inside] - DECODER_LIMIT) / 2, atol=0.01
    )
    np.testing.assert_array_equal(mixed.logits[40:], alone.logits[40:])


@pytest.mark.parametrize("count", [0, 1, 2, 5])
def test_logits_of_others_are_those_of_all_but_one(count):
    logits = np.random.default_rng(count).normal(size=(count, 4, 6), scale=20).round()
    places = {7 * key: one.astype(np.float32) for key, one in enumerate(logits, 1)}
    others_logits = logits_of_others(places, (4, 6))
    for object_id in (*places, 3):
        others = [one for key, one in places.items() if key != object_id]
        least = np.full((4, 6), BACKGROUND_LOGIT, np.float32)
        expected = np.max([least, *others], axis=0)
        np.testing.assert_array_equal(others_logits(object_id), expected)


def test_no_query_is_no_decoder_call(make_context, truth):
    network, context = make_context(truth)
    assert decode_queries(context, 1, []) == []
    assert not network.asked


@pytest.mark.parametrize("sign", [-1, 1])
def test_the_chosen_logits_are_averaged_with_the_prior(make_context, truth, sign):
    network, context = make_context(truth)
    query = query_on(network, context)
    prior = np.full((SIDE, SIDE), 6.0 * sign, np.float32)
    expectation = replace(query.expectation, prior=prior)
    choice = answer(network, context, replace(query, expectation=expectation))
    drawn = np.where(truth[1] == 1, DECODER_LIMIT, -DECODER_LIMIT)
    mixed = DECODER_SHARE * drawn + (1 - DECODER_SHARE) * prior
    np.testing.assert_allclose(choice.logits, mixed)


def test_a_certain_prior_outweighs_the_decoder():
    assert DECODER_SHARE * DECODER_LIMIT < (1 - DECODER_SHARE) * CERTAIN_LOGIT
