"""What an encoder sees in the padding of wide and tall images, without computing it.

SAM pads images to a square. Far from the picture, features of the padding depend little
on what is shown, but they are not those of a blank image: they tell how far the picture
goes and that it has contrast. So they are taken from a typical image of the same shape,
and an image is computed only up to the next border of windows. Convolutions at the cut
see the next line of cells of the typical image.
"""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator

__all__ = ["Beyond", "Convolve", "Cut", "KeptBeyond", "plainly", "typical_image"]

Convolve = Callable[[nn.Module, Tensor], Tensor]
"""Applies a convolution to (B, H, W, C) cells."""

_WAVES = 60
_MOST_PERIODS = 120
"""Of a wave, along the side of the image."""
_FALL = 0.5
"""Amplitudes fall with the frequency to this power, about as in photographs."""
_CONTRAST = 0.9
_TURN = 2.4
"""Radians from the direction of a wave to that of the next: they never repeat."""
_COLOUR = 0.3
"""Radians by which phases drift from channel to channel, so that there are colours."""


class Cut(NamedTuple):
    """Up to where images of one shape are computed.

    Attributes
    ----------
    axis : {0, 1}
        0 if there is padding below the picture, 1 if there is right of it.
    shown : int
        Pixels of the picture along this axis.
    kept : int
        Cells of the embedding that are computed.
    """

    axis: int
    shown: int
    kept: int

    def first(self, tensor: Tensor, rows: int, count: int) -> Tensor:
        """Return the first ones along the axis; `rows` is the dimension of axis 0."""
        return tensor.narrow(rows + self.axis, 0, count)


def plainly(layer: nn.Module, grid: Tensor) -> Tensor:
    """Convolve with zeros around the cells."""
    convolved: Tensor = layer(grid)
    return convolved


def typical_image(side: int, cut: Cut, skipped: int) -> Tensor:
    """Draw an image of waves in all directions.

    Parameters
    ----------
    side : int
        Of the square image, in pixels.
    cut : Cut
        Which part of it is the picture; the rest is zeros.
    skipped : int
        Pixels along the axis of the cut to leave out at the start.

    Returns
    -------
    (1, 3, H, W) tensor of float32
        Normalised pixels, cut off at the start.
    """
    number = torch.arange(1, _WAVES + 1, dtype=torch.float64)
    frequency = _MOST_PERIODS ** ((number - 1) / (_WAVES - 1))
    place = torch.arange(side, dtype=torch.float64) / side * 2 * torch.pi
    channel = torch.arange(3)[:, None, None]
    down = torch.outer(place, frequency * torch.sin(_TURN * number))
    down = down + number**2 + _COLOUR * channel * number
    across = torch.outer(frequency * torch.cos(_TURN * number), place)
    height = frequency**-_FALL
    # The sum of cos(down + across).
    waves = (height * down.cos()) @ across.cos() - (height * down.sin()) @ across.sin()
    picture = _CONTRAST * (waves - waves.mean()) / waves.std()
    dimension = 1 + cut.axis
    picture.narrow(dimension, cut.shown, side - cut.shown).zero_()
    return picture.narrow(dimension, skipped, side - skipped)[None].float()


class Beyond:
    """What lies beyond a cut, as a typical image has it.

    Parameters
    ----------
    axis : {0, 1}
        Of the cut.
    kept : int
        Cells of the typical image before the cut.
    cells : int
        All of its cells, along the axis.
    """

    def __init__(self, axis: int, kept: int, cells: int) -> None:
        self._dimension = 1 + axis
        self._kept, self._cells = kept, cells
        self._lines: list[Tensor] = []
        self._rest = torch.empty(0)

    def record(self, layer: nn.Module, grid: Tensor) -> Tensor:
        """Convolve the typical image, and keep its first line beyond the cut."""
        line = grid.shape[self._dimension] * self._kept // self._cells
        self._lines.append(grid.narrow(self._dimension, line, 1).clone())
        return plainly(layer, grid)

    def keep(self, grid: Tensor) -> None:
        """Keep what lies beyond the cut in the last grid of the typical image."""
        count = self._cells - self._kept
        self._rest = grid.narrow(self._dimension, self._kept, count).clone()

    def convolve(self) -> Convolve:
        """Return what convolves another image, if called in the same order."""
        lines = iter(self._lines)
        return lambda layer, grid: self._convolved(layer, grid, lines)

    def appended(self, grid: Tensor) -> Tensor:
        """Return the last grid of another image, with what lies beyond the cut."""
        rest = self._rest.expand(len(grid), -1, -1, -1)
        return torch.cat([grid, rest], dim=self._dimension)

    def _convolved(
        self, layer: nn.Module, grid: Tensor, lines: Iterator[Tensor]
    ) -> Tensor:
        line = next(lines).expand(len(grid), -1, -1, -1)
        out = plainly(layer, torch.cat([grid, line], dim=self._dimension))
        return out.narrow(self._dimension, 0, out.shape[self._dimension] - 1)


class KeptBeyond:
    """What lies beyond the cuts of a few shapes of images, each computed only once.

    Parameters
    ----------
    most : int
        How many shapes to keep at most.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._lock = Lock()
        self._kept: dict[Hashable, Beyond] = {}

    def __reduce__(self) -> tuple[type[KeptBeyond], tuple[int]]:
        """Locks cannot be copied along with whatever holds this."""
        return KeptBeyond, (self._most,)

    def __len__(self) -> int:
        """How many shapes are kept."""
        return len(self._kept)

    def get(self, key: Hashable, look: Callable[[], Beyond]) -> Beyond:
        """Return what is kept, or look at a typical image.

        Threads that begin with frames of the same shape wait for the first of them.

        Parameters
        ----------
        key : hashable
            The cut, and in which numbers it is computed.
        look : callable
            Called if nothing is kept.
        """
        beyond = self._kept.get(key)
        if beyond is not None:
            return beyond
        with self._lock:
            if key not in self._kept:
                if len(self._kept) >= self._most:
                    self._kept.clear()
                self._kept[key] = look()
            return self._kept[key]

    def clear(self) -> None:
        """Keep nothing: the weights are others."""
        with self._lock:
            self._kept.clear()
