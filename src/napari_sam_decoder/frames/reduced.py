"""Large frames made smaller, read and averaged band by band."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_sam_decoder.frames.window import Window

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["ReducedArray", "bands"]

BAND_PIXELS = 2**24
"""Pixels that are read at once."""
FRAMES_REMEMBERED = 8
"""Reading a large frame takes long, and it has to be done for each click on it."""


class ReducedArray:
    """The frames of a movie, each pixel the mean of a square of theirs.

    A frame is read once, as long as it is remembered: what is edited in place
    meanwhile is not seen.

    Parameters
    ----------
    read : callable
        Takes a frame and a window of it; returns its pixels, (rows, columns) or
        (rows, columns, C).
    shape : tuple of int
        Of the movie: (T, Y, X), (Y, X), or the same with a last axis of channels.
    row_axis : {0, 1}
        Of its rows.
    factor : int
        Side of a square.
    dtype : dtype
        Of a pixel.
    """

    def __init__(
        self,
        read: Callable[[int, Window], np.ndarray],
        shape: tuple[int, ...],
        row_axis: int,
        factor: int,
        dtype: Any,
    ) -> None:
        self._read, self._factor, self._row_axis = read, factor, row_axis
        self.dtype = dtype
        self._frame_shape = shape[row_axis], shape[row_axis + 1]
        reduced = (-(-length // factor) for length in self._frame_shape)
        self.shape = (*shape[:row_axis], *reduced, *shape[row_axis + 2 :])
        self._frame = lru_cache(FRAMES_REMEMBERED)(self._reduce)

    def __getitem__(self, key: Any) -> np.ndarray:
        """Return a frame by its number, or all of a picture."""
        return self._frame(int(key) if self._row_axis else 0)

    def _reduce(self, frame: int) -> np.ndarray:
        parts = [
            _means(self._read(frame, band), self._factor)
            for band in bands(self._frame_shape, self._factor)
        ]
        return np.concatenate(parts)


def bands(frame_shape: tuple[int, int], step: int = 1) -> Iterator[Window]:
    """Cut a frame into bands of limited size.

    Parameters
    ----------
    frame_shape : (rows, columns)
        Of the frame.
    step : int
        All bands but the last have a multiple of so many rows.

    Yields
    ------
    Window
        From top to bottom.
    """
    rows, columns = frame_shape
    height = max(BAND_PIXELS // columns // step, 1) * step
    for row in range(0, rows, height):
        yield Window(row, 0, min(height, rows - row), columns)


def _means(pixels: np.ndarray, factor: int) -> np.ndarray:
    """Average squares of pixels; those at the sides may be smaller."""
    missing = [-length % factor for length in pixels.shape[:2]]
    padding = [(0, missing[0]), (0, missing[1]), *[(0, 0)] * (pixels.ndim - 2)]
    whole = np.pad(pixels, padding, mode="edge") if any(missing) else pixels
    wide = np.float32 if pixels.dtype.itemsize <= 2 else np.float64
    # Row by row and column by column: whole lines are added much faster than squares.
    down = sum(whole[start::factor].astype(wide) for start in range(factor))
    across = sum(np.asarray(down)[:, start::factor] for start in range(factor))
    means = np.asarray(across) / factor**2
    is_whole = pixels.dtype.kind in "bui"
    return (np.rint(means) if is_whole else means).astype(pixels.dtype)
