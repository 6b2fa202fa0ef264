"""What an object looks like to the encoder, to tell it from an empty background."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import expit

if TYPE_CHECKING:
    from napari_sam_decoder.model.values import Embedding

__all__ = ["Look", "View"]

SMALLEST_NORM = 1e-6


@dataclass(frozen=True, eq=False)
class Look:
    """Direction in feature space that sets an object apart from its frame.

    Attributes
    ----------
    direction : (256,) array of float32
        Of length 1, or 0 for an empty mask.
    """

    direction: np.ndarray

    def likeness(self, other: Look) -> float:
        """Cosine of the angle between two looks, -1..1.

        The same object on different frames has mostly above 0.5, and above 0.3 even
        where it turns or deforms; a piece of background has around or below 0.
        """
        return float(self.direction @ other.direction)


class View:
    """One frame's embedding, prepared for comparing parts of it.

    The frame's mean is taken away, since all that a frame has in common, such as
    its illumination, says nothing about the object; each cell then counts the same.

    Parameters
    ----------
    embedding : Embedding
        (256, H, W) features.
    content : (rows, columns)
        The low-res pixels that show the frame.
    mask_size : int
        Low-res pixels along a side of the whole grid.
    """

    def __init__(
        self, embedding: Embedding, content: tuple[int, int], mask_size: int
    ) -> None:
        self._pixels_per_cell = mask_size // embedding.features.shape[-1]
        rows, columns = (-(-side // self._pixels_per_cell) for side in content)
        cells = embedding.features[:, :rows, :columns].astype(np.float32)
        cells -= cells.mean(axis=(1, 2), keepdims=True)
        norms = np.linalg.norm(cells, axis=0, keepdims=True)
        self._cells = cells / np.maximum(norms, SMALLEST_NORM)

    def look_of(self, logits: np.ndarray) -> Look:
        """Average the cells under a mask of (h, w) low-res logits."""
        size = self._pixels_per_cell
        rows, columns = self._cells.shape[1:]
        visible = expit(logits[: rows * size, : columns * size])
        shares = visible.reshape(rows, size, columns, size).mean(axis=(1, 3))
        summed = np.tensordot(self._cells, shares, axes=2)
        return Look(summed / max(float(np.linalg.norm(summed)), SMALLEST_NORM))
