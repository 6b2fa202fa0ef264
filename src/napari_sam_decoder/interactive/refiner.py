"""The refinement network as used: windows in, masks and ratings out."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Protocol

import numpy as np

from napari_sam_decoder.model.values import GRID_SIDE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_sam_decoder.interactive.clues import Clues
    from napari_sam_decoder.interactive.focus import Focus

__all__ = ["Refined", "Refiner", "bundled_refiner", "refine"]


@dataclass(frozen=True, eq=False)
class Refined:
    """A mask in a window.

    Attributes
    ----------
    focus : Focus
        The window.
    logits : (GRID_SIDE, GRID_SIDE) array of float32
        Above 0 is object.
    rating : float
        Expected IoU in the window, about 0..1.
    """

    focus: Focus
    logits: np.ndarray
    rating: float

    def drawn_into(self, mask: np.ndarray) -> np.ndarray:
        """Return a (Y, X) mask that is this one inside of the window."""
        drawn = mask.copy()
        drawn[self.focus.place] = self.focus.enlarge(self.logits) > 0
        return drawn

    @property
    def share_of_rim(self) -> float:
        """0..1: how much of the window's rim, within the frame, is on the object."""
        return float((self.logits > 0)[self.focus.rim].sum()) / (4 * GRID_SIDE)


class Refiner(Protocol):
    """Redraws masks in windows, as `RefinementNetwork` does."""

    def refine(self, seen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return logits and ratings for (B, CLUES, GRID_SIDE, GRID_SIDE) clues."""


def refine(refiner: Refiner, clues: Clues, windows: Sequence[Focus]) -> list[Refined]:
    """Redraw an object in several windows of its frame.

    Raises
    ------
    DecodingError
        If there is too little memory.
    """
    seen = np.stack([clues.seen(focus) for focus in windows])
    logits, ratings = refiner.refine(seen)
    return [
        Refined(focus, drawn, float(rating))
        for focus, drawn, rating in zip(windows, logits, ratings, strict=True)
    ]


@cache
def bundled_refiner() -> Refiner:
    """Return the refiner that comes with the package."""
    from napari_sam_decoder.weights.refinement import load_refinement

    return load_refinement()
