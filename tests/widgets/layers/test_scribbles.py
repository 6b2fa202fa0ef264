from __future__ import annotations

import pytest

pytest.importorskip("napari.layers")

import numpy as np
from napari.layers import Image

from napari_sam_decoder.frames import Window
from napari_sam_decoder.prompts import PaintedMask, Scribble
from napari_sam_decoder.widgets.layers import (
    NEGATIVE_VALUE,
    POSITIVE_VALUE,
    MovieView,
    StrokeListener,
    mark_scribbles,
    next_scribble,
    preview_layer,
    read_stroke,
    show_preview,
    take_brush,
)


@pytest.fixture(params=[0, 1, 2])
def view(request):
    return MovieView.of(Image(np.zeros((8, 9, 10), np.uint8)), request.param)


@pytest.fixture
def preview(view):
    """Object 3 on the upper rows, and what strokes on it are read as."""
    layer = preview_layer(view, "preview")
    labels = np.zeros(view.frame_shape, np.uint16)
    labels[:4] = 3
    show_preview(view, layer, 0, labels)
    layer.editable = True
    layer.brush_size = 1
    layer.read = []
    whole = Window.of_frame(view.frame_shape)
    listener = StrokeListener(
        layer,
        lambda *stroke: layer.read.extend(read_stroke(view, layer, stroke, whole)),
        lambda: None,
        lambda: None,
    )
    yield layer
    listener.close()


def place(view, row, column):
    found = np.zeros(3)
    found[list(view.frame_axes)] = row, column
    return tuple(found)


def stroke(view, layer, pixels):
    """Paint single pixels as one stroke, as the mouse does."""
    erasing = str(layer.mode) == "erase"
    label = 0 if erasing else layer.selected_label
    with layer.block_history():
        for row, column in pixels:
            indices = tuple(np.array([int(one)]) for one in place(view, row, column))
            layer.data_setitem(indices, label)


def painted(scribble):
    return sorted(map(tuple, np.argwhere(scribble.pixels.to_array()).tolist()))


def test_what_is_painted_is_positive_wherever_it_lies(view, preview):
    take_brush(preview, 1, is_positive=True)
    stroke(view, preview, [(2, 1), (5, 1), (5, 2)])
    (scribble,) = preview.read
    assert scribble.is_positive
    assert scribble.pixels.shape == view.frame_shape
    assert painted(scribble) == [(2, 1), (5, 1), (5, 2)]


def test_what_is_erased_is_negative_wherever_it_lies(view, preview):
    take_brush(preview, 1, is_positive=False)
    stroke(view, preview, [(2, 1), (5, 1)])
    (scribble,) = preview.read
    assert not scribble.is_positive
    assert painted(scribble) == [(2, 1), (5, 1)]


@pytest.mark.parametrize("how", ["erase", "background"])
def test_erasing_with_the_tools_of_napari_takes_from_the_preview(view, preview, how):
    preview.mode = "erase" if how == "erase" else "paint"
    preview.selected_label = 0 if how == "background" else 1
    assert next_scribble(preview) is False
    stroke(view, preview, [(2, 1), (5, 1)])
    (scribble,) = preview.read
    assert not scribble.is_positive
    assert painted(scribble) == [(2, 1)]


def test_any_other_label_is_positive(view, preview):
    preview.mode, preview.selected_label = "paint", 9
    assert next_scribble(preview)
    stroke(view, preview, [(2, 1)])
    assert preview.read[0].is_positive


def test_a_stroke_that_changes_nothing_is_no_scribble(view, preview):
    preview.mode, preview.selected_label = "paint", 3
    stroke(view, preview, [(2, 1)])
    assert preview.read == []


@pytest.mark.parametrize("mode", ["pan_zoom", "pick", "transform"])
def test_other_tools_scribble_nothing(preview, mode):
    preview.mode = mode
    assert next_scribble(preview) is None


def test_later_scribbles_lie_on_earlier_ones():
    labels = np.full((3, 4), 7, np.uint16)
    first, second = np.zeros((2, 3, 4), bool)
    first[0], second[:, 0] = True, True
    mark_scribbles(
        labels,
        [
            Scribble(PaintedMask.of(first)),
            Scribble(PaintedMask.of(second), is_positive=False),
        ],
        Window(0, 0, 3, 4),
    )
    assert labels[0].tolist() == [NEGATIVE_VALUE] + [POSITIVE_VALUE] * 3
    assert labels[1].tolist() == [NEGATIVE_VALUE, 7, 7, 7]


@pytest.mark.parametrize(
    ("pixel", "side", "size"), [(1, np.inf, 8), (0.5, np.inf, 4), (1, 12, 3), (1, 1, 1)]
)
def test_the_brush_is_narrow_where_objects_are(preview, pixel, side, size):
    take_brush(preview, pixel, side, is_positive=True)
    assert preview.brush_size == size
    assert str(preview.mode) == "paint"


def test_a_brush_that_somebody_has_chosen_stays(preview):
    take_brush(preview, 1, is_positive=True)
    take_brush(preview, 2, is_positive=False)
    assert preview.brush_size == 16
    preview.brush_size = 5
    take_brush(preview, 1, is_positive=True)
    assert preview.brush_size == 5
