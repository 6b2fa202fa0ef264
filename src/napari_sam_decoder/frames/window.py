"""Rectangles of a frame, and the pyramid of those that the network may look at."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from itertools import product
from math import ceil, floor, inf
from typing import TYPE_CHECKING

from napari_sam_decoder.model.transforms import extent

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    import numpy as np

__all__ = ["Pyramid", "Window"]


@dataclass(frozen=True, order=True)
class Window:
    """A rectangle of frame pixels.

    Attributes
    ----------
    row, column : int
        Of its first pixel in the frame.
    rows, columns : int
        Its size.
    """

    row: int
    column: int
    rows: int
    columns: int

    @classmethod
    def of_frame(cls, frame_shape: tuple[int, int]) -> Window:
        """Return the whole frame."""
        return cls(0, 0, *frame_shape)

    @classmethod
    def at(cls, place: tuple[slice, slice], whole: Window) -> Window | None:
        """Return the rectangle of two slices of a frame; None if it has no pixel."""
        (top, bottom, _), (left, right, _) = (
            span.indices(length)
            for span, length in zip(place, whole.shape, strict=True)
        )
        found = cls(top, left, bottom - top, right - left)
        return found if min(found.shape) > 0 else None

    @classmethod
    def around(cls, mask: np.ndarray) -> Window | None:
        """Return the bounding box of a (Y, X) mask; None if it has no pixel."""
        inside = extent(mask)
        if inside is None:
            return None
        rows, columns = inside
        return cls(
            rows.start,
            columns.start,
            rows.stop - rows.start,
            columns.stop - columns.start,
        )

    @classmethod
    def around_points(cls, points: Sequence[Sequence[float]]) -> Window:
        """Return the smallest rectangle of whole pixels around (row, column) points."""
        low = [floor(min(values) + 0.5) for values in zip(*points, strict=True)]
        high = [floor(max(values) + 0.5) + 1 for values in zip(*points, strict=True)]
        return cls(low[0], low[1], high[0] - low[0], high[1] - low[1])

    @property
    def shape(self) -> tuple[int, int]:
        """(rows, columns)."""
        return self.rows, self.columns

    @property
    def side(self) -> int:
        """The longer of rows and columns: what fills the network's input."""
        return max(self.shape)

    @property
    def place(self) -> tuple[slice, slice]:
        """Its rows and columns as an index into a frame."""
        return (
            slice(self.row, self.row + self.rows),
            slice(self.column, self.column + self.columns),
        )

    @property
    def name(self) -> str:
        """Row, column, rows and columns, as in "512.0.1024.1024"."""
        return f"{self.row}.{self.column}.{self.rows}.{self.columns}"

    @property
    def origin(self) -> tuple[int, int]:
        """(row, column) of its first pixel."""
        return self.row, self.column

    def within(self, outer: Window) -> Window:
        """Return the same rectangle, counted from the first pixel of another window."""
        return Window(
            self.row - outer.row, self.column - outer.column, self.rows, self.columns
        )

    def from_frame(self, inner: Window) -> Window:
        """Return a rectangle of this window, counted from the frame's first pixel."""
        return Window(
            inner.row + self.row, inner.column + self.column, inner.rows, inner.columns
        )

    def moved(self, rows: float, columns: float) -> Window:
        """Return the same rectangle, so many pixels further down and to the right."""
        row, column = round(self.row + rows), round(self.column + columns)
        return Window(row, column, self.rows, self.columns)

    def rescaled(self, scale: Sequence[float] | np.ndarray) -> Window:
        """Return the same rectangle in a frame resized by (rows, columns) factors."""
        (top, bottom), (left, right) = (
            (floor(start * factor), ceil((start + length) * factor))
            for start, length, factor in zip(
                self.origin, self.shape, scale, strict=True
            )
        )
        return Window(top, left, bottom - top, right - left)

    def joined(self, other: Window) -> Window:
        """Return the smallest rectangle around both."""
        row, column = min(self.row, other.row), min(self.column, other.column)
        bottom = max(self.row + self.rows, other.row + other.rows)
        right = max(self.column + self.columns, other.column + other.columns)
        return Window(row, column, bottom - row, right - column)

    def contains(self, other: Window) -> bool:
        """Whether all of another rectangle is in it."""
        return self.shared(other) == other

    def contains_point(self, point: Sequence[float]) -> bool:
        """Whether a (row, column), whole numbers at pixel centres, is in it."""
        return all(
            start - 0.5 <= value <= start + length - 0.5
            for value, start, length in zip(point, self.origin, self.shape, strict=True)
        )

    def shared(self, other: Window) -> Window | None:
        """Return what both have in common; None if that is nothing."""
        row, column = max(self.row, other.row), max(self.column, other.column)
        rows = min(self.row + self.rows, other.row + other.rows) - row
        columns = min(self.column + self.columns, other.column + other.columns) - column
        return Window(row, column, rows, columns) if min(rows, columns) > 0 else None


