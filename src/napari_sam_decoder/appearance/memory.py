"""What an object's accepted frames say about another one.

Two classifiers remember the object: one on the cells of the cached embeddings, which
recognises things but only coarsely, and one on the colours of the pixels, which knows
nothing of things but sees the finest part of an outline.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from napari_sam_decoder.appearance.ridge import Classifier
from napari_sam_decoder.linalg import matmul

if TYPE_CHECKING:
    from napari_sam_decoder.appearance.features import View

__all__ = ["Memory"]

SMALLEST_NORM = 1e-6


@dataclass(frozen=True, eq=False)
class Memory:
    """One object's appearance against everything else on its frames.

    Its size does not depend on how many frames it holds.

    Attributes
    ----------
    cells, pixels : Classifier
        Frames that the user has fixed are certain and never forgotten; accepted ones
        fade.
    look : (C,) array of float32
        Sum of the directions in feature space that set the object apart from each
        of the certain frames.
    """

    cells: Classifier
    pixels: Classifier
    look: np.ndarray

    @classmethod
    def of(cls, view: View, logits: np.ndarray) -> Memory:
        """Remember a frame that the user has fixed.

        Parameters
        ----------
        view : View
            Of the frame.
        logits : (h, w) array
            Low-res logits of the object there.
        """
        return cls(
            Classifier.of(view.cells.lesson(logits)),
            Classifier.of(view.pixels.lesson(logits)),
            _direction(view, logits),
        )

    def join(self, other: Memory) -> Memory:
        """Add what another memory of the same object has for certain."""
        return Memory(
            self.cells.join(other.cells),
            self.pixels.join(other.pixels),
            self.look + other.look,
        )

    def seen(self, view: View, logits: np.ndarray, confidence: float) -> Memory:
        """Remember an accepted frame for some time, as far as it can be trusted."""
        return replace(
            self,
            cells=self.cells.seen(view.cells.lesson(logits), confidence),
            pixels=self.pixels.seen(view.pixels.lesson(logits), confidence),
        )

    def recognised(self, view: View) -> np.ndarray:
        """Say where on a frame things look like the object.

        Returns
        -------
        (rows, columns) array of float32
            About 1 where cells are like the object's, about -1 where they are like the
            background's and other objects'.
        """
        return view.cells.spread(self.cells.scores(view.cells.samples))

    def coloured(self, view: View) -> np.ndarray:
        """Say where on a frame colours are like the object's, as `recognised` does."""
        return view.pixels.spread(self.pixels.scores(view.pixels.samples))

    def likeness(self, view: View, logits: np.ndarray) -> float:
        """Cosine between what is under a mask and the object on its certain frames.

        Returns
        -------
        float
            -1..1. The same object on different frames has mostly above 0.5, and above
            0.3 even where it turns or deforms; a piece of background has around or
            below 0.
        """
        length = max(float(np.linalg.norm(self.look)), SMALLEST_NORM)
        cosine = float(_direction(view, logits) @ self.look) / length
        return max(-1.0, min(cosine, 1.0))


def _direction(view: View, logits: np.ndarray) -> np.ndarray:
    summed = matmul(view.cells.shares(logits), view.cells.directions)
    unit: np.ndarray = summed / max(float(np.linalg.norm(summed)), SMALLEST_NORM)
    return unit
