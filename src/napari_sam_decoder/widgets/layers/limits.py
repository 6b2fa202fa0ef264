"""The contrast limits of an image layer, and whether a person has set them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from napari.layers.utils.layer_utils import calc_data_range

if TYPE_CHECKING:
    from collections.abc import Iterator

    from napari.layers import Image

    from napari_sam_decoder.widgets.layers.view import MovieView

__all__ = ["Limits", "is_automatic", "shown_limits"]

Limits = tuple[float, float]
"""Intensities that are black and white."""


def shown_limits(layer: Image) -> Limits | None:
    """Return the limits of a layer; None where they say nothing.

    That is so with colours, and where napari sets them anew for each frame.
    """
    # napari before 0.9 has no public name for it.
    before = getattr(layer, "_keep_auto_contrast", False)
    if layer.rgb or getattr(layer, "auto_contrast", before):
        return None
    low, high = layer.contrast_limits
    return float(low), float(high)


def is_automatic(view: MovieView, limits: Limits, frame: int) -> bool:
    """Whether limits are those that napari itself gives a layer.

    Parameters
    ----------
    view : MovieView
        Some of its pixels are read.
    limits : (float, float)
        Of its layer.
    frame : int
        One that napari has shown: of pixels that are not in memory, it goes by the
        frame that it shows first.
    """
    return any(np.allclose(limits, found) for found in _automatic(view, frame))


def _automatic(view: MovieView, frame: int) -> Iterator[Limits]:
    dtype = np.dtype(view.data.dtype)
    if isinstance(view.data, np.ndarray):
        pass
    elif dtype.kind in "ui":
        info = np.iinfo(dtype)
        yield float(info.min), float(info.max)
    else:
        yield 0.0, 1.0
    yield calc_data_range(view.data, rgb=view.layer.rgb)
    for shown in {frame, len(view) // 2, 0}:
        yield calc_data_range(view.frames[slice(None) if view.axis is None else shown])
