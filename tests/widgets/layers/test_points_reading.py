from __future__ import annotations

import re

import numpy as np
import pytest
from clicked import clicks, movie, rows, told
from napari.components import Dims
from napari.layers import Image, Points
from placements import SHAPES, image_of, numbered, transform

from napari_sam_decoder.frames import Movie
from napari_sam_decoder.prompts import Prompt
from napari_sam_decoder.widgets.layers import (
    MovieView,
    read_points_layers,
    unused_notices,
)

pytestmark = pytest.mark.filterwarnings("ignore:Non-orthogonal slicing")


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
        (
            "object_id",
            ["cell", "1"],
            "1 point .*has an object_id .*not used; correct it",
        ),
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


def test_points_become_prompts():
    layer = clicks(
        (3, 4, 5.5),
        (3, 6, 7),
        (1, 2, 3),
        (3, 1, 1),
        label=["positive", "negative", "foreground", "1"],
        object_id=[1, 1, 1, 2.0],
        hypothesis=[0, 3, 0, 0],
    )
    reading = read_points_layers(movie(), {layer: 9})
    assert told(reading) == {
        (1, 1): ([[2, 3]], [True], None),
        (1, 3): ([[4, 5.5], [6, 7]], [True, False], 3),
        (2, 3): ([[1, 1]], [True], None),
    }
    assert rows(reading) == [
        (1, "object 1 #1", (1, 3), 3),
        (2, "object 1 #2", (3,), 1),
    ]
    assert reading.notices == ()


def test_a_layer_without_features_is_positive_and_its_own():
    reading = read_points_layers(movie(), {clicks((0, 1, 2), (0, 3, 4)): 6})
    assert told(reading) == {(6, 0): ([[1, 2], [3, 4]], [True, True], None)}


def test_blank_features_are_like_none():
    blank = [None, np.nan, "", "nan"]
    layer = clicks(
        *[(0, row, row) for row in range(4)],
        label=np.array(blank, dtype=object),
        object_id=np.array(blank, dtype=object),
        hypothesis=np.array(blank, dtype=object),
    )
    reading = read_points_layers(movie(), {layer: 6})
    assert told(reading) == {
        (6, 0): ([[n, n] for n in range(4)], [True] * 4, None),
    }
    assert reading.notices == ()


@pytest.mark.parametrize(
    "values",
    [[True, False], [1, 0], [1.0, 0.0], ["1", "0"], ["POSITIVE", "Background"]],
)
def test_spellings_of_signs(values):
    layer = clicks((0, 1, 2), (0, 3, 4), label=values)
    reading = read_points_layers(movie(), {layer: 1})
    assert told(reading)[1, 0][1] == [True, False]


def test_of_different_picks_the_later_wins():
    first = clicks((0, 1, 2), (0, 3, 4), hypothesis=[1, 2])
    later = clicks((0, 5, 6), (0, 7, 8), hypothesis=[3.0, np.nan])
    assert told(read_points_layers(movie(), {first: 1}))[1, 0][2] == 2
    assert told(read_points_layers(movie(), {first: 1, later: 1}))[1, 0][2] == 3


def test_layers_that_share_an_object_are_one_row():
    layers = {
        clicks((0, 1, 2), name="a"): 4,
        clicks(name="empty"): 2,
        clicks((0, 3, 4), (2, 3, 4), name="b"): 4,
    }
    reading = read_points_layers(movie(), layers)
    assert rows(reading) == [(4, "a", (0, 2), 3), (2, "empty", (), 0)]
    assert [row.layer for row in reading.objects] == list(layers)[:2]


def test_without_layers_there_is_nothing():
    reading = read_points_layers(movie(), {})
    assert (len(reading.prompts), reading.notices, reading.objects) == (0, (), ())


def test_an_empty_layer_has_a_row():
    layer = Points(ndim=3, name="new", features={"object_id": np.array([], int)})
    reading = read_points_layers(movie(), {layer: 5})
    assert rows(reading) == [(5, "new", (), 0)]


def test_objects_with_only_negative_points_on_a_frame():
    layer = clicks(*[(frame, 3, 4) for frame in range(5)], label=[1, 0, 0, 0, 0])
    reading = read_points_layers(movie(), {layer: 7})
    assert rows(reading) == [(7, "object 1", (0,), 1)]
    assert [prompt.frame for prompt in reading.negatives] == [1, 2, 3, 4]
    assert reading.notices == ()
    (notice,) = unused_notices(reading.negatives)
    assert notice == (
        "object 7 has only negative points on frame 1, 2, 3 and 1 more, which are not "
        "used; add a positive point there"
    )


