"""One prompt: all that a user has shown of one object on one frame."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import reduce
from itertools import compress
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_sam_decoder.errors import PromptError
from napari_sam_decoder.frames import Window
from napari_sam_decoder.prompts.painted_mask import PaintedMask
from napari_sam_decoder.prompts.positions import checked_positions
from napari_sam_decoder.prompts.scribble import Scribble, checked_scribbles
from napari_sam_decoder.validation import (
    MAX_HYPOTHESIS,
    MAX_OBJECT_ID,
    as_bools,
    as_finite_array,
    as_integer,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_sam_decoder.frames import Movie
    from napari_sam_decoder.prompts.positions import Position

__all__ = ["Prompt"]

Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class Prompt:
    """Points, a box, a lasso, scribbles, a painted mask, or several of these.

    For one object on one frame. A box or a lasso shows the whole object. Points and
    scribbles follow in the order given: each changes what is around it, and none undoes
    an earlier one.

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
        not 0 on the object. Points, a box and scribbles refine it. An empty mask says
        that the object is not on this frame, see `is_absence`.
    lasso : sequence of (row, column), optional
        Three or more vertices of a closed outline around the object, instead of a box.
    scribbles : sequence of Scribble
        In the order drawn. Their pixels are in the mask, or not if they are negative;
        where two overlap, the later decides.

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
    lasso: Sequence[Position] | None = None
    scribbles: Sequence[Scribble] = ()

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
        object.__setattr__(self, "lasso", _outline(self.lasso))
        scribbles = checked_scribbles(self.scribbles, len(points))
        object.__setattr__(self, "scribbles", scribbles)
        self._check_numbers()
        self._check_presence()

    def __repr__(self) -> str:
        given = [f"object_id={self.object_id}, frame={self.frame}"]
        if self.points:
            given.append(f"points={_shown(self.points)}")
        if not all(self.signs or ()):
            given.append(f"signs={[*(self.signs or ())]}")
        optional = {name: getattr(self, name) for name in ("box", "hypothesis", "mask")}
        given += [f"{key}={one!r}" for key, one in optional.items() if one is not None]
        if self.lasso is not None:
            given.append(f"lasso={_shown(self.lasso)}")
        if self.scribbles:
            given.append(f"scribbles={[*self.scribbles]}")
        return f"{type(self).__name__}({', '.join(given)})"

    @property
    def is_positive(self) -> bool:
        """Whether it says where the object is, not only where it is not."""
        is_painted = self.mask is not None and not self.mask.is_empty
        return self._points_at_object or is_painted

    @property
    def is_absence(self) -> bool:
        """Whether it says that the object is not on this frame, by an empty mask.

        Additional negative points and scribbles change nothing.
        """
        return self.mask is not None and self.mask.is_empty

    @property
    def is_single_click(self) -> bool:
        """Whether it is one point and no box, lasso or scribble: it is ambiguous."""
        return not (self._has_outline or self.scribbles) and len(self.points) == 1

    @property
    def is_settled(self) -> bool:
        """Whether the painted mask is final, with nothing left to decode."""
        nothing_else = not (self.points or self._has_outline or self.scribbles)
        return self.is_absence or (self.mask is not None and nothing_else)

    @property
    def outer_box(self) -> Box | None:
        """The box, or that around the lasso; None without either."""
        return self.box if self.lasso is None else _box_around(self.lasso)

    @property
    def outer_window(self) -> Window | None:
        """Bounding box of all that shows where the object is; None if nothing does."""
        return self._extent((True,))

    @property
    def whole_window(self) -> Window | None:
        """Bounding box of all that is shown, beside the object as well."""
        return self._extent((True, False))

    def _extent(self, wanted: tuple[bool, ...]) -> Window | None:
        corners = [
            position
            for position, sign in zip(self.points, self.signs or (), strict=True)
            if sign in wanted
        ]
        if self.outer_box is not None:
            corners += [self.outer_box[:2], self.outer_box[2:]]
        boxes = [Window.around_points(corners)] if corners else []
        painted = [one.pixels for one in self.scribbles if one.is_positive in wanted]
        painted += [] if self.mask is None else [self.mask]
        boxes += filter(None, (one.extent for one in painted))
        return reduce(Window.joined, boxes) if boxes else None

    @property
    def beginning(self) -> Prompt:
        """What shows the object first: the mask or outline, else a positive action.

        Raises
        ------
        ValueError
            If nothing says where the object is.
        """
        signs = list(self.signs or ())
        clicks = [index for index, sign in enumerate(signs) if sign]
        strokes = [one for one in self.scribbles if one.is_positive]
        points, scribbles = self.points[:0], strokes[:0]
        if self.mask is None and not self._has_outline:
            number = min(clicks, default=len(signs))
            if strokes and strokes[0].after <= number:
                scribbles = strokes[:1]
            else:
                points = self.points[number : number + 1]
        signs = [True] * len(points)
        return replace(
            self, points=points, signs=signs, scribbles=scribbles, hypothesis=None
        )

    def seen_in(self, window: Window) -> Prompt:
        """Return what can be seen of it in a window, in pixels of that window.

        Points and scribbles outside the window are left out.

        Raises
        ------
        PromptError
            If nothing is left. A window that holds `outer_window` shows all that says
            where the object is.
        """
        is_in = [window.contains_point(point) for point in self.points]
        scribbles = [
            replace(one, pixels=pixels, after=sum(is_in[: min(one.after, len(is_in))]))
            for one in self.scribbles
            if not (pixels := one.pixels.cut(window)).is_empty
        ]
        mask = None if self.mask is None else self.mask.cut(window)
        row, column = window.origin
        return replace(
            self,
            points=[
                (point[0] - row, point[1] - column)
                for point, inside in zip(self.points, is_in, strict=True)
                if inside
            ],
            signs=list(compress(self.signs or (), is_in)),
            box=self.box and tuple(np.subtract(self.box, (row, column) * 2)),
            mask=mask,
            lasso=self.lasso and [(r - row, c - column) for r, c in self.lasso],
            scribbles=scribbles,
        )

    def rescaled(
        self, scale: Sequence[float] | np.ndarray, shape: tuple[int, int]
    ) -> Prompt:
        """Return the points and scribbles in a frame that was made smaller.

        Parameters
        ----------
        scale : (rows, columns)
            Factors, at most 1.
        shape : (rows, columns)
            Of the smaller frame.
        """
        points = (np.reshape(self.points, (-1, 2)) + 0.5) * scale - 0.5
        scribbles = [
            replace(one, pixels=_reduced(one.pixels, scale, shape))
            for one in self.scribbles
        ]
        return replace(self, points=points.tolist(), scribbles=scribbles)

    def merge(self, other: Prompt) -> Prompt:
        """Join with a later prompt for the same object on the same frame.

        Points and scribbles add up; the later box or lasso wins, and the later
        hypothesis. A later mask replaces all that came before, since it was painted
        over that result; later clicks refine it. A positive point or scribble, a box or
        a lasso ends an absence.
        """
        if other.mask is not None:
            return other
        is_found = self.is_absence and other.is_positive
        outlined = other if other._has_outline else self
        before = len(self.points)
        later = [replace(one, after=one.after + before) for one in other.scribbles]
        return replace(
            self,
            points=(*self.points, *other.points),
            signs=(*(self.signs or ()), *(other.signs or ())),
            box=outlined.box,
            hypothesis=other.hypothesis or self.hypothesis,
            mask=None if is_found else self.mask,
            lasso=outlined.lasso,
            scribbles=(*self.scribbles, *later),
        )

    def check(self, movie: Movie) -> None:
        """Check that it fits a movie and says where the object is.

        Raises
        ------
        PromptError
            If there are only negative points and scribbles and it is not an absence, or
            as in `check_inside`.
        """
        if not (self.is_positive or self.is_absence):
            shown = "points" if self.points else "scribbles"
            raise PromptError(
                f"object {self.object_id} has only negative {shown} on frame "
                f"{self.frame}; add a positive point or a box, or paint the object"
            )
        self.check_inside(movie)

    def check_inside(self, movie: Movie) -> None:
        """Check that it fits a movie.

        Negative points and scribbles alone pass: they may correct an existing mask.

        Raises
        ------
        PromptError
            If the frame, a point, or the whole box or lasso is outside the movie, or if
            the mask or a scribble has another shape than its frames.
        """
        if self.frame >= len(movie):
            raise PromptError(
                f"object {self.object_id} has a prompt on frame {self.frame}, but the "
                f"movie has frames 0 to {len(movie) - 1}; choose one of these"
            )
        for position in self.points:
            self._check_point(position, movie.frame_shape)
        if self.box is not None:
            shown = ",".join(f"{corner:g}" for corner in self.box)
            self._check_box(self.box, f"box {shown}", movie.frame_shape)
        if self.lasso is not None:
            self._check_box(_box_around(self.lasso), "lasso", movie.frame_shape)
        if self.mask is not None:
            self._check_shape(self.mask, "mask", movie.frame_shape)
        for scribble in self.scribbles:
            self._check_shape(scribble.pixels, "scribble", movie.frame_shape)

    @property
    def _points_at_object(self) -> bool:
        is_scribbled = any(scribble.is_positive for scribble in self.scribbles)
        return self._has_outline or is_scribbled or any(self.signs or ())

    @property
    def _has_outline(self) -> bool:
        return self.box is not None or self.lasso is not None

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
        if self.box is not None and self.lasso is not None:
            raise PromptError(
                f"object {self.object_id} has a box and a lasso on frame {self.frame}; "
                "leave out one or the other"
            )
        shows_nothing = not (self.points or self._has_outline or self.scribbles)
        if shows_nothing and self.mask is None:
            raise PromptError(
                "a prompt needs at least one point or a box, lasso, scribble or mask"
            )

    def _check_presence(self) -> None:
        if self.is_absence and self._points_at_object:
            raise PromptError(
                f"object {self.object_id} has an empty mask on frame {self.frame}, "
                "which says that it is not there, and a point, box, lasso or scribble "
                "on it; leave out one or the other"
            )

    def _check_point(self, position: Position, frame_shape: tuple[int, int]) -> None:
        inside = all(
            -0.5 <= value <= length - 0.5
            for value, length in zip(position, frame_shape, strict=True)
        )
        if not inside:
            raise PromptError(
                f"the point (row {position[0]:g}, column {position[1]:g}) of object "
                f"{self.object_id} on frame {self.frame} {_is_outside(frame_shape)}"
            )

    def _check_box(self, box: Box, what: str, frame_shape: tuple[int, int]) -> None:
        row0, column0, row1, column1 = box
        overlaps = row1 > 0 and column1 > 0
        overlaps &= row0 < frame_shape[0] - 1 and column0 < frame_shape[1] - 1
        if not overlaps:
            raise PromptError(
                f"the {what} of object {self.object_id} on frame {self.frame} "
                f"{_is_outside(frame_shape)}"
            )

    def _check_shape(
        self, painted: PaintedMask, what: str, frame_shape: tuple[int, int]
    ) -> None:
        rows, columns = painted.shape
        if painted.shape != frame_shape:
            raise PromptError(
                f"the {what} of object {self.object_id} on frame {self.frame} has "
                f"{rows} rows and {columns} columns, the picture {frame_shape[0]} and "
                f"{frame_shape[1]}; give a {what} of the whole frame"
            )


