"""Rows of points, shapes and scribbles read as prompts, and why some are not used."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from napari_sam_decoder.project.placed_rows import (
    Fault,
    Placed,
    RowCheck,
    between_frames,
    name_frames,
    outside_movie,
)
from napari_sam_decoder.project.prompt_rows import ScribbleRow
from napari_sam_decoder.project.shape_reading import shape_prompts
from napari_sam_decoder.prompts import Prompt, PromptSet

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from napari_sam_decoder.project.cut import Cut
    from napari_sam_decoder.project.document import Document
    from napari_sam_decoder.project.prompt_rows import PointRow, ShapeRow

__all__ = [
    "NO_PROMPTS",
    "ObjectPrompts",
    "PromptReading",
    "ended_confirmations",
    "pick_mask",
    "read_document",
    "read_rows",
    "split_rows",
    "unused_notices",
]

KEPT_PROMPTS = 2**15
"""A click changes one point, and there may be thousands."""

_Row = TypeVar("_Row", "PointRow", "ShapeRow", "ScribbleRow")


@dataclass(frozen=True)
class ObjectPrompts:
    """What points at one object.

    Attributes
    ----------
    object_id : int
    frames : tuple of int
        The frames with a positive point or scribble, a box or a lasso that is used, or
        with a confirmed mask; ascending.
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
        Those with a positive point or scribble, a box, a lasso or a confirmed mask.
    negatives : PromptSet
        Negative points and scribbles alone on their frame, which can only correct
        existing labels, and confirmed absences.
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
        In the order drawn. Those on other planes are passed over. What they pick counts
        where points and shapes pick nothing. Where one is whole, it alone counts.

    Returns
    -------
    PromptReading
    """
    notices: list[str] = []
    shown = [*shape_prompts(cut, shapes, notices)]
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
    rows : sequence of PointRow, ShapeRow or ScribbleRow
        All of one kind; left as they are.
    place : (int, int)
        Object id and frame.
    number : {1, 2, 3} or None
        None to choose automatically again.

    Returns
    -------
    tuple of PointRow, ShapeRow or ScribbleRow
        All rows, of which some pick a mask now.
    """
    object_id, frame = place
    is_on_planes, frames = _places(cut, rows)
    is_meant = is_on_planes & (frames == frame)
    return tuple(
        replace(row, hypothesis=number or 0)
        if is_here and row.object_id == object_id and not _is_whole(row)
        else row
        for row, is_here in zip(rows, is_meant, strict=True)
    )


def split_rows(
    cut: Cut, rows: Sequence[Any], ids: tuple[int, int], start: int
) -> tuple[Any, ...]:
    """Give the rows of an object from a frame on to another one.

    Parameters
    ----------
    cut : Cut
        The movie; rows on its other planes count as well.
    rows : sequence of PointRow, ShapeRow or ScribbleRow
        Of all objects.
    ids : (int, int)
        The object, and the one that gets the rows.
    start : int
        The first frame.
    """
    object_id, new_id = ids
    places = [place for place, row in enumerate(rows) if row.object_id == object_id]
    _, frames = _places(cut, [rows[place] for place in places])
    split = list(rows)
    for place, frame in zip(places, frames.tolist(), strict=True):
        if frame >= start:
            split[place] = replace(rows[place], object_id=new_id)
    return tuple(split)


def ended_confirmations(
    cut: Cut, before: Mapping[str, Sequence[Any]], now: Mapping[str, Sequence[Any]]
) -> dict[ScribbleRow, tuple[int, int]]:
    """Find the confirmed masks of objects and frames where something was shown since.

    Parameters
    ----------
    cut : Cut
        The movie.
    before, now : mapping of str to sequence
        Rows of "points", "shapes" and "scribbles".

    Returns
    -------
    dict of ScribbleRow to (object id, frame)
        Rows among the scribbles now that count no more.
    """
    # One that is new, or that another object has got, says more than what was shown.
    earlier = {row for row in before["scribbles"] if row.is_whole}
    whole = [row for row in now["scribbles"] if row in earlier]
    if not whole:
        return {}
    touched: set[tuple[int, int]] = set()
    for name in now:
        rows = [*before[name], *now[name]]
        counts = Counter(before[name]), Counter(now[name])
        changed = [
            row
            for row in dict.fromkeys(rows)
            if counts[0][row] != counts[1][row] and not _is_whole(row)
        ]
        is_on_planes, frames = _places(cut, changed)
        touched |= {
            (row.object_id, frame)
            for row, frame, is_here in zip(
                changed, frames.tolist(), is_on_planes, strict=True
            )
            if is_here
        }
    is_on_planes, frames = _places(cut, whole)
    return {
        row: (row.object_id, frame)
        for row, frame, is_here in zip(
            whole, frames.tolist(), is_on_planes, strict=True
        )
        if is_here and (row.object_id, frame) in touched
    }


def _is_whole(row: PointRow | ShapeRow | ScribbleRow) -> bool:
    return isinstance(row, ScribbleRow) and row.is_whole


