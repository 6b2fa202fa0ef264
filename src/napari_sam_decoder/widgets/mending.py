"""A correction of a Labels layer under way: few frames instead of a whole run."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING

import numpy as np

from napari_sam_decoder.prompts import PromptSet
from napari_sam_decoder.widgets.layers import LabelsDraft
from napari_sam_decoder.widgets.pace import Pace
from napari_sam_decoder.widgets.runs import Run, counted

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Self

    from napari_sam_decoder.prompts import Prompt
    from napari_sam_decoder.propagation import FrameResult
    from napari_sam_decoder.session import Session
    from napari_sam_decoder.widgets.corrections import Correction, Ledger
    from napari_sam_decoder.widgets.layers import MovieView
    from napari_sam_decoder.widgets.target import LabelsTarget

__all__ = ["Mending"]


@dataclass(eq=False)
class Mending(Run):
    """Corrections of labels that runs have made.

    Attributes
    ----------
    corrections : tuple of Correction
        What is corrected.
    draft : LabelsDraft
        What the corrections are computed from.
    has_changed : bool
        Whether any label is another one by now.
    """

    corrections: tuple[Correction, ...] = ()
    has_changed: bool = False

    def __post_init__(self) -> None:
        self.draft = LabelsDraft(self.view, self.target.layer)

    @classmethod
    def of(
        cls,
        view: MovieView,
        target: LabelsTarget,
        corrections: tuple[Correction, ...],
    ) -> Self:
        """Prepare corrections of the labels in a target."""
        prompts = PromptSet(chain.from_iterable(one.prompts for one in corrections))
        # What was painted by hand stays, even if the run was told to replace it.
        return cls(view, target, prompts, False, Pace(), corrections=corrections)

    @property
    def activity(self) -> str:
        """What is going on, in one sentence."""
        objects = _listed("object", self.prompts.object_ids)
        frames = _listed("frame", sorted({prompt.frame for prompt in self.prompts}))
        return f"Mending {objects} around {frames}…"

    def begin(self, session: Session) -> Iterator[FrameResult]:
        """Hand the corrections to the session that has made the labels.

        Parameters
        ----------
        session : Session
            Gets the prompts that the labels were made from.

        Returns
        -------
        iterator of FrameResult
            To be taken in the background, where labels are looked at for what was
            painted by hand: that counts as certain.

        Raises
        ------
        PromptError, LabelsError
            If points or labels do not fit the movie; before the first result.
        """
        known = self._ledger.without(self.corrections)
        return self.draft.follow(self._steps(session, known))

    def _steps(self, session: Session, known: PromptSet) -> Iterator[FrameResult]:
        session.prompts = PromptSet((*known, *self._painted()))
        for one in self.corrections:
            yield from session.correct(one.prompts, self.draft, one.frames)

    def take(self, result: FrameResult) -> None:
        """Write a result and count it.

        Objects that runs have made yield to the corrected one, other labels do not.
        """
        record, own_ids = self.target.record(self.view), self._ledger.object_ids
        earlier = {
            object_id: record.verdicts.of(object_id, result.frame)
            for object_id in result.objects
        }
        labels = np.where(np.isin(result.labels, own_ids), result.labels, 0).astype(
            result.labels.dtype
        )
        edit = self._write(result.with_labels(labels), own_ids)
        self.has_changed |= edit is not None
        self._ledger.amend(self.settled_by(result))
        for object_id, verdict in earlier.items():
            self._ledger.trace(object_id, result.frame, edit, verdict)
        self.draft.settle(result)

    def settled_by(self, result: FrameResult) -> tuple[Prompt, ...]:
        """Give the corrections that a result has brought into the labels."""
        return tuple(
            prompt
            for prompt in self.prompts
            if prompt.frame == result.frame and prompt.object_id in result.objects
        )

    def summary(self, *, was_stopped: bool) -> str:
        """Say in one line what came of it."""
        if not (was_stopped or self.has_changed or self.kept):
            return "The labels agree with your points already; nothing has changed."
        start = "Stopped; mended so far:" if was_stopped else "Mended:"
        count = counted(len(self._verdicts_by_frame), "frame")
        parts = [f"{start} {count} computed anew", *self._doubts()]
        if self.kept:
            parts.append(
                f"{len(self.kept)} kept as you painted them (undo your strokes there, "
                "or paint on)"
            )
        return ", ".join(parts) + "."

    @property
    def _ledger(self) -> Ledger:
        return self.target.record(self.view).ledger

    def _returning(self, result: FrameResult) -> tuple[int, ...]:
        """Whoever points at an object where it was wiped out wants it back."""
        settled = self.settled_by(result)
        return tuple(prompt.object_id for prompt in settled if prompt.is_positive)

    def _painted(self) -> Iterator[Prompt]:
        for one in self.corrections:
            yield from self.target.painted(self.view, one.object_ids, one.frames)


def _listed(noun: str, numbers: tuple[int, ...] | list[int]) -> str:
    named = ", ".join(map(str, numbers))
    return f"{noun} {named}" if len(numbers) == 1 else f"{noun}s {named}"
