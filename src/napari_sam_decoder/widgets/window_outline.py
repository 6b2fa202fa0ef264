"""The outline of the window of a large frame through which an object is seen."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from napari.layers import Vectors

from napari_sam_decoder.widgets.layers import WorldMap
from napari_sam_decoder.widgets.previews import add_quietly

if TYPE_CHECKING:
    from napari.components import ViewerModel

    from napari_sam_decoder.frames import Window
    from napari_sam_decoder.widgets.layers import MovieView

__all__ = ["WINDOW_NAME", "WindowOutline"]

WINDOW_NAME = "SAM window"
COLOUR = "#ffd400"
LINE_SHARE = 1 / 256
"""Width of the lines, in units of the window's side."""


class WindowOutline:
    """Four lines in a layer of their own, which is added with the first window.

    Parameters
    ----------
    viewer : ViewerModel
        Where they are shown.
    """

    def __init__(self, viewer: ViewerModel) -> None:
        self._viewer = viewer
        self._layer: Vectors | None = None

    def show(self, view: MovieView, frame: int, window: Window | None) -> None:
        """Show a window on a frame; None shows nothing.

        Parameters
        ----------
        view : MovieView
            The movie.
        frame : int
            0 <= frame < len(view).
        window : Window, optional
            Of the frame.
        """
        layer = self._layer
        if layer is None or layer not in self._viewer.layers:
            if window is None:
                return
        elif layer.ndim != len(view.spatial_shape):
            self.remove()
        lines = np.zeros((0, 2, len(view.spatial_shape)))
        if window is not None:
            lines = _lines(view, frame, window)
        layer = self._layer_on(view)
        if np.array_equal(layer.data, lines):
            return
        layer.data = lines
        if window is not None:
            layer.edge_width = window.side * LINE_SHARE
            layer.edge_color = COLOUR

    def remove(self) -> None:
        """Remove the layer, unless the user has done so."""
        layer, self._layer = self._layer, None
        if layer is not None and layer in self._viewer.layers:
            self._viewer.layers.remove(layer)

    def _layer_on(self, view: MovieView) -> Vectors:
        layer, matrix = self._layer, WorldMap.of(view.layer).matrix
        if layer is None or layer not in self._viewer.layers:
            layer = self._layer = Vectors(
                np.zeros((0, 2, len(view.spatial_shape))),
                name=WINDOW_NAME,
                vector_style="line",
                affine=matrix,
                units=view.layer.units,
                axis_labels=view.layer.axis_labels,
            )
            add_quietly(self._viewer, layer, above=view.layer)
        elif not np.array_equal(layer.affine.affine_matrix, matrix):
            layer.affine = matrix
        return layer


def _lines(view: MovieView, frame: int, window: Window) -> np.ndarray:
    """(4, 2, D) starts and steps of the sides, around the pixels of the window."""
    row, column = (one - 0.5 for one in window.origin)
    rows, columns = window.shape
    lines = np.zeros((4, 2, len(view.spatial_shape)))
    lines[:, 0] = view.origin(frame)
    lines[:, :, list(view.frame_axes)] = [
        [(row, column), (0, columns)],
        [(row, column), (rows, 0)],
        [(row + rows, column), (0, columns)],
        [(row, column + columns), (rows, 0)],
    ]
    return lines
