from __future__ import annotations

from itertools import pairwise

import pytest

pytest.importorskip("napari.layers")

import numpy as np
from napari.layers import Image
from placements import viewer_of
from skimage.measure import label

from napari_sam_decoder.widgets.colours import object_colour
from napari_sam_decoder.widgets.layers import (
    MovieView,
    Outline,
    go_to_frame,
    new_outline_layer,
    show_outline,
)

pytestmark = pytest.mark.filterwarnings("ignore:Non-orthogonal slicing")


def lines(outline, object_id):
    """All unit edges of an object, as (row, column) of their two ends."""
    found = set()
    for place in np.flatnonzero(outline.object_ids == object_id):
        start, end = outline.starts[place], outline.ends[place]
        count = round(np.abs(end - start).sum())
        steps = np.linspace(0, 1, count + 1)[:, np.newaxis]
        stops = map(tuple, np.round(start + (end - start) * steps, 1).tolist())
        found |= {frozenset(one) for one in pairwise(stops)}
    return found


def edges(mask):
    """The unit edges of a mask, found pixel by pixel."""
    found = set()
    for row, column in np.argwhere(mask):
        for down, right in ((1, 0), (-1, 0), (0, 1), (0, -1)):
            beside = row + down, column + right
            inside = 0 <= beside[0] < mask.shape[0] and 0 <= beside[1] < mask.shape[1]
            if not (inside and mask[beside]):
                middle = np.array([row + down / 2, column + right / 2])
                along = np.array([right, down]) / 2
                found.add(frozenset({tuple(middle - along), tuple(middle + along)}))
    return found


@pytest.mark.parametrize("seed", range(4))
def test_every_edge_of_every_object_is_traced_once(seed):
    labels = label(np.random.default_rng(seed).random((9, 11)) > 0.45, connectivity=1)
    labels[3:6, 2:5] = 40
    outline = Outline.of(labels)
    assert set(outline.object_ids.tolist()) == set(np.unique(labels).tolist()) - {0}
    total = 0
    for object_id in set(outline.object_ids.tolist()):
        expected = edges(labels == object_id)
        assert lines(outline, object_id) == expected
        total += len(expected)
    assert np.abs(outline.ends - outline.starts).sum() == total


def test_a_rectangle_has_four_lines_whose_inside_is_known():
    labels = np.zeros((8, 9), int)
    labels[2:5, 3:8] = 7
    outline = Outline.of(labels)
    assert len(outline) == 4
    middles = (outline.starts + outline.ends) / 2
    inside = np.rint(middles + outline.inwards * 0.6).astype(int)
    outside = np.rint(middles - outline.inwards * 0.6).astype(int)
    assert (labels[tuple(inside.T)] == 7).all()
    assert not labels[tuple(outside.T)].any()


def test_nothing_has_no_outline():
    assert len(Outline.of(np.zeros((4, 5), int))) == 0
    assert len(Outline.of(np.zeros((0, 0), int))) == 0


def square(view):
    labels = np.zeros(view.frame_shape, int)
    labels[1:-1, 1:-1] = 3
    return Outline.of(labels)


def test_it_lies_on_its_frame_and_no_other(image, case):
    view = MovieView.of(image, case[1])
    layer = new_outline_layer(view)
    frame = len(view) - 1
    show_outline(view, layer, frame, square(view), 0.1)
    corner = np.array(view.origin(frame), float)
    corner[list(view.frame_axes)] = 0.5
    starts = layer.data[:, 0]
    nearest = starts[np.abs(starts - corner).sum(axis=1).argmin()]
    np.testing.assert_allclose(nearest, corner, atol=0.25)
    assert not layer.data[:, 1, list(view.sliced_axes)].any()
    world = layer.data_to_world(corner)
    np.testing.assert_allclose(world, image.data_to_world(corner), atol=1e-6)


def test_it_is_drawn_when_its_frame_is_shown():
    view = MovieView.of(Image(np.zeros((5, 8, 9))))
    layer = new_outline_layer(view)
    viewer = viewer_of(view, layer)
    show_outline(view, layer, 3, square(view), 0.1)
    seen = []
    for frame in range(5):
        go_to_frame(view, viewer.dims, frame)
        seen.append(len(layer._view_data) > 0)
    assert seen == [False, False, False, True, False]


@pytest.mark.parametrize("pixel", [0.1, 4])
def test_lines_have_one_width_on_the_screen_and_a_rim(pixel):
    view = MovieView.of(Image(np.zeros((5, 8, 9))))
    layer = new_outline_layer(view)
    show_outline(view, layer, 3, square(view), pixel)
    assert layer.edge_width == pytest.approx(2 * pixel)
    rims, own = np.split(layer.edge_color, 2)
    np.testing.assert_allclose(own, [object_colour(3)] * 4)
    assert np.abs(rims - own)[:, :3].mean() > 0.3
    show_outline(view, layer, 3, Outline.of(np.zeros((8, 9), int)), pixel)
    assert len(layer.data) == 0
    show_outline(view, layer, 2, square(view), pixel)
    np.testing.assert_allclose(layer.edge_color[4:], [object_colour(3)] * 4)
