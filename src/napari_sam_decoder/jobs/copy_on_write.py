"""Labels that can be changed frame by frame without changing their source."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from napari_sam_decoder.frames import ArrayLike

__all__ = ["CopyOnWriteLabels"]

FASTEST = 1


class CopyOnWriteLabels:
    """Labels from a source, with changed frames kept beside it.

    Changed frames are compressed, so that a corrected movie still fits in memory. The
    others are read from the source when they are needed.

    Parameters
    ----------
    labels : (T, Y, X) array-like of int
        The source. It is never changed.
    dtype : dtype
        An integer type that can hold both the old and the new labels.
    """

    def __init__(self, labels: ArrayLike, dtype: np.dtype) -> None:
        self.shape = tuple(labels.shape)
        self.dtype = dtype
        self._labels = labels
        self._changed: dict[int, bytes] = {}

    def __repr__(self) -> str:
        changed = f"{len(self._changed)} frames changed"
        return f"CopyOnWriteLabels({self.shape}, {self.dtype}, {changed})"

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, frame: int) -> np.ndarray:
        """(Y, X) current labels of a frame."""
        if frame not in self._changed:
            return np.asarray(self._labels[frame]).astype(self.dtype)
        pixels = np.frombuffer(zlib.decompress(self._changed[frame]), self.dtype)
        return pixels.reshape(self.shape[1:])

    def __setitem__(self, frame: int, labels: np.ndarray) -> None:
        pixels = labels.astype(self.dtype).tobytes()
        self._changed[frame] = zlib.compress(pixels, FASTEST)
