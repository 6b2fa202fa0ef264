"""A simulated annotator who corrects the worst frame of each object, click by click."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tracking_parts.prompting import correcting_click
from tracking_parts.scorecard import joint_score

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_sam_decoder import FrameResult, Prompt, Session
    from tracking_parts.scorecard import Scorecard

__all__ = ["Annotator", "Corrections", "next_click"]


@dataclass(frozen=True)
class Corrections:
    """What clicks have gained.

    Attributes
    ----------
    scores : dict of str to float or None
        J&F in percent after so many clicks on each object.
    recomputed : dict of str to int
        Frames that each round of clicks had recomputed.
    """

    scores: dict[str, float | None]
    recomputed: dict[str, int]


class Annotator:
    """Someone who clicks on what is most wrong, once per object and round.

    Parameters
    ----------
    session : Session
        That has made the results.
    results : dict of int to FrameResult
        By frame; corrected ones take the place of those that they correct.
    cards : sequence of Scorecard
        One per object, reading its masks from the results.
    """

    def __init__(
        self,
        session: Session,
        results: dict[int, FrameResult],
        cards: Sequence[Scorecard],
    ) -> None:
        self._session = session
        self._results = results
        self._cards = cards
        some = next(iter(results.values()))
        self._labels = np.zeros(session.labels_shape, some.labels.dtype)
        for frame, result in results.items():
            self._labels[frame] = result.labels

    def work(self, rounds: Sequence[int]) -> Corrections:
        """Correct, and note the scores after the given numbers of rounds."""
        scores: dict[str, float | None] = {}
        recomputed: dict[str, int] = {}
        for number in range(max(rounds) + 1):
            if number:
                recomputed[str(number)] = self._correct()
            if number in rounds:
                scores[str(number)] = joint_score(self._cards)
        return Corrections(scores, recomputed)

    def _correct(self) -> int:
        """Click once per object, and say how many frames that had recomputed."""
        clicks = [click for card in self._cards if (click := next_click(card))]
        if not clicks:
            return 0
        steps = self._session.correct(clicks, self._labels)
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


def next_click(card: Scorecard) -> Prompt | None:
    """Click on the frame of the lowest J, the earliest of several; None if all fit."""
    worst = min(card.target.frames, key=card.region)
    return correcting_click(card.target, worst, card.mask(worst))
