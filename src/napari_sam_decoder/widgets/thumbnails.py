"""Small pictures of what the decoder offers, drawn off the GUI thread."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from skimage.segmentation import find_boundaries
from skimage.transform import resize

from napari_sam_decoder.model.geometry import extent
from napari_sam_decoder.selection import LARGEST_SHARE

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["THUMBNAIL_SIDE", "draw_thumbnails"]

THUMBNAIL_SIDE = 96
"""Pixels; shown at this size and, on fine screens, at half of it."""

_MARGIN = 0.3
_SMALLEST_VIEW = 24
_LARGEST_ZOOM_OUT = 3
_TINT = 0.45

_Window = tuple[slice, slice]


def draw_thumbnails(
    frame: np.ndarray, masks: Sequence[np.ndarray], colour: np.ndarray
) -> tuple[np.ndarray, ...]:
    """Draw masks over the part of the frame that they are about.

    Parameters
    ----------
    frame : (Y, X, 3) array of uint8
        What the network saw.
    masks : sequence of (Y, X) arrays of bool
        At least one.
    colour : (3,) or (4,) array of float
        0..1; alpha is ignored.

    Returns
    -------
    tuple of (96, 96, 3) arrays of uint8
        One per mask, all of the same part of the frame so that they can be compared.
    """
    window = _common_window(masks)
    crop = _shrink(frame[window] / 255.0)
    return tuple(_draw(crop, _shrink(mask[window]), colour) for mask in masks)


def _common_window(masks: Sequence[np.ndarray]) -> _Window:
    """A square around the masks, in which the smallest can still be made out."""
    seen = [mask for mask in masks if 0 < mask.mean() <= LARGEST_SHARE]
    seen = seen or [mask for mask in masks if mask.any()]
    shape = masks[0].shape
    smallest = extent(min(seen, key=np.count_nonzero, default=masks[0]))
    everything = extent(np.any(seen or masks, axis=0))
    if smallest is None or everything is None:
        return _span(shape[0] // 2, max(shape), shape[0]), _span(
            0, max(shape), shape[1]
        )
    side = min(_longest(everything), _LARGEST_ZOOM_OUT * _longest(smallest))
    side = max(round(side * (1 + 2 * _MARGIN)), _SMALLEST_VIEW)
    rows, columns = (
        _span((span.start + span.stop - 1) // 2, side, length)
        for span, length in zip(smallest, shape, strict=True)
    )
    return rows, columns


def _longest(window: _Window) -> int:
    longest: int = max(side.stop - side.start for side in window)
    return longest


def _span(centre: int, side: int, length: int) -> slice:
    start = max(0, min(centre - side // 2, length - side))
    return slice(start, min(start + side, length))


def _shrink(image: np.ndarray) -> np.ndarray:
    """Fit into the square, with black beside a picture that is not square."""
    scale = THUMBNAIL_SIDE / max(image.shape[:2])
    shape = tuple(max(1, round(length * scale)) for length in image.shape[:2])
    order = 0 if image.dtype == bool else 1
    fitted = resize(image, (*shape, *image.shape[2:]), order=order, anti_aliasing=False)
    canvas = np.zeros((THUMBNAIL_SIDE, THUMBNAIL_SIDE, *image.shape[2:]), fitted.dtype)
    top, left = ((THUMBNAIL_SIDE - length) // 2 for length in shape)
    canvas[top : top + shape[0], left : left + shape[1]] = fitted
    return canvas


def _draw(crop: np.ndarray, mask: np.ndarray, colour: np.ndarray) -> np.ndarray:
    picture = crop.copy()
    paint = np.asarray(colour, float)[:3]
    picture[mask] = (1 - _TINT) * picture[mask] + _TINT * paint
    picture[find_boundaries(mask, mode="inner")] = paint
    drawn: np.ndarray = np.rint(picture * 255).astype(np.uint8)
    return drawn
