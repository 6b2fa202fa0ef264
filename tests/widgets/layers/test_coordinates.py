from __future__ import annotations

import pytest

pytest.importorskip("napari.layers")

import numpy as np
from napari.components import ViewerModel
from napari.layers import Image, Labels, Points
from placements import KINDS, image_of, transform, viewer_of

from napari_sam_decoder.widgets.layers import MovieView, go_to_frame, slider_point
from napari_sam_decoder.widgets.layers.coordinates import (
    PlacementSync,
    WorldMap,
    placement,
    unit_factors,
)

pytestmark = pytest.mark.filterwarnings("ignore:Non-orthogonal slicing")


def test_the_map_is_the_one_of_the_layer(image):
    rng = np.random.default_rng(0)
    positions = rng.normal(0, 20, (5, image.ndim))
    expected = [image.data_to_world(position) for position in positions]
    world = WorldMap.of(image).to_world(positions)
    np.testing.assert_allclose(world, expected, atol=1e-9)
    np.testing.assert_allclose(WorldMap.of(image).to_data(world), positions, atol=1e-9)


def test_the_grid_view_moves_nothing():
    from napari.components import ViewerModel

    viewer = ViewerModel()
    layers = [viewer.add_image(np.zeros((9, 9))) for _ in range(2)]
    getattr(viewer, "canvas", viewer).grid.enabled = True
    for layer in layers:
        np.testing.assert_array_equal(WorldMap.of(layer).matrix, np.eye(3))


def test_far_from_the_origin_nothing_is_lost():
    image = Image(np.zeros((9, 9)), scale=(1e-4, 1e-4), translate=(1e6, -1e6))
    world_map = WorldMap.of(image)
    np.testing.assert_allclose(
        world_map.to_data(world_map.to_world(np.array([[5.0, 7.0]]))),
        [[5, 7]],
        atol=1e-4,
    )


def test_a_new_layer_lies_where_the_other_lies(image):
    points = Points(ndim=image.ndim, **placement(image))
    assert WorldMap.of(points).is_close(WorldMap.of(image))
    assert points.units == image.units
    assert points.axis_labels == image.axis_labels
    assert points.affine is not image.affine


def test_maps_of_other_places_are_not_close(kind):
    plain = WorldMap.of(Image(np.zeros((9, 9))))
    moved = WorldMap.of(Image(np.zeros((9, 9)), **transform(kind, 2)))
    assert not plain.is_close(moved)
    assert not plain.is_close(WorldMap.of(Image(np.zeros((9, 9, 9)))))


def units(*names):
    return Points(ndim=len(names), units=names).units


def test_units_that_cannot_be_converted_count_alike():
    factors = unit_factors(units("um", "um"), units("pixel", "um"))
    assert factors.tolist() == [1, 1]


def test_units_are_aligned_at_their_ends():
    factors = unit_factors(units("s", "um", "um"), units("um", "um"))
    assert factors.tolist() == [1, 1]


def test_units_are_converted_where_napari_does():
    from napari.components import Dims

    if not hasattr(Dims(), "units"):
        expected = [1, 1]
    else:
        expected = [1e-3, 60]
    factors = unit_factors(units("nm", "minute"), units("um", "s"))
    assert factors.tolist() == pytest.approx(expected)


@pytest.mark.parametrize("kind", ["scale", "translate", "turn"])
@pytest.mark.parametrize("case", [(2, None), (3, 0), (4, 0), (4, 1)])
def test_sliders_go_to_each_frame(image, case):
    """As far as napari slices correctly: not across a rotation or a shear."""
    view = MovieView.of(image, case[1])
    viewer = viewer_of(view)
    for frame in range(len(view)):
        go_to_frame(view, viewer.dims, frame)
        assert view.frame_at(slider_point(image, viewer.dims)) == frame


def test_a_layer_beside_one_with_more_axes():
    viewer = ViewerModel()
    viewer.add_image(np.zeros((7, 3, 12, 14)))
    view = MovieView.of(image_of(np.zeros((5, 12, 14)), "translate"))
    viewer.add_layer(view.layer)
    viewer.dims.set_point(0, 6)
    go_to_frame(view, viewer.dims, 3)
    assert viewer.dims.point[0] == 6
    assert len(slider_point(view.layer, viewer.dims)) == 3
    assert view.frame_at(slider_point(view.layer, viewer.dims)) == 3


def test_units_of_other_layers_do_not_matter():
    viewer = ViewerModel()
    view = MovieView.of(Image(np.zeros((5, 12, 14)), units=("s", "um", "um")))
    viewer.add_layer(view.layer)
    viewer.add_image(np.zeros((5, 12, 14)), units=("ms", "nm", "nm"))
    for frame in range(5):
        go_to_frame(view, viewer.dims, frame)
        assert view.frame_at(slider_point(view.layer, viewer.dims)) == frame


SHAPE = (5, 12, 14)


def image(**options):
    return Image(np.zeros(SHAPE, np.uint8), name="cells", **options)


def points(**options):
    return Points(np.array([[1.0, 4, 5]]), name="clicks", **options)


def tie(movie, *layers):
    told = []
    sync = PlacementSync(movie, lambda: layers, lambda: told.append(1))
    return sync, told


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
    sync, told = tie(movie, clicks, labels)
    move(movie, kind)
    movie.translate = (1, 2, 3)
    assert same_place(clicks, movie)
    assert same_place(labels, movie)
    assert told
    assert sync.notices == ()


def test_units_and_names_of_axes_are_taken_over():
    movie, clicks = image(), points()
    sync, _ = tie(movie, clicks)
    movie.units = ("s", "um", "um")
    movie.axis_labels = ("t", "y", "x")
    assert clicks.units == movie.units
    assert clicks.axis_labels == ("t", "y", "x")
    assert sync.notices == ()


def test_what_lies_elsewhere_stays_and_is_named_until_it_fits():
    movie, clicks = image(), points(translate=(0, 3, 3))
    sync, _ = tie(movie, clicks)
    assert sync.notices == ()
    movie.scale = (1, 2, 2)
    np.testing.assert_array_equal(clicks.translate, (0, 3, 3))
    np.testing.assert_array_equal(clicks.scale, (1, 1, 1))
    (notice,) = sync.notices
    assert notice.startswith("'clicks' has kept its place in the world")
    clicks.translate = (0, 0, 0)
    clicks.scale = (1, 2, 2)
    assert sync.notices == ()


def test_a_layer_that_was_placed_first_is_left_alone():
    movie, clicks = image(), points()
    sync, _ = tie(movie, clicks)
    clicks.scale = (1, 2, 2)
    movie.scale = (1, 2, 2)
    assert same_place(clicks, movie)
    assert sync.notices == ()
    movie.translate = (0, 5, 5)
    assert same_place(clicks, movie)


def test_points_of_more_axes_stay_in_the_world():
    movie, clicks = image(), Points(np.zeros((1, 4)), name="clicks")
    sync, _ = tie(movie, clicks)
    movie.scale = (1, 2, 2)
    np.testing.assert_array_equal(clicks.scale, (1, 1, 1, 1))
    assert len(sync.notices) == 1


def test_after_the_end_nothing_follows():
    movie, clicks = image(), points()
    sync, told = tie(movie, clicks)
    sync.close()
    movie.scale = (1, 2, 2)
    np.testing.assert_array_equal(clicks.scale, (1, 1, 1))
    assert told == []
