"""Several channels as the red, green and blue of one movie."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_sam_decoder.errors import MovieError
from napari_sam_decoder.frames.movie import Movie
from napari_sam_decoder.frames.window import Window

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from napari_sam_decoder.frames.contrast import Contrast

__all__ = ["MOST_CHANNELS", "Composite"]

MOST_CHANNELS = 3
"""Red, green and blue."""
_SHADES = (0.0, 255.0)


class Composite(Movie):
    """Two or three grey movies as the red, green and blue of one.

    Each is stretched by its own contrast, so that a dim channel shows beside a bright
    one. Pixels are uint8; of lazy arrays only what is needed is read.

    Parameters
    ----------
    channels : sequence of Movie
        Of the same axes and size, in the order red, green, blue.

    Raises
    ------
    MovieError
        If they are not two or three grey movies of the same size.
    """

    def __init__(self, channels: Sequence[Movie]) -> None:
        channels = tuple(channels)
        _require_fit(channels)
        first = channels[0]
        every = zip(*(_levels(one) for one in channels), strict=False)
        full, *coarser = [_Shades(levels, channels) for levels in every]
        super().__init__(
            full,
            axes=f"{first.axes}C",
            contrast=_SHADES,
            scale=first.scale,
            unit=first.unit,
            coarser=coarser,
            position=first.position,
        )
        self._channels = channels

    @property
    def limits(self) -> tuple[Contrast, ...]:
        """The contrast of each channel."""
        return tuple(one.contrast for one in self._channels)


class _Shades:
    """What the channels look like at one level: (T, Y, X, 3) or (Y, X, 3) uint8."""

    dtype = np.dtype(np.uint8)

    def __init__(self, levels: Sequence[Movie], channels: Sequence[Movie]) -> None:
        self._levels, self._channels = levels, channels
        self.shape = (*levels[0].shape, MOST_CHANNELS)
        self.ndim = len(self.shape)

    def __getitem__(self, key: Any) -> np.ndarray:
        parts = iter(key if isinstance(key, tuple) else (key,))
        first = self._levels[0]
        frame = int(next(parts)) if first.has_frame_axis else 0
        rows, columns = islice((*parts, slice(None), slice(None)), 2)
        height, width = first.frame_shape
        top, bottom, _ = rows.indices(height)
        left, right, _ = columns.indices(width)
        window = Window(top, left, bottom - top, right - left)
        found = np.zeros((*window.shape, MOST_CHANNELS), self.dtype)
        pairs = zip(self._levels, self._channels, strict=True)
        for colour, (level, channel) in enumerate(pairs):
            found[..., colour] = channel.contrast.apply(level.part(frame, window))
        return found


def _levels(movie: Movie) -> Iterator[Movie]:
    """Yield a movie at its own size, then at its coarser levels."""
    yield movie
    yield from movie.levels()


def _require_fit(channels: Sequence[Movie]) -> None:
    if not 2 <= len(channels) <= MOST_CHANNELS:
        raise MovieError(
            f"a composite has two or three channels, not {len(channels)}; they become "
            "red, green and blue in this order"
        )
    kinds = {(one.axes, one.shape) for one in channels}
    if len(kinds) > 1 or channels[0].axes.endswith("C"):
        shown = ", ".join(f"{axes} {shape}" for axes, shape in sorted(kinds))
        raise MovieError(
            f"the channels of a composite are grey movies of one size, not {shown}; "
            "choose others"
        )
