from __future__ import annotations

import numpy as np
import pytest
from tracking_parts.views import follow_across, majority

from napari_sam_decoder import Movie, Prompt, Session


@pytest.fixture
def session(tiny_sam):
    pixels = np.random.default_rng(0).integers(0, 255, (8, 32, 40)).astype(np.uint8)
    with Session(Movie(pixels, axes="ZYX"), model=tiny_sam) as session:
        yield session


@pytest.mark.parametrize("axis", [1, 2])
def test_the_seed_lies_where_most_is_sure(session, axis):
    mask = np.zeros((8, 32, 40), bool)
    mask[2:6, 10:20, 5:15] = True
    mask[3, 12, 5:14] = False
    mask[4, 10:19, 7] = False
    # More pixels, of which nobody is sure.
    mask[6:, 8:25, 3:18] = True
    is_sure = np.arange(8) < 6
    seen = follow_across(session, axis, {4: mask}, {4: is_sure})[4]
    planes = np.moveaxis(mask, axis, 0)
    start = planes[:, :6].sum((1, 2)).argmax()
    assert seen.shape == mask.shape
    np.testing.assert_array_equal(np.moveaxis(seen, axis, 0)[start], planes[start])


def test_an_object_that_was_lost_is_not_looked_for(session):
    empty = {4: np.zeros((8, 32, 40), bool)}
    seen = follow_across(session, 1, empty, {4: np.ones(8, bool)})
    assert not seen[4].any()


def test_two_of_three_views_decide(session, monkeypatch):
    class One:
        object_id = 4

    session.add_prompt(Prompt(4, 3, box=(8, 8, 20, 20)))
    first = {result.frame: result for result in session.propagate()}
    full, none = np.ones((8, 32, 40), bool), np.zeros((8, 32, 40), bool)
    half = none.copy()
    half[:, :, ::2] = True
    views = {1: full, 2: half}
    monkeypatch.setattr(
        "tracking_parts.views.follow_across", lambda _, axis, *__: {4: views[axis]}
    )
    joined, _ = majority(session, [One()], first)
    own = np.stack([first[frame].labels == 4 for frame in range(8)])
    assert own.any()
    wanted = half | own
    wanted[3] = own[3]
    np.testing.assert_array_equal(joined[4], wanted)
