"""Where rows lie on a movie, and what is wrong with those that are not used."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from napari_sam_decoder.project.prompt_rows import PointRow
from napari_sam_decoder.wording import listed

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from napari_sam_decoder.project.cut import Cut
    from napari_sam_decoder.project.prompt_rows import ShapeRow

__all__ = [
    "FAR_FROM_FRAME",
    "Fault",
    "Placed",
    "RowCheck",
    "between_frames",
    "name_frames",
    "name_objects",
    "outside_movie",
]

FAR_FROM_FRAME = 0.25
"""Positions further than this from a frame were probably not meant for it."""

_KEPT_SHAPES = 2**12
"""A click changes one row, and lassos may have thousands of vertices."""

_FAR_OUTSIDE = 2**31
_LISTED = 3


@dataclass(frozen=True, eq=False)
class Placed:
    """Where N rows lie on a movie.

    Attributes
    ----------
    is_on_planes : (N,) array of bool
        Whether they are on its planes, along whatever axis it is cut.
    depths : (N,) array of float
        Along the axis that counts the frames.
    positions : (N, 2) array of float
        (row, column) in frame pixels.
    """

    is_on_planes: np.ndarray
    depths: np.ndarray
    positions: np.ndarray

    @classmethod
    def on(cls, cut: Cut, rows: Sequence[PointRow | ShapeRow]) -> Self:
        """Place points, and shapes by the middle of their vertices."""
        ndim = len(cut.spatial_shape)
        middles = [_middle(row) for row in rows]
        found = np.array(middles, dtype=float).reshape(-1, ndim)
        axes = [axis for axis, _ in cut.fixed]
        planes = [index for _, index in cut.fixed]
        depths = np.zeros(len(found)) if cut.axis is None else found[:, cut.axis]
        return cls(
            is_on_planes=(np.rint(found[:, axes]) == planes).all(axis=1),
            depths=depths,
            positions=found[:, list(cut.frame_axes)],
        )

    @property
    def frames(self) -> np.ndarray:
        """The nearest frame of each position, maybe outside the movie."""
        # Far outside is as good as outside, and fits an integer.
        depths = np.clip(self.depths, -1, _FAR_OUTSIDE)
        frames: np.ndarray = np.rint(depths).astype(np.int64)
        return frames


@dataclass(frozen=True, eq=False)
class Fault:
    """Something that is wrong with some of N rows, worded for one and for many.

    Attributes
    ----------
    is_at : (N,) array of bool
    one, many : str
        Predicates of a sentence.
    """

    is_at: np.ndarray
    one: str
    many: str


class RowCheck:
    """Sorts out N rows that cannot be used, and says why.

    Parameters
    ----------
    noun : str
        What a row is.
    rows : sequence
        Each has an object id.
    is_used : (N,) array of bool
        Those that are meant.
    notices : list of str
        Gets one for each fault that a row has.
    """

    def __init__(
        self, noun: str, rows: Sequence[Any], is_used: np.ndarray, notices: list[str]
    ) -> None:
        self._noun, self._rows, self._notices = noun, rows, notices
        self._is_used = is_used.copy()

    @property
    def used(self) -> list[int]:
        """Places of the rows that are left."""
        places: list[int] = np.flatnonzero(self._is_used).tolist()
        return places

    def leave_out(self, fault: Fault) -> None:
        """Note a fault, and use the rows that have it no more."""
        self.note(fault)
        self._is_used &= ~fault.is_at

    def note(self, fault: Fault, noun: str | None = None) -> None:
        """Note a fault of rows that are used, perhaps under another name."""
        places = np.flatnonzero(fault.is_at & self._is_used).tolist()
        ids = [self._rows[place].object_id for place in places]
        if not ids:
            return
        predicate = fault.one if len(ids) == 1 else fault.many
        named = _counted(len(ids), noun or self._noun)
        self._notices.append(f"{named} of {name_objects(ids)} {predicate}")


def _counted(count: int, noun: str) -> str:
    plural = "boxes" if noun == "box" else f"{noun}s"
    return f"{count} {noun if count == 1 else plural}"


def outside_movie(cut: Cut, frames: np.ndarray) -> Fault:
    """The fault of rows on frames that the movie does not have."""
    return Fault(
        (frames < 0) | (frames >= len(cut)),
        "is on a frame outside the movie and is not used; delete it",
        "are on frames outside the movie and are not used; delete them",
    )


def between_frames(placed: Placed) -> Fault:
    """The fault of rows that are used nevertheless, on the nearest frame."""
    return Fault(
        np.abs(placed.depths - placed.frames) > FAR_FROM_FRAME,
        "lies between two frames and is used on the nearest",
        "lie between two frames and are used on the nearest",
    )


def name_frames(frames: Sequence[int]) -> str:
    """Name the first few of some frames, such as "frames 3, 4, 5 and 2 more"."""
    return _named("frame", frames)


def name_objects(object_ids: Iterable[int]) -> str:
    """Name the first few of some objects, such as "objects 1, 2"."""
    return _named("object", sorted(set(object_ids)))


def _named(noun: str, numbers: Sequence[int]) -> str:
    if len(numbers) <= _LISTED:
        return listed(noun, numbers)
    return f"{listed(noun, numbers[:_LISTED])} and {len(numbers) - _LISTED} more"


def _middle(row: PointRow | ShapeRow) -> tuple[float, ...]:
    return row.position if isinstance(row, PointRow) else _middle_of_shape(row)


@lru_cache(maxsize=_KEPT_SHAPES)
def _middle_of_shape(row: ShapeRow) -> tuple[float, ...]:
    return tuple(np.mean(row.vertices, axis=0).tolist())
