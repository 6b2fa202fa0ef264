from __future__ import annotations

from itertools import pairwise

import pytest

from napari_sam_decoder.widgets.frame_axis import FEWEST, FrameAxis


@pytest.fixture
def axis():
    return FrameAxis().fitted(length=100, left=50, width=400)


def test_at_first_all_frames_are_in_sight(axis):
    assert axis.frames == slice(0, 100)
    assert axis.frame_at(50) == 0
    assert axis.frame_at(449) == 99
    assert axis.start_of(25) == 150
    assert axis.middle_of(25) == 152


def test_beside_the_axis_the_nearest_frame_counts(axis):
    assert axis.frame_at(0) == 0
    assert axis.frame_at(9999) == 99


@pytest.mark.parametrize("x", [50, 130, 250, 449])
def test_zooming_keeps_the_frame_under_the_mouse(axis, x):
    zoomed = axis.zoomed(x, 4)
    assert zoomed.span == 25
    assert abs(zoomed.frame_at(x) - axis.frame_at(x)) <= 1
    assert zoomed.zoomed(x, 1 / 4) == axis


def test_zooming_ends_somewhere(axis):
    for _ in range(40):
        axis = axis.zoomed(200, 1.25)
    assert axis.span == FEWEST
    for _ in range(40):
        axis = axis.zoomed(200, 0.8)
    assert axis.frames == slice(0, 100)
    assert FrameAxis().fitted(3, 0, 30).zoomed(10, 8).span == 3


def test_one_cannot_move_beyond_the_movie(axis):
    zoomed = axis.zoomed(250, 5)
    assert zoomed.moved_to(-7).first == 0
    assert zoomed.moved_to(95).frames == slice(80, 100)


def test_the_slider_is_followed(axis):
    zoomed = axis.zoomed(50, 5)
    assert zoomed.showing(12) is zoomed
    assert zoomed.showing(60).frames == slice(50, 70)


def test_a_new_width_keeps_what_is_in_sight_and_a_new_movie_does_not(axis):
    zoomed = axis.zoomed(250, 5)
    assert zoomed.fitted(100, 50, 800).frames == zoomed.frames
    assert zoomed.fitted(30, 50, 800).frames == slice(0, 30)


@pytest.mark.parametrize(
    ("length", "gap", "ticks"),
    [(100, 60, [0, 20, 40, 60, 80]), (1000, 60, [0, 200, 400, 600, 800]), (4, 9, 4)],
)
def test_ticks_are_round_and_apart(length, gap, ticks):
    axis = FrameAxis().fitted(length, 0, 400)
    found = list(axis.ticks(gap))
    assert found == (list(range(ticks)) if isinstance(ticks, int) else ticks)
    assert all(axis.start_of(b - a) >= gap for a, b in pairwise(found))


def test_ticks_begin_in_sight(axis):
    zoomed = axis.zoomed(250, 5).moved_to(33)
    assert list(zoomed.ticks(60)) == [35, 40, 45, 50]
