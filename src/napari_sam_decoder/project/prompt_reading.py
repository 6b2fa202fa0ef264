"""Rows of points and shapes read as prompts, and what is wrong with those not used."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from napari_sam_decoder.prompts import Prompt, PromptSet

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from napari_sam_decoder.project.cut import Cut
    from napari_sam_decoder.project.prompt_rows import PointRow, ShapeRow

__all__ = [
    "BOX",
    "NO_PROMPTS",
    "ObjectPrompts",
    "PromptReading",
    "name_frames",
    "name_objects",
    "pick_mask",
    "read_rows",
    "unused_notices",
]

BOX = "rectangle"
"""The kind of shapes that are boxes."""

# Positions further than this from a frame were probably not meant for it.
FAR_FROM_FRAME = 0.25
FAR_OUTSIDE = 2**31
LISTED = 3
KEPT_PROMPTS = 2**15
"""A click changes one point, and there may be thousands."""

_Row = TypeVar("_Row", "PointRow", "ShapeRow")


@dataclass(frozen=True)
class ObjectPrompts:
    """What points at one object.

    Attributes
    ----------
    object_id : int
    frames : tuple of int
        The frames with a positive point or a box that is used, ascending.
    count : int
        Number of points and boxes that are used on these frames.
    """

    object_id: int
    frames: tuple[int, ...]
    count: int


@dataclass(frozen=True)
class PromptReading:
    """The prompts that some rows give on a movie.

    Attributes
    ----------
    prompts : PromptSet
        Those with a positive point or a box.
    negatives : PromptSet
        Negative points alone on their frame. They can only correct existing labels.
    notices : tuple of str
        Which rows cannot be used, and what to do about it.
    objects : tuple of ObjectPrompts
        Every object that a row names, by id.
    """

    prompts: PromptSet
    negatives: PromptSet
    notices: tuple[str, ...]
    objects: tuple[ObjectPrompts, ...]

    def of_object(self, object_id: int) -> ObjectPrompts:
        """Return what points at an object, perhaps nothing."""
        for found in self.objects:
            if found.object_id == object_id:
                return found
        return ObjectPrompts(object_id, (), 0)


NO_PROMPTS = PromptReading(PromptSet(), PromptSet(), (), ())


def read_rows(
    cut: Cut, points: Sequence[PointRow], shapes: Sequence[ShapeRow] = ()
) -> PromptReading:
    """Read rows as prompts on a movie.

    Parameters
    ----------
    cut : Cut
        The movie.
    points : sequence of PointRow
        Where points of one object and frame pick different masks, the later wins.
        Points between two frames count for the nearest. Points on other planes of an
        array with more than three axes are not on this movie and are passed over.
    shapes : sequence of ShapeRow
        Rectangles are boxes; other shapes are not used.

    Returns
    -------
    PromptReading
    """
    notices: list[str] = []
    given = [*_point_prompts(cut, points, notices), *_boxes(cut, shapes, notices)]
    found = PromptSet(given)
    prompts = PromptSet(prompt for prompt in found if prompt.is_positive)
    # Where nothing says where the object is, there are no masks to pick from.
    negatives = PromptSet(
        replace(prompt, hypothesis=None) for prompt in found if not prompt.is_positive
    )
    counts = Counter((one.object_id, one.frame) for one in given)
    frames: dict[int, list[int]] = {}
    for prompt in prompts:
        frames.setdefault(prompt.object_id, []).append(prompt.frame)
    objects = tuple(
        ObjectPrompts(one, on := tuple(frames.get(one, ())), _total(counts, one, on))
        for one in sorted(_ids(points) | _ids(shapes))
    )
    return PromptReading(prompts, negatives, tuple(notices), objects)


def pick_mask(
    cut: Cut, rows: Sequence[_Row], place: tuple[int, int], number: int | None
) -> tuple[_Row, ...]:
    """Write a pick into the rows of an object on a frame.

    Parameters
    ----------
    cut : Cut
        The movie.
    rows : sequence of PointRow or ShapeRow
        Left as they are.
    place : (int, int)
        Object id and frame.
    number : {1, 2, 3} or None
        None to choose automatically again.

    Returns
    -------
    tuple of PointRow or ShapeRow
        All rows, of which some pick a mask now.
    """
    object_id, frame = place
    placed = _Placed.on(cut, [_middle(row) for row in rows])
    is_meant = placed.is_on_planes & (placed.frames == frame)
    return tuple(
        replace(row, hypothesis=number or 0)
        if is_here and row.object_id == object_id
        else row
        for row, is_here in zip(rows, is_meant, strict=True)
    )


def unused_notices(negatives: Iterable[Prompt]) -> tuple[str, ...]:
    """Say which objects have frames with negative points that are not used.

    Parameters
    ----------
    negatives : iterable of Prompt
        Of negative points alone, on frames without labels to correct.

    Returns
    -------
    tuple of str
        One notice per object.
    """
    frames: dict[int, list[int]] = {}
    for prompt in negatives:
        frames.setdefault(prompt.object_id, []).append(prompt.frame)
    return tuple(
        f"object {object_id} has only negative points on "
        f"{name_frames(sorted(frames[object_id]))}, which are not used; add a positive "
        "point there"
        for object_id in sorted(frames)
    )


def name_frames(frames: Sequence[int]) -> str:
    """Name the first few of some frames, such as "frame 3, 4, 5 and 2 more"."""
    return f"frame {_first_of(frames)}"


def name_objects(object_ids: Iterable[int]) -> str:
    """Name the first few of some objects, such as "objects 1, 2"."""
    ids = sorted(set(object_ids))
    return f"object{'s' if len(ids) > 1 else ''} {_first_of(ids)}"


def _first_of(numbers: Sequence[int]) -> str:
    named = ", ".join(str(number) for number in numbers[:LISTED])
    more = len(numbers) - LISTED
    return named + (f" and {more} more" if more > 0 else "")


@dataclass(frozen=True, eq=False)
class _Placed:
    """Where N positions lie on a movie."""

    is_on_planes: np.ndarray
    depths: np.ndarray
    positions: np.ndarray

    @classmethod
    def on(cls, cut: Cut, positions: Sequence[Sequence[float]]) -> _Placed:
        ndim = len(cut.spatial_shape)
        found = np.array(positions, dtype=float).reshape(-1, ndim)
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
        depths = np.clip(self.depths, -1, FAR_OUTSIDE)
        frames: np.ndarray = np.rint(depths).astype(np.int64)
        return frames


@dataclass(frozen=True, eq=False)
class _Fault:
    """Something that is wrong with some of the rows, worded for one and for many."""

    is_at: np.ndarray
    one: str
    many: str

    def notices(self, noun: str, rows: Sequence[Any], is_meant: np.ndarray) -> str:
        """Say which of the rows that are meant have the fault; nothing if none has."""
        places = np.flatnonzero(self.is_at & is_meant).tolist()
        ids = [rows[place].object_id for place in places]
        if not ids:
            return ""
        predicate = self.one if len(ids) == 1 else self.many
        plural = "" if len(ids) == 1 else "s"
        return f"{len(ids)} {noun}{plural} of {name_objects(ids)} {predicate}"


def _ids(rows: Iterable[PointRow | ShapeRow]) -> set[int]:
    return {row.object_id for row in rows}


def _note(notices: list[str], notice: str) -> None:
    if notice:
        notices.append(notice)


def _point_prompts(
    cut: Cut, rows: Sequence[PointRow], notices: list[str]
) -> Iterator[Prompt]:
    placed = _Placed.on(cut, [row.position for row in rows])
    is_used = placed.is_on_planes.copy()
    for fault in _position_faults(cut, placed):
        _note(notices, fault.notices("point", rows, is_used))
        is_used &= ~fault.is_at
    _note(notices, _between_frames(placed).notices("point", rows, is_used))
    frames, positions = placed.frames.tolist(), placed.positions.tolist()
    for place in np.flatnonzero(is_used).tolist():
        yield _point_prompt(rows[place], frames[place], tuple(positions[place]))


@lru_cache(maxsize=KEPT_PROMPTS)
def _point_prompt(row: PointRow, frame: int, position: tuple[float, float]) -> Prompt:
    return Prompt(
        row.object_id,
        frame,
        points=[position],
        signs=[row.is_positive],
        hypothesis=row.hypothesis or None,
    )


def _position_faults(cut: Cut, placed: _Placed) -> Iterator[_Fault]:
    yield _outside_movie(cut, placed)
    highest = np.array(cut.frame_shape) - 0.5
    yield _Fault(
        np.any((placed.positions < -0.5) | (placed.positions > highest), axis=1),
        "lies outside the picture and is not used",
        "lie outside the picture and are not used",
    )


def _outside_movie(cut: Cut, placed: _Placed) -> _Fault:
    return _Fault(
        (placed.frames < 0) | (placed.frames >= len(cut)),
        "is on a frame outside the movie and is not used",
        "are on frames outside the movie and are not used",
    )


def _between_frames(placed: _Placed) -> _Fault:
    """Rows that are used nevertheless."""
    return _Fault(
        np.abs(placed.depths - placed.frames) > FAR_FROM_FRAME,
        "lies between two frames and is used on the nearest",
        "lie between two frames and are used on the nearest",
    )


def _boxes(cut: Cut, rows: Sequence[ShapeRow], notices: list[str]) -> Iterator[Prompt]:
    placed = _Placed.on(cut, [_middle(row) for row in rows])
    corners = [_corners(cut, row) for row in rows]
    is_used = placed.is_on_planes.copy()
    for fault in _shape_faults(cut, rows, placed, corners):
        _note(notices, fault.notices("shape", rows, is_used))
        is_used &= ~fault.is_at
    used = np.flatnonzero(is_used).tolist()
    _note(notices, _repeated(rows, placed, used).notices("box", rows, is_used))
    frames = placed.frames.tolist()
    for place in used:
        row = rows[place]
        yield Prompt(
            row.object_id,
            frames[place],
            box=tuple(corners[place].ravel().tolist()),
            hypothesis=row.hypothesis or None,
        )


def _shape_faults(
    cut: Cut, rows: Sequence[ShapeRow], placed: _Placed, corners: Sequence[np.ndarray]
) -> Iterator[_Fault]:
    yield _Fault(
        np.array([row.kind != BOX for row in rows], dtype=bool),
        "is no rectangle and is not used",
        "are no rectangles and are not used",
    )
    yield _Fault(
        np.array([not row.is_positive for row in rows], dtype=bool),
        "is negative and is not used; a box says where an object is",
        "are negative and are not used; boxes say where objects are",
    )
    yield _Fault(
        np.array([_depth_of(cut, row) > FAR_FROM_FRAME for row in rows], dtype=bool),
        "does not lie on one frame and is not used",
        "do not lie on one frame and are not used",
    )
    yield _outside_movie(cut, placed)
    highest = np.array(cut.frame_shape) - 1
    yield _Fault(
        np.array(
            [(low >= highest).any() or (high <= 0).any() for low, high in corners],
            dtype=bool,
        ),
        "lies outside the picture and is not used",
        "lie outside the picture and are not used",
    )


def _repeated(rows: Sequence[ShapeRow], placed: _Placed, used: Sequence[int]) -> _Fault:
    """Boxes that a later one of their object on their frame replaces."""
    frames = placed.frames.tolist()
    left = Counter((rows[one].object_id, frames[one]) for one in used)
    is_at = np.zeros(len(rows), dtype=bool)
    for place in used:
        key = rows[place].object_id, frames[place]
        left[key] -= 1
        is_at[place] = left[key] > 0
    return _Fault(
        is_at,
        "is not used, since a later one is on the same frame",
        "are not used, since later ones are on the same frames",
    )


def _middle(row: PointRow | ShapeRow) -> tuple[float, ...]:
    """The position of a row; of a shape, the middle of its vertices."""
    vertices = getattr(row, "vertices", None)
    if vertices is None:
        position: tuple[float, ...] = getattr(row, "position", ())
        return position
    return tuple(np.mean(vertices, axis=0).tolist())


def _depth_of(cut: Cut, row: ShapeRow) -> float:
    """How far a shape reaches across frames and planes."""
    across = np.array(row.vertices)[:, list(cut.sliced_axes)]
    return float(np.ptp(across, axis=0).max(initial=0))


def _corners(cut: Cut, row: ShapeRow) -> np.ndarray:
    """(2, 2) lowest and highest row and column."""
    flat = np.array(row.vertices)[:, list(cut.frame_axes)]
    return np.array([flat.min(axis=0), flat.max(axis=0)])


def _total(
    counts: Counter[tuple[int, int]], object_id: int, frames: Iterable[int]
) -> int:
    return sum(counts[object_id, frame] for frame in frames)
