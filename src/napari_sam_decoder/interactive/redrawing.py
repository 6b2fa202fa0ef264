"""Redraw an object that was carried to a frame, on which nothing is shown of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_sam_decoder.interactive.actions import Shown
from napari_sam_decoder.interactive.clues import Clues
from napari_sam_decoder.interactive.focus import Focus
from napari_sam_decoder.interactive.refiner import refine

if TYPE_CHECKING:
    import numpy as np

    from napari_sam_decoder.interactive.frame import ShownFrame

__all__ = ["redraw"]

MARGIN = 1.5
"""Side of the window, in units of the object's side."""


def redraw(
    frame: ShownFrame, mask: np.ndarray, moved: np.ndarray, decoded: np.ndarray
) -> tuple[tuple[slice, slice], np.ndarray]:
    """Let the refiner draw an object by the picture and the mask of a frame nearby.

    Parameters
    ----------
    frame : ShownFrame
        Has the refiner.
    mask : (Y, X) array of bool
        About where the object is; not empty.
    moved : (Y, X) array of bool
        The object on the other frame, moved to this one.
    decoded : (4, h, h) array of float32
        What the decoder makes of it, low-res logits.

    Returns
    -------
    place : (slice, slice)
        Rows and columns of the low-res pixels in a window around the object.
    logits : (rows, columns) array of float32
        Of these; above 0 is object.
    """
    clues = Clues(frame.picture, moved, Shown([]), together=decoded)
    (refined,) = refine(frame.refiner, clues, [Focus.around_mask(mask, MARGIN)])
    return refined.focus.to_low_res(refined.logits, decoded.shape[-1])