def _places(cut: Cut, rows: Sequence[Any]) -> tuple[np.ndarray, np.ndarray]:
    """(N,) whether each row is on the planes of a movie, and its (N,) frame there."""
    if rows and isinstance(rows[0], ScribbleRow):
        return _places_of_scribbles(cut, rows)
    placed = Placed.on(cut, rows)
    return placed.is_on_planes, placed.frames


def _places_of_scribbles(
    cut: Cut, rows: Sequence[ScribbleRow]
) -> tuple[np.ndarray, np.ndarray]:
    places = [dict(zip(row.sliced, row.place, strict=False)) for row in rows]
    frames = [0 if cut.axis is None else place.get(cut.axis, -1) for place in places]
    is_on_planes = [
        all(at.get(axis, index) == index for axis, index in cut.fixed) for at in places
    ]
    return np.array(is_on_planes, dtype=bool), np.array(frames, dtype=int)


def unused_notices(negatives: Iterable[Prompt]) -> tuple[str, ...]:
    """Say which objects have frames with negative points that are not used.

    Parameters
    ----------
    negatives : iterable of Prompt
        Of negative points and scribbles alone, on frames without labels to correct;
        confirmed absences are in use.

    Returns
    -------
    tuple of str
        One notice per object.
    """
    found: dict[int, list[Prompt]] = {}
    for prompt in negatives:
        if prompt.is_absence:
            continue
        found.setdefault(prompt.object_id, []).append(prompt)
    return tuple(_unused_notice(one, found[one]) for one in sorted(found))


def _unused_notice(object_id: int, negatives: Sequence[Prompt]) -> str:
    frames = name_frames(sorted(one.frame for one in negatives))
    noun = "points" if any(one.points for one in negatives) else "scribbles"
    return (
        f"object {object_id} has only negative {noun} on {frames}, which are not used; "
        "add a positive point there"
    )


def _ids(rows: Iterable[PointRow | ShapeRow | ScribbleRow]) -> set[int]:
    return {row.object_id for row in rows}


def _point_prompts(
    cut: Cut, rows: Sequence[PointRow], notices: list[str]
) -> Iterator[Prompt]:
    placed = Placed.on(cut, rows)
    check = RowCheck("point", rows, placed.is_on_planes, notices)
    for fault in _position_faults(cut, placed):
        check.leave_out(fault)
    check.note(between_frames(placed))
    frames, positions = placed.frames.tolist(), placed.positions.tolist()
    for place in check.used:
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


def _position_faults(cut: Cut, placed: Placed) -> Iterator[Fault]:
    yield outside_movie(cut, placed.frames)
    highest = np.array(cut.frame_shape) - 0.5
    yield Fault(
        np.any((placed.positions < -0.5) | (placed.positions > highest), axis=1),
        "lies outside the picture and is not used; move it inside or delete it",
        "lie outside the picture and are not used; move them inside or delete them",
    )


def _scribbles(
    cut: Cut, rows: Sequence[ScribbleRow], notices: list[str]
) -> dict[tuple[int, int], list[ScribbleRow]]:
    """The scribbles of each object and frame."""
    is_on_planes, frames = _places_of_scribbles(cut, rows)
    check = RowCheck("scribble", rows, is_on_planes, notices)
    for fault in _scribble_faults(cut, rows, frames):
        check.leave_out(fault)
    found: dict[tuple[int, int], list[ScribbleRow]] = {}
    for place in check.used:
        key = rows[place].object_id, int(frames[place])
        found.setdefault(key, []).append(rows[place])
    return found


def _scribble_faults(
    cut: Cut, rows: Sequence[ScribbleRow], frames: np.ndarray
) -> Iterator[Fault]:
    yield Fault(
        np.array([row.sliced != cut.sliced_axes for row in rows], dtype=bool),
        "was drawn along another axis and is not used; choose that axis, or draw again",
        "were drawn along another axis and are not used; choose it, or draw again",
    )
    yield outside_movie(cut, frames)
    yield Fault(
        np.array([row.pixels.shape != cut.frame_shape for row in rows], dtype=bool),
        "has another size than the picture and is not used; draw it again",
        "have another size than the picture and are not used; draw them again",
    )


def _with_scribbles(
    prompts: PromptSet, painted: Mapping[tuple[int, int], Sequence[ScribbleRow]]
) -> PromptSet:
    """Add scribbles, which know behind how many of the points they come."""
    found = {(one.object_id, one.frame): one for one in prompts}
    for key, rows in painted.items():
        whole = [row for row in rows if row.is_whole]
        if whole:
            found[key] = Prompt(*key, mask=whole[-1].pixels)
            continue
        scribbles = tuple(row.scribble for row in rows)
        picked = max(row.hypothesis for row in rows) or None
        earlier = found.get(key)
        if earlier is None:
            found[key] = Prompt(*key, scribbles=scribbles, hypothesis=picked)
        else:
            found[key] = replace(
                earlier,
                scribbles=(*earlier.scribbles, *scribbles),
                hypothesis=earlier.hypothesis or picked,
            )
    return PromptSet(found.values())


def _total(
    counts: Counter[tuple[int, int]], object_id: int, frames: Iterable[int]
) -> int:
    return sum(counts[object_id, frame] for frame in frames)
