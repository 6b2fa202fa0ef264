"""The layer that shows, on one frame, what the prompts there would give."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_sam_decoder.widgets.layers import preview_layer, show_preview

if TYPE_CHECKING:
    from collections.abc import Mapping

    from napari.components import ViewerModel
    from napari.layers import Labels, Layer

    from napari_sam_decoder.widgets.layers import MovieView

__all__ = ["PREVIEW_NAME", "PreviewOverlay", "add_quietly"]

PREVIEW_NAME = "SAM preview"


class PreviewOverlay:
    """A Labels layer of one frame, there only while there is something to show.

    Parameters
    ----------
    viewer : ViewerModel
        Where the layer is shown.
    """

    def __init__(self, viewer: ViewerModel) -> None:
        self._viewer = viewer
        self._view: MovieView | None = None
        self.layer: Labels | None = None

    def show(
        self, view: MovieView, frame: int, masks: Mapping[int, np.ndarray]
    ) -> None:
        """Show masks on a frame, in the colours of their objects.

        Parameters
        ----------
        view : MovieView
            The movie.
        frame : int
            Where to show them.
        masks : mapping of object id to (Y, X) array of bool
            Where they overlap, the last is shown.
        """
        labels = np.zeros(view.frame_shape, np.uint32)
        for object_id, mask in masks.items():
            labels[mask] = object_id
        show_preview(view, self._layer_for(view), frame, labels)

    def clear(self) -> None:
        """Take the layer away, if the user has not done so."""
        layer, self.layer, self._view = self.layer, None, None
        if layer is not None and layer in self._viewer.layers:
            self._viewer.layers.remove(layer)

    def _layer_for(self, view: MovieView) -> Labels:
        is_there = self.layer is not None and self.layer in self._viewer.layers
        if is_there and self._view is not None and view.is_same_as(self._view):
            return self.layer
        self.clear()
        self.layer = preview_layer(view, PREVIEW_NAME)
        self._view = view
        add_quietly(self._viewer, self.layer, above=view.layer)
        return self.layer


def add_quietly(viewer: ViewerModel, layer: Layer, above: Layer) -> None:
    """Add a layer without taking the selection, and with it the clicks, from another.

    Parameters
    ----------
    viewer : ViewerModel
        Where to add it.
    layer : Layer
        To be added.
    above : Layer
        The layer under it.
    """
    active = viewer.layers.selection.active
    viewer.layers.insert(viewer.layers.index(above) + 1, layer)
    if active is not None:
        viewer.layers.selection.active = active
