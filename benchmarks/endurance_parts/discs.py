"""A movie of any length, drawn as it is read, and the truth about it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["BAND", "MOST_OBJECTS", "Discs"]

ROWS, COLUMNS = 240, 320
RADIUS = 26
MOST_OBJECTS = 8
"""More would not fit on the path side by side."""

PATH = 86, 126
"""Half the height and half the width of the ellipse on which all discs go round."""

ROUND, BREATH = 240, 97
"""Frames that a disc needs to come round, and the path to become narrower and wider."""

NARROWEST = 0.9

BAND = 256 // (1 + MOST_OBJECTS)
"""Grey levels of one object; the lowest ones are the background's."""

TEXTURE, NOISE = 10, 2
"""In grey levels; together they do not leave the band."""


class Discs:
    """A movie of textured discs that never touch, drawn frame by frame when it is read.

    Parameters
    ----------
    frames : int
        Length of the movie.
    objects : int
        1 to `MOST_OBJECTS` discs, whose ids in the truth start at 1.
    """

    dtype = np.dtype(np.uint8)

    def __init__(self, frames: int, objects: int) -> None:
        self.shape = frames, ROWS, COLUMNS
        self.object_ids = range(1, 1 + objects)
        rows, columns = np.ogrid[-RADIUS : RADIUS + 1, -RADIUS : RADIUS + 1]
        self._disc = np.hypot(rows, columns) <= RADIUS
        self._background = _surface(0, (ROWS, COLUMNS))
        self._surfaces = [_surface(key, self._disc.shape) for key in self.object_ids]

    def __getitem__(self, frame: int) -> np.ndarray:
        """Draw a frame: (Y, X) uint8, always the same."""
        picture = self._background.copy()
        for window, surface in zip(self._windows(frame), self._surfaces, strict=True):
            picture[window][self._disc] = surface[self._disc]
        noise = np.random.default_rng(frame).integers(-NOISE, NOISE + 1, picture.shape)
        return (picture + noise).astype(self.dtype)

    def truth(self, frame: int) -> np.ndarray:
        """(Y, X) uint16 object ids, 0 for the background."""
        labels = np.zeros((ROWS, COLUMNS), np.uint16)
        for object_id, window in zip(
            self.object_ids, self._windows(frame), strict=True
        ):
            labels[window][self._disc] = object_id
        return labels

    def centres(self, frame: int) -> np.ndarray:
        """(N, 2) whole pixels (row, column): one after the other on the same path."""
        shares = np.arange(len(self.object_ids)) / len(self.object_ids)
        angles = 2 * np.pi * (frame / ROUND + shares)
        narrowness = (1 - NARROWEST) * np.sin(np.pi * frame / BREATH) ** 2
        offsets = np.stack([np.sin(angles), np.cos(angles)], axis=1) * PATH
        centre = np.array([ROWS, COLUMNS]) // 2
        rounded: np.ndarray = np.rint(centre + (1 - narrowness) * offsets).astype(int)
        return rounded

    def _windows(self, frame: int) -> Iterator[tuple[slice, slice]]:
        for row, column in self.centres(frame):
            yield (
                slice(row - RADIUS, row + RADIUS + 1),
                slice(column - RADIUS, column + RADIUS + 1),
            )


def _surface(band: int, shape: tuple[int, ...]) -> np.ndarray:
    """Soft granules in the grey levels of one band."""
    granules = ndimage.gaussian_filter(
        np.random.default_rng(band).standard_normal(shape), 3
    )
    relief = TEXTURE * granules / np.abs(granules).max()
    surface: np.ndarray = np.rint(BAND * (band + 0.5) + relief).astype(np.int16)
    return surface
