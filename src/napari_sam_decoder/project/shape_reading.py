"""Rows of shapes read as prompts: boxes, lassos and lines."""

from __future__ import annotations

from dataclasses import dataclass
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
    from collections.abc import Iterator, Sequence

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

_KEPT_SHAPES = 2**12
"""A click changes one row, and lassos may have thousands of vertices."""


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
    planes = _Planes(cut.sliced_axes, cut.frame_axes, cut.frame_shape)
    shown = [
        _shown_by(row, frame, planes) for row, frame in zip(rows, frames, strict=True)
    ]
    check = RowCheck("shape", rows, placed.is_on_planes, notices)
    for fault in _shape_faults(cut, rows, placed.frames, shown):
        check.leave_out(fault)
    for noun, kinds in (("box", (BOX,)), ("lasso", (LASSO, _ELLIPSE))):
        check.note(_replaced(rows, frames, check.used, kinds), noun)
    for place in check.used:
        prompt = shown[place].prompt
        if prompt is not None:
            yield prompt


@dataclass(frozen=True)
class _Planes:
    """What is to be known of a movie."""

    sliced_axes: tuple[int, ...]
    frame_axes: tuple[int, int]
    frame_shape: tuple[int, int]


@dataclass(frozen=True)
class _Shown:
    """What a shape says on a frame.

    Attributes
    ----------
    prompt : Prompt or None
        None if it says nothing.
    depth : float
        How far it reaches across frames and planes.
    is_beside : bool
        Whether all of it lies beside the picture.
    """

    prompt: Prompt | None
    depth: float
    is_beside: bool


@lru_cache(maxsize=_KEPT_SHAPES)
def _shown_by(row: ShapeRow, frame: int, planes: _Planes) -> _Shown:
    vertices = np.array(row.vertices)
    across = vertices[:, list(planes.sliced_axes)]
    flat = vertices[:, list(planes.frame_axes)]
    low, high = flat.min(axis=0), flat.max(axis=0)
    highest = np.array(planes.frame_shape) - 1
    is_beside = row.kind not in _LINES and ((low >= highest) | (high <= 0)).any()
    return _Shown(
        _prompt(row, frame, flat, planes.frame_shape),
        float(np.ptp(across, axis=0).max(initial=0)),
        bool(is_beside),
    )


def _prompt(
    row: ShapeRow, frame: int, vertices: np.ndarray, frame_shape: tuple[int, int]
) -> Prompt | None:
    shown: dict[str, Any] = {"hypothesis": row.hypothesis or None}
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
        return Prompt(row.object_id, frame, **shown)
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
    cut: Cut, rows: Sequence[ShapeRow], frames: np.ndarray, shown: Sequence[_Shown]
) -> Iterator[Fault]:
    is_line = np.array([row.kind in _LINES for row in rows], dtype=bool)
    is_negative = np.array([not row.is_positive for row in rows], dtype=bool)
    yield Fault(
        np.array([row.kind not in _KINDS for row in rows], dtype=bool),
        "is of an unknown kind and is not used; draw a box, a lasso or a scribble",
        "are of an unknown kind and are not used; draw boxes, lassos or scribbles",
    )
    yield Fault(
        is_negative & ~is_line,
        "is negative and is not used; a box or a lasso says where an object is",
        "are negative and are not used; boxes and lassos say where objects are",
    )
    yield Fault(
        np.array([one.depth > FAR_FROM_FRAME for one in shown], dtype=bool),
        "does not lie on one frame and is not used; draw it again on one",
        "do not lie on one frame and are not used; draw each again on one",
    )
    yield outside_movie(cut, frames)
    yield Fault(
        np.array([one.is_beside for one in shown], dtype=bool),
        "lies outside the picture and is not used; move it inside or delete it",
        "lie outside the picture and are not used; move them inside or delete them",
    )
    yield Fault(
        np.array([one.prompt is None for one in shown], dtype=bool),
        "covers nothing of the picture and is not used; enlarge or delete it",
        "cover nothing of the picture and are not used; enlarge or delete them",
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
