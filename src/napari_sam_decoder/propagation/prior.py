"""Where an object should be: what memory sees there, joined with where it was going."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

if TYPE_CHECKING:
    from napari_sam_decoder.memory import Memory, View

__all__ = [
    "beyond",
    "claimed",
    "join",
    "recall",
    "redrawn",
    "steadiness_weight",
    "strongest_part",
]

MEMORY_GAIN = 4.0
"""Logit of a cell that the memory is as sure of as of the prompted frame's own."""

MOVED_LIMIT = 6.0
"""The decoder's logits grow without bound; beyond this they say nothing more."""

UNSTEADY, STEADY = 0.5, 0.9
"""Temporal IoU of an object whose last mask says nothing, and all, about the next."""

REACH, STEADY_REACH = 0.5, 0.15
"""How far from where it should be an object may get in one frame, as a share of its
side (root of its area): one that changes all the time, and one that keeps still. At
that distance a pixel has lost one logit; the loss grows with the square."""

FARTHEST_PENALTY = 8.0
SMALLEST_SIZE = 16.0


def recall(memory: Memory, view: View) -> np.ndarray:
    """Return what the memory says of a frame, as (rows, columns) logits."""
    logits: np.ndarray = MEMORY_GAIN * view.spread(memory.scores(view))
    return logits


def steadiness_weight(steadiness: float) -> float:
    """Say how much the last mask tells about the next one, in 0..1.

    Parameters
    ----------
    steadiness : float
        0..1, usual temporal IoU of the object.
    """
    return float(np.clip((steadiness - UNSTEADY) / (STEADY - UNSTEADY), 0, 1))


def redrawn(logits: np.ndarray, view: View) -> np.ndarray:
    """Return what a memory would say that held a mask perfectly, cell by cell.

    Parameters
    ----------
    logits : (h, w) array
        Of the mask, over the whole grid.
    view : View
        Of the frame.
    """
    drawn: np.ndarray = MEMORY_GAIN * view.spread(2 * view.shares(logits) - 1)
    return drawn


def join(
    recalled: np.ndarray, moved: np.ndarray, drawn: np.ndarray, weight: float
) -> np.ndarray:
    """Join memory and motion.

    The memory is right about cells, the last mask about what is finer than a cell.
    So the memory is what counts, with the detail of the last mask added to it: of a
    mask that the memory agrees with nothing is lost, and where it does not agree the
    difference moves the outline.

    Parameters
    ----------
    recalled, moved : (rows, columns) array
        Logits of the memory, and of the last mask moved on.
    drawn : (rows, columns) array
        The last mask as the memory would have it, see `redrawn`.
    weight : float
        0..1, see `steadiness_weight`.

    Returns
    -------
    (rows, columns) array of float32
    """
    detail = np.clip(moved, -MOVED_LIMIT, MOVED_LIMIT) - drawn
    joined: np.ndarray = recalled + weight * detail
    return joined


def beyond(moved: np.ndarray, size: float, steps: int, weight: float) -> np.ndarray:
    """Say how unlikely it is that an object got so far from where it should be.

    Parameters
    ----------
    moved : (rows, columns) array
        Logits of the last mask, moved on.
    size : float
        Area of the object, in the same pixels.
    steps : int
        Frames since the last mask, 1 or more; the longer ago, the farther it may be.
    weight : float
        0..1, see `steadiness_weight`.

    Returns
    -------
    (rows, columns) array
        0 inside the moved mask, up to `FARTHEST_PENALTY` logits far away, and
        everywhere if the object has moved out of the picture.
    """
    mask = moved > 0
    if not mask.any():
        return np.full(moved.shape, FARTHEST_PENALTY, np.float32)
    distances = ndimage.distance_transform_edt(~mask).astype(np.float32)
    reach = REACH - (REACH - STEADY_REACH) * weight
    relative = distances / (reach * np.sqrt(max(size, SMALLEST_SIZE)))
    penalties: np.ndarray = np.minimum(relative**2 / steps, FARTHEST_PENALTY)
    return penalties


def claimed(taken: np.ndarray, own: np.ndarray) -> np.ndarray:
    """Say what other objects cost this one: logits where they are and it was not.

    Parameters
    ----------
    taken, own : (rows, columns) array
        Logits of the others and of this object, moved on.
    """
    theirs, ours = (2 * np.clip(logits, 0, MOVED_LIMIT) for logits in (taken, own))
    claims: np.ndarray = np.maximum(theirs - ours, 0)
    return claims


def strongest_part(logits: np.ndarray) -> np.ndarray:
    """Keep the connected part that speaks most for the object, and nothing else."""
    parts, count = ndimage.label(logits > 0)
    if count < 2:
        return logits
    strengths = ndimage.sum_labels(logits, parts, np.arange(1, count + 1))
    strongest = parts == 1 + int(np.argmax(strengths))
    kept: np.ndarray = np.where(
        strongest, logits, np.minimum(logits, -FARTHEST_PENALTY)
    )
    return kept
