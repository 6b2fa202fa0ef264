"""The layer that previews are filled on: a part of one frame."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from napari.layers import Labels

from napari_sam_decoder.frames import Window
from napari_sam_decoder.widgets.layers.coordinates import WorldMap

if TYPE_CHECKING:
    from collections.abc import Iterable

    from napari_sam_decoder.widgets.layers.movie_view import MovieView

__all__ = [
    "change_preview",
    "cover_of",
    "preview_layer",
    "show_preview",
    "window_on_screen",
]

COVERED_AT_ONCE = 1024
"""Frames that are no larger are covered as a whole."""
STEP = 512
"""Covers of larger frames begin and end at multiples of so many pixels."""
MOST_COVERED = 4096 * 4096
"""Pixels: napari needs several times as many bytes."""


def preview_layer(view: MovieView, name: str) -> Labels:
    """Make an empty labels layer for a part of one frame, placed on the first one.

    Parameters
    ----------
    view : MovieView
        The movie.
    name : str
        What the layer list shows.

    Returns
    -------
    napari.layers.Labels
        With as many axes as the image, one pixel thick along the sliced ones, and not
        editable.
    """
    cover = cover_of(view.frame_shape, [])
    layer = Labels(
        _as_slab(view, np.zeros(cover.shape, np.uint8)),
        name=name,
        affine=_placed_at(view, 0, cover),
        units=view.layer.units,
        axis_labels=view.layer.axis_labels,
        # How much of it is filled is up to its colours.
        opacity=1,
    )
    layer.editable = False
    return layer


def cover_of(frame_shape: tuple[int, int], boxes: Iterable[Window]) -> Window:
    """Choose the part of a frame that a preview covers.

    Parameters
    ----------
    frame_shape : (rows, columns)
        Of the whole frame.
    boxes : iterable of Window
        What it should cover, the most important first.

    Returns
    -------
    Window
        All of a small frame. Of a large one no more than `MOST_COVERED` pixels, unless
        the first box has more.
    """
    whole = Window.of_frame(frame_shape)
    if whole.side <= COVERED_AT_ONCE:
        return whole
    cover: Window | None = None
    for box in boxes:
        wider = _aligned(box if cover is None else cover.joined(box), whole)
        if cover is None or wider.rows * wider.columns <= MOST_COVERED:
            cover = wider
    return cover or _aligned(Window(0, 0, 1, 1), whole)


def _aligned(box: Window, whole: Window) -> Window:
    row, column = (first // STEP * STEP for first in box.origin)
    bottom = -(-(box.row + box.rows) // STEP) * STEP
    right = -(-(box.column + box.columns) // STEP) * STEP
    inside = Window(row, column, bottom - row, right - column).shared(whole)
    return inside or whole


def show_preview(
    view: MovieView,
    layer: Labels,
    frame: int,
    labels: np.ndarray,
    cover: Window | None = None,
) -> None:
    """Show labels on one frame and on no other.

    Parameters
    ----------
    view : MovieView
        The movie.
    layer : napari.layers.Labels
        Made by `preview_layer` for a movie with the same axes.
    frame : int
        0 <= frame < len(view).
    labels : (rows, columns) array of int
        Of the size of the cover.
    cover : Window, optional
        The part of the frame; by default all of it.
    """
    affine = _placed_at(view, frame, cover or Window.of_frame(view.frame_shape))
    # Each of these makes the viewer lay out all of its layers again, which takes
    # several times as long as drawing.
    if not np.array_equal(affine, layer.affine.affine_matrix):
        layer.affine = affine
    slab = _as_slab(view, labels)
    if slab.shape != layer.data.shape or slab.dtype != layer.data.dtype:
        layer.data = slab.copy()
        return
    layer.data[...] = slab
    layer.refresh(extent=False)


def change_preview(
    view: MovieView, layer: Labels, labels: np.ndarray, part: Window
) -> None:
    """Change a part of what a layer shows.

    Parameters
    ----------
    view : MovieView
        The movie.
    layer : napari.layers.Labels
        With labels from `show_preview` on it.
    labels : (rows, columns) array of int
        Of the size of the part.
    part : Window
        In pixels of the layer.
    """
    spans: list[slice] = [slice(0, 1)] * layer.ndim
    for axis, span in zip(view.frame_axes, part.place, strict=True):
        spans[axis] = span
    layer.data[tuple(spans)] = _as_slab(view, labels)
    if np.shares_memory(layer._slice.image.raw, layer.data):
        # As where a person paints: only this part goes to the graphics card.
        layer._updated_slice = tuple(spans)
        layer._partial_labels_refresh()
    else:
        # The frame that is on the screen is another one.
        layer.refresh(extent=False)


def window_on_screen(view: MovieView) -> Window | None:
    """Return the part of the frame that napari shows; None if it shows nothing of it.

    Parameters
    ----------
    view : MovieView
        The movie.
    """
    layer = view.layer
    corners = np.array(layer.corner_pixels, float)
    if layer.multiscale:
        corners = corners * layer.downsample_factors[layer.data_level][: layer.ndim]
    rows, columns = corners[:, list(view.frame_axes)].astype(int).T.tolist()
    seen = Window(
        rows[0], columns[0], rows[1] - rows[0] + 1, columns[1] - columns[0] + 1
    )
    return seen.shared(Window.of_frame(view.frame_shape))


def _as_slab(view: MovieView, labels: np.ndarray) -> np.ndarray:
    return np.expand_dims(labels, view.sliced_axes)


def _placed_at(view: MovieView, frame: int, cover: Window) -> np.ndarray:
    origin = np.array(view.origin(frame))
    origin[list(view.frame_axes)] += cover.origin
    return WorldMap.of(view.layer).shifted(origin.tolist()).matrix
