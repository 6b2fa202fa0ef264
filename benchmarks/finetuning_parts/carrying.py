"""How well objects are carried from one mask, and what it takes to put that right."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from tracking_parts.methods import propagate
from tracking_parts.prompting import correcting_click
from tracking_parts.scorecard import Scorecard

from napari_sam_decoder import Prompt, Session

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from tracking_parts.data import Target

__all__ = ["ENOUGH", "Carried", "carry"]

ENOUGH = 0.7
"""J that an annotator who corrects a movie is content with."""


@dataclass(frozen=True)
class Carried:
    """What became of some objects.

    Attributes
    ----------
    region : float
        0..1: mean J on the frames that count, before any correction.
    clicks : float
        Corrections for each object until all of its frames that count had `ENOUGH`, or
        nobody would go on.
    region_after : float
        0..1: mean J after these.
    """

    region: float
    clicks: float
    region_after: float


def carry(
    session: Session,
    targets: Sequence[Target],
    without: Collection[int],
    most_clicks: int,
) -> Carried:
    """Carry objects from their masks on their first frames, and correct them.

    Parameters
    ----------
    session : Session
        Whose prompts are replaced.
    targets : sequence of Target
        Carried together.
    without : collection of int
        Frames that do not count: they were learned from.
    most_clicks : int
        For each object. After these the annotator gives up.
    """
    prompts = [Prompt(t.object_id, t.start, mask=t.truth(t.start)) for t in targets]
    run = propagate(session, targets, prompts)
    labels = np.zeros(session.labels_shape, np.uint16)
    for frame, result in run.results.items():
        labels[frame] = result.labels

    def mask_at(object_id: int, frame: int) -> np.ndarray:
        mask: np.ndarray = labels[frame] == object_id
        return mask

    cards = [Scorecard(target, mask_at) for target in targets]
    counting = [_counting(target, without) for target in targets]
    before = _regions(cards, counting)
    clicks = sum(
        _correct(session, card, frames, labels, most_clicks)
        for card, frames in zip(cards, counting, strict=True)
    )
    fresh = [Scorecard(target, mask_at) for target in targets]
    after = _regions(fresh, counting)
    return Carried(float(np.mean(before)), clicks / len(targets), float(np.mean(after)))


def _counting(target: Target, without: Collection[int]) -> list[int]:
    return [
        frame
        for frame in target.frames
        if frame != target.start and frame not in without and target.truth(frame).any()
    ]


def _regions(cards: Sequence[Scorecard], counting: Sequence[list[int]]) -> np.ndarray:
    return np.array(
        [
            card.region(frame)
            for card, frames in zip(cards, counting, strict=True)
            for frame in frames
        ]
    )


def _correct(
    session: Session,
    card: Scorecard,
    frames: Sequence[int],
    labels: np.ndarray,
    most_clicks: int,
) -> int:
    """Click on the worst frame until all are good enough; return how often."""
    for number in range(most_clicks):
        worst = min(frames, key=card.region)
        if card.region(worst) >= ENOUGH:
            return number
        click = correcting_click(card.target, worst, card.mask(worst))
        if click is None:
            return number
        for result in session.correct([click], labels):
            labels[result.frame] = result.labels
            card.forget(result.frame)
    return most_clicks
