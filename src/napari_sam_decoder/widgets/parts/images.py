"""Pixels as images of Qt."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtGui import QImage

if TYPE_CHECKING:
    import numpy as np

__all__ = ["as_image"]


def as_image(pixels: np.ndarray) -> QImage:
    """Make an image of (Y, X, 3) uint8 pixels: red, green and blue."""
    rows, columns, _ = pixels.shape
    image = QImage(
        pixels.tobytes(), columns, rows, 3 * columns, QImage.Format.Format_RGB888
    )
    # The copy owns its pixels, which Qt does not take over from Python.
    return image.copy()
