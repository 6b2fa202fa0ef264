"""Pixels of one frame that a user has painted."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_sam_decoder.errors import PromptError
from napari_sam_decoder.frames import Window
from napari_sam_decoder.validation import as_plain_array

if TYPE_CHECKING:
    from napari_sam_decoder.frames import FrameGeometry, PlacedMask

__all__ = ["LOGIT_SCALE", "PaintedMask", "checked_shape", "mask_logits"]

LOGIT_SCALE = 8.0
"""Logit of a low-res pixel that a painted mask covers completely."""


@dataclass(frozen=True)
class PaintedMask:
    """An object on one frame as the user has painted it; made by `PaintedMask.of`.

    Masks are compared by value, and the fields are plain numbers, so that they can be
    written to JSON without loss.

    Attributes
    ----------
    shape : (rows, columns)
        Of the whole frame.
    runs : tuple of int
        Run lengths along the rows of the frame: first the number of pixels beside the
        object, which may be 0, then the number of pixels on it, and so on.

    Raises
    ------
    PromptError
        If the runs do not fill the shape.
    """

    shape: tuple[int, int]
    runs: tuple[int, ...]

    def __repr__(self) -> str:
        return f"{type(self).__name__}(shape={self.shape}, pixels={self.area})"

    def __post_init__(self) -> None:
        shape = checked_shape(self.shape)
        runs = _checked_sizes(self.runs, "the runs of a mask")
        if sum(runs) != shape[0] * shape[1] or 0 in runs[1:]:
            raise PromptError(
                f"runs of {sum(runs)} pixels do not fill a mask of shape {shape}; make "
                "masks with PaintedMask.of"
            )
        object.__setattr__(self, "shape", shape)
        object.__setattr__(self, "runs", runs)

    @classmethod
    def of(cls, pixels: Any) -> PaintedMask:
        """Make a painted mask from an array.

        Parameters
        ----------
        pixels : (Y, X) array-like of bool or integers, or PaintedMask
            True, or not 0, on the object. All pixels may be 0, see `is_empty`.

        Raises
        ------
        PromptError
            If it is not a plane of booleans or integers.
        """
        if isinstance(pixels, PaintedMask):
            return pixels
        plane = _checked_plane(pixels)
        on_object = plane.ravel() != 0
        changes = np.flatnonzero(np.diff(on_object, prepend=False))
        runs = np.diff(changes, prepend=0, append=on_object.size)
        return cls((plane.shape[0], plane.shape[1]), tuple(runs.tolist()))

    @classmethod
    def placed(cls, mask: PlacedMask, shape: tuple[int, int]) -> PaintedMask:
        """Make a painted mask of a part of a frame; the rest takes no memory.

        Parameters
        ----------
        mask : PlacedMask
            Within the frame.
        shape : (rows, columns)
            Of the frame.
        """
        row, column = mask.window.origin
        # An object begins and ends where it differs from the pixel before it.
        beside = np.pad(mask.pixels, ((0, 0), (1, 1)))
        rows, columns = np.nonzero(beside[:, 1:] != beside[:, :-1])
        changes = (rows + row) * shape[1] + columns + column
        # At the side of the frame it may go on in the next row.
        is_single = np.ones(len(changes), bool)
        twice = np.flatnonzero(changes[1:] == changes[:-1])
        is_single[twice] = is_single[twice + 1] = False
        ends = changes[is_single]
        if ends.size and ends[-1] == prod(shape):
            ends = ends[:-1]
        runs = np.diff(ends, prepend=0, append=prod(shape))
        return cls(shape, tuple(runs.tolist()))

    @property
    def is_empty(self) -> bool:
        """Whether the mask has no pixel: the object is not on this frame."""
        return len(self.runs) == 1

    @cached_property
    def area(self) -> int:
        """Number of pixels on the object."""
        return sum(self.runs[1::2])

    @property
    def extent(self) -> Window | None:
        """Bounding box in the frame; None for an empty mask."""
        ends = np.cumsum(self.runs)
        starts, lasts = ends[:-1:2], ends[1::2] - 1
        if not starts.size:
            return None
        first, last = divmod(starts, self.shape[1]), divmod(lasts, self.shape[1])
        columns = 0, self.shape[1] - 1
        if np.array_equal(first[0], last[0]):
            columns = int(first[1].min()), int(last[1].max())
        row, rows = int(first[0][0]), int(last[0][-1] - first[0][0]) + 1
        return Window(row, columns[0], rows, columns[1] - columns[0] + 1)

    def cut(self, window: Window) -> PaintedMask:
        """Return the part in a window of the frame."""
        return PaintedMask.of(self.seen_in(window))

    def seen_in(self, window: Window) -> np.ndarray:
        """Return the (rows, columns) part in a window of the frame as an array."""
        width = self.shape[1]
        start, stop = window.row * width, (window.row + window.rows) * width
        ends = np.cumsum(self.runs).clip(start, stop)
        is_object = np.arange(len(self.runs)) % 2 == 1
        band = np.repeat(is_object, np.diff(ends, prepend=start))
        return band.reshape(window.rows, width)[:, window.place[1]]

    def to_array(self) -> np.ndarray:
        """Return the mask as a new (Y, X) array of bool."""
        is_object = np.arange(len(self.runs)) % 2 == 1
        return np.repeat(is_object, self.runs).reshape(self.shape)


def mask_logits(
    mask: np.ndarray, geometry: FrameGeometry, mask_size: int
) -> np.ndarray:
    """Bring a mask to the decoder's low-res grid, as logits for a mask prompt.

    Parameters
    ----------
    mask : (Y, X) array of bool
        Over the whole frame.
    geometry : FrameGeometry
        Of the frame in the network's input.
    mask_size : int
        Side of the low-res logits, 256 for the public checkpoints.

    Returns
    -------
    (mask_size, mask_size) array of float32
        ``LOGIT_SCALE * (2 p - 1)``, where p in 0..1 is the share of a low-res pixel
        that the mask covers: 8 inside, 0 where the edge halves a pixel, -8 beside the
        object and in the padding. If a mask covers no low-res pixel by half but is not
        empty, the pixel that it covers most becomes positive.
    """
    covered = geometry.coverage(mask, mask_size)
    logits: np.ndarray = LOGIT_SCALE * (2 * covered - 1)
    if mask.any() and not (logits > 0).any():
        logits[np.unravel_index(int(logits.argmax()), logits.shape)] = LOGIT_SCALE
    return logits


def _checked_plane(pixels: Any) -> np.ndarray:
    plane = as_plain_array(pixels, "a mask", PromptError)
    if plane.ndim != 2:
        raise PromptError(
            f"a mask is one frame of rows and columns, not an array of shape "
            f"{plane.shape}; give the painted frame alone, as in labels[frame] == 1"
        )
    if plane.dtype.kind not in "bui":
        raise PromptError(
            f"a mask holds booleans or integers, not {plane.dtype}; compare first, as "
            "in mask > 0.5"
        )
    return plane


def checked_shape(shape: Any) -> tuple[int, int]:
    """Check the shape of a frame.

    Raises
    ------
    PromptError
        If it is not (rows, columns).
    """
    sizes = _checked_sizes(shape, "the shape of a mask")
    if len(sizes) != 2:
        raise PromptError(
            f"the shape of a mask is (rows, columns) of one frame, not {sizes}"
        )
    return sizes[0], sizes[1]


def _checked_sizes(sizes: Any, what: str) -> tuple[int, ...]:
    found = as_plain_array(sizes, what, PromptError)
    is_row = found.ndim == 1 and found.size > 0 and found.dtype.kind in "ui"
    if not is_row or (found < 0).any():
        raise PromptError(f"{what} must be whole numbers from 0")
    return tuple(found.tolist())
