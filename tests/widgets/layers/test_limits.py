from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("napari.layers")

import dask.array
from napari.layers import Image

from napari_sam_decoder.widgets.layers import MovieView, is_automatic, shown_limits

STACK = np.arange(4 * 6 * 7, dtype=np.int16).reshape(4, 6, 7) - 50


def judged(layer, frame=0):
    return is_automatic(MovieView.of(layer), shown_limits(layer), frame)


@pytest.mark.parametrize(
    "pixels",
    [
        STACK,
        STACK[0],
        STACK.astype(np.uint8),
        STACK / 3,
        np.zeros((3, 5, 5), np.float32),
        dask.array.from_array(STACK, chunks=(1, 6, 7)),
        dask.array.from_array(STACK.astype(np.uint16), chunks=(1, 6, 7)),
    ],
)
def test_what_napari_chooses_is_automatic(pixels):
    layer = Image(pixels)
    assert judged(layer)
    layer.contrast_limits = (3, 17)
    assert not judged(layer)


def test_limits_that_come_with_a_layer_were_set_by_somebody():
    assert not judged(Image(STACK, contrast_limits=(-20, 30)))


@pytest.mark.parametrize("shown", [2, 1])
def test_so_are_those_of_the_frame_that_napari_showed_first(shown):
    layer = Image(STACK)
    layer.contrast_limits = (STACK[shown].min(), STACK[shown].max())
    assert judged(layer, frame=shown)


def test_colours_have_none():
    assert shown_limits(Image(np.zeros((3, 6, 7, 3), np.uint8), rgb=True)) is None


def test_limits_that_change_with_the_frame_say_nothing():
    layer = Image(STACK)
    for name in ("auto_contrast", "_keep_auto_contrast"):
        if hasattr(layer, name):
            setattr(layer, name, True)
            break
    assert shown_limits(layer) is None
