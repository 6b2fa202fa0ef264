"""A movie of textured discs, as many as are wanted, on a textured background."""

from __future__ import annotations

import math

import numpy as np
from scipy import ndimage

__all__ = ["Repeated", "Textures"]

RADIUS, REACH = 0.28, 0.12
"""Of a disc, and of the circle that its centre describes; in sides of its tile."""

CONTRAST, GRAIN, NOISE = 45, 3.0, 4
"""Relief and noise in grey levels; grain of the relief in pixels."""


class Textures:
    """Discs that each go round in a tile of their own, so that they never touch.

    Parameters
    ----------
    frames : int
        Length of the movie, after which all discs are where they were.
    frame_shape : tuple of int
        (rows, columns) of a frame.
    objects : int
        Number of discs.
    """

    def __init__(self, frames: int, frame_shape: tuple[int, int], objects: int) -> None:
        self.shape = frames, *frame_shape, 3
        self.objects = objects
        columns = math.ceil(math.sqrt(objects * frame_shape[1] / frame_shape[0]))
        self._tiles = math.ceil(objects / columns), columns
        self._rng = np.random.default_rng(0)
        self._background = self._surface(frame_shape)
        side = 2 * self.radius + 1
        self._surfaces = [self._surface((side, side)) for _ in range(objects)]

    @property
    def radius(self) -> int:
        """Of a disc, in pixels."""
        return int(RADIUS * min(self._tile_shape))

    def draw(self) -> np.ndarray:
        """(T, Y, X, 3) uint8, always the same for the same movie."""
        noise = np.random.default_rng(1)
        movie = np.empty(self.shape, np.uint8)
        for frame, picture in enumerate(movie):
            canvas = self._background.copy()
            self._paste_discs(canvas, frame)
            canvas += NOISE * noise.standard_normal(canvas.shape, np.float32)
            picture[...] = canvas.clip(0, 255)
        return movie

    def centres(self, frame: int) -> list[tuple[float, float]]:
        """(row, column) of each disc."""
        rows, columns = self._tile_shape
        turn = 2 * math.pi * frame / self.shape[0]
        return [
            (
                rows * (0.5 + number // self._tiles[1] + REACH * math.sin(turn)),
                columns * (0.5 + number % self._tiles[1] + REACH * math.cos(turn)),
            )
            for number in range(self.objects)
        ]

    @property
    def _tile_shape(self) -> tuple[float, float]:
        return self.shape[1] / self._tiles[0], self.shape[2] / self._tiles[1]

    def _paste_discs(self, canvas: np.ndarray, frame: int) -> None:
        radius = self.radius
        rows, columns = np.ogrid[-radius : radius + 1, -radius : radius + 1]
        disc = rows**2 + columns**2 <= radius**2
        for centre, surface in zip(self.centres(frame), self._surfaces, strict=True):
            top, left = (int(place) - radius for place in centre)
            window = canvas[top : top + len(disc), left : left + len(disc)]
            window[disc] = surface[disc]

    def _surface(self, shape: tuple[int, int]) -> np.ndarray:
        """Soft granules around a colour of their own, (Y, X, 3) float32."""
        granules = ndimage.gaussian_filter(
            self._rng.standard_normal(shape, np.float32), GRAIN
        )
        relief = CONTRAST * granules / np.abs(granules).max()
        colour = self._rng.uniform(60, 195, 3).astype(np.float32)
        surface: np.ndarray = colour + relief[..., None]
        return surface


class Repeated:
    """An array-like movie that plays a short one again and again.

    Parameters
    ----------
    clip : (T, Y, X, 3) array of uint8
    frames : int
        Length of the movie.
    """

    def __init__(self, clip: np.ndarray, frames: int) -> None:
        self._clip = clip
        self.dtype = clip.dtype
        self.shape = frames, *clip.shape[1:]

    def __getitem__(self, frame: int) -> np.ndarray:
        return self._clip[frame % len(self._clip)]
