"""Rows of points, shapes and scribbles read as prompts, and why some are not used."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from napari_sam_decoder.errors import PromptError
from napari_sam_decoder.prompts import Prompt, PromptSet, Scribble

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from napari_sam_decoder.project.cut import Cut
    from napari_sam_decoder.project.document import Document
    from napari_sam_decoder.project.prompt_rows import PointRow, ScribbleRow, ShapeRow

__all__ = [
    "BOX",
    "LASSO",
    "NO_PROMPTS",
    "ObjectPrompts",
    "PromptReading",
    "name_frames",
    "name_objects",
    "pick_mask",
    "read_document",
    "read_rows",
    "unused_notices",
]

BOX = "rectangle"
"""The kind of shapes that are boxes."""

LASSO = "polygon"
"""The kind of shapes that are lassos, drawn freehand or not."""

_ELLIPSE, _LINES = "ellipse", ("line", "path")
_KINDS = (BOX, LASSO, _ELLIPSE, *_LINES)
_ELLIPSE_VERTICES = 64

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
        The frames with a positive point or scribble, a box or a lasso that is used,
        ascending.
    count : int
        Number of points, shapes and scribbles that are used on these frames.
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
        Those with a positive point or scribble, a box or a lasso.
    negatives : PromptSet
        Negative points and scribbles alone on their frame. They can only correct
        existing labels.
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

    def point_count(self, object_id: int, frame: int) -> int:
        """Count the points of an object on a frame, after which a scribble comes."""
        return sum(
            len(one.points)
            for one in (*self.prompts, *self.negatives)
            if (one.object_id, one.frame) == (object_id, frame)
        )


NO_PROMPTS = PromptReading(PromptSet(), PromptSet(), (), ())


def read_document(cut: Cut, document: Document) -> PromptReading:
    """Read all rows of a document as prompts on a movie."""
    return read_rows(
        cut,
        document.rows("points"),
        document.rows("shapes"),
        document.rows("scribbles"),
    )


def read_rows(
    cut: Cut,
    points: Sequence[PointRow],
    shapes: Sequence[ShapeRow] = (),
    scribbles: Sequence[ScribbleRow] = (),
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
        Rectangles are boxes, polygons and ellipses lassos. Lines and paths are
        scribbles 3 pixels wide, which come before all others of their frame.
    scribbles : sequence of ScribbleRow
        In the order drawn. Those on other planes are passed over.

    Returns
    -------
    PromptReading
    """
    notices: list[str] = []
    shown = [*_shape_prompts(cut, shapes, notices)]
    painted = _scribbles(cut, scribbles, notices)
    lines = [prompt for prompt in shown if prompt.scribbles]
    outlines = [prompt for prompt in shown if not prompt.scribbles]
    given = [*lines, *_point_prompts(cut, points, notices), *outlines]
    found = _with_scribbles(PromptSet(given), painted)
    prompts = PromptSet(prompt for prompt in found if prompt.is_positive)
    # Where nothing says where the object is, there are no masks to pick from.
    negatives = PromptSet(
        replace(prompt, hypothesis=None) for prompt in found if not prompt.is_positive
    )
    counts = Counter((one.object_id, one.frame) for one in given)
    counts.update({key: len(some) for key, some in painted.items()})
    frames: dict[int, list[int]] = {}
    for prompt in prompts:
        frames.setdefault(prompt.object_id, []).append(prompt.frame)
    objects = tuple(
        ObjectPrompts(one, on := tuple(frames.get(one, ())), _total(counts, one, on))
        for one in sorted(_ids(points) | _ids(shapes) | _ids(scribbles))
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
        Of negative points and scribbles alone, on frames without labels to correct.

    Returns
    -------
    tuple of str
        One notice per object.
    """
    found: dict[int, list[Prompt]] = {}
    for prompt in negatives:
        found.setdefault(prompt.object_id, []).append(prompt)
    return tuple(_unused_notice(one, found[one]) for one in sorted(found))


def _unused_notice(object_id: int, negatives: Sequence[Prompt]) -> str:
    frames = name_frames(sorted(one.frame for one in negatives))
    noun = "points" if any(one.points for one in negatives) else "scribbles"
    return (
        f"object {object_id} has only negative {noun} on {frames}, which are not used; "
        "add a positive point there"
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


_PLURALS = {"box": "boxes"}


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
        named = noun if len(ids) == 1 else _PLURALS.get(noun, f"{noun}s")
        return f"{len(ids)} {named} of {name_objects(ids)} {predicate}"


def _ids(rows: Iterable[PointRow | ShapeRow | ScribbleRow]) -> set[int]:
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
    yield _outside_movie(cut, placed.frames)
    highest = np.array(cut.frame_shape) - 0.5
    yield _Fault(
        np.any((placed.positions < -0.5) | (placed.positions > highest), axis=1),
        "lies outside the picture and is not used",
        "lie outside the picture and are not used",
    )


def _outside_movie(cut: Cut, frames: np.ndarray) -> _Fault:
    return _Fault(
        (frames < 0) | (frames >= len(cut)),
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


def _shape_prompts(
    cut: Cut, rows: Sequence[ShapeRow], notices: list[str]
) -> Iterator[Prompt]:
    placed = _Placed.on(cut, [_middle(row) for row in rows])
    frames = placed.frames.tolist()
    axes, shape = cut.frame_axes, cut.frame_shape
    shown = [
        _shown_by(row, frame, axes, shape)
        for row, frame in zip(rows, frames, strict=True)
    ]
    is_used = placed.is_on_planes.copy()
    for fault in _shape_faults(cut, rows, placed, shown):
        _note(notices, fault.notices("shape", rows, is_used))
        is_used &= ~fault.is_at
    replaced = _replaced(rows, frames, np.flatnonzero(is_used).tolist())
    for noun, kinds in (("box", (BOX,)), ("lasso", (LASSO, _ELLIPSE))):
        is_meant = is_used & np.array([row.kind in kinds for row in rows], dtype=bool)
        _note(notices, replaced.notices(noun, rows, is_meant))
    for prompt, is_prompt in zip(shown, is_used, strict=True):
        if prompt is not None and is_prompt:
            yield prompt


@lru_cache(maxsize=KEPT_PROMPTS)
def _shown_by(
    row: ShapeRow,
    frame: int,
    frame_axes: tuple[int, int],
    frame_shape: tuple[int, int],
) -> Prompt | None:
    """What a shape says on a frame; None if that is nothing."""
    vertices = np.array(row.vertices)[:, list(frame_axes)]
    shown: dict[str, Any] = {}
    try:
        if row.kind in _LINES:
            is_positive = row.is_positive
            line = Scribble.along(vertices, frame_shape, is_positive=is_positive)
            shown["scribbles"] = [line]
        elif row.kind == BOX:
            shown["box"] = (*vertices.min(axis=0), *vertices.max(axis=0))
        else:
            is_ellipse = row.kind == _ELLIPSE
            shown["lasso"] = _ellipse(vertices) if is_ellipse else vertices
        number = row.hypothesis or None
        return Prompt(row.object_id, frame, hypothesis=number, **shown)
    except PromptError:
        return None


def _ellipse(corners: np.ndarray) -> np.ndarray:
    """Outline of the ellipse within the four corners of a rectangle, turned or not."""
    middle = corners.mean(axis=0)
    along, across = (corners[1] - corners[0]) / 2, (corners[-1] - corners[0]) / 2
    angles = np.linspace(0, 2 * np.pi, _ELLIPSE_VERTICES, endpoint=False)[:, None]
    outline: np.ndarray = middle + np.cos(angles) * along + np.sin(angles) * across
    return outline


def _shape_faults(
    cut: Cut, rows: Sequence[ShapeRow], placed: _Placed, shown: Sequence[Prompt | None]
) -> Iterator[_Fault]:
    def where(is_at: Callable[[ShapeRow], bool]) -> np.ndarray:
        return np.array([is_at(row) for row in rows], dtype=bool)

    yield _Fault(
        where(lambda row: row.kind not in _KINDS),
        "is of an unknown kind and is not used",
        "are of an unknown kind and are not used",
    )
    yield _Fault(
        where(lambda row: not row.is_positive and row.kind not in _LINES),
        "is negative and is not used; a box or a lasso says where an object is",
        "are negative and are not used; boxes and lassos say where objects are",
    )
    yield _Fault(
        where(lambda row: _depth_of(cut, row) > FAR_FROM_FRAME),
        "does not lie on one frame and is not used",
        "do not lie on one frame and are not used",
    )
    yield _outside_movie(cut, placed.frames)
    yield _Fault(
        where(lambda row: row.kind not in _LINES and _is_outside(cut, row)),
        "lies outside the picture and is not used",
        "lie outside the picture and are not used",
    )
    yield _Fault(
        np.array([one is None for one in shown], dtype=bool),
        "covers nothing of the picture and is not used",
        "cover nothing of the picture and are not used",
    )


def _replaced(
    rows: Sequence[ShapeRow], frames: Sequence[int], used: Sequence[int]
) -> _Fault:
    """Boxes and lassos that a later one of their object on their frame replaces."""
    outlines = [one for one in used if rows[one].kind not in _LINES]
    left = Counter((rows[one].object_id, frames[one]) for one in outlines)
    is_at = np.zeros(len(rows), dtype=bool)
    for place in outlines:
        key = rows[place].object_id, frames[place]
        left[key] -= 1
        is_at[place] = left[key] > 0
    return _Fault(
        is_at,
        "is not used, since a later one is on the same frame",
        "are not used, since later ones are on the same frames",
    )


def _scribbles(
    cut: Cut, rows: Sequence[ScribbleRow], notices: list[str]
) -> dict[tuple[int, int], list[Scribble]]:
    """The scribbles of each object and frame."""
    places = [dict(zip(row.sliced, row.place, strict=False)) for row in rows]
    frames = [0 if cut.axis is None else place.get(cut.axis, -1) for place in places]
    is_used = np.array(
        [
            all(at.get(axis, index) == index for axis, index in cut.fixed)
            for at in places
        ],
        dtype=bool,
    )
    for fault in _scribble_faults(cut, rows, np.array(frames, dtype=int)):
        _note(notices, fault.notices("scribble", rows, is_used))
        is_used &= ~fault.is_at
    found: dict[tuple[int, int], list[Scribble]] = {}
    for place in np.flatnonzero(is_used).tolist():
        key = rows[place].object_id, frames[place]
        found.setdefault(key, []).append(rows[place].scribble)
    return found


def _scribble_faults(
    cut: Cut, rows: Sequence[ScribbleRow], frames: np.ndarray
) -> Iterator[_Fault]:
    yield _Fault(
        np.array([row.sliced != cut.sliced_axes for row in rows], dtype=bool),
        "was drawn along another axis and is not used",
        "were drawn along another axis and are not used",
    )
    yield _outside_movie(cut, frames)
    yield _Fault(
        np.array([row.pixels.shape != cut.frame_shape for row in rows], dtype=bool),
        "has another size than the picture and is not used",
        "have another size than the picture and are not used",
    )


def _with_scribbles(
    prompts: PromptSet, painted: Mapping[tuple[int, int], Sequence[Scribble]]
) -> PromptSet:
    """Add scribbles, which know behind how many of the points they come."""
    found = {(one.object_id, one.frame): one for one in prompts}
    for key, scribbles in painted.items():
        earlier = found.get(key)
        if earlier is None:
            found[key] = Prompt(*key, scribbles=scribbles)
        else:
            found[key] = replace(earlier, scribbles=(*earlier.scribbles, *scribbles))
    return PromptSet(found.values())


def _is_outside(cut: Cut, row: ShapeRow) -> bool:
    """Whether an outline lies beside the picture."""
    flat = np.array(row.vertices)[:, list(cut.frame_axes)]
    low, high = flat.min(axis=0), flat.max(axis=0)
    highest = np.array(cut.frame_shape) - 1
    return bool((low >= highest).any() or (high <= 0).any())


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


def _total(
    counts: Counter[tuple[int, int]], object_id: int, frames: Iterable[int]
) -> int:
    return sum(counts[object_id, frame] for frame in frames)
