"""The one place where frame pixels map to model pixels and back."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from napari_sam_decoder.model.geometry import input_shape

__all__ = ["FrameGeometry"]


@dataclass(frozen=True)
class FrameGeometry:
    """Maps positions in a frame to positions in the network's input and back.

    The frame is resized so that its longest side fills the square input and padded
    at the bottom and right; x' = x * new_width / width, as SAM's reference does.

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
        """Geometry of a frame inside an input of ``image_size`` pixels a side."""
        return cls(frame_shape, input_shape(frame_shape, image_size))

    def to_model(self, positions: np.ndarray) -> np.ndarray:
        """Map (N, 2) positions (row, column) to (N, 2) model pixels (x, y)."""
        scaled: np.ndarray = np.asarray(positions, dtype=float) * self._scale
        return scaled[:, ::-1]

    def to_frame(self, positions: np.ndarray) -> np.ndarray:
        """Map (N, 2) model pixels (x, y) back to (N, 2) positions (row, column)."""
        unscaled: np.ndarray = np.divide(
            np.asarray(positions, dtype=float)[:, ::-1], self._scale
        )
        return unscaled

    @property
    def _scale(self) -> np.ndarray:
        return np.divide(self.model_shape, self.frame_shape)
