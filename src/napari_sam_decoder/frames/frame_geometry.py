"""Mapping positions in a frame to the network's input and back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_sam_decoder.linalg import matmul
from napari_sam_decoder.model.transforms import extent, input_shape
from napari_sam_decoder.model.values import ModelPrompt

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["FrameGeometry"]


@dataclass(frozen=True)
class FrameGeometry:
    """Maps positions in a frame to positions in the network's input and back.

    The frame is resized so that its longest side fills the square input, and padded at
    the bottom and right; x' = x * new_width / width, as in SAM's reference.

    Attributes
    ----------
    frame_shape : tuple of int
        (rows, columns) of the frame.
    model_shape : tuple of int
        (rows, columns) of the resized frame inside the input, padding excluded.
    """

    frame_shape: tuple[int, int]
    model_shape: tuple[int, int]

    @classmethod
    def fit(cls, frame_shape: tuple[int, int], image_size: int) -> FrameGeometry:
        """Geometry of a frame in a square input of ``image_size`` pixels per side."""
        return cls(frame_shape, input_shape(frame_shape, image_size))

    def to_model(self, positions: np.ndarray) -> np.ndarray:
        """Map (N, 2) positions (row, column) to (N, 2) model pixels (x, y)."""
        scaled: np.ndarray = np.asarray(positions, dtype=float) * self._scale
        return scaled[:, ::-1]

    def to_prompt(
        self,
        points: Sequence[Sequence[float]] | np.ndarray,
        signs: Sequence[bool] | np.ndarray,
        box: Sequence[float] | None = None,
    ) -> ModelPrompt:
        """Say in model pixels what is shown of an object.

        Parameters
        ----------
        points : (N, 2) array-like of float
            (row, column) in frame pixels; N may be 0.
        signs : (N,) array-like of bool
            True for a point on the object.
        box : (row0, column0, row1, column1), optional
            Around the object.
        """
        positions = np.asarray(points, dtype=float).reshape(-1, 2)
        corners = None
        if box is not None:
            corners = self.to_model(np.reshape(box, (2, 2))).reshape(4)
        return ModelPrompt(
            self.to_model(positions).astype(np.float32),
            np.asarray(signs, dtype=np.int64),
            None if corners is None else corners.astype(np.float32),
        )

    def to_frame(self, positions: np.ndarray) -> np.ndarray:
        """Map (N, 2) model pixels (x, y) back to (N, 2) positions (row, column)."""
        unscaled: np.ndarray = np.divide(
            np.asarray(positions, dtype=float)[:, ::-1], self._scale
        )
        return unscaled

    def coverage(self, mask: np.ndarray, size: int) -> np.ndarray:
        """Compute how much of each pixel of a coarser square grid a mask covers.

        Parameters
        ----------
        mask : (Y, X) array of bool
            Over the whole frame. Its pixel (r, c) covers the area r..r + 1, c..c + 1.
        size : int
            Side of the grid, which shows the same as the network's input: the frame at
            the top left, with its longest side filling it, and padding.

        Returns
        -------
        (size, size) array of float32
            0..1, the exact fraction of each pixel's area; 0 in the padding.
        """
        pixels_per_side = max(self.model_shape) / size
        rows, columns = (
            _overlaps(length, scale / pixels_per_side, size)
            for length, scale in zip(self.frame_shape, self._scale, strict=True)
        )
        window = extent(mask)
        if window is None:
            return np.zeros((size, size), np.float32)
        down, across = window
        cut = mask[window].astype(np.float32)
        return matmul(rows[:, down], cut, columns[:, across].T)

    @property
    def _scale(self) -> np.ndarray:
        return np.divide(self.model_shape, self.frame_shape)


def _overlaps(length: int, scale: float, size: int) -> np.ndarray:
    """(size, length) overlaps of unit intervals with intervals of length ``scale``."""
    edges = np.arange(length + 1) * scale
    starts = np.arange(size)[:, np.newaxis]
    shared = np.minimum(starts + 1, edges[1:]) - np.maximum(starts, edges[:-1])
    overlaps: np.ndarray = shared.clip(min=0).astype(np.float32)
    return overlaps
