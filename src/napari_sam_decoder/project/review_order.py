"""In which order doubtful frames are looked at."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise
from typing import TYPE_CHECKING, Self

from napari_sam_decoder.errors import OptionError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from napari_sam_decoder.project.frame_records import FrameRecords

__all__ = ["Place", "ReviewOrder", "neighbour", "ordered_places"]


class ReviewOrder(StrEnum):
    """An order of doubtful frames: where help is worth most, or in time."""

    HELPFUL = "helpful"
    TIME = "time"
    OBJECT = "object"

    @classmethod
    def of(cls, name: str) -> Self:
        """Return an order by its name.

        Raises
        ------
        OptionError
            If there is none of that name.
        """
        try:
            return cls(name)
        except ValueError as error:
            known = ", ".join(repr(one.value) for one in cls)
            raise OptionError(f"there is no order {name!r}; choose {known}") from error


@dataclass(frozen=True, order=True)
class Place:
    """One object on one frame, ordered by the frame.

    Attributes
    ----------
    frame : int
    object_id : int
    """

    frame: int
    object_id: int


def ordered_places(
    records: FrameRecords, object_ids: Collection[int], order: ReviewOrder
) -> list[Place]:
    """List the doubtful frames of objects.

    In time, every doubtful frame is listed. The order "helpful" lists one frame of each
    *stretch*, which is an unbroken series of frames on which one object is doubtful:

    - The stretch with most doubt comes first. The doubt is the sum of 1 - confidence
      over its frames, so it grows with their number.
    - The frame is the one with the largest product of 1 - confidence and the distance
      to the nearer end of the stretch, in frames: where the program knows least, and
      from where a correction spreads furthest both ways. Of equals, the first is taken.

    Parameters
    ----------
    records : FrameRecords
        Say where an object is doubtful, and how much.
    object_ids : collection of int
        Objects that are not named are left out.
    order : ReviewOrder
        "object" sorts as "time" does.

    Returns
    -------
    list of Place
    """
    if order is not ReviewOrder.HELPFUL:
        # There may be thousands, and tuples are compared much faster.
        pairs = sorted(
            (frame, object_id)
            for object_id in object_ids
            for frame in records.doubtful_frames(object_id)
        )
        return [Place(*pair) for pair in pairs]
    found = [
        (-doubt, place)
        for object_id in object_ids
        for doubt, place in _stretches(records, object_id)
    ]
    return [place for _, place in sorted(found)]


def neighbour(
    places: Sequence[Place], current: Place | None, step: int, order: ReviewOrder
) -> Place | None:
    """Find the next or the previous of some places; after the last comes the first.

    Parameters
    ----------
    places : sequence of Place
        From `ordered_places`, in the same order.
    current : Place, optional
        Where one is now, perhaps none of them.
    step : {1, -1}
        To the next or to the previous one.
    order : ReviewOrder
        Of the places.

    Returns
    -------
    Place or None
        None if there are no places.
    """
    if not places:
        return None
    if current is None:
        number = 0 if step > 0 else -1
    elif order is not ReviewOrder.HELPFUL:
        # Places between two of them have neighbours too.
        number = (
            bisect_right(places, current)
            if step > 0
            else bisect_left(places, current) - 1
        )
    elif current in places:
        number = places.index(current) + step
    else:
        number = 0 if step > 0 else -1
    return places[number % len(places)]


def _stretches(records: FrameRecords, object_id: int) -> Iterable[tuple[float, Place]]:
    """Yield the doubt of each stretch of an object, and where to help it."""
    for stretch in _unbroken(sorted(records.doubtful_frames(object_id))):
        before, after = stretch[0] - 1, stretch[-1] + 1
        doubts = {frame: _doubt(records, object_id, frame) for frame in stretch}
        best = max(
            stretch, key=lambda one: doubts[one] * min(one - before, after - one)
        )
        yield sum(doubts.values()), Place(best, object_id)


def _unbroken(frames: Sequence[int]) -> list[Sequence[int]]:
    """Cut ascending frames where one is missing."""
    gaps = [place + 1 for place, (a, b) in enumerate(pairwise(frames)) if b > a + 1]
    ends = [0, *gaps, len(frames)]
    return [frames[start:stop] for start, stop in pairwise(ends) if stop > start]


def _doubt(records: FrameRecords, object_id: int, frame: int) -> float:
    found = records.of(object_id, frame)
    return 1.0 if found is None else 1.0 - found.confidence
