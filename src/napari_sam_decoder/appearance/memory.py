"""What an object looked like on its accepted frames.

Two classifiers remember the object. The one on the cells of the embeddings recognises
things, but only coarsely. The one on the pixels knows only colours, but follows the
outline to the pixel. The cells of a few frames are also remembered one by one, to
propagate their labels.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from napari_sam_decoder.appearance.label_propagation import (
    LabelledCells,
    propagate_labels,
)
from napari_sam_decoder.appearance.ridge import RidgeClassifier
from napari_sam_decoder.linalg import matmul
from napari_sam_decoder.model.transforms import extent

if TYPE_CHECKING:
    from napari_sam_decoder.appearance.features import FrameFeatures

__all__ = ["FIXED", "Memory"]

SMALLEST_NORM = 1e-6

FIXED = 4
"""Fixed frames whose cells are remembered one by one."""
LATEST = 3
"""The same of accepted frames."""


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
    fixed, latest : tuple of LabelledCells
        Of a few fixed frames, the nearest first, and of the latest accepted ones.
    """

    cells: RidgeClassifier
    pixels: RidgeClassifier
    direction: np.ndarray
    fixed: tuple[LabelledCells, ...] = ()
    latest: tuple[LabelledCells, ...] = ()

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
            fixed=_labelled(features, logits),
        )

    def join(self, other: Memory) -> Memory:
        """Add the fixed frames of another memory of the same object, as less near."""
        return Memory(
            self.cells.join(other.cells),
            self.pixels.join(other.pixels),
            self.direction + other.direction,
            (self.fixed + other.fixed)[:FIXED],
            self.latest,
        )

    def updated(
        self, features: FrameFeatures, logits: np.ndarray, confidence: float
    ) -> Memory:
        """Learn an accepted frame, weighted by its confidence; it fades."""
        return replace(
            self,
            cells=self.cells.updated(features.cells.labelled(logits), confidence),
            pixels=self.pixels.updated(features.pixels.labelled(logits), confidence),
            latest=(*self.latest, *_labelled(features, logits))[-LATEST:],
        )

    def shifted(self, features: FrameFeatures, shift: np.ndarray) -> Memory:
        """Return what is remembered, as seen from another window of the same size.

        Parameters
        ----------
        features : FrameFeatures
            Of any frame.
        shift : (2,) array
            Low-res pixels by which everything lies further down and to the right.
        """
        cells = np.rint(shift / features.cells.size).astype(int)
        latest = tuple(one.shifted(cells[0], cells[1]) for one in self.latest)
        return replace(self, latest=latest)

    def cell_scores(self, features: FrameFeatures) -> np.ndarray:
        """Score a frame by its cells.

        Returns
        -------
        (rows, columns) array of float32
            About 1 where the frame looks like the object, about -1 where it looks like
            the background or other objects.
        """
        return features.cells.to_map(self.cells.scores(features.cells.samples))

    def propagated_scores(
        self, features: FrameFeatures, asked: np.ndarray
    ) -> np.ndarray:
        """Score a part of a frame by label propagation.

        Parameters
        ----------
        features : FrameFeatures
            Of the frame.
        asked : (rows, columns) array of bool
            The low-res pixels to score.

        Returns
        -------
        (rows, columns) array of float32
            The range is that of `cell_scores`; -1 in other parts of the frame.
        """
        cells = features.cells
        window = extent(cells.covering(asked)) or (slice(0, 0), slice(0, 0))
        shares = propagate_labels(cells, window, self.fixed, self.latest)
        return 2 * cells.to_map(shares) - 1

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


def _labelled(features: FrameFeatures, logits: np.ndarray) -> tuple[LabelledCells, ...]:
    cells = LabelledCells.of(features.cells, logits)
    return () if cells is None else (cells,)


def _object_direction(features: FrameFeatures, logits: np.ndarray) -> np.ndarray:
    summed = matmul(features.cells.coverage(logits), features.cells.directions)
    unit: np.ndarray = summed / max(float(np.linalg.norm(summed)), SMALLEST_NORM)
    return unit
