"""A simulated annotator who corrects the worst frame of each object, step by step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tracking_parts.prompting import CORRECTIONS
from tracking_parts.scorecard import joint_score, mean_dice

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from napari_sam_decoder import FrameResult, Prompt, Session
    from tracking_parts.scorecard import Scorecard

__all__ = ["Annotator", "Corrections", "next_correction"]

LOST = 0.5
"""J below which an object is taken to be lost on a frame."""


@dataclass(frozen=True)
class Corrections:
    """What corrections have gained.

    Attributes
    ----------
    scores : dict of str to float or None
        J&F in percent after so many corrections of each object.
    dice : dict of str to float or None
        Dice of volumes likewise.
    recomputed : dict of str to int
        Frames that each round had recomputed.
    """

    scores: dict[str, float | None]
    dice: dict[str, float | None]
    recomputed: dict[str, int]


class Annotator:
    """Someone who corrects what is most wrong, once per object and round.

    Parameters
    ----------
    session : Session
        That has made the results.
    results : dict of int to FrameResult
        By frame; corrected ones take the place of those that they correct.
    cards : sequence of Scorecard
        One per object, reading its masks from the results.
    protocol : str
        How they correct, see `next_correction`.
    """

    def __init__(
        self,
        session: Session,
        results: dict[int, FrameResult],
        cards: Sequence[Scorecard],
        protocol: str = "clicks",
    ) -> None:
        self._session = session
        self._results = results
        self._cards = cards
        self._protocol = protocol
        some = next(iter(results.values()))
        self._labels = np.zeros(session.labels_shape, some.labels.dtype)
        for frame, result in results.items():
            self._labels[frame] = result.labels

    def work(self, rounds: Sequence[int]) -> Corrections:
        """Correct, and note the scores after the given numbers of rounds."""
        scores: dict[str, float | None] = {}
        dice: dict[str, float | None] = {}
        recomputed: dict[str, int] = {}
        for number in range(max(rounds) + 1):
            if number:
                recomputed[str(number)] = self._correct()
            if number in rounds:
                scores[str(number)] = joint_score(self._cards)
                dice[str(number)] = mean_dice(self._cards)
        return Corrections(scores, dice, recomputed)

    def _correct(self) -> int:
        """Correct each object once, and say how many frames that had recomputed."""
        given = tuple(self._session.prompts)
        corrections = [
            correction
            for card in self._cards
            if (correction := next_correction(card, self._protocol, given))
        ]
        if not corrections:
            return 0
        steps = self._session.correct(corrections, self._labels)
        return len({self._take(result) for result in steps})

    def _take(self, result: FrameResult) -> int:
        frame = result.frame
        before = self._labels[frame].copy()
        self._labels[frame] = result.labels
        self._results[frame] = result
        changed = before != result.labels
        concerned = {*before[changed].tolist(), *result.labels[changed].tolist()}
        for card in self._cards:
            if card.target.object_id in concerned:
                card.forget(frame)
        return frame


def next_correction(
    card: Scorecard, protocol: str = "clicks", given: Iterable[Prompt] = ()
) -> Prompt | None:
    """Correct the frame of the lowest J, the earliest of several; None if all fit.

    Parameters
    ----------
    card : Scorecard
        Of the object.
    protocol : {"clicks", "box", "scribble", "mask"}
        A click or a scribble into the largest error; or a box around the object where
        it is lost, and clicks elsewhere and once it has a box on the frame; or its true
        mask.
    given : iterable of Prompt
        All prompts so far.
    """
    worst = min(card.target.frames, key=card.region)
    place = card.target.object_id, worst
    is_boxed = any(one.box and (one.object_id, one.frame) == place for one in given)
    is_lost = card.region(worst) < LOST
    clicks = protocol == "box" and (is_boxed or not is_lost)
    correct = CORRECTIONS["clicks" if clicks else protocol]
    return correct(card.target, worst, card.mask(worst))
