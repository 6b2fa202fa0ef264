from __future__ import annotations

import numpy as np
import pytest
from ideal_network import STRIDE, movie_of
from large_network import FRAME, LargeNetwork, large_movie, still

from napari_sam_decoder.propagation import Views, search_objects


def at(*place):
    return lambda _: place


TRUTH = movie_of(at(4, 4), at(4, 40), at(36, 20), frames=1)


@pytest.fixture
def views_of(make_context):
    def build(truth):
        return Views(make_context(truth)[1])

    return build


def found_on(views, frame=0, occupied=None):
    *steps, found = search_objects(views, frame, occupied)
    assert steps
    assert set(steps) == {None}
    return found


def as_labels(found, shape):
    labels = np.zeros(shape, int)
    for number, one in enumerate(found, start=1):
        assert not labels[one.mask].any()
        labels[one.mask] = number
    return labels


def masks_of(labels):
    return {
        tuple(np.flatnonzero(labels == one).tolist())
        for one in np.unique(labels)
        if one
    }


def test_every_object_is_found_once_and_nothing_else(views_of):
    found = found_on(views_of(TRUTH))
    assert masks_of(as_labels(found, TRUTH[0].shape)) == masks_of(TRUTH[0])
    assert [one.rating for one in found] == pytest.approx([0.9] * 3)


def test_what_is_occupied_is_not_found_again(views_of):
    found = found_on(views_of(TRUTH), occupied=TRUTH[0] == 2)
    left = np.where(TRUTH[0] == 2, 0, TRUTH[0])
    assert masks_of(as_labels(found, left.shape)) == masks_of(left)


def test_an_object_that_is_partly_occupied_does_not_grow_into_that(views_of):
    occupied = (TRUTH[0] == 1) & (np.arange(64) < 8)
    found = found_on(views_of(TRUTH), occupied=occupied)
    assert len(found) == 3
    assert not any((one.mask & occupied).any() for one in found)


def test_an_empty_frame_has_no_objects(views_of):
    assert found_on(views_of(np.zeros_like(TRUTH))) == []


def test_later_clicks_leave_out_what_the_coarse_ones_have_found(
    make_context, monkeypatch
):
    network, context = make_context(TRUTH)
    points = []
    answered = network._answer

    def note(frame, prompt):
        points.append((prompt.points[0] / STRIDE).astype(int))
        return answered(frame, prompt)

    monkeypatch.setattr(network, "_answer", note)
    found_on(Views(context))
    inside = sum(bool(TRUTH[0, row, column]) for column, row in points)
    area = np.count_nonzero(TRUTH[0]) / TRUTH[0].size
    # A quarter of the clicks is coarse.
    assert inside < 0.5 * area * 32**2
    assert len(points) > 0.8 * (1 - area) * 32**2


def test_small_objects_of_a_large_frame_are_seen_through_windows():
    truth = large_movie(still(40, 48), still(120, 124))
    network = LargeNetwork(truth)
    found = found_on(network.views())
    assert masks_of(as_labels(found, (FRAME, FRAME))) == masks_of(truth[0])
