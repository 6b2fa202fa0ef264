"""Which objects are segmented, on which frames."""

from __future__ import annotations

import numpy as np
from tracking_parts.data import Target

__all__ = ["evenly_spaced", "objects_on"]

FEWEST_PIXELS = 60


def evenly_spaced(length: int, count: int) -> list[int]:
    """Choose frames of a movie from the first to the last; all if there are fewer."""
    places = np.linspace(0, length - 1, count).round().astype(int)
    return list(dict.fromkeys(places.tolist()))


def objects_on(masks: np.ndarray, frame: int, most: int | None = None) -> list[Target]:
    """List the objects that a frame shows with at least 60 pixels.

    Parameters
    ----------
    masks : (T, Y, X) array of int
        Object ids, 0 where there is none.
    frame : int
        Which one.
    most : int, optional
        No more than so many, those of the lowest ids; all by default.
    """
    ids, areas = np.unique(masks[frame], return_counts=True)
    seen = [int(one) for one in ids[areas >= FEWEST_PIXELS] if one > 0]
    life = range(frame, frame + 1)
    return [Target(one, frame, life, False, masks) for one in seen[:most]]
