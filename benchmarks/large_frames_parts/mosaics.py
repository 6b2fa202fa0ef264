"""Large movies put together from small ones, of which the truth is known."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import cycle
from typing import TYPE_CHECKING

import numpy as np
from skimage.transform import resize

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["Mosaic", "Place", "Tile", "rescaled"]

DRIFT = 2
"""Pixels a frame by which the bands of a mosaic move, one to the left, the next to the
right."""


@dataclass(frozen=True, eq=False)
class Tile:
    """A small movie with its truth.

    Attributes
    ----------
    frames : (T, Y, X) array of uint8
    masks : (T, Y, X) array of int
    """

    frames: np.ndarray
    masks: np.ndarray

    def turned(self, number: int) -> Tile:
        """Return one of eight rotated and mirrored versions."""
        arrays = []
        for stack in (self.frames, self.masks):
            mirrored = stack[:, :, ::-1] if number % 8 >= 4 else stack
            arrays.append(np.rot90(mirrored, number % 4, axes=(1, 2)))
        return Tile(*arrays)


def rescaled(tile: Tile, side: float) -> Tile:
    """Resize a tile so that the median of its objects is ``side`` pixels wide."""
    areas = np.bincount(tile.masks[0].ravel())[1:]
    factor = side / float(np.sqrt(np.median(areas[areas > 0])))
    shape = tuple(round(length * factor) for length in tile.masks.shape[1:])
    frames = [
        resize(frame, shape, order=1, anti_aliasing=factor < 1, preserve_range=True)
        for frame in tile.frames
    ]
    masks = [resize(mask, shape, order=0, preserve_range=True) for mask in tile.masks]
    return Tile(
        np.stack(frames).round().astype(np.uint8),
        np.stack(masks).astype(tile.masks.dtype),
    )


@dataclass(frozen=True)
class Place:
    """An object of a mosaic.

    Attributes
    ----------
    object_id : int
        In the mosaic.
    tile : int
        Number of its tile.
    own_id : int
        In the tile.
    """

    object_id: int
    tile: int
    own_id: int


class Mosaic:
    """Tiles side by side in a square frame, in bands that drift.

    Parameters
    ----------
    tiles : sequence of Tile
        Repeated, turned each time in another way, until the frame is full.
    side : int
        Of the frame in pixels.
    length : int
        Number of frames.

    Attributes
    ----------
    tiles : list of Tile
        As they were placed.
    frames, masks : (T, side, side) array
    """

    def __init__(self, tiles: Sequence[Tile], side: int, length: int) -> None:
        self.tiles: list[Tile] = []
        self._side, self._length = side, length
        self.frames = np.zeros((length, side, side), np.uint8)
        self.masks = np.zeros((length, side, side), np.int32)
        stock = self._stock(tiles)
        top, band = 0, 0
        while top < side:
            height = self._add_band(stock, top, DRIFT if band % 2 else -DRIFT)
            top, band = top + height, band + 1

    def places(self, frame: int = 0) -> list[Place]:
        """List the objects of a frame, those of a tile one after the other."""
        ids = np.unique(self.masks[frame])
        return [self._place(int(one)) for one in ids if one]

    def _stock(self, tiles: Sequence[Tile]) -> Iterator[int]:
        for number, tile in enumerate(cycle(tiles)):
            self.tiles.append(tile.turned(number // len(tiles) + number))
            yield number

    def _add_band(self, stock: Iterator[int], top: int, drift: int) -> int:
        """Fill a band, wide enough for its drift; returns its height."""
        strips: list[Tile] = []
        numbers: list[int] = []
        width = 0
        while width < self._side + DRIFT * self._length:
            numbers.append(next(stock))
            strips.append(self.tiles[numbers[-1]])
            width += strips[-1].frames.shape[2]
        height = min(self._side - top, *(one.frames.shape[1] for one in strips))
        rows = slice(top, top + height)
        for frame in range(self._length):
            step = drift * frame if drift > 0 else DRIFT * self._length + drift * frame
            columns = slice(step, step + self._side)
            parts = [one.frames[frame, :height] for one in strips]
            self.frames[frame, rows] = np.concatenate(parts, axis=1)[:, columns]
            ids = [
                self._ids(one.masks[frame, :height], number)
                for one, number in zip(strips, numbers, strict=True)
            ]
            self.masks[frame, rows] = np.concatenate(ids, axis=1)[:, columns]
        return height

    def _ids(self, mask: np.ndarray, number: int) -> np.ndarray:
        shifted: np.ndarray = np.where(mask > 0, mask + 1000 * number, 0)
        return shifted

    def _place(self, object_id: int) -> Place:
        return Place(object_id, object_id // 1000, object_id % 1000)
