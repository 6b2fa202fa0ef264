"""Prompts and corrections as a user would give them, made from the truth."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from napari_sam_decoder import Prompt, Scribble
from napari_sam_decoder.metrics import mask_iou
from tracking_parts.middle_line import middle_line

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_sam_decoder import Session
    from tracking_parts.data import Target

    Position = tuple[float, float]
    Box = tuple[float, float, float, float]

__all__ = [
    "CORRECTIONS",
    "INITS",
    "correcting_box",
    "correcting_click",
    "correcting_mask",
    "correcting_scribble",
    "inmost",
    "outline",
    "wrong_place",
]


def inmost(mask: np.ndarray) -> Position:
    """(row, column) of the pixel deepest inside a non-empty mask."""
    # The zero rim keeps the point away from the border of the picture.
    depth = ndimage.distance_transform_edt(np.pad(mask, 1))
    row, column = np.unravel_index(int(depth.argmax()), depth.shape)
    return float(row - 1), float(column - 1)


def outline(mask: np.ndarray) -> Box:
    """(row0, column0, row1, column1) around a non-empty mask.

    The far corner lies a pixel beyond it, so that even a line of pixels has a width.
    """
    rows, columns = np.nonzero(mask)
    far = rows.max() + 1, columns.max() + 1
    return float(rows.min()), float(columns.min()), float(far[0]), float(far[1])


def correcting_click(target: Target, frame: int, found: np.ndarray) -> Prompt | None:
    """Click deepest inside the largest error of a mask.

    Parameters
    ----------
    target : Target
        Whose object.
    frame : int
        On which frame.
    found : (Y, X) array of bool
        Its mask so far.

    Returns
    -------
    Prompt or None
        A positive click where the object is missing, a negative one where the mask is
        too large; None if nothing is wrong.
    """
    click = wrong_place(target.truth(frame), found)
    if click is None:
        return None
    place, is_missing = click
    return Prompt(target.object_id, frame, [place], signs=[is_missing])


def correcting_scribble(target: Target, frame: int, found: np.ndarray) -> Prompt | None:
    """Draw a line along the middle of the largest error of a mask, half as long.

    Parameters and returns are those of `correcting_click`. The line is 3 pixels wide,
    also where the error is narrower.
    """
    wrong = _wrong_part(target.truth(frame), found)
    if wrong is None:
        return None
    part, is_missing = wrong
    scribble = Scribble.along(middle_line(part), part.shape, is_positive=is_missing)
    return Prompt(target.object_id, frame, scribbles=[scribble])


def correcting_box(target: Target, frame: int, found: np.ndarray) -> Prompt | None:
    """Draw a box around the object, or click where there is none but a mask.

    Parameters and returns are those of `correcting_click`.
    """
    truth = target.truth(frame)
    if not truth.any() or np.array_equal(truth, found):
        return correcting_click(target, frame, found)
    return Prompt(target.object_id, frame, box=outline(truth))


def correcting_mask(target: Target, frame: int, found: np.ndarray) -> Prompt | None:
    """Paint the whole object.

    Parameters and returns are those of `correcting_click`.
    """
    truth = target.truth(frame)
    if np.array_equal(truth, found):
        return None
    return Prompt(target.object_id, frame, mask=truth)


def wrong_place(truth: np.ndarray, found: np.ndarray) -> tuple[Position, bool] | None:
    """(row, column) deepest inside the largest error of a mask.

    With it, whether the object is missing there; None if nothing is wrong.
    """
    wrong = _wrong_part(truth, found)
    return None if wrong is None else (inmost(wrong[0]), wrong[1])


def _wrong_part(truth: np.ndarray, found: np.ndarray) -> tuple[np.ndarray, bool] | None:
    """(Y, X) bool: the largest error of a mask; and whether the object is missing."""
    missing, extra = _largest_part(truth & ~found), _largest_part(found & ~truth)
    is_missing = bool(missing.sum() >= extra.sum())
    wrong = missing if is_missing else extra
    return (wrong, is_missing) if wrong.any() else None


def _largest_part(mask: np.ndarray) -> np.ndarray:
    parts, count = ndimage.label(mask)
    if count < 2:
        return mask
    largest: np.ndarray = parts == 1 + np.bincount(parts.ravel())[1:].argmax()
    return largest


def _mask(session: Session, target: Target) -> Prompt:
    return Prompt(target.object_id, target.start, mask=target.truth(target.start))


def _box(session: Session, target: Target) -> Prompt:
    box = outline(target.truth(target.start))
    return Prompt(target.object_id, target.start, box=box)


def _one_click(session: Session, target: Target) -> Prompt:
    """Click once, and pick the hypothesis that fits the truth best."""
    truth = target.truth(target.start)
    click = Prompt(target.object_id, target.start, [inmost(truth)])
    offers = session.preview(click).hypotheses
    picked = max(offers, key=lambda offer: mask_iou(truth, offer.mask))
    return replace(click, hypothesis=picked.number)


def _three_clicks(session: Session, target: Target) -> Prompt:
    prompt = Prompt(
        target.object_id, target.start, [inmost(target.truth(target.start))]
    )
    for _ in range(2):
        shown = session.preview(prompt).chosen.mask
        click = correcting_click(target, target.start, shown)
        prompt = prompt.merge(click) if click else prompt
    return prompt


INITS: dict[str, Callable[[Session, Target], Prompt]] = {
    "mask": _mask,
    "click1": _one_click,
    "click3": _three_clicks,
    "box": _box,
}
"""Ways to prompt for an object on its first frame."""

CORRECTIONS: dict[str, Callable[[Target, int, np.ndarray], Prompt | None]] = {
    "clicks": correcting_click,
    "box": correcting_box,
    "scribble": correcting_scribble,
    "mask": correcting_mask,
}
"""Ways to correct a mask on a frame; all give None if nothing is wrong."""
