"""Whether an object that is followed has become two, as a cell does."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np
from scipy import ndimage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_sam_decoder.prompts import PaintedMask

__all__ = ["FRAMES_APART", "Wholeness", "halves", "mothers"]

FRAMES_APART = 3
"""Frames in a row on which an object is in two parts until it counts as divided: what
hides its middle mostly passes sooner."""
SMALLER_HALF = 0.5
"""Area from which the smaller of two parts is a half, as a share of the larger."""
LEAST_SHARE = 0.9
"""What halves cover of an object at least; more parts are no division."""
WHERE_MOTHER_WAS = 0.5
"""Share of a daughter that is where its mother was on the frame before, at least."""
LARGEST_DAUGHTER = 0.75
"""Area of a daughter as a share of its mother's, at most; what keeps more is whole."""

_WITH_CORNERS = np.ones((3, 3), bool)


@dataclass(frozen=True)
class Wholeness:
    """Whether an object is in one part.

    Attributes
    ----------
    was_whole : bool
        Whether it was not in halves on some frame: only then it can divide.
    frames_apart : int
        Latest frames in a row on which it was in halves.
    """

    was_whole: bool = False
    frames_apart: int = 0

    @property
    def has_divided(self) -> bool:
        """Whether it has been in halves for long enough."""
        return self.was_whole and self.frames_apart >= FRAMES_APART

    @property
    def divides_now(self) -> bool:
        """Whether the latest frame is the first on which it has divided."""
        return self.was_whole and self.frames_apart == FRAMES_APART

    def after(self, mask: np.ndarray) -> Self:
        """Return what is known after a frame with a (rows, columns) mask of bool.

        An object that has divided stays so, even if only one daughter is followed.
        """
        is_apart = halves(mask) is not None
        if self.has_divided or (self.was_whole and is_apart):
            return type(self)(self.was_whole, self.frames_apart + 1)
        return type(self)(self.was_whole or not is_apart)


def halves(mask: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    """Find the two parts of similar size in which a mask is.

    Parameters
    ----------
    mask : (rows, columns) array of bool
        Of one object.

    Returns
    -------
    (first, second) or None
        Two masks of the same shape, the larger one first; None if the mask is in one
        part, in more than two, or if they differ too much in size.
    """
    parts, count = ndimage.label(mask, structure=_WITH_CORNERS)
    if count < 2:
        return None
    areas = np.bincount(parts.ravel())[1:]
    order = np.argsort(-areas, kind="stable")[:2]
    larger, smaller = areas[order]
    if smaller < SMALLER_HALF * larger or larger + smaller < LEAST_SHARE * areas.sum():
        return None
    return parts == 1 + order[0], parts == 1 + order[1]


def mothers(
    found: Sequence[PaintedMask], before: np.ndarray, now: np.ndarray
) -> list[int | None]:
    """Say of what was found anew on a frame which object has divided into it.

    An object has divided if there are two of similar size where it was on the frame
    before, each smaller than it was: both found anew, or one of them, while the labels
    go on with the other.

    Parameters
    ----------
    found : sequence of PaintedMask
        On the frame, where the labels have nothing.
    before, now : (Y, X) arrays of int
        Labels of the frame before, and of this one.

    Returns
    -------
    list of int or None
        For each that was found the id of its mother; None if it has none.
    """
    places: defaultdict[int, list[int]] = defaultdict(list)
    for place, mask in enumerate(found):
        mother = _object_under(mask, before)
        if mother is not None:
            places[mother].append(place)
    parents: list[int | None] = [None] * len(found)
    for mother, daughters in places.items():
        areas = [found[place].area for place in daughters]
        left = int(np.count_nonzero(now == mother))
        areas += [left] if left else []
        whole = np.count_nonzero(before == mother)
        is_pair = len(areas) == 2 and min(areas) >= SMALLER_HALF * max(areas)
        if is_pair and max(areas) <= LARGEST_DAUGHTER * whole:
            for place in daughters:
                parents[place] = mother
    return parents


def _object_under(mask: PaintedMask, labels: np.ndarray) -> int | None:
    """Return the id of the object on which enough of a mask lies."""
    box = mask.extent
    if box is None:
        return None
    ids, counts = np.unique(labels[box.place][mask.seen_in(box)], return_counts=True)
    most = int(counts.argmax())
    is_enough = ids[most] != 0 and counts[most] >= WHERE_MOTHER_WAS * counts.sum()
    return int(ids[most]) if is_enough else None
