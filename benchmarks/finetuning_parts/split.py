"""Which frames are learned from, and which are measured."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from tracking_parts.data import Target, choose_targets

if TYPE_CHECKING:
    from collections.abc import Collection

    from tracking_parts.data import Clip

__all__ = ["evenly", "long_lived"]


def evenly(clip: Clip, count: int, without: Collection[int] = ()) -> list[int]:
    """Choose frames with objects, evenly spread and away from both ends.

    Parameters
    ----------
    clip : Clip
        Any.
    count : int
        How many; fewer if there are not as many.
    without : collection of int
        Frames that may not be chosen.
    """
    present = np.flatnonzero(clip.masks.any(axis=(1, 2)))
    free = [int(frame) for frame in present if frame not in without]
    places = np.linspace(0, len(free) - 1, count + 2)[1:-1].round().astype(int)
    return [free[place] for place in dict.fromkeys(places.tolist())]


def long_lived(clip: Clip, length: int, count: int) -> list[Target]:
    """Choose objects of the middle of a movie that are there longest, then largest.

    Parameters
    ----------
    clip : Clip
        Any.
    length : int
        Frames in the middle that count.
    count : int
        Objects.

    Returns
    -------
    list of Target
        Each on its frames within the middle.
    """
    present = np.flatnonzero(clip.masks.any(axis=(1, 2)))
    first = max(int(present[0]), (int(present[0] + present[-1]) - length) // 2 + 1)
    masks = np.zeros_like(clip.masks)
    masks[first : first + length] = clip.masks[first : first + length]
    targets = choose_targets(masks, "first")
    targets.sort(key=lambda target: -len(target.frames))
    return [replace(target, masks=masks) for target in targets[:count]]
