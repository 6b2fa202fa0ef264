"""The layer that shows, on one frame, what the prompts there would give."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_sam_decoder.widgets.layers import WorldMap, preview_layer, show_preview

if TYPE_CHECKING:
    from collections.abc import Mapping

    from napari.components import ViewerModel
    from napari.layers import Labels, Layer

    from napari_sam_decoder.widgets.layers import MovieView

__all__ = ["PREVIEW_NAME", "PreviewOverlay", "add_quietly"]

PREVIEW_NAME = "SAM preview"


class PreviewOverlay:
    """A Labels layer of one frame, made when there is something to show.

    It stays when there is nothing, without content: napari collects all garbage
    whenever a layer is removed, which would stop the window for a moment.

    Parameters
    ----------
    viewer : ViewerModel
        Where the layer is shown.
    """

    def __init__(self, viewer: ViewerModel) -> None:
        self._viewer = viewer
        self._view: MovieView | None = None
        self._frame = 0
        self._masks: Mapping[int, np.ndarray] = {}
        self._layer: Labels | None = None
        self._placed: WorldMap | None = None

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
            Where they overlap, the last is shown; without any, the layer is emptied.
        """
        placed = WorldMap.of(view.layer)
        is_same_view = (
            self._view is not None
            and view.is_same_as(self._view)
            and self._placed is not None
            and placed.is_close(self._placed)
        )
        if not (masks or is_same_view):
            self.remove()
        if self._shows(frame if is_same_view else None, masks):
            return
        labels = np.zeros(view.frame_shape, np.uint32)
        for object_id, mask in masks.items():
            labels[mask] = object_id
        show_preview(view, self._layer_for(view), frame, labels)
        self._view, self._frame, self._masks = view, frame, dict(masks)
        self._placed = placed

    def remove(self) -> None:
        """Take the layer away, if the user has not done so."""
        layer, self._layer = self._layer, None
        self._masks, self._view = {}, None
        if layer is not None and layer in self._viewer.layers:
            self._viewer.layers.remove(layer)

    def _shows(self, frame: int | None, masks: Mapping[int, np.ndarray]) -> bool:
        """Whether drawing would change nothing: a repaint can be felt."""
        if self._layer is None or self._layer not in self._viewer.layers:
            return not masks
        if not masks:
            # What lies on another frame is not seen on this one.
            return not self._masks or frame != self._frame
        is_same_mask = (
            self._masks.get(object_id) is mask for object_id, mask in masks.items()
        )
        is_same_size = len(masks) == len(self._masks)
        return frame == self._frame and is_same_size and all(is_same_mask)

    def _layer_for(self, view: MovieView) -> Labels:
        is_there = self._layer is not None and self._layer in self._viewer.layers
        if is_there and self._view is not None and _is_same_image(view, self._view):
            return self._layer
        self.remove()
        self._layer = preview_layer(view, PREVIEW_NAME)
        add_quietly(self._viewer, self._layer, above=view.layer)
        return self._layer


def _is_same_image(view: MovieView, other: MovieView) -> bool:
    return view.layer is other.layer and view.axis == other.axis


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
    selected = set(viewer.layers.selection)
    viewer.layers.insert(viewer.layers.index(above) + 1, layer)
    if selected:
        viewer.layers.selection = selected
