from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("napari.components")

from made_up import SHAPE, view_of
from napari.layers import Image

from napari_sam_decoder.widgets.colours import object_colour
from napari_sam_decoder.widgets.layers import MovieView
from napari_sam_decoder.widgets.overlay import (
    PREVIEW_NAME,
    PreviewOverlay,
    add_quietly,
)

TOP = np.broadcast_to(np.arange(12)[:, None] < 6, SHAPE[1:])
LEFT = np.broadcast_to(np.arange(14) < 7, SHAPE[1:])


@pytest.fixture
def overlay(viewer):
    return PreviewOverlay(viewer)


def names(viewer):
    return [layer.name for layer in viewer.layers]


def preview(viewer):
    return viewer.layers[PREVIEW_NAME]


def shown_labels(viewer):
    return np.squeeze(preview(viewer).data)


def seen(viewer, frame):
    """The label that a person sees near the corner of a frame."""
    viewer.dims.set_point(0, frame)
    found = (
        layer.get_value((frame, 2, 2), world=True)
        for layer in viewer.layers
        if layer.name == PREVIEW_NAME
    )
    return max((value or 0 for value in found), default=0)


def test_masks_are_shown_on_their_frame_only(viewer, view, overlay):
    overlay.show(view, 2, {1: TOP})
    assert [seen(viewer, frame) for frame in range(4)] == [0, 0, 1, 0]


def test_the_last_of_two_masks_lies_on_top(viewer, view, overlay):
    overlay.show(view, 0, {7: TOP, 2: LEFT})
    labels = shown_labels(viewer)
    assert (labels[LEFT] == 2).all()
    assert (labels[TOP & ~LEFT] == 7).all()
    assert (labels[~TOP & ~LEFT] == 0).all()


def test_objects_have_their_colours(viewer, view, overlay):
    overlay.show(view, 0, {70_000: TOP})
    assert np.unique(shown_labels(viewer)).tolist() == [0, 70_000]
    np.testing.assert_allclose(preview(viewer).get_color(70_000), object_colour(70_000))


def test_it_lies_right_above_the_movie(viewer, view, overlay):
    viewer.add_points(np.empty((0, 3)), name="points")
    overlay.show(view, 0, {1: TOP})
    assert names(viewer) == [view.layer.name, PREVIEW_NAME, "points"]


def test_there_is_no_layer_before_there_is_something_to_show(viewer, view, overlay):
    overlay.show(view, 0, {})
    assert names(viewer) == [view.layer.name]


def test_one_layer_serves_all_frames(viewer, view, overlay):
    overlay.show(view, 0, {1: TOP})
    first = preview(viewer)
    for masks in ({}, {1: LEFT}):
        overlay.show(view, 1, masks)
    assert preview(viewer) is first
    assert len(viewer.layers) == 2


def test_a_frame_without_prompts_shows_nothing(viewer, view, overlay):
    overlay.show(view, 0, {1: TOP})
    overlay.show(view, 1, {})
    assert seen(viewer, 1) == 0
    overlay.show(view, 0, {1: TOP})
    assert seen(viewer, 0) == 1
    overlay.show(view, 0, {})
    assert seen(viewer, 0) == 0


def test_another_mask_of_the_same_object_is_shown(viewer, view, overlay):
    overlay.show(view, 0, {1: ~TOP})
    assert seen(viewer, 0) == 0
    overlay.show(view, 0, {1: TOP})
    assert seen(viewer, 0) == 1
    overlay.show(view, 0, {4: TOP})
    assert seen(viewer, 0) == 4


def test_what_another_axis_gave_is_seen_no_more(viewer, view, overlay):
    """The sliders stay where they are when another axis is followed."""
    overlay.show(view, 0, {1: TOP})
    overlay.show(MovieView.of(view.layer, 1), 3, {})
    assert seen(viewer, 0) == 0


def test_what_another_movie_gave_is_seen_no_more(viewer, view, overlay):
    overlay.show(view, 0, {1: TOP})
    other = view_of()
    viewer.add_layer(other.layer)
    overlay.show(other, 0, {})
    assert seen(viewer, 0) == 0


def test_another_movie_gets_another_layer(viewer, view, overlay):
    overlay.show(view, 0, {1: TOP})
    other = view_of((6, 20, 20))
    viewer.add_layer(other.layer)
    overlay.show(other, 5, {1: np.ones((20, 20), bool)})
    assert names(viewer) == [view.layer.name, other.layer.name, PREVIEW_NAME]
    assert shown_labels(viewer).shape == (20, 20)


def test_another_axis_of_the_same_image_fits(viewer, view, overlay):
    overlay.show(view, 0, {1: TOP})
    sideways = MovieView.of(view.layer, 1)
    overlay.show(sideways, 3, {1: np.ones(sideways.frame_shape, bool)})
    assert preview(viewer).data.shape == (4, 1, 14)
    assert names(viewer) == [view.layer.name, PREVIEW_NAME]


def test_pixels_of_another_size_fit(viewer, view, overlay):
    overlay.show(view, 0, {1: TOP})
    view.layer.data = np.zeros((4, 30, 20), np.uint8)
    overlay.show(MovieView.of(view.layer), 1, {1: np.ones((30, 20), bool)})
    assert shown_labels(viewer).shape == (30, 20)


def test_it_is_removed(viewer, view, overlay):
    overlay.show(view, 0, {1: TOP})
    overlay.remove()
    overlay.remove()
    assert names(viewer) == [view.layer.name]


def test_it_may_be_removed_by_hand_and_comes_back(viewer, view, overlay):
    overlay.show(view, 0, {1: TOP})
    viewer.layers.remove(PREVIEW_NAME)
    overlay.remove()
    overlay.show(view, 0, {1: TOP})
    viewer.layers.remove(PREVIEW_NAME)
    overlay.show(view, 1, {1: TOP})
    assert names(viewer) == [view.layer.name, PREVIEW_NAME]


def test_it_does_not_come_back_to_show_nothing(viewer, view, overlay):
    overlay.show(view, 0, {1: TOP})
    viewer.layers.remove(PREVIEW_NAME)
    overlay.show(view, 1, {})
    assert names(viewer) == [view.layer.name]


def test_clicks_go_on_to_the_points(viewer, view, overlay):
    points = viewer.add_points(np.empty((0, 3)))
    points.mode = "add"
    overlay.show(view, 0, {1: TOP})
    assert viewer.layers.selection == {points}
    assert viewer.layers.selection.active is points
    assert points.mode == "add"


def test_a_selection_of_several_layers_stays(viewer, view):
    points = viewer.add_points(np.empty((0, 3)))
    viewer.layers.selection = {points, view.layer}
    add_quietly(viewer, Image(np.zeros(SHAPE)), above=view.layer)
    assert viewer.layers.selection == {points, view.layer}
