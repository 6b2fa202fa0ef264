"""Choosing among the masks that the decoder proposes for an object on a frame."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from napari_sam_decoder.linalg import sigmoid

__all__ = [
    "MASKS_PER_SET",
    "MAX_FRAME_SHARE",
    "Choice",
    "Expectation",
    "choose_expected",
    "choose_together",
    "is_unambiguous",
    "overlap_costs",
    "soft_iou",
    "stability",
]

MASKS_PER_SET = 4
"""Number of masks in a set, as the decoder returns them."""
STABILITY_OFFSET = 1.0
MAX_FRAME_SHARE = 0.4
"""A mask that covers more of the frame than this is the scene, not an object."""

# Weights of the criteria when candidates for the next frame are compared. Agreement
# with memory and motion together counts as much as the decoder's own rating. Similarity
# to the last mask alone does not count: candidates that merely repeat it would win, and
# following them lets a mask shrink or drift a little with every frame.
QUALITY_WEIGHT = 0.8
STABILITY_WEIGHT = 0.5
SIZE_WEIGHT = 0.3
AGREEMENT_WEIGHT = 1.0

FREE_OVERLAP = 0.3
"""IoU of two objects' masks without a cost, since one may lie inside the other."""

SMALLEST_GAIN = 1e-6
"""Smallest gain in the sum of scores that is not taken for rounding."""

CLEAR_FROM = 0.92
"""A choice that is below this in any criterion is compared with further masks."""


@dataclass(frozen=True, eq=False)
class Expectation:
    """What earlier frames predict about an object on this one.

    Attributes
    ----------
    moved : (rows, columns) array of float32
        Low-res logits of the last accepted mask, moved by the object's motion.
    prior : (rows, columns) array of float32
        Those combined with the memory: where the object should be.
    size : float, optional
        Expected area, in low-res pixels; it changes slowly. None where the border of
        the frame cuts the object off, since its visible area may then change fast.
    largest : float
        Area, in low-res pixels, above which a mask is the scene, not the object.
    """

    moved: np.ndarray
    prior: np.ndarray
    size: float | None = None
    largest: float = np.inf

    def size_likeness(self, masks: np.ndarray) -> np.ndarray:
        """Ratio of the smaller to the larger of actual and expected area, per mask."""
        if self.size is None:
            return np.ones(len(masks))
        areas = np.count_nonzero(masks, axis=(1, 2))
        likeness: np.ndarray = np.minimum(areas, self.size) / np.maximum(
            areas, self.size
        )
        return likeness


@dataclass(frozen=True, eq=False)
class Choice:
    """The chosen mask and its scores.

    Attributes
    ----------
    index : int
        0 for the single-mask output, 1 to 3 for the hypotheses.
    logits : (h, w) array of float32
        Its unthresholded low-res logits.
    iou_prediction : float
        The decoder's own rating, clipped to 0..1.
    stability : float
        0..1, see `stability`.
    memory_agreement : float
        0..1, IoU with where memory and motion expect the object; 1 on a prompted
        frame. It is not the soft IoU, so that an uncertain expectation costs nothing.
    temporal_iou : float
        0..1, soft IoU with the moved last mask; 1 on a prompted frame.
    score : float
        0..1, by which it was chosen; comparable between sets of candidates. 0 if no
        candidate can be the object.
    """

    index: int
    logits: np.ndarray
    iou_prediction: float
    stability: float
    memory_agreement: float
    temporal_iou: float
    score: float

    @property
    def confidence(self) -> float:
        """0..1, confidence in this mask by itself: the lowest of its scores."""
        return min(self.iou_prediction, self.stability, self.memory_agreement)


