"""Where an object should be by now, from where it was on the frames before."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

__all__ = ["Motion", "mask_centre", "shift_logits", "warp_logits"]

SMOOTHING = 0.5
"""Weight of the newest displacement; micro-sam's tracker uses the same."""


@dataclass(frozen=True)
class Motion:
    """Centre and smoothed velocity of an object, in pixels of any one grid.

    Attributes
    ----------
    centre : (row, column)
        Where the object was last seen.
    velocity : (rows, columns) per frame
        Exponentially smoothed displacement; zero until two frames are known.
    is_moving : bool
        Whether a displacement has been seen at all.
    """

    centre: tuple[float, float]
    velocity: tuple[float, float] = (0.0, 0.0)
    is_moving: bool = False

    def seen_at(self, centre: tuple[float, float], frames: int = 1) -> Motion:
        """Return the motion after the object was seen some frames later."""
        step = np.subtract(centre, self.centre) / frames
        if self.is_moving:
            step = SMOOTHING * step + (1 - SMOOTHING) * np.asarray(self.velocity)
        return Motion(centre, (float(step[0]), float(step[1])), is_moving=True)


def mask_centre(mask: np.ndarray) -> tuple[float, float]:
    """Centre of mass of a non-empty boolean mask, as (row, column)."""
    rows, columns = np.nonzero(mask)
    return float(rows.mean()), float(columns.mean())


def shift_logits(logits: np.ndarray, displacement: tuple[float, float]) -> np.ndarray:
    """Move low-res logits along, with subpixel precision.

    Parameters
    ----------
    logits : (rows, columns) array of float32
        Unthresholded, over what shows the frame: the padding must not enter it.
    displacement : (rows, columns)
        In low-res pixels.

    Returns
    -------
    (rows, columns) array of float32
        What comes in at the rim continues the rim, so that an object that is entering
        the picture gets no hole.
    """
    if displacement == (0.0, 0.0):
        return logits
    shifted: np.ndarray = ndimage.shift(logits, displacement, order=1, mode="nearest")
    return shifted


def warp_logits(logits: np.ndarray, displacement: np.ndarray) -> np.ndarray:
    """Carry low-res logits along with the pixels that they belong to.

    Parameters
    ----------
    logits : (rows, columns) array of float32
        Unthresholded, over what shows the frame.
    displacement : (2, rows, columns) array
        What is at ``p`` now was at ``p + displacement[:, p]``.

    Returns
    -------
    (rows, columns) array of float32
    """
    from napari_sam_decoder.flow import displaced

    warped: np.ndarray = displaced(logits[np.newaxis], displacement)[0]
    return warped
