"""Labels of a file while some of their frames are being revised."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from napari_sam_decoder.frames import ArrayLike

__all__ = ["RevisedLabels"]

FASTEST = 1


class RevisedLabels:
    """Labels as they were, but for the frames that have been set since.

    These are kept compressed, so that a correction of a whole movie still fits in
    memory; the others are read when they are asked for.

    Parameters
    ----------
    labels : (T, Y, X) array-like of int
        As they were; they are not changed.
    dtype : dtype
        Integers that hold old and new labels.
    """

    def __init__(self, labels: ArrayLike, dtype: np.dtype) -> None:
        self.shape = tuple(labels.shape)
        self.dtype = dtype
        self._labels = labels
        self._revised: dict[int, bytes] = {}

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, frame: int) -> np.ndarray:
        """(Y, X) labels of a frame as they are by now."""
        if frame not in self._revised:
            return np.asarray(self._labels[frame]).astype(self.dtype)
        pixels = np.frombuffer(zlib.decompress(self._revised[frame]), self.dtype)
        return pixels.reshape(self.shape[1:])

    def __setitem__(self, frame: int, labels: np.ndarray) -> None:
        pixels = labels.astype(self.dtype).tobytes()
        self._revised[frame] = zlib.compress(pixels, FASTEST)