def _reduced(
    painted: PaintedMask, scale: Sequence[float] | np.ndarray, shape: tuple[int, int]
) -> PaintedMask:
    """Mark each pixel of a smaller frame that has any of the painted ones."""
    pixels = np.argwhere(painted.to_array()) * scale
    rows, columns = np.minimum(pixels.astype(int), np.subtract(shape, 1)).T
    reduced = np.zeros(shape, bool)
    reduced[rows, columns] = True
    return PaintedMask.of(reduced)


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


def _outline(lasso: Any) -> tuple[Position, ...] | None:
    if lasso is None:
        return None
    vertices = checked_positions(lasso)
    if len(vertices) < 3:
        raise PromptError(
            f"a lasso needs 3 vertices or more, not {len(vertices)}; draw it around "
            "the object"
        )
    if np.linalg.matrix_rank(np.subtract(vertices, vertices[0])) < 2:
        raise PromptError(
            "the vertices of a lasso lie on one line; draw it around the object"
        )
    return vertices


def _is_outside(frame_shape: tuple[int, int]) -> str:
    """Say that something is not in the picture, and where that is."""
    rows, columns = frame_shape
    return (
        f"is outside the picture of {rows} rows and {columns} columns; choose rows "
        f"from 0 to {rows - 1} and columns from 0 to {columns - 1}"
    )


def _box_around(vertices: Sequence[Position]) -> Box:
    rows, columns = zip(*vertices, strict=True)
    return min(rows), min(columns), max(rows), max(columns)


def _shown(positions: Sequence[Position]) -> str:
    return f"[{', '.join(f'({row:g}, {column:g})' for row, column in positions)}]"
