"""What an object looked like on its accepted frames.

Two classifiers remember the object. The one on the cells of the embeddings recognises
things, but only coarsely. The one on the pixels knows only colours, but follows the
outline to the pixel.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from napari_sam_decoder.appearance.ridge import RidgeClassifier
from napari_sam_decoder.linalg import matmul

if TYPE_CHECKING:
    from napari_sam_decoder.appearance.features import FrameFeatures

__all__ = ["Memory"]

SMALLEST_NORM = 1e-6


@dataclass(frozen=True, eq=False)
class Memory:
    """The appearance of one object, against everything else on its frames.

    Its size does not depend on the number of frames.

    Attributes
    ----------
    cells, pixels : RidgeClassifier
        Fitted to the frames that the user has fixed, which never fade, and to the
        accepted ones, which do.
    direction : (C,) array of float32
        Sum over the fixed frames of the unit vector of the features of the object.
    """

    cells: RidgeClassifier
    pixels: RidgeClassifier
    direction: np.ndarray

    @classmethod
    def of(cls, features: FrameFeatures, logits: np.ndarray) -> Memory:
        """Learn a frame that the user has fixed.

        Parameters
        ----------
        features : FrameFeatures
            Of the frame.
        logits : (h, w) array
            Low-res logits of the object there.
        """
        return cls(
            RidgeClassifier.of(features.cells.labelled(logits)),
            RidgeClassifier.of(features.pixels.labelled(logits)),
            _object_direction(features, logits),
        )

    def join(self, other: Memory) -> Memory:
        """Add the fixed frames of another memory of the same object."""
        return Memory(
            self.cells.join(other.cells),
            self.pixels.join(other.pixels),
            self.direction + other.direction,
        )

    def updated(
        self, features: FrameFeatures, logits: np.ndarray, confidence: float
    ) -> Memory:
        """Learn an accepted frame, weighted by its confidence; it fades."""
        return replace(
            self,
            cells=self.cells.updated(features.cells.labelled(logits), confidence),
            pixels=self.pixels.updated(features.pixels.labelled(logits), confidence),
        )

    def cell_scores(self, features: FrameFeatures) -> np.ndarray:
        """Score a frame by its cells.

        Returns
        -------
        (rows, columns) array of float32
            About 1 where the frame looks like the object, about -1 where it looks like
            the background or other objects.
        """
        return features.cells.to_map(self.cells.scores(features.cells.samples))

    def pixel_scores(self, features: FrameFeatures) -> np.ndarray:
        """Score a frame by its colours; the range is that of `cell_scores`."""
        return features.pixels.to_map(self.pixels.scores(features.pixels.samples))

    def likeness(self, features: FrameFeatures, logits: np.ndarray) -> float:
        """Cosine between what is under a mask and the object on its fixed frames.

        Returns
        -------
        float
            -1..1. The same object on another frame mostly has more than 0.5, and more
            than 0.3 even if it turns or deforms. Background has about 0 or less.
        """
        length = max(float(np.linalg.norm(self.direction)), SMALLEST_NORM)
        cosine = float(_object_direction(features, logits) @ self.direction) / length
        return max(-1.0, min(cosine, 1.0))


def _object_direction(features: FrameFeatures, logits: np.ndarray) -> np.ndarray:
    summed = matmul(features.cells.coverage(logits), features.cells.directions)
    unit: np.ndarray = summed / max(float(np.linalg.norm(summed)), SMALLEST_NORM)
    return unit
