from __future__ import annotations

import re

import numpy as np
import pytest
from clicked import clicks, movie, rows, told

from napari_sam_decoder.frames import Movie
from napari_sam_decoder.widgets.layers import read_points_layers


@pytest.mark.parametrize(
    ("bad", "notice"),
    [
        (
            [(0, -0.6, 3), (0, 3, 13.6), (4, 11.6, 3)],
            "3 points of 'object 1' lie outside the picture and are not used",
        ),
        (
            [(0, 3, -0.6)],
            "1 point of 'object 1' lies outside the picture and is not used",
        ),
        (
            [(-1, 3, 3), (5, 99, 3)],
            "2 points of 'object 1' are on frames outside the movie and are not used",
        ),
        (
            [(1e300, 3, 3)],
            "1 point of 'object 1' is on a frame outside the movie and is not used",
        ),
        (
            [(0, np.nan, 3), (np.inf, 3, 3)],
            "2 points of 'object 1' have no finite positions and are not used",
        ),
        (
            [(0, 3, -np.inf)],
            "1 point of 'object 1' has no finite position and is not used",
        ),
    ],
)
def test_points_off_the_movie_are_left_out(bad, notice):
    reading = read_points_layers(movie(), {clicks((2, 3, 4), *bad): 1})
    assert told(reading) == {(1, 2): ([[3, 4]], [True], None)}
    assert reading.notices == (notice,)
    assert rows(reading) == [(1, "object 1", (2,), 1)]


def test_half_a_pixel_over_the_border_is_inside():
    corners = [(0, -0.5, -0.5), (0, 11.5, 13.5)]
    view = movie()
    reading = read_points_layers(view, {clicks(*corners): 1})
    assert reading.notices == ()
    for prompt in reading.prompts:
        prompt.check(Movie(view.frames, axes=view.axes))


def test_points_between_frames_count_for_the_nearest():
    layer = clicks((1.2, 3, 4), (1.4, 3, 4), (-0.4, 3, 4), (4.3, 3, 4))
    reading = read_points_layers(movie(), {layer: 1})
    assert rows(reading)[0][2:] == ((0, 1, 4), 4)
    assert reading.notices == (
        "3 points of 'object 1' lie between two frames and are used on the nearest",
    )


def test_one_point_between_frames():
    reading = read_points_layers(movie(), {clicks((1.4, 3, 4)): 1})
    assert "1 point of 'object 1' lies between two frames" in reading.notices[0]


@pytest.mark.parametrize(
    ("feature", "values", "notice"),
    [
        ("label", ["maybe", "1"], "1 point .*has a label .*use positive or negative"),
        ("label", [2, -1], "2 points .*have labels .*not used; use positive"),
        ("object_id", [1, 2**32], "1 point .*no whole number from 1 to 4294967295"),
        ("object_id", [0, -2], "2 points .*have object_ids .*whole numbers from 1"),
        ("object_id", ["cell", "1"], "1 point .*has an object_id .*not used; mend it"),
        ("object_id", [1.5, 1], "1 point .*has an object_id that is no whole num"),
        ("object_id", [np.inf, 1], "1 point .*has an object_id that is no whole"),
    ],
)
def test_features_that_are_not_understood(feature, values, notice):
    layer = clicks((0, 1, 2), (1, 3, 4), **{feature: values})
    reading = read_points_layers(movie(), {layer: 1})
    assert len(reading.notices) == 1
    assert re.search(notice, reading.notices[0])
    assert sum(row.count for row in reading.objects) == 2 - int(notice[0])


@pytest.mark.parametrize(
    ("picks", "notice"),
    [
        ([7, 2], "1 point .*has a hypothesis .*chosen automatically; use 1, 2, 3"),
        (["x", "1.5"], "2 points .*have hypotheses .*chosen automatically"),
    ],
)
def test_picks_that_are_not_understood(picks, notice):
    layer = clicks((0, 1, 2), (1, 3, 4), hypothesis=picks)
    reading = read_points_layers(movie(), {layer: 1})
    assert re.search(notice, reading.notices[0])
    assert rows(reading) == [(1, "object 1", (0, 1), 2)]