def soft_iou(first: np.ndarray, second: np.ndarray) -> float:
    """IoU of two arrays of probabilities or of bool: sum of minima over that of maxima.

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


def overlap_costs(masks: np.ndarray, owners: np.ndarray) -> np.ndarray:
    """Compute the costs of choosing masks of two objects together.

    Parameters
    ----------
    masks : (N, pixels) array of bool
        Candidates of several objects.
    owners : (N,) array of int
        The object of each candidate.

    Returns
    -------
    (N, N) array of float
        0..1: how far the IoU of two masks exceeds `FREE_OVERLAP`, so that identical
        masks cost 1; 0 between candidates of one object, of which one is chosen.
    """
    flat = masks.astype(np.float32)
    areas, shared = flat.sum(axis=1), flat @ flat.T
    ious = shared / np.maximum(areas[:, None] + areas - shared, 1)
    costs: np.ndarray = np.maximum(ious - FREE_OVERLAP, 0) / (1 - FREE_OVERLAP)
    costs[owners[:, None] == owners] = 0
    return costs


def choose_together(
    scores: np.ndarray, owners: np.ndarray, costs: np.ndarray
) -> np.ndarray:
    """Choose one candidate per object: the largest sum of scores minus costs.

    Parameters
    ----------
    scores : (N,) array of float
        Of each candidate; -inf if it must not be chosen. Each object has a finite one.
    owners : (N,) array of int
        The object of each candidate: 0, 1, 2 and so on, ascending.
    costs : (N, N) array of float
        Of two candidates that are chosen together, see `overlap_costs`.

    Returns
    -------
    (objects,) array of int
        The chosen candidate of each object. No change of one or two choices improves
        the sum. The result does not depend on the order of objects, except for ties.
    """
    _, starts = np.unique(owners, return_index=True)
    ends = [*starts[1:], len(owners)]
    picks = np.array(
        [
            start + np.argmax(scores[start:end])
            for start, end in zip(starts, ends, strict=True)
        ]
    )
    while True:
        gains = scores - costs[:, picks].sum(axis=1)
        gains = gains - gains[picks][owners]
        # The cost between two changes replaces that with each other's current choice.
        mine, theirs = costs[:, picks][:, owners], costs[picks][owners]
        of_picks = costs[np.ix_(picks, picks)][np.ix_(owners, owners)]
        both = gains[:, None] + gains - (costs - mine - theirs + of_picks)
        both[owners[:, None] == owners] = -np.inf
        # On the diagonal, a single change.
        np.fill_diagonal(both, gains)
        first, second = np.unravel_index(int(both.argmax()), both.shape)
        if not both[first, second] > SMALLEST_GAIN:
            return picks
        picks[owners[first]], picks[owners[second]] = first, second


def choose_expected(
    logits: np.ndarray,
    iou_predictions: np.ndarray,
    expectation: Expectation,
    merits: np.ndarray | None = None,
) -> Choice:
    """Choose the mask that is good by itself and fits the expectation.

    Parameters
    ----------
    logits : (N, h, w) array
        One or more sets of four masks, as the decoder returns them.
    iou_predictions : (N,) array
        The decoder's rating of each.
    expectation : Expectation
        From earlier frames. Its arrays cover the part of the grid that shows the frame;
        padding is ignored.
    merits : (N,) array, optional
        0..1, further scores by which those of the masks are multiplied.

    Returns
    -------
    Choice
        The mask with the highest weighted product of predicted IoU, stability,
        similarity of size and agreement with the prior. A mask must do well in all of
        them: neither a good mask of something else nor a blur in the right place wins.
    """
    rows, columns = expectation.prior.shape
    visible = logits[:, :rows, :columns]
    expected = sigmoid(expectation.prior)
    agreements = np.array([soft_iou(sigmoid(mask), expected) for mask in visible])
    qualities = np.clip(iou_predictions, 0, 1)
    stabilities = np.array([stability(mask) for mask in visible])
    scores = (
        qualities**QUALITY_WEIGHT
        * stabilities**STABILITY_WEIGHT
        * expectation.size_likeness(visible > 0) ** SIZE_WEIGHT
        * agreements**AGREEMENT_WEIGHT
    )
    if merits is not None:
        scores *= merits
    scores[np.count_nonzero(visible > 0, axis=(1, 2)) > expectation.largest] = 0
    best = int(np.argmax(scores))
    return Choice(
        index=best % MASKS_PER_SET,
        logits=logits[best],
        iou_prediction=float(qualities[best]),
        stability=float(stabilities[best]),
        memory_agreement=soft_iou(visible[best] > 0, expectation.prior > 0),
        temporal_iou=soft_iou(sigmoid(visible[best]), sigmoid(expectation.moved)),
        score=float(scores[best]),
    )


def is_unambiguous(choice: Choice, expectation: Expectation) -> bool:
    """Whether a choice is clearly good, as expected, and of the usual size."""
    rows, columns = expectation.prior.shape
    visible = choice.logits[None, :rows, :columns] > 0
    likeness = float(expectation.size_likeness(visible)[0])
    return min(choice.confidence, likeness) >= CLEAR_FROM
