"""How well masks match the truth: per frame, per object, and for a whole sequence."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_sam_decoder import Verdict
from napari_sam_decoder.metrics import mask_iou
from tracking_parts.measures import (
    auc,
    boundary_f,
    dice,
    flicker,
    mean,
    precision_recall,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from napari_sam_decoder import FrameResult
    from tracking_parts.data import Target

    MaskAt = Callable[[int, int], np.ndarray]

__all__ = [
    "RELIABILITY",
    "Scorecard",
    "accuracy",
    "joint_score",
    "mean_dice",
    "reliability",
]

POOR = 0.7
"""Frames of less J are those of which confidence should be low."""
LOST = 0.5
"""On frames of less J an object is lost, and should be called doubtful or absent."""
RELIABILITY = (
    "auc",
    "lost_told",
    "good_doubted",
    "absent_precision",
    "absent_recall",
)
"""Keys of what `reliability` gives."""

_WARNINGS = Verdict.DOUBTFUL, Verdict.ABSENT


class Scorecard:
    """J and F of one object on each frame, measured once until its mask changes.

    Parameters
    ----------
    target : Target
    mask_at : callable
        From an object id and a frame to its (Y, X) mask of bool.
    """

    def __init__(self, target: Target, mask_at: MaskAt) -> None:
        self.target = target
        self._mask_at = mask_at
        self._regions: dict[int, float] = {}
        self._boundaries: dict[int, float] = {}

    def mask(self, frame: int) -> np.ndarray:
        """(Y, X) bool: where the object was found."""
        return self._mask_at(self.target.object_id, frame)

    def region(self, frame: int) -> float:
        """J, 0..1: IoU of mask and truth."""
        if frame not in self._regions:
            self._regions[frame] = mask_iou(self.target.truth(frame), self.mask(frame))
        return self._regions[frame]

    def boundary(self, frame: int) -> float:
        """F, 0..1, see `boundary_f`."""
        if frame not in self._boundaries:
            truth = self.target.truth(frame)
            self._boundaries[frame] = boundary_f(truth, self.mask(frame))
        return self._boundaries[frame]

    def forget(self, frame: int) -> None:
        """Measure a frame again, since its mask has changed."""
        self._regions.pop(frame, None)
        self._boundaries.pop(frame, None)


def accuracy(cards: Sequence[Scorecard]) -> dict[str, float | None]:
    """Measure J, F, their mean, flicker and, of volumes, Dice.

    Returns
    -------
    dict
        In percent; means over the frames of an object, then over the objects.
    """
    region, boundary = _mean_j(cards), _mean_f(cards)
    return {
        "J": _percent(region),
        "F": _percent(boundary),
        "JF": joint_score(cards),
        "flicker": _percent(mean(map(_flicker, cards))),
        "dice": mean_dice(cards),
    }


def joint_score(cards: Sequence[Scorecard]) -> float | None:
    """J&F in percent."""
    return _percent(mean((_mean_j(cards), _mean_f(cards))))


def mean_dice(cards: Sequence[Scorecard]) -> float | None:
    """Dice of the objects of volumes, in percent; None if there are none."""
    return _percent(mean(_dice(card) for card in cards if card.target.is_volume))


def reliability(
    cards: Sequence[Scorecard], results: Mapping[int, FrameResult]
) -> dict[str, float | None]:
    """Measure whether it was known where the masks are wrong.

    Parameters
    ----------
    cards : sequence of Scorecard
        One per object.
    results : mapping of int to FrameResult
        By frame; empty for methods that know nothing of it.

    Returns
    -------
    dict
        "auc" of ``1 - confidence`` against a J below 0.7; shares of the frames of a J
        below 0.5 ("lost_told") and of at least 0.7 ("good_doubted") that are called
        doubtful or absent; precision and recall of the verdict "absent" against an
        empty truth. All 0..1 over the scored frames of all objects together, None
        where undefined. "Absent" is judged beyond the ends of objects in volumes as
        well, where the first two slices may be either.
    """
    scored = [(card, frame) for card in cards for frame in card.target.scored]
    if not results or not scored:
        return dict.fromkeys(RELIABILITY)
    precision, recall = _absence(cards, results)
    said = [results[frame].objects[c.target.object_id] for c, frame in scored]
    doubts = np.array([1 - result.confidence for result in said])
    is_told = np.array([result.verdict in _WARNINGS for result in said])
    regions = np.array([card.region(frame) for card, frame in scored])
    return {
        "auc": auc(doubts, regions < POOR),
        "lost_told": _share(is_told[regions < LOST]),
        "good_doubted": _share(is_told[regions >= POOR]),
        "absent_precision": precision,
        "absent_recall": recall,
    }


def _absence(
    cards: Sequence[Scorecard], results: Mapping[int, FrameResult]
) -> tuple[float | None, float | None]:
    """Precision and recall of the verdict "absent"."""
    looked_at = [
        (card.target, frame)
        for card in cards
        for frame in (*card.target.scored, *card.target.past)
    ]
    is_empty = np.array([not one.truth(frame).any() for one, frame in looked_at])
    is_due = np.array(
        [frame in one.scored or one.is_long_past(frame) for one, frame in looked_at]
    )
    said = np.array(
        [
            results[frame].objects[one.object_id].verdict is Verdict.ABSENT
            for one, frame in looked_at
        ]
    )
    precision, _ = precision_recall(is_empty, said)
    _, recall = precision_recall(is_empty[is_due], said[is_due])
    return precision, recall


def _mean_j(cards: Sequence[Scorecard]) -> float | None:
    return mean(mean(map(card.region, card.target.scored)) for card in cards)


def _mean_f(cards: Sequence[Scorecard]) -> float | None:
    return mean(mean(map(card.boundary, card.target.scored)) for card in cards)


def _flicker(card: Scorecard) -> float | None:
    # IoU knows no order, so both directions from a slice are one walk.
    frames = card.target.frames
    return flicker(map(card.target.truth, frames), map(card.mask, frames))


def _dice(card: Scorecard) -> float | None:
    frames = card.target.scored
    return dice(map(card.target.truth, frames), map(card.mask, frames))


def _share(is_told: np.ndarray) -> float | None:
    return float(is_told.mean()) if len(is_told) else None


def _percent(share: float | None) -> float | None:
    return None if share is None else 100 * share