def test_a_positive_point_may_be_in_another_layer():
    layers = {clicks((0, 1, 2), label=[0]): 1, clicks((0, 3, 4)): 1}
    reading = read_points_layers(movie(), layers)
    assert told(reading) == {(1, 0): ([[1, 2], [3, 4]], [False, True], None)}
    assert (len(reading.negatives), reading.notices) == (0, ())


def test_each_object_has_its_own_notice_of_unused_points():
    beside = [
        Prompt(object_id, frame, points=[(1, 1)], signs=[False])
        for object_id, frame in ((2, 5), (1, 3), (2, 4))
    ]
    first, second = unused_notices(beside)
    assert first.startswith("object 1 has only negative points on frame 3, which")
    assert second.startswith("object 2 has only negative points on frame 4, 5, which")
    assert unused_notices(()) == ()


def test_points_with_too_few_axes():
    layer = clicks((3, 4), name="flat")
    reading = read_points_layers(movie(), {layer: 2, clicks((0, 1, 2)): 1})
    assert re.search(
        "'flat' have 2 dimensions .*picture of 3; press New object, or .*of 3 dimen",
        reading.notices[0],
    )
    assert rows(reading) == [(2, "flat", (), 0), (1, "object 1", (0,), 1)]


def test_of_more_axes_the_last_count():
    reading = read_points_layers(movie(), {clicks((99, 2, 3, 4)): 1})
    assert told(reading) == {(1, 2): ([[3, 4]], [True], None)}


def test_points_on_a_picture():
    view = MovieView.of(Image(np.zeros((12, 14))))
    reading = read_points_layers(view, {clicks((3, 4)): 1, clicks((5, 6, 7)): 2})
    assert told(reading) == {
        (1, 0): ([[3, 4]], [True], None),
        (2, 0): ([[6, 7]], [True], None),
    }


def test_other_planes_are_passed_over():
    image = Image(np.zeros((5, 6, 12, 14)))
    view = MovieView.of(image, 0, (0, 2, 0, 0))
    layer = clicks((1, 2.4, 3, 4), (1, 3, 5, 6), (2, 1.4, 5, 6), object_id=[1, 1, 8])
    reading = read_points_layers(view, {layer: 1})
    assert told(reading) == {(1, 1): ([[3, 4]], [True], None)}
    assert reading.notices == ()
    assert rows(reading)[1] == (8, "object 1 #8", (), 0)


def test_points_under_another_transform(image, case):
    """Points are found by where they lie, not by their numbers."""
    view = MovieView.of(image, case[1])
    rng = np.random.default_rng(3)
    pixels = rng.integers(0, SHAPES[image.ndim], (6, image.ndim))
    for axis, index in view.fixed:
        pixels[:, axis] = index
    placement = transform("all", image.ndim) | {"translate": np.ones(image.ndim)}
    layer = Points(ndim=image.ndim, **placement)
    layer.data = [layer.world_to_data(image.data_to_world(pixel)) for pixel in pixels]
    reading = read_points_layers(view, {layer: 1})
    frames = pixels[:, case[1]] if case[1] is not None else np.zeros(6, int)
    expected = {
        (int(frame), *pixel)
        for frame, pixel in zip(
            frames, pixels[:, view.frame_axes].tolist(), strict=True
        )
        for pixel in [tuple(pixel)]
    }
    found = {
        (prompt.frame, *np.round(point, 6).tolist())
        for prompt in reading.prompts
        for point in prompt.points
    }
    assert found == expected
    assert reading.notices == ()


def test_points_in_other_units_lie_where_napari_shows_them():
    view = MovieView.of(Image(np.zeros((12, 14)), scale=(0.5, 0.5), units=("um", "um")))
    in_nm = Points([(2000.0, 3000.0)], units=("nm", "nm"))
    in_um = Points([(2.0, 3.0)], units=("um", "um"))
    converts = hasattr(Dims(), "units")
    layers = {in_nm: 1} if converts else {in_um: 1}
    assert told(read_points_layers(view, layers)) == {(1, 0): ([[4, 6]], [True], None)}


def test_many_points_of_a_tilted_stack():
    view = MovieView.of(image_of(numbered((5, 12, 14), 0), "all"))
    grid = np.stack(np.meshgrid(range(5), range(12), range(14)), -1).reshape(-1, 3)
    layer = Points(grid.astype(float), **transform("all", 3))
    reading = read_points_layers(view, {layer: 1})
    assert rows(reading)[0][2:] == (tuple(range(5)), len(grid))
    assert reading.notices == ()
