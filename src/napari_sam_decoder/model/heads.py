"""What is in use beside a network's own decoder; no torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from napari_sam_decoder.model.rater import Rater
    from napari_sam_decoder.model.sharpener import Sharpener

__all__ = ["Heads"]


@dataclass(frozen=True, eq=False)
class Heads:
    """What has been trained on top of a network.

    Attributes
    ----------
    rater : Rater, optional
        Rates the hypotheses of a single click; without one the network's own ratings
        count.
    sharpener : Sharpener, optional
        Draws masks at the pixels of the frame; without one they are enlarged.
    """

    rater: Rater | None = None
    sharpener: Sharpener | None = None
