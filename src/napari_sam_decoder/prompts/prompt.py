"""One prompt: points, a box or a painted mask, for one object on one frame."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_sam_decoder.errors import PromptError
from napari_sam_decoder.model.values import ModelPrompt
from napari_sam_decoder.validation import (
    MAX_HYPOTHESIS,
    MAX_OBJECT_ID,
    as_bools,
    as_finite_array,
    as_integer,
    as_plain_array,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_sam_decoder.frames import FrameGeometry, Movie

__all__ = ["LOGIT_SCALE", "PaintedMask", "Prompt", "checked_positions", "mask_logits"]

LOGIT_SCALE = 8.0
"""Logit of a low-res pixel that a painted mask covers completely."""


@dataclass(frozen=True)
class PaintedMask:
    """An object on one frame as the user has painted it; made by `PaintedMask.of`.

    Masks are compared by value, and the fields are plain numbers, so that they can be
    written to JSON without loss.

    Attributes
    ----------
    shape : (rows, columns)
        Of the whole frame.
    runs : tuple of int
        Run lengths along the rows of the frame: first the number of pixels beside the
        object, which may be 0, then the number of pixels on it, and so on.

    Raises
    ------
    PromptError
        If the runs do not fill the shape.
    """

    shape: tuple[int, int]
    runs: tuple[int, ...]

    def __repr__(self) -> str:
        pixels = sum(self.runs[1::2])
        return f"{type(self).__name__}(shape={self.shape}, pixels={pixels})"

    def __post_init__(self) -> None:
        shape = _checked_sizes(self.shape, "the shape of a mask")
        runs = _checked_sizes(self.runs, "the runs of a mask")
        is_full = len(shape) == 2 and sum(runs) == shape[0] * shape[1]
        if not is_full or 0 in runs[1:]:
            raise PromptError(
                f"runs of {sum(runs)} pixels do not fill a mask of shape {shape}; make "
                "masks with PaintedMask.of"
            )
        object.__setattr__(self, "shape", shape)
        object.__setattr__(self, "runs", runs)

    @classmethod
    def of(cls, pixels: Any) -> PaintedMask:
        """Make a painted mask from an array.

        Parameters
        ----------
        pixels : (Y, X) array-like of bool or integers, or PaintedMask
            True, or not 0, on the object. All pixels may be 0, see `is_empty`.

        Raises
        ------
        PromptError
            If it is not a plane of booleans or integers.
        """
        if isinstance(pixels, PaintedMask):
            return pixels
        plane = _checked_plane(pixels)
        on_object = plane.ravel() != 0
        changes = np.flatnonzero(np.diff(on_object, prepend=False))
        runs = np.diff(changes, prepend=0, append=on_object.size)
        return cls((plane.shape[0], plane.shape[1]), tuple(runs.tolist()))

    @property
    def is_empty(self) -> bool:
        """Whether the mask has no pixel: the object is not on this frame."""
        return len(self.runs) == 1

    def to_array(self) -> np.ndarray:
        """Return the mask as a new (Y, X) array of bool."""
        is_object = np.arange(len(self.runs)) % 2 == 1
        return np.repeat(is_object, self.runs).reshape(self.shape)


def mask_logits(
    mask: np.ndarray, geometry: FrameGeometry, mask_size: int
) -> np.ndarray:
    """Bring a mask to the decoder's low-res grid, as logits for a mask prompt.

    Parameters
    ----------
    mask : (Y, X) array of bool
        Over the whole frame.
    geometry : FrameGeometry
        Of the frame in the network's input.
    mask_size : int
        Side of the low-res logits, 256 for the public checkpoints.

    Returns
    -------
    (mask_size, mask_size) array of float32
        ``LOGIT_SCALE * (2 p - 1)``, where p in 0..1 is the share of a low-res pixel
        that the mask covers: 8 inside, 0 where the edge halves a pixel, -8 beside the
        object and in the padding. If a mask covers no low-res pixel by half but is not
        empty, the pixel that it covers most becomes positive.
    """
    covered = geometry.coverage(mask, mask_size)
    logits: np.ndarray = LOGIT_SCALE * (2 * covered - 1)
    if mask.any() and not (logits > 0).any():
        logits[np.unravel_index(int(logits.argmax()), logits.shape)] = LOGIT_SCALE
    return logits


def _checked_plane(pixels: Any) -> np.ndarray:
    plane = as_plain_array(pixels, "a mask", PromptError)
    if plane.ndim != 2:
        raise PromptError(
            f"a mask is one frame of rows and columns, not an array of shape "
            f"{plane.shape}; give the painted frame alone, as in labels[frame] == 1"
        )
    if plane.dtype.kind not in "bui":
        raise PromptError(
            f"a mask holds booleans or integers, not {plane.dtype}; compare first, as "
            "in mask > 0.5"
        )
    return plane


def _checked_sizes(sizes: Any, what: str) -> tuple[int, ...]:
    found = as_plain_array(sizes, what, PromptError)
    is_row = found.ndim == 1 and found.size > 0 and found.dtype.kind in "ui"
    if not is_row or (found < 0).any():
        raise PromptError(f"{what} must be whole numbers from 0")
    return tuple(found.tolist())


Position = tuple[float, float]
Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class Prompt:
    """Points, a box, a painted mask, or several of these, for an object on a frame.

    Attributes
    ----------
    object_id : int
        The object's value in the labels, 1 to 4294967295.
    frame : int
        Index of the frame, 0 or more.
    points : sequence of (row, column)
        In frame pixels, integers at pixel centres.
    signs : sequence of bool, optional
        True for a point on the object, False for one beside it, or 1 and 0; all True
        by default.
    box : (row0, column0, row1, column1), optional
        Two opposite corners, in any order.
    hypothesis : {1, 2, 3}, optional
        The mask that the user has picked; by default the best one is chosen.
    mask : PaintedMask, optional
        The object as the user has painted it, or a (Y, X) array of bool or integers,
        not 0 on the object. Points and a box refine it. An empty mask says that the
        object is not on this frame, see `is_absence`.

    Raises
    ------
    PromptError
        If a value is invalid for any movie.
    """

    object_id: int
    frame: int
    points: Sequence[Position] = ()
    signs: Sequence[bool] | None = None
    box: Box | None = None
    hypothesis: int | None = None
    mask: PaintedMask | None = None

    def __post_init__(self) -> None:
        object.__setattr__(
            self, "object_id", as_integer(self.object_id, "an object id", PromptError)
        )
        object.__setattr__(
            self, "frame", as_integer(self.frame, "a frame", PromptError)
        )
        points = checked_positions(self.points)
        object.__setattr__(self, "points", points)
        object.__setattr__(self, "signs", _signs(self.signs, len(points)))
        object.__setattr__(self, "box", _ordered_box(self.box))
        object.__setattr__(self, "hypothesis", _picked(self.hypothesis))
        if self.mask is not None:
            object.__setattr__(self, "mask", PaintedMask.of(self.mask))
        self._check_numbers()
        self._check_presence()

    def __repr__(self) -> str:
        given = [f"object_id={self.object_id}, frame={self.frame}"]
        if self.points:
            points = ", ".join(f"({row:g}, {column:g})" for row, column in self.points)
            given.append(f"points=[{points}]")
        if not all(self.signs or ()):
            given.append(f"signs={[*(self.signs or ())]}")
        optional = {name: getattr(self, name) for name in ("box", "hypothesis", "mask")}
        given += [f"{key}={one!r}" for key, one in optional.items() if one is not None]
        return f"{type(self).__name__}({', '.join(given)})"

    @property
    def is_positive(self) -> bool:
        """Whether it says where the object is, not only where it is not."""
        return self._points_at_object or (
            self.mask is not None and not self.mask.is_empty
        )

    @property
    def is_absence(self) -> bool:
        """Whether it says that the object is not on this frame, by an empty mask.

        Additional negative points change nothing.
        """
        return self.mask is not None and self.mask.is_empty

    @property
    def is_single_click(self) -> bool:
        """Whether it is one point without a box, which is ambiguous."""
        return self.box is None and len(self.points) == 1

    @property
    def is_settled(self) -> bool:
        """Whether the painted mask is final, with nothing left to decode."""
        nothing_else = not self.points and self.box is None
        return self.is_absence or (self.mask is not None and nothing_else)

    def merge(self, other: Prompt) -> Prompt:
        """Join with a later prompt for the same object on the same frame.

        Points add up; the later box and hypothesis win. A later mask replaces all that
        came before, since it was painted over that result; later clicks refine it. A
        positive point or box ends an absence.
        """
        if other.mask is not None:
            return other
        is_found = self.is_absence and other.is_positive
        return replace(
            self,
            points=(*self.points, *other.points),
            signs=(*(self.signs or ()), *(other.signs or ())),
            box=other.box or self.box,
            hypothesis=other.hypothesis or self.hypothesis,
            mask=None if is_found else self.mask,
        )

    def check(self, movie: Movie) -> None:
        """Check that it fits a movie and says where the object is.

        Raises
        ------
        PromptError
            If there are only negative points and it is not an absence, or as in
            `check_inside`.
        """
        if not (self.is_positive or self.is_absence):
            raise PromptError(
                f"object {self.object_id} has only negative points on frame "
                f"{self.frame}; add a positive point or a box, or paint the object"
            )
        self.check_inside(movie)

    def check_inside(self, movie: Movie) -> None:
        """Check that it fits a movie.

        Negative points alone pass: they may correct an existing mask.

        Raises
        ------
        PromptError
            If the frame, a point or the whole box is outside the movie, or if the mask
            has another shape than its frames.
        """
        if self.frame >= len(movie):
            raise PromptError(
                f"object {self.object_id} has a prompt on frame {self.frame}, but the "
                f"movie has frames 0 to {len(movie) - 1}"
            )
        for position in self.points:
            self._check_point(position, movie.frame_shape)
        if self.box is not None:
            self._check_box(movie.frame_shape)
        if self.mask is not None:
            self._check_mask(self.mask.shape, movie.frame_shape)

    def to_model(self, geometry: FrameGeometry) -> ModelPrompt:
        """Translate the points and the box to the network's pixels.

        The mask is left out: it goes to the decoder as `mask_logits`. SAM needs a point
        or a box with each mask, so callers make these from the mask if there are none.
        """
        points = np.asarray(self.points, dtype=float).reshape(-1, 2)
        box = None
        if self.box is not None:
            corners = np.asarray(self.box).reshape(2, 2)
            box = geometry.to_model(corners).reshape(4).astype(np.float32)
        return ModelPrompt(
            points=geometry.to_model(points).astype(np.float32),
            signs=np.asarray(self.signs, dtype=np.int64),
            box=box,
        )

    @property
    def _points_at_object(self) -> bool:
        return self.box is not None or any(self.signs or ())

    def _check_numbers(self) -> None:
        if self.object_id < 1:
            raise PromptError(f"object ids start at 1, not {self.object_id}")
        if self.object_id > MAX_OBJECT_ID:
            raise PromptError(
                f"object id {self.object_id} is above {MAX_OBJECT_ID}, the most "
                "that labels hold; choose a smaller one"
            )
        if self.frame < 0:
            raise PromptError(f"frames start at 0, not {self.frame}")
        if len(self.signs or ()) != len(self.points):
            raise PromptError(
                f"{len(self.points)} points need as many signs, not "
                f"{len(self.signs or ())}"
            )
        if not self.points and self.box is None and self.mask is None:
            raise PromptError("a prompt needs at least one point or a box, or a mask")

    def _check_presence(self) -> None:
        if self.is_absence and self._points_at_object:
            raise PromptError(
                f"object {self.object_id} has an empty mask on frame {self.frame}, "
                "which says that it is not there, and a point or a box on it; leave "
                "out one or the other"
            )

    def _check_point(self, position: Position, frame_shape: tuple[int, int]) -> None:
        inside = all(
            -0.5 <= value <= length - 0.5
            for value, length in zip(position, frame_shape, strict=True)
        )
        if not inside:
            raise PromptError(
                f"the point (row {position[0]:g}, column {position[1]:g}) of object "
                f"{self.object_id} on frame {self.frame} is outside the picture of "
                f"{frame_shape[0]} rows and {frame_shape[1]} columns"
            )

    def _check_box(self, frame_shape: tuple[int, int]) -> None:
        row0, column0, row1, column1 = self.box or (0, 0, 0, 0)
        overlaps = row1 > 0 and column1 > 0
        overlaps &= row0 < frame_shape[0] - 1 and column0 < frame_shape[1] - 1
        if not overlaps:
            raise PromptError(
                f"the box {row0:g},{column0:g},{row1:g},{column1:g} of object "
                f"{self.object_id} is outside the picture of {frame_shape[0]} rows "
                f"and {frame_shape[1]} columns"
            )

    def _check_mask(
        self, mask_shape: tuple[int, int], frame_shape: tuple[int, int]
    ) -> None:
        if mask_shape != frame_shape:
            raise PromptError(
                f"the mask of object {self.object_id} on frame {self.frame} has "
                f"{mask_shape[0]} rows and {mask_shape[1]} columns, the picture "
                f"{frame_shape[0]} and {frame_shape[1]}; give a mask of the whole frame"
            )


def checked_positions(points: Any) -> tuple[Position, ...]:
    """Check (N, 2) positions in the frame.

    Raises
    ------
    PromptError
        If they have another shape, or are not finite numbers.
    """
    found = as_finite_array(points, "points", PromptError)
    if found.shape == (0,):
        return ()
    if found.ndim != 2 or found.shape[1] != 2:
        raise PromptError(
            "points are pairs (row, column), the frame is given apart, as in "
            "Prompt(object_id, frame, points=[(row, column)]); an array of shape "
            f"{found.shape} holds no such pairs"
        )
    return tuple((row, column) for row, column in found.tolist())


def _signs(signs: Any, count: int) -> tuple[bool, ...]:
    if signs is None:
        return (True,) * count
    return as_bools(signs, "signs", PromptError)


def _picked(hypothesis: Any) -> int | None:
    if hypothesis is None:
        return None
    number = as_integer(hypothesis, "a hypothesis", PromptError)
    if not 1 <= number <= MAX_HYPOTHESIS:
        raise PromptError(f"a hypothesis is 1, 2 or 3, not {number}")
    return number


def _ordered_box(box: Any) -> Box | None:
    if box is None:
        return None
    corners = as_finite_array(box, "the corners of a box", PromptError)
    if corners.shape != (4,):
        raise PromptError(
            "a box is (row0, column0, row1, column1), the frame is given apart; an "
            f"array of shape {corners.shape} is no such box"
        )
    row0, row1 = sorted((float(corners[0]), float(corners[2])))
    column0, column1 = sorted((float(corners[1]), float(corners[3])))
    if row0 == row1 or column0 == column1:
        raise PromptError("a box needs a height and a width above zero")
    return row0, column0, row1, column1
