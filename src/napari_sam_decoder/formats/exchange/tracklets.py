"""Where the objects of a label movie are, and which continue which."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import count, pairwise
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from napari_sam_decoder.formats.exchange.label_movie import LabelMovie

__all__ = ["Place", "Places", "Tracklet", "find_tracklets", "places_of"]


@dataclass(frozen=True)
class Place:
    """An object on a frame.

    Attributes
    ----------
    row, column : float
        Of the centroid; whole numbers are centres of pixels.
    area : int
        In pixels.
    """

    row: float
    column: float
    area: int


def places_of(labels: np.ndarray) -> dict[int, Place]:
    """Find the objects of a frame.

    Parameters
    ----------
    labels : (Y, X) array of int
        0 is background.

    Returns
    -------
    dict of object id to Place
    """
    rows, columns = np.nonzero(labels)
    ids, inverse = np.unique(labels[rows, columns], return_inverse=True)
    areas = np.bincount(inverse)
    row_sums = np.bincount(inverse, weights=rows)
    column_sums = np.bincount(inverse, weights=columns)
    return {
        int(object_id): Place(row / area, column / area, int(area))
        for object_id, row, column, area in zip(
            ids, row_sums.tolist(), column_sums.tolist(), areas.tolist(), strict=True
        )
    }


@dataclass
class Places:
    """The objects of all frames, collected frame by frame.

    Attributes
    ----------
    by_object : dict of object id to dict of frame to Place
        Frames in ascending order.
    """

    by_object: dict[int, dict[int, Place]] = field(default_factory=dict)

    def collect(self, movie: LabelMovie) -> Iterator[int]:
        """Look at one frame after the other, and yield each when it is done."""
        for frame in range(len(movie)):
            for object_id, place in places_of(movie.frame(frame)).items():
                self.by_object.setdefault(object_id, {})[frame] = place
            yield frame


@dataclass(frozen=True)
class Tracklet:
    """An object through frames without a gap.

    Attributes
    ----------
    number : int
        That of the object for its first frames, a new one after a gap or a division.
    object_id : int
    frames : range
    parent : int
        Number of the tracklet that this one continues, or whose object has divided
        into this one; 0 if there is none.
    """

    number: int
    object_id: int
    frames: range
    parent: int = 0


def find_tracklets(
    frames: Mapping[int, Iterable[int]], parents: Mapping[int, int]
) -> list[Tracklet]:
    """Cut objects where they are missing, and where their daughters begin.

    Parameters
    ----------
    frames : mapping of object id to ascending int
        On which each object is; not empty.
    parents : mapping of object id to object id
        Of objects that come from a division. Parents without frames before their
        daughter do not count.

    Returns
    -------
    list of Tracklet
        By number. None overlaps its parent.
    """
    births = _births(frames, parents)
    spare = count(max(frames, default=0) + 1)
    pieces: dict[int, list[Tracklet]] = {}
    for object_id in sorted(frames):
        pieces[object_id] = []
        for run in _runs(list(frames[object_id]), births.get(object_id, ())):
            known = pieces[object_id]
            number = next(spare) if known else object_id
            parent = known[-1].number if known else 0
            known.append(Tracklet(number, object_id, run, parent))
    for object_id, parent in parents.items():
        if object_id in pieces:
            first = pieces[object_id][0]
            before = [
                one.number
                for one in pieces.get(parent, ())
                if one.frames.stop <= first.frames.start
            ]
            if before:
                continued = Tracklet(first.number, object_id, first.frames, before[-1])
                pieces[object_id][0] = continued
    return sorted(
        (one for known in pieces.values() for one in known), key=lambda one: one.number
    )


def _births(
    frames: Mapping[int, Iterable[int]], parents: Mapping[int, int]
) -> dict[int, set[int]]:
    """List the frames on which the daughters of each object begin."""
    births: dict[int, set[int]] = {}
    for daughter, parent in parents.items():
        if daughter in frames:
            births.setdefault(parent, set()).add(next(iter(frames[daughter])))
    return births


def _runs(frames: Sequence[int], cuts: Iterable[int]) -> Iterator[range]:
    cut = frozenset(cuts)
    start = frames[0]
    for before, frame in pairwise(frames):
        if frame > before + 1 or any(before < place <= frame for place in cut):
            yield range(start, before + 1)
            start = frame
    yield range(start, frames[-1] + 1)
