from __future__ import annotations

import numpy as np
import pytest
from napari.layers import Image
from placements import shown_value, viewer_of

from napari_sam_decoder.widgets.layers import (
    MovieView,
    go_to_frame,
    preview_layer,
    show_preview,
)

pytestmark = pytest.mark.filterwarnings("ignore:Non-orthogonal slicing")


def spotted(view):
    """Labels with one pixel of 7 in the middle, and where it is."""
    spot = tuple(length // 2 for length in view.frame_shape)
    labels = np.ones(view.frame_shape, np.uint32)
    labels[spot] = 7
    return labels, spot


def pixel_of(view, frame, spot):
    position = np.array(view.origin(frame))
    position[list(view.frame_axes)] = spot
    return view.layer.data_to_world(position)


def test_a_preview_is_one_frame(image, case):
    view = MovieView.of(image, case[1])
    layer = preview_layer(view, "preview")
    thick = [axis for axis, length in enumerate(layer.data.shape) if length > 1]
    assert layer.ndim == image.ndim
    assert tuple(thick) == view.frame_axes
    assert not layer.data.any()
    assert not layer.editable
    assert layer.units == image.units
    assert layer.axis_labels == image.axis_labels


def test_it_lies_on_its_frame(image, case):
    view = MovieView.of(image, case[1])
    layer = preview_layer(view, "preview")
    labels, spot = spotted(view)
    for frame in (0, len(view) - 1):
        show_preview(view, layer, frame, labels)
        found = layer.world_to_data(pixel_of(view, frame, spot))
        expected = np.zeros(image.ndim)
        expected[list(view.frame_axes)] = spot
        np.testing.assert_allclose(found, expected, atol=1e-8)


def test_it_shows_on_its_frame_and_no_other(image, case):
    view = MovieView.of(image, case[1])
    layer = preview_layer(view, "preview")
    viewer = viewer_of(view, layer)
    labels, spot = spotted(view)
    compared = 0
    for frame in {len(view) // 3, len(view) // 2}:
        world = pixel_of(view, frame, spot)
        go_to_frame(view, viewer.dims, frame)
        shown = view.frame_at(viewer.dims.point)
        if shown_value(viewer, image, world) is None or not is_cut(view, viewer):
            continue
        for other in {shown, max(shown - 1, 0)}:
            show_preview(view, layer, other, labels)
            value = shown_value(viewer, layer, world)
            assert value == (7 if other == shown else None)
            compared += 1
    assert compared >= min(len(view), 2)


def is_cut(view, viewer):
    """Whether the viewer shows the cut of the movie; rounded sliders may miss it."""
    return view.is_same_as(MovieView.of(view.layer, view.axis, viewer.dims.point))


def test_it_moves_with_the_image():
    view = MovieView.of(Image(np.zeros((5, 8, 9))))
    layer = preview_layer(view, "preview")
    view.layer.scale = (3, 2, 1)
    show_preview(view, layer, 4, np.ones((8, 9), int))
    assert tuple(layer.data_to_world((0, 1, 1))) == (12, 2, 1)


def test_a_cut_stays_at_its_place():
    view = MovieView.of(Image(np.zeros((5, 6, 8, 9))), 0, (0, 4, 0, 0))
    layer = preview_layer(view, "preview")
    show_preview(view, layer, 3, np.ones((8, 9), int))
    assert tuple(layer.data_to_world((0, 0, 0, 0))) == (3, 4, 0, 0)


@pytest.mark.parametrize("dtype", [np.uint16, np.uint32])
def test_labels_are_copied(dtype):
    view = MovieView.of(Image(np.zeros((5, 8, 9))))
    layer = preview_layer(view, "preview")
    labels = np.ones((8, 9), dtype)
    show_preview(view, layer, 0, labels)
    labels[:] = 2
    assert layer.data.dtype == dtype
    np.testing.assert_array_equal(layer.data, np.ones((1, 8, 9)))


def test_a_frame_is_drawn_without_laying_out_the_viewer():
    view = MovieView.of(Image(np.zeros((5, 8, 9))))
    layer = preview_layer(view, "preview")
    show_preview(view, layer, 2, np.ones((8, 9), np.uint16))
    events = []
    for event in (layer.events.data, layer.events.affine):
        event.connect(lambda event: events.append(event.type))
    show_preview(view, layer, 2, np.full((8, 9), 3, np.uint16))
    assert (layer.data == 3).all()
    assert events == []
