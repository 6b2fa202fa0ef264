"""Choose among the masks that the decoder offers for one object on one frame."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Choice", "choose_by_quality", "choose_like", "soft_iou", "stability"]

STABILITY_OFFSET = 1.0
LARGEST_SHARE = 0.8
"""A mask of more of the picture than this is the scene, not an object in it."""
QUALITY_WEIGHT = 0.5


@dataclass(frozen=True, eq=False)
class Choice:
    """The chosen mask and what speaks for it.

    Attributes
    ----------
    index : int
        0 for the single-mask output, 1 to 3 for the hypotheses.
    logits : (h, w) array of float32
        Its unthresholded low-res logits.
    iou_prediction : float
        The decoder's own opinion of it, clipped to 0..1.
    stability : float
        0..1, see `stability`.
    agreement : float
        0..1, soft IoU with where the object was expected; 1 on a prompted frame.
    """

    index: int
    logits: np.ndarray
    iou_prediction: float
    stability: float
    agreement: float

    @property
    def confidence(self) -> float:
        """One number in 0..1: the weakest part decides."""
        return min(self.iou_prediction, self.stability, self.agreement)


def soft_iou(first: np.ndarray, second: np.ndarray) -> float:
    """IoU of two arrays of probabilities, as sum of minima over sum of maxima.

    Returns
    -------
    float
        0..1; 1 if both are zero everywhere.
    """
    union = float(np.maximum(first, second).sum())
    return float(np.minimum(first, second).sum()) / union if union else 1.0


def stability(logits: np.ndarray) -> float:
    """IoU of the masks at a threshold of +1 and of -1 (SAM's stability score).

    Returns
    -------
    float
        0..1; 0 for a mask that is empty even at the lower threshold.
    """
    loose = int((logits > -STABILITY_OFFSET).sum())
    return int((logits > STABILITY_OFFSET).sum()) / loose if loose else 0.0


def choose_by_quality(
    logits: np.ndarray,
    iou_predictions: np.ndarray,
    allowed: Sequence[int],
    content: tuple[int, int],
) -> Choice:
    """Choose the mask that the decoder itself rates highest.

    Parameters
    ----------
    logits : (4, h, w) array
    iou_predictions : (4,) array
    allowed : sequence of int
        Indices among which to choose; a single one is the user's own pick.
    content : (rows, columns)
        The part of the grid that shows the frame.

    Returns
    -------
    Choice
        Masks of nearly the whole picture, which SAM is fond of where it recognises
        nothing, are chosen only if there is no other.
    """
    masks = logits[:, : content[0], : content[1]] > 0
    objects = [i for i in allowed if masks[i].mean() <= LARGEST_SHARE] or allowed
    index = max(objects, key=lambda candidate: float(iou_predictions[candidate]))
    return _choice(logits, iou_predictions, index, agreement=1.0)


def choose_like(
    logits: np.ndarray,
    iou_predictions: np.ndarray,
    expected: np.ndarray,
    content: tuple[int, int],
) -> Choice:
    """Choose the mask that is rated highly and lies where the object is expected.

    Parameters
    ----------
    logits : (4, h, w) array
    iou_predictions : (4,) array
    expected : (h, w) array
        Logits of the previous mask moved on by the object's motion.
    content : (rows, columns)
        The part of the grid that shows the frame; padding has no say.

    Returns
    -------
    Choice
        The one with the best geometric mean of predicted IoU and soft agreement: a
        mask must be good in both, so neither a fine mask of something else nor a
        smear over the right place wins.
    """
    visible = (..., slice(content[0]), slice(content[1]))
    hoped_for = _sigmoid(expected[visible])
    agreements = [
        soft_iou(candidate, hoped_for) for candidate in _sigmoid(logits[visible])
    ]
    qualities = np.clip(iou_predictions, 0, 1)
    scores = qualities**QUALITY_WEIGHT * np.power(agreements, 1 - QUALITY_WEIGHT)
    index = int(np.argmax(scores))
    return _choice(logits, iou_predictions, index, agreement=agreements[index])


def _sigmoid(logits: np.ndarray) -> np.ndarray:
    """Logits to probabilities, without overflow."""
    return 0.5 * (1 + np.tanh(0.5 * logits))


def _choice(
    logits: np.ndarray, iou_predictions: np.ndarray, index: int, agreement: float
) -> Choice:
    return Choice(
        index=index,
        logits=logits[index],
        iou_prediction=float(np.clip(iou_predictions[index], 0, 1)),
        stability=stability(logits[index]),
        agreement=agreement,
    )
