"""Strokes over an object or beside it."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from scipy import ndimage

from napari_sam_decoder.errors import PromptError
from napari_sam_decoder.prompts.painted_mask import PaintedMask, checked_shape
from napari_sam_decoder.prompts.positions import checked_positions
from napari_sam_decoder.validation import as_bool, as_integer

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from napari_sam_decoder.prompts.positions import Position

__all__ = ["Scribble", "checked_scribbles"]

_FARTHEST = 10**5
"""Lines reach no farther outside a frame, in pixels."""


@dataclass(frozen=True)
class Scribble:
    """Pixels of a frame that a user says are on an object, or beside it.

    Attributes
    ----------
    pixels : PaintedMask
        Or a (Y, X) array of bool or integers over the whole frame, not 0 where the
        stroke is. At least one pixel.
    is_positive : bool, default True
        True on the object, False beside it, as an eraser says.
    after : int, default 0
        How many points of the prompt had been given before it. A prompt reduces it to
        the number of its points, and to that of the next scribble.

    Raises
    ------
    PromptError
        If a value is invalid for any movie.
    """

    pixels: PaintedMask
    is_positive: bool = True
    after: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "pixels", PaintedMask.of(self.pixels))
        positive = as_bool(self.is_positive, "is_positive", PromptError)
        object.__setattr__(self, "is_positive", positive)
        after = as_integer(self.after, "the number of points before it", PromptError)
        object.__setattr__(self, "after", after)
        if self.pixels.is_empty:
            raise PromptError(
                "a scribble has no pixel; draw at least one, or leave it out"
            )
        if after < 0:
            raise PromptError(
                f"a scribble comes after 0 or more points, not after {after}"
            )

    @classmethod
    def along(
        cls,
        positions: Sequence[Position] | np.ndarray,
        shape: tuple[int, int],
        *,
        is_positive: bool = True,
        after: int = 0,
    ) -> Self:
        """Draw a line 3 pixels wide.

        Parameters
        ----------
        positions : (N, 2) array-like of float
            (row, column) of the vertices in frame pixels, at least one.
        shape : (rows, columns)
            Of the frame; what lies outside is left out.
        is_positive, after
            As for a scribble.

        Raises
        ------
        PromptError
            If the positions are invalid, or the line is all outside the frame.
        """
        vertices, (rows, columns) = checked_positions(positions), checked_shape(shape)
        line = _line(vertices, (rows, columns)) if vertices else np.zeros((0, 0), bool)
        if not line.any():
            raise PromptError(
                f"no part of the line is in the picture of {rows} rows and {columns} "
                "columns; draw it over the picture"
            )
        return cls(PaintedMask.of(line), is_positive, after)


def checked_scribbles(scribbles: Any, points: int) -> tuple[Scribble, ...]:
    """List the scribbles of a prompt, each after as many points as there can have been.

    Parameters
    ----------
    scribbles : iterable of Scribble
        In the order drawn.
    points : int
        How many the prompt has.

    Raises
    ------
    PromptError
        If anything else is among them.
    """
    given = _listed(scribbles)
    checked: list[Scribble] = []
    # Points may have gone since, so that a later scribble knows better how many there
    # were.
    for one in reversed(given):
        points = min(points, one.after)
        checked.append(Scribble(one.pixels, one.is_positive, points))
    return tuple(reversed(checked))


def _listed(scribbles: Iterable[Scribble]) -> list[Scribble]:
    try:
        given = list(scribbles)
    except TypeError as error:
        raise PromptError(
            f"scribbles are a list, as in [Scribble(pixels)], not {scribbles!r}"
        ) from error
    for one in given:
        if not isinstance(one, Scribble):
            raise PromptError(
                f"{one!r} is not a Scribble; make one of its pixels, as in "
                "Scribble(pixels)"
            )
    return given


def _line(vertices: Sequence[Position], shape: tuple[int, int]) -> np.ndarray:
    """(Y, X) pixels at most one beside a line, bool."""
    # Only needed for lines, and slow to import.
    from skimage.draw import line

    # One pixel more on each side, so that a line just outside widens into the frame.
    padded = np.zeros((shape[0] + 2, shape[1] + 2), bool)
    highest = np.array(shape) + _FARTHEST
    nearest = np.rint(np.clip(np.array(vertices), -_FARTHEST, highest)).astype(int) + 1
    for start, stop in pairwise([nearest[0], *nearest]):
        rows, columns = line(*start, *stop)
        inside = (rows >= 0) & (rows < padded.shape[0])
        inside &= (columns >= 0) & (columns < padded.shape[1])
        padded[rows[inside], columns[inside]] = True
    wide: np.ndarray = ndimage.binary_dilation(padded, np.ones((3, 3), bool))
    return wide[1:-1, 1:-1]
