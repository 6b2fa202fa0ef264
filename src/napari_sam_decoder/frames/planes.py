"""An array seen as a stack of planes along one of its axes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = ["PlaneIndex", "Planes"]

PlaneIndex = tuple[int | slice, ...]


@dataclass(frozen=True, eq=False)
class Planes:
    """An array seen as a stack of planes along one of its axes.

    Nothing is read before a plane is asked for. Planes of an array in memory are views.

    Attributes
    ----------
    data : array-like
        Numpy, dask, zarr or anything else with a shape, a dtype and indexing.
    axis : int or None
        The axis that counts the planes; None where the whole array is one picture.
    fixed : tuple of (axis, index)
        Where the array is cut along its other axes.
    """

    data: Any
    axis: int | None
    fixed: tuple[tuple[int, int], ...] = ()

    @property
    def shape(self) -> tuple[int, ...]:
        """(T, Y, X[, C]), or (Y, X[, C]) of a picture."""
        cut = {self.axis, *dict(self.fixed)}
        plane = [n for axis, n in enumerate(self.data.shape) if axis not in cut]
        stack = [] if self.axis is None else [self.data.shape[self.axis]]
        return tuple(int(length) for length in (*stack, *plane))

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    @property
    def dtype(self) -> Any:
        """Type of one pixel."""
        return self.data.dtype

    def index(self, frame: int) -> PlaneIndex:
        """Return the index of a plane in the array."""
        places = dict(self.fixed)
        if self.axis is not None:
            places[self.axis] = frame
        return tuple(
            places.get(axis, slice(None)) for axis in range(len(self.data.shape))
        )

    def __getitem__(self, key: Any) -> np.ndarray:
        """Read one plane by its number, or a part of it, or any part of a picture."""
        if self.axis is None:
            return np.asarray(self.data[key])
        number, *part = key if isinstance(key, tuple) else (key,)
        frame = range(self.data.shape[self.axis])[int(number)]
        index = list(self.index(frame))
        shown = [axis for axis, one in enumerate(index) if isinstance(one, slice)]
        for axis, span in zip(shown, part, strict=False):
            index[axis] = span
        return np.asarray(self.data[tuple(index)])