SMALLEST_SHARE = 1 / 8
"""Of the view: an object with a smaller side is seen from nearer."""
LARGEST_SHARE = 1 / 2
"""Of the view: an object with a larger side is seen from farther away."""
TOLERANCE = 1.25
"""Factor by which either share may be missed before an object changes its scale."""
FAR = 2
"""In units of the side of the largest windows: a frame of this side, seen as a whole,
does not show objects that fill only a small part of a window."""
MARGIN = 1.0
"""Free pixels that an object has around it when it enters a window, in units of its
side; when it has less than half of them, it changes the window."""


@dataclass(frozen=True)
class Pyramid:
    """The windows through which the network may look at a frame.

    Attributes
    ----------
    frame_shape : (rows, columns)
    sides : tuple of int
        Of square windows smaller than the frame, the largest first. Neighbours overlap
        by half.
    """

    frame_shape: tuple[int, int]
    sides: tuple[int, ...] = ()

    @classmethod
    def of(
        cls, frame_shape: tuple[int, int], image_size: int, smallest: int
    ) -> Pyramid:
        """Choose the windows for a network whose input is ``image_size`` pixels wide.

        A frame that fits in is only seen as a whole. Of a larger one there are windows
        as large as the input, half as large, and so on, down to ``smallest`` pixels.
        """
        sides, side = [], image_size
        while smallest <= side < max(frame_shape):
            sides.append(side)
            side //= 2
        return cls(frame_shape, tuple(sides))

    @property
    def whole(self) -> Window:
        """The whole frame."""
        return Window.of_frame(self.frame_shape)

    @property
    def _all_sides(self) -> tuple[int, ...]:
        return (self.whole.side, *self.sides)

    def window_for(self, box: Window) -> Window:
        """Choose the window for an object.

        Parameters
        ----------
        box : Window
            The object's bounding box.

        Returns
        -------
        Window
            At the largest scale at which the object is at least an eighth of the view,
            or at the smallest; the one around whose middle the object is.
        """
        return self._roomiest([box], self._side_for(box))

    def near(self, box: Window) -> Iterator[Window]:
        """Choose where to look first if the whole frame shows too little.

        Parameters
        ----------
        box : Window
            What has been shown of the object, perhaps only a part of it.

        Yields
        ------
        Window
            The best of each size, the smallest first, if the frame is several times as
            large as the largest.
        """
        if self.sides and self.whole.side >= FAR * self.sides[0]:
            for side in reversed(self.sides):
                yield self._roomiest([box], side)

    def next_window(
        self, box: Window, ahead: Window, current: Window, shared: Collection[Window]
    ) -> Window:
        """Choose the window for an object that moves.

        Parameters
        ----------
        box, ahead : Window
            The object's bounding box, and that on the next frame.
        current : Window
            The one that it has. It is kept as long as it fits.
        shared : collection of Window
            Those that other objects have. One of these is taken if it fits, the most
            frequent first.
        """
        boxes = [box, ahead]
        side = self._next_side(box, current.side)
        if side == current.side and self._has_room(boxes, current):
            return current
        candidates = self._candidates(boxes, side)
        for window, _ in Counter(shared).most_common():
            if window in candidates:
                return window
        return self._best(boxes, candidates)

    def shows(self, box: Window, window: Window) -> bool:
        """Whether an object is seen as a whole in a window, if perhaps from afar."""
        is_small = box.side <= LARGEST_SHARE * TOLERANCE * window.side
        return is_small and self._has_room([box], window)

    def _has_room(self, boxes: Sequence[Window], window: Window) -> bool:
        """Whether an object has room enough to stay in a window."""
        return self._least_room(boxes, window) >= MARGIN / 2 * boxes[0].side

    def beside(self, window: Window, box: Window) -> Window:
        """Choose a window of the same size for another place of the object."""
        if self._room(box, window) >= 0:
            return window
        return self._roomiest([box], window.side)

    def shared_windows(self, boxes: Mapping[int, Window]) -> dict[int, Window]:
        """Choose windows for several objects, few in all.

        Parameters
        ----------
        boxes : mapping of object id to Window
            Bounding boxes.

        Returns
        -------
        dict of object id to Window
            Neighbours of a like size have one window together, if it has room for all.
        """
        waiting = {
            key: self._candidates([box], self._side_for(box))
            for key, box in boxes.items()
        }
        chosen: dict[int, Window] = {}
        while waiting:
            votes = Counter(one for windows in waiting.values() for one in windows)
            most = max(votes.values())
            inside = [boxes[key] for key in waiting]
            best = self._best(inside, [one for one in votes if votes[one] == most])
            for key in [key for key, windows in waiting.items() if best in windows]:
                chosen[key] = best
                del waiting[key]
        return chosen

    def _candidates(self, boxes: Sequence[Window], side: int) -> list[Window]:
        """List the windows of a side that have room for an object, or else the best."""
        needed = MARGIN * boxes[0].side
        starts = (
            [start for start, room in rooms.items() if room >= needed]
            for rooms in self._rooms_along(boxes, side)
        )
        roomy = [self._window(origin, side) for origin in product(*starts)]
        return roomy or [self._roomiest(boxes, side)]

    def _best(self, boxes: Sequence[Window], windows: Iterable[Window]) -> Window:
        return max(windows, key=lambda one: (self._least_room(boxes, one), one))

    def _roomiest(self, boxes: Sequence[Window], side: int) -> Window:
        """Choose the window of a side with the most room, of several the last."""
        both = self._rooms_along(boxes, side)
        most = min(max(rooms.values()) for rooms in both)
        row, column = (
            max(start for start, room in rooms.items() if room >= most)
            for rooms in both
        )
        return self._window((row, column), side)

    def _rooms_along(
        self, boxes: Sequence[Window], side: int
    ) -> tuple[dict[int, float], dict[int, float]]:
        """Least room of boxes along rows and along columns, by the windows' starts.

        A large frame has thousands of windows, but few starts along either axis.
        """
        rows, columns = (
            {
                start: min(self._room_along(axis, box, start, side) for box in boxes)
                for start in _starts(length, side)
            }
            for axis, length in enumerate(self.frame_shape)
        )
        return rows, columns

    def _room_along(self, axis: int, box: Window, start: int, side: int) -> float:
        """Distance of a box from a window's two sides, but not from the frame's."""
        length = self.frame_shape[axis]
        stop = min(start + side, length)
        before = box.origin[axis] - start if start > 0 else inf
        after = stop - box.origin[axis] - box.shape[axis] if stop < length else inf
        return min(before, after)

    def _least_room(self, boxes: Sequence[Window], window: Window) -> float:
        return min(self._room(box, window) for box in boxes)

    def _side_for(self, box: Window) -> int:
        """Choose the side of the windows for an object."""
        sides = self._all_sides
        fitting = [side for side in sides if box.side <= LARGEST_SHARE * side]
        near = [side for side in fitting if box.side >= SMALLEST_SHARE * side]
        return max(near, default=min(fitting, default=sides[0]))

    def _next_side(self, box: Window, side: int) -> int:
        """Choose the side of the windows for an object that has changed its size."""
        share, sides = box.side / side, self._all_sides
        number = sides.index(side)
        if share > LARGEST_SHARE * TOLERANCE:
            return sides[max(number - 1, 0)]
        if share < SMALLEST_SHARE / TOLERANCE:
            return sides[min(number + 1, len(sides) - 1)]
        return side

    def is_cut(self, box: Window, window: Window) -> bool:
        """Whether a box reaches a side of a window that is no side of the frame."""
        return self._room(box, window) <= 0

    def _room(self, box: Window, window: Window) -> float:
        """Distance of a box from the sides of a window, but not from the frame's."""
        return min(
            self._room_along(axis, box, start, window.side)
            for axis, start in enumerate(window.origin)
        )

    def windows(self, side: int) -> Iterator[Window]:
        """Yield the windows of a side, half overlapping; the last end at the border."""
        starts = (_starts(length, side) for length in self.frame_shape)
        for origin in product(*starts):
            yield self._window(origin, side)

    def _window(self, origin: tuple[int, ...], side: int) -> Window:
        row, column = origin
        rows, columns = (min(side, length) for length in self.frame_shape)
        return Window(row, column, rows, columns)


def _starts(length: int, side: int) -> Sequence[int]:
    last = max(length - side, 0)
    return sorted({*range(0, last, max(side // 2, 1)), last})
