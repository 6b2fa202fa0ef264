"""Square windows of a frame, resampled to the refiner's grid and back."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from napari_sam_decoder.linalg import matmul
from napari_sam_decoder.model.transforms import extent
from napari_sam_decoder.model.values import GRID_SIDE

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["SMALLEST_SIDE", "Focus"]

SMALLEST_SIDE = 24
"""Of a window in frame pixels: with less there is nothing to recognise."""


@dataclass(frozen=True)
class Focus:
    """A square window of a frame, which may reach beyond it.

    Attributes
    ----------
    row, column : int
        Of its first pixel, perhaps negative.
    side : int
        In frame pixels.
    frame_shape : (rows, columns)
    """

    row: int
    column: int
    side: int
    frame_shape: tuple[int, int]

    @classmethod
    def around(
        cls, centre: tuple[float, float], side: float, frame_shape: tuple[int, int]
    ) -> Focus:
        """Centre a window on a (row, column), at least `SMALLEST_SIDE` wide."""
        whole = max(round(side), SMALLEST_SIDE)
        row, column = (round(middle - (whole - 1) / 2) for middle in centre)
        return cls(row, column, whole, frame_shape)

    @classmethod
    def around_box(
        cls,
        box: tuple[float, float, float, float],
        margin: float,
        frame_shape: tuple[int, int],
    ) -> Focus:
        """Centre a window on a box, ``margin`` times as wide as its longer side."""
        row0, column0, row1, column1 = box
        middle = (row0 + row1 - 1) / 2, (column0 + column1 - 1) / 2
        return cls.around(
            middle, margin * max(row1 - row0, column1 - column0), frame_shape
        )

    @classmethod
    def around_mask(cls, mask: np.ndarray, margin: float) -> Focus:
        """Centre a window on a (Y, X) mask with any pixel."""
        rows, columns = extent(mask) or (slice(0, 1), slice(0, 1))
        box = rows.start, columns.start, rows.stop, columns.stop
        return cls.around_box(box, margin, (mask.shape[0], mask.shape[1]))

    @property
    def cell(self) -> float:
        """Side of a cell of the grid in frame pixels."""
        return self.side / GRID_SIDE

    @property
    def place(self) -> tuple[slice, slice]:
        """The rows and columns of the frame that it shows."""
        (top, bottom), (left, right) = (
            (min(max(start, 0), length), max(min(start + self.side, length), 0))
            for start, length in zip(
                (self.row, self.column), self.frame_shape, strict=True
            )
        )
        return slice(top, bottom), slice(left, right)

    @property
    def rim(self) -> np.ndarray:
        """(GRID_SIDE, GRID_SIDE) bool: outermost cells, without those off the frame."""
        rim = np.ones((GRID_SIDE, GRID_SIDE), bool)
        rim[1:-1, 1:-1] = False
        middles = (np.arange(GRID_SIDE) + 0.5) * self.cell
        for axis, start in enumerate((self.row, self.column)):
            is_on = (middles + start >= 0) & (middles + start < self.frame_shape[axis])
            rim &= np.expand_dims(is_on, 1 - axis)
        return rim

    def sample(self, planes: Sequence[np.ndarray]) -> np.ndarray:
        """Resample (Y, X) planes to (N, GRID_SIDE, GRID_SIDE) cells.

        Beyond the frame they are 0.
        """
        cuts = np.stack([plane[self.place].astype(np.float32) for plane in planes])
        down, across = self._shares
        return matmul(down, cuts, across.T)

    @property
    def inside(self) -> np.ndarray:
        """(GRID_SIDE, GRID_SIDE) of float32: how much of each cell shows the frame."""
        down, across = self._shares
        shares: np.ndarray = down.sum(axis=1)[:, None] * across.sum(axis=1)
        return shares

    def sample_low_res(self, logits: np.ndarray) -> np.ndarray:
        """Resample (N, h, h) low-res logits to (N, GRID_SIDE, GRID_SIDE) cells.

        Beyond the square that they cover, those at its border are continued.
        """
        size = logits.shape[-1]
        scale = size / max(self.frame_shape)
        middles = (np.arange(GRID_SIDE) + 0.5) * self.cell
        (near_rows, down), (near_columns, across) = (
            _interpolation((start + middles) * scale - 0.5, size)
            for start in (self.row, self.column)
        )
        near = logits[:, near_rows, near_columns]
        return matmul(down, near.astype(np.float32), across.T)

    def enlarge(self, cells: np.ndarray) -> np.ndarray:
        """Bring (GRID_SIDE, GRID_SIDE) cells to the pixels of `place`."""
        along = _resampling(GRID_SIDE, self.side)
        rows, columns = self._inner
        return matmul(along[rows], cells, along[columns].T)

    def to_low_res(
        self, cells: np.ndarray, size: int
    ) -> tuple[tuple[slice, slice], np.ndarray]:
        """Bring (GRID_SIDE, GRID_SIDE) cells to the low-res pixels within the window.

        Parameters
        ----------
        cells : (GRID_SIDE, GRID_SIDE) array of float32
            Of this window.
        size : int
            Side of the low-res grid.

        Returns
        -------
        place : (slice, slice)
            Rows and columns of the low-res pixels whose middles `place` contains.
        values : (rows, columns) array of float32
        """
        pixel = max(self.frame_shape) / size
        places, matrices = [], []
        for inside, start in zip(self.place, (self.row, self.column), strict=True):
            first, last = (
                int(np.ceil(edge / pixel - 0.5)) for edge in (inside.start, inside.stop)
            )
            middles = (np.arange(first, last) + 0.5) * pixel
            places.append(slice(first, last))
            matrices.append(_weights((middles - start) / self.cell, pixel / self.cell))
        return (places[0], places[1]), matmul(matrices[0], cells, matrices[1].T)

    @cached_property
    def _shares(self) -> tuple[np.ndarray, np.ndarray]:
        """How much each row and column of `place` counts in those of the grid."""
        along = _resampling(self.side, GRID_SIDE)
        rows, columns = self._inner
        return along[:, rows], along[:, columns]

    @property
    def _inner(self) -> tuple[slice, slice]:
        """`place`, counted from the window's own first pixel."""
        rows, columns = self.place
        return (
            slice(rows.start - self.row, rows.stop - self.row),
            slice(columns.start - self.column, columns.stop - self.column),
        )


def _resampling(count: int, new_count: int) -> np.ndarray:
    """(new_count, count) matrix of linear interpolation, smoothing where it shrinks."""
    scale = count / new_count
    return _weights((np.arange(new_count) + 0.5) * scale, scale, count)


def _weights(middles: np.ndarray, width: float, count: int = GRID_SIDE) -> np.ndarray:
    """(N, count) weights of unit cells in others, perhaps wider, around N middles."""
    offsets = np.abs(middles[:, None] - 0.5 - np.arange(count)) / max(width, 1)
    weights = np.maximum(1 - offsets, 0)
    matrix: np.ndarray = weights / weights.sum(axis=1, keepdims=True)
    return matrix.astype(np.float32)


def _interpolation(positions: np.ndarray, count: int) -> tuple[slice, np.ndarray]:
    """Return what is near N ascending positions in a row, and its (N, near) shares."""
    inside = positions.clip(0, count - 1)
    near = slice(int(inside[0]), int(inside[-1]) + 2)
    places = np.arange(count)[near]
    shares: np.ndarray = np.maximum(1 - np.abs(inside[:, None] - places), 0)
    return near, shares.astype(np.float32)
