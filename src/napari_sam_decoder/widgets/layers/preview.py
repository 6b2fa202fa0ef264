"""A labels layer that shows candidates on one frame of a movie."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from napari.layers import Labels

from napari_sam_decoder.widgets.layers.transforms import WorldMap

if TYPE_CHECKING:
    from napari_sam_decoder.widgets.layers.view import MovieView

__all__ = ["preview_layer", "show_preview"]


def preview_layer(view: MovieView, name: str) -> Labels:
    """Make an empty labels layer the size of one frame, lying on the first.

    Parameters
    ----------
    view : MovieView
        The movie.
    name : str
        What the layer list shows.

    Returns
    -------
    napari.layers.Labels
        With as many axes as the image, one pixel thick along those that are sliced. It
        is not to be painted on.
    """
    layer = Labels(
        _as_slab(view, np.zeros(view.frame_shape, dtype=np.uint16)),
        name=name,
        affine=_placed_at(view, 0),
        units=view.layer.units,
        axis_labels=view.layer.axis_labels,
    )
    layer.editable = False
    return layer


def show_preview(
    view: MovieView, layer: Labels, frame: int, labels: np.ndarray
) -> None:
    """Show labels on a frame and on no other.

    Parameters
    ----------
    view : MovieView
        The movie.
    layer : napari.layers.Labels
        Made by `preview_layer` for a movie with the same axes.
    frame : int
        0 <= frame < len(view).
    labels : (Y, X) array of int
        Of the size of a frame.
    """
    affine = _placed_at(view, frame)
    # Each of these makes a viewer lay out all of its layers anew, which takes several
    # times as long as drawing.
    if not np.array_equal(affine, layer.affine.affine_matrix):
        layer.affine = affine
    slab = _as_slab(view, labels)
    if slab.shape != layer.data.shape or slab.dtype != layer.data.dtype:
        layer.data = slab.copy()
        return
    layer.data[...] = slab
    layer.refresh()


def _as_slab(view: MovieView, labels: np.ndarray) -> np.ndarray:
    return np.expand_dims(labels, view.sliced_axes)


def _placed_at(view: MovieView, frame: int) -> np.ndarray:
    return WorldMap.of(view.layer).shifted(view.origin(frame)).matrix
