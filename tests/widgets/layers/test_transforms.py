from __future__ import annotations

import numpy as np
import pytest
from napari.layers import Image, Points
from placements import transform

from napari_sam_decoder.widgets.layers.transforms import (
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
