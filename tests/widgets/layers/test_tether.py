from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("napari.layers")

from napari.layers import Image, Labels, Points
from placements import KINDS, transform

from napari_sam_decoder.widgets.layers.tether import Tether
from napari_sam_decoder.widgets.layers.transforms import WorldMap, placement

SHAPE = (5, 12, 14)


def image(**options):
    return Image(np.zeros(SHAPE, np.uint8), name="cells", **options)


def points(**options):
    return Points(np.array([[1.0, 4, 5]]), name="clicks", **options)


def tie(movie, *layers):
    told = []
    tether = Tether(movie, lambda: layers, lambda: told.append(1))
    return tether, told


def move(layer, kind):
    for name, value in transform(kind, 3).items():
        setattr(layer, name, value)


def same_place(layer, movie):
    return WorldMap.of(layer).is_close(WorldMap.of(movie))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("first", ["scale", "all"])
def test_layers_on_a_movie_go_where_it_goes(kind, first):
    movie = image(**transform(first, 3))
    clicks = points(**placement(movie))
    labels = Labels(np.zeros(SHAPE, int), **placement(movie))
    tether, told = tie(movie, clicks, labels)
    move(movie, kind)
    movie.translate = (1, 2, 3)
    assert same_place(clicks, movie)
    assert same_place(labels, movie)
    assert told
    assert tether.notices == ()


def test_units_and_names_of_axes_are_taken_over():
    movie, clicks = image(), points()
    tether, _ = tie(movie, clicks)
    movie.units = ("s", "um", "um")
    movie.axis_labels = ("t", "y", "x")
    assert clicks.units == movie.units
    assert clicks.axis_labels == ("t", "y", "x")
    assert tether.notices == ()


def test_what_lies_elsewhere_stays_and_is_named_until_it_fits():
    movie, clicks = image(), points(translate=(0, 3, 3))
    tether, _ = tie(movie, clicks)
    assert tether.notices == ()
    movie.scale = (1, 2, 2)
    np.testing.assert_array_equal(clicks.translate, (0, 3, 3))
    np.testing.assert_array_equal(clicks.scale, (1, 1, 1))
    (notice,) = tether.notices
    assert notice.startswith("'clicks' has kept its place in the world")
    clicks.translate = (0, 0, 0)
    clicks.scale = (1, 2, 2)
    assert tether.notices == ()


def test_a_layer_that_was_placed_first_is_left_alone():
    movie, clicks = image(), points()
    tether, _ = tie(movie, clicks)
    clicks.scale = (1, 2, 2)
    movie.scale = (1, 2, 2)
    assert same_place(clicks, movie)
    assert tether.notices == ()
    movie.translate = (0, 5, 5)
    assert same_place(clicks, movie)


def test_points_of_more_axes_stay_in_the_world():
    movie, clicks = image(), Points(np.zeros((1, 4)), name="clicks")
    tether, _ = tie(movie, clicks)
    movie.scale = (1, 2, 2)
    np.testing.assert_array_equal(clicks.scale, (1, 1, 1, 1))
    assert len(tether.notices) == 1


def test_after_the_end_nothing_follows():
    movie, clicks = image(), points()
    tether, told = tie(movie, clicks)
    tether.close()
    movie.scale = (1, 2, 2)
    np.testing.assert_array_equal(clicks.scale, (1, 1, 1))
    assert told == []
