"""Rows of shapes read as prompts: boxes, lassos and lines."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_sam_decoder.errors import PromptError
from napari_sam_decoder.project.placed_rows import (
    FAR_FROM_FRAME,
    Fault,
    Placed,
    RowCheck,
    outside_movie,
)
from napari_sam_decoder.prompts import Prompt, Scribble

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from napari_sam_decoder.project.cut import Cut
    from napari_sam_decoder.project.prompt_rows import ShapeRow

__all__ = ["BOX", "LASSO", "shape_prompts"]

BOX = "rectangle"
"""The kind of shapes that are boxes."""

LASSO = "polygon"
"""The kind of shapes that are lassos, drawn freehand or not."""

_ELLIPSE, _LINES = "ellipse", ("line", "path")
_KINDS = (BOX, LASSO, _ELLIPSE, *_LINES)
_ELLIPSE_VERTICES = 64

_KEPT_PROMPTS = 2**12
"""A click changes one row, and there may be many shapes."""


def shape_prompts(
    cut: Cut, rows: Sequence[ShapeRow], notices: list[str]
) -> Iterator[Prompt]:
    """Read shapes as prompts of one shape each.

    Parameters
    ----------
    cut : Cut
        The movie.
    rows : sequence of ShapeRow
        Of any kind.
    notices : list of str
        Gets those about shapes that are not used.

    Yields
    ------
    Prompt
        With a box, a lasso or a scribble.
    """
    placed = Placed.on(cut, rows)
    frames = placed.frames.tolist()
    axes, shape = cut.frame_axes, cut.frame_shape
    shown = [
        _shown_by(row, frame, axes, shape)
        for row, frame in zip(rows, frames, strict=True)
    ]
    check = RowCheck("shape", rows, placed.is_on_planes, notices)
    for fault in _shape_faults(cut, rows, placed, shown):
        check.leave_out(fault)
    for noun, kinds in (("box", (BOX,)), ("lasso", (LASSO, _ELLIPSE))):
        check.note(_replaced(rows, frames, check.used, kinds), noun)
    for place in check.used:
        prompt = shown[place]
        if prompt is not None:
            yield prompt


@lru_cache(maxsize=_KEPT_PROMPTS)
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
    cut: Cut, rows: Sequence[ShapeRow], placed: Placed, shown: Sequence[Prompt | None]
) -> Iterator[Fault]:
    def where(is_at: Callable[[ShapeRow], bool]) -> np.ndarray:
        return np.array([is_at(row) for row in rows], dtype=bool)

    yield Fault(
        where(lambda row: row.kind not in _KINDS),
        "is of an unknown kind and is not used",
        "are of an unknown kind and are not used",
    )
    yield Fault(
        where(lambda row: not row.is_positive and row.kind not in _LINES),
        "is negative and is not used; a box or a lasso says where an object is",
        "are negative and are not used; boxes and lassos say where objects are",
    )
    yield Fault(
        where(lambda row: _depth_of(cut, row) > FAR_FROM_FRAME),
        "does not lie on one frame and is not used",
        "do not lie on one frame and are not used",
    )
    yield outside_movie(cut, placed.frames)
    yield Fault(
        where(lambda row: row.kind not in _LINES and _is_outside(cut, row)),
        "lies outside the picture and is not used",
        "lie outside the picture and are not used",
    )
    yield Fault(
        np.array([one is None for one in shown], dtype=bool),
        "covers nothing of the picture and is not used",
        "cover nothing of the picture and are not used",
    )


def _replaced(
    rows: Sequence[ShapeRow],
    frames: Sequence[int],
    used: Sequence[int],
    kinds: tuple[str, ...],
) -> Fault:
    """The fault of outlines of some kinds that a later outline replaces."""
    outlines = [one for one in used if rows[one].kind not in _LINES]
    last = {(rows[one].object_id, frames[one]): one for one in outlines}
    is_at = np.zeros(len(rows), dtype=bool)
    for one in outlines:
        is_last = last[rows[one].object_id, frames[one]] == one
        is_at[one] = rows[one].kind in kinds and not is_last
    return Fault(
        is_at,
        "is not used, since a later one is on the same frame",
        "are not used, since later ones are on the same frames",
    )


def _is_outside(cut: Cut, row: ShapeRow) -> bool:
    """Whether an outline lies beside the picture."""
    flat = np.array(row.vertices)[:, list(cut.frame_axes)]
    low, high = flat.min(axis=0), flat.max(axis=0)
    highest = np.array(cut.frame_shape) - 1
    return bool((low >= highest).any() or (high <= 0).any())


def _depth_of(cut: Cut, row: ShapeRow) -> float:
    """How far a shape reaches across frames and planes."""
    across = np.array(row.vertices)[:, list(cut.sliced_axes)]
    return float(np.ptp(across, axis=0).max(initial=0))
