"""Where frames lie on the screen when they are drawn from left to right."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

__all__ = ["FrameAxis"]

FEWEST = 8
"""Frames that stay in sight however far one zooms in."""
_STEPS = (1, 2, 5)


@dataclass(frozen=True)
class FrameAxis:
    """An axis of frames, of which a part is in sight.

    Attributes
    ----------
    length : int
        Frames of the movie.
    left, width : int
        Where the axis lies, in pixels.
    first, span : int
        The first frame in sight, and how many are.
    """

    length: int = 1
    left: int = 0
    width: int = 1
    first: int = 0
    span: int = 1

    def fitted(self, length: int, left: int, width: int) -> Self:
        """Return the axis of a movie in a place; all is in sight if either is new."""
        is_same = length == self.length
        moved = replace(self, length=max(length, 1), left=left, width=max(width, 1))
        return moved if is_same else replace(moved, first=0, span=moved.length)

    def frame_at(self, x: float) -> int:
        """Return the frame at a pixel; the nearest in sight beside the axis."""
        place = int((x - self.left) * self.span // self.width)
        return self.first + min(max(place, 0), self.span - 1)

    def start_of(self, frame: int) -> float:
        """Return the pixel at which a frame begins, perhaps out of sight."""
        return self.left + (frame - self.first) * self.width / self.span

    def middle_of(self, frame: int) -> float:
        """Return the pixel in the middle of a frame."""
        return self.start_of(frame) + self.width / self.span / 2

    @property
    def frames(self) -> slice:
        """The frames in sight."""
        return slice(self.first, self.first + self.span)

    def zoomed(self, x: float, factor: float) -> Self:
        """Return the axis with fewer or more frames in sight.

        Parameters
        ----------
        x : float
            The pixel whose frame stays where it is.
        factor : float
            Above 1 for fewer frames.
        """
        fewest = min(FEWEST, self.length)
        span = round(self.span / factor)
        if span == self.span:
            span += 1 if factor < 1 else -1
        span = min(max(span, fewest), self.length)
        share = min(max((x - self.left) / self.width, 0.0), 1.0)
        first = round(self.first + share * (self.span - span))
        return replace(self, span=span).moved_to(first)

    def moved_to(self, first: int) -> Self:
        """Return the axis with another first frame, as far as there are frames."""
        return replace(self, first=min(max(first, 0), self.length - self.span))

    def showing(self, frame: int) -> Self:
        """Return the axis moved so far that a frame is in sight."""
        if self.first <= frame < self.first + self.span:
            return self
        return self.moved_to(frame - self.span // 2)

    def ticks(self, gap: int) -> range:
        """Return round frame numbers in sight that lie some pixels apart.

        Parameters
        ----------
        gap : int
            Pixels from one to the next, at least.
        """
        least, step, power = gap * self.span / self.width, 1, 1
        while step < least:
            step = next((one * power for one in _STEPS if one * power >= least), 0)
            power *= 10
        start = -(-self.first // step) * step
        return range(start, self.first + self.span, step)
