"""Join what two legs say about one object, and keep it small until it is needed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from napari_sam_decoder.model.values import BACKGROUND_LOGIT
from napari_sam_decoder.propagation.results import ObjectResult, Reason, Verdict
from napari_sam_decoder.scoring import mask_iou

if TYPE_CHECKING:
    from napari_sam_decoder.prompts import PaintedMask

__all__ = ["Outcome", "PackedLogits", "fuse"]

MARGIN = 3
AGREEING_IOU = 0.5


@dataclass(frozen=True, eq=False)
class PackedLogits:
    """Low-res logits cut to the object and halved: some KB instead of 256.

    Attributes
    ----------
    values : (h, w) array of float16
    origin : (row, column)
        Of the cut in the full grid.
    shape : (rows, columns)
        Of the full grid.
    """

    values: np.ndarray
    origin: tuple[int, int]
    shape: tuple[int, int]

    @classmethod
    def pack(cls, logits: np.ndarray) -> PackedLogits:
        """Cut to the positive logits and a margin that keeps the edge's slope."""
        rows, columns = np.nonzero(logits > 0)
        if rows.size == 0:
            return cls(np.empty((0, 0), np.float16), (0, 0), logits.shape)
        top, left = max(rows.min() - MARGIN, 0), max(columns.min() - MARGIN, 0)
        cut = logits[top : rows.max() + MARGIN + 1, left : columns.max() + MARGIN + 1]
        return cls(cut.astype(np.float16), (int(top), int(left)), logits.shape)

    def unpack(self) -> np.ndarray:
        """Return (rows, columns) float32 logits, far below zero outside the cut."""
        logits = np.full(self.shape, BACKGROUND_LOGIT, np.float32)
        (top, left), (height, width) = self.origin, self.values.shape
        logits[top : top + height, left : left + width] = self.values
        return logits


@dataclass(frozen=True, eq=False)
class Outcome:
    """What one leg says about its object on one frame.

    Attributes
    ----------
    result : ObjectResult
    logits : PackedLogits, optional
        None for an absent object.
    distance : int
        Frames from the prompt that the leg started at.
    painted : PaintedMask, optional
        The user's own mask, which is shown as it is.
    """

    result: ObjectResult
    logits: PackedLogits | None
    distance: int = 0
    painted: PaintedMask | None = None

    @classmethod
    def of(
        cls,
        result: ObjectResult,
        logits: np.ndarray,
        painted: PaintedMask | None = None,
    ) -> Outcome:
        """Keep the low-res logits of an object that is there."""
        return cls(result, PackedLogits.pack(logits), painted=painted)


def fuse(first: Outcome, second: Outcome) -> Outcome:
    """Join the outcomes of the legs from the prompts before and after a frame.

    Where only one still sees the object, that one is right: the other lost it. Where
    both see the same thing their logits are mixed, the nearer prompt counting more,
    so that no seam shows. Where they contradict each other, the one with the better
    confidence for its distance is taken, and marked doubtful.

    Parameters
    ----------
    first, second : Outcome
        Of the same object on the same frame.

    Returns
    -------
    Outcome
    """
    if first.logits is None or second.logits is None:
        return second if first.logits is None else first
    nearness = second.distance / (first.distance + second.distance)
    preferred = (
        first if _merit(first, nearness) >= _merit(second, 1 - nearness) else second
    )
    a, b = first.logits.unpack(), second.logits.unpack()
    if mask_iou(a > 0, b > 0) < AGREEING_IOU:
        doubtful = replace(
            preferred.result, verdict=Verdict.DOUBTFUL, reason=Reason.CONTRADICTED
        )
        return replace(preferred, result=doubtful)
    mixed = PackedLogits.pack(nearness * a + (1 - nearness) * b)
    return replace(preferred, logits=mixed)


def _merit(outcome: Outcome, nearness: float) -> float:
    return outcome.result.confidence * nearness
