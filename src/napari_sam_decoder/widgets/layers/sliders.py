"""Between the sliders of a viewer and the frames of a movie."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from napari.layers import Image

from napari_sam_decoder.widgets.layers.transforms import WorldMap, unit_factors

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari.components import Dims
    from napari.layers import Layer

    from napari_sam_decoder.widgets.layers.view import MovieView

__all__ = ["covering_layer", "go_to_frame", "show_frames", "slider_point"]

TOLERANCE = 1e-6
"""Of places in the world, for rounding."""


def slider_point(layer: Layer, dims: Dims) -> tuple[float, ...]:
    """Return the position of a viewer's sliders in the units of a layer.

    Parameters
    ----------
    layer : napari.layers.Layer
        Any layer of the viewer.
    dims : napari.components.Dims
        ``viewer.dims``; newer versions of napari give its points in units that all
        layers share.

    Returns
    -------
    tuple of float
        World coordinates along the last axes, as many as both have.
    """
    factors = _factors(layer, dims)
    return tuple((np.array(dims.point)[-len(factors) :] * factors).tolist())


def go_to_frame(view: MovieView, dims: Dims, frame: int) -> None:
    """Move the sliders of a viewer so that it shows a frame.

    Parameters
    ----------
    view : MovieView
        The movie.
    dims : napari.components.Dims
        ``viewer.dims`` of the viewer that shows the movie.
    frame : int
        0 <= frame < len(view).
    """
    axes = list(view.sliced_axes)
    origin = np.array(view.origin(frame), dtype=float)[axes]
    world = WorldMap.of(view.layer).slices_to_world(axes, origin)
    factors = _factors(view.layer, dims)[axes]
    offset = dims.ndim - view.layer.ndim
    dims.set_point([axis + offset for axis in axes], (world / factors).tolist())


def show_frames(view: MovieView, dims: Dims) -> None:
    """Turn a viewer of slices so that each of them is a frame of the movie.

    Parameters
    ----------
    view : MovieView
        The movie.
    dims : napari.components.Dims
        Left alone where it shows rows and columns already.
    """
    offset = dims.ndim - view.layer.ndim
    shown = tuple(axis + offset for axis in view.frame_axes)
    if dims.ndisplay == 2 and set(dims.displayed) != set(shown):
        dims.order = (*(axis for axis in dims.order if axis not in shown), *shown)


def covering_layer(movie: Image, layers: Sequence[Layer]) -> Image | None:
    """Find the picture above a movie that hides it.

    Parameters
    ----------
    movie : napari.layers.Image
        One of the layers.
    layers : sequence of napari.layers.Layer
        Of a viewer, from below.

    Returns
    -------
    napari.layers.Image or None
        The lowest opaque one above that covers all of the movie.
    """
    if movie not in layers:
        return None
    low, high = _corners(movie)
    for layer in layers[layers.index(movie) + 1 :]:
        if isinstance(layer, Image) and _is_opaque(layer) and layer.ndim == movie.ndim:
            lowest, highest = _corners(layer)
            if (lowest <= low + TOLERANCE).all() and (
                highest >= high - TOLERANCE
            ).all():
                return layer
    return None


def _is_opaque(layer: Image) -> bool:
    is_blended = str(layer.blending) in ("additive", "minimum", "multiplicative")
    return layer.visible and layer.opacity == 1 and not is_blended


def _corners(layer: Image) -> np.ndarray:
    """(2, D) lowest and highest place in the world."""
    corners: np.ndarray = np.asarray(layer.extent.world)
    return corners


def _factors(layer: Layer, dims: Dims) -> np.ndarray:
    """From the viewer's units to the layer's, for the axes that both have."""
    shared = getattr(dims, "units", None)
    units = layer.units if shared is None else shared
    return unit_factors(units, layer.units)
