"""A mask of a part of a frame, which costs no memory for the rest of it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from napari_sam_decoder.frames.window import Window

if TYPE_CHECKING:
    from typing import Self

__all__ = ["PlacedMask"]


@dataclass(frozen=True, eq=False)
class PlacedMask:
    """A mask of a window of the frame; nothing is beyond it.

    Attributes
    ----------
    pixels : (rows, columns) array of bool
    window : Window
    """

    pixels: np.ndarray
    window: Window

    @classmethod
    def of(cls, mask: np.ndarray) -> Self:
        """Place a (Y, X) mask of a whole frame."""
        return cls(mask, Window.of_frame((mask.shape[0], mask.shape[1])))

    @cached_property
    def extent(self) -> Window | None:
        """Bounding box in the frame; None for an empty mask."""
        inside = Window.around(self.pixels)
        return self.window.from_frame(inside) if inside else None

    @property
    def inside(self) -> np.ndarray:
        """Its pixels within its extent; without any where it is empty."""
        box = self.extent
        return self.pixels[:0, :0] if box is None else self.seen_in(box)

    @property
    def area(self) -> int:
        """Number of its pixels."""
        return int(np.count_nonzero(self.pixels))

    def has(self, row: int, column: int) -> bool:
        """Whether a pixel of the frame is in it."""
        pixel = Window(row, column, 1, 1)
        return bool(self.seen_in(pixel)[0, 0])

    def seen_in(self, window: Window) -> np.ndarray:
        """Return the (rows, columns) part of the mask in another window."""
        if window == self.window:
            return self.pixels
        shared = self.window.shared(window)
        if shared == window:
            return self.pixels[window.within(self.window).place]
        part = np.zeros(window.shape, bool)
        if shared is not None:
            part[shared.within(window).place] = self.pixels[
                shared.within(self.window).place
            ]
        return part
