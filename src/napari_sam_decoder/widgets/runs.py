"""One propagation or correction into a Labels layer, under way or finished."""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, field, replace
from itertools import chain
from time import monotonic
from typing import TYPE_CHECKING, Any

import numpy as np
from tqdm import tqdm

from napari_sam_decoder.project import (
    CORRECTION,
    FrameRecords,
    LabelsDraft,
    RunRequest,
)
from napari_sam_decoder.prompts import PromptSet
from napari_sam_decoder.propagation import Verdict

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from typing import Self

    from napari_sam_decoder.project import Correction, History, PromptLog, Step
    from napari_sam_decoder.prompts import Prompt
    from napari_sam_decoder.propagation import FrameResult
    from napari_sam_decoder.session import Session
    from napari_sam_decoder.widgets.layers import MovieView
    from napari_sam_decoder.widgets.target_layer import LabelsTarget

__all__ = [
    "CorrectionRun",
    "ProgressEstimate",
    "Run",
    "counted",
]

_REMEMBERED_STEPS = 12


class ProgressEstimate:
    """How many steps are done, and how long the others take, by the last few steps.

    Parameters
    ----------
    total : int, optional
        Steps in all, if that is known.
    """

    def __init__(self, total: int | None = None) -> None:
        self.total = total
        self.done = 0
        # Steps from the cache are much faster than the others, so old ones mislead.
        self._times = deque([monotonic()], maxlen=_REMEMBERED_STEPS + 1)

    def step(self) -> None:
        """Count one step as done just now."""
        self.done += 1
        self._times.append(monotonic())

    @property
    def seconds_left(self) -> float | None:
        """Time for the rest at the speed of the last steps; None if not known yet."""
        if self.total is None or self.done < 2:
            return None
        steps = len(self._times) - 1
        return (self._times[-1] - self._times[0]) / steps * (self.total - self.done)

    def __str__(self) -> str:
        if self.total is None:
            return f"{self.done} done"
        counted = f"{self.done} / {self.total}"
        left = self.seconds_left
        return counted if left is None else f"{counted}, {_clock(left)} left"


def _clock(seconds: float) -> str:
    return str(tqdm.format_interval(round(seconds)))


@dataclass(eq=False)
class Run:
    """A propagation under way.

    Attributes
    ----------
    view : MovieView
        Its movie, which may not be the current one any more.
    target : LabelsTarget
        Where the results go.
    prompts : PromptSet
        Of the run.
    replace : bool
        Whether it may overwrite other objects and what was painted by hand.
    progress : ProgressEstimate
    request : RunRequest
        How it was asked for.
    kept : set of int
        Frames on which objects stay as a person has painted them.
    inherited : set of int
        Frames on which objects stay as they were, since it is not known what they were
        made from.
    frames : FrameRecords
        What it has found out, of this run alone.
    step : Step or None
        What can be undone.
    """

    view: MovieView
    target: LabelsTarget
    prompts: PromptSet
    replace: bool
    progress: ProgressEstimate
    request: RunRequest = field(default_factory=RunRequest)
    kept: set[int] = field(default_factory=set)
    inherited: set[int] = field(default_factory=set)
    frames: FrameRecords = field(default_factory=FrameRecords.apart)
    step: Step | None = None

    def open_step(self, history: History, cause: Step | None) -> None:
        """Begin the step that its results are recorded in.

        Parameters
        ----------
        history : History
            Of the target.
        cause : Step, optional
            Is undone together with it.
        """
        self.step = history.open_step(self.title, self.kind, self.details, cause)

    kind = "run"

    @property
    def title(self) -> str:
        """What a menu calls it."""
        return f"Run of {_listed('object', self.prompts.object_ids)}"

    @property
    def details(self) -> dict[str, Any]:
        """Plain values that say how it can be done again."""
        request = self.request
        frames = request.frames
        return {
            "target": self.target.number,
            "axis": self.view.axis,
            "fixed": [list(pair) for pair in self.view.fixed],
            "objects": list(self.prompts.object_ids),
            "direction": request.direction.value,
            "frames": None if frames is None else [frames.start, frames.stop],
            "replace": self.replace,
        }

    def remaining_request(self, prompts: PromptSet) -> RunRequest | None:
        """Ask again for the objects that still have a positive point; None if none."""
        frames = self.request.frames
        left = {p.object_id for p in prompts if frames is None or p.frame in frames}
        ids = tuple(sorted(left & set(self.prompts.object_ids)))
        return replace(self.request, object_ids=ids) if ids else None

    @property
    def activity(self) -> str:
        """What is under way, in one sentence."""
        start = "Labels arrive"
        if self.request.is_rerun:
            start = "Points have changed, so labels are recomputed"
        return f"{start} frame by frame; you can move the slider meanwhile."

    def write(self, result: FrameResult) -> None:
        """Write a result and count it; objects of unknown origin stay as they are."""
        inherited = self._inherited_on(result.frame)
        if inherited:
            self.inherited.add(result.frame)
            result = _without(result, inherited)
        own_ids = set(self.prompts.object_ids) - inherited
        self._write_labels(result, own_ids, by_run=own_ids)

    def _inherited_on(self, frame: int) -> set[int]:
        """Objects that were on a frame before, whose prompts are not known."""
        record = self.target.record(self.view)
        return {
            object_id
            for object_id in self.prompts.object_ids
            if frame in record.inherited(object_id)
        }

    def labelled_by(self, result: FrameResult) -> tuple[Prompt, ...]:
        """Return the prompts that a result brings into the labels."""
        return ()

    def summary(self, *, was_stopped: bool) -> str:
        """Say in one line what was done."""
        start = "Stopped; done so far:" if was_stopped else "Done:"
        count = counted(len(self._verdicts_by_frame), "frame")
        parts = [f"{start} {count}", *self._doubts()]
        if self.kept:
            parts.append(
                f"{len(self.kept)} kept as you painted them (tick 'replace what is "
                "there' to overwrite)"
            )
        if self.inherited:
            parts.append(
                f"{len(self.inherited)} kept as they were in the labels (tick "
                "'replace what is there' to overwrite)"
            )
        return ", ".join(parts) + "."

    @property
    def _verdicts_by_frame(self) -> dict[int, Verdict]:
        return self.frames.verdicts_of(self.prompts.object_ids)

    def _write_labels(
        self,
        result: FrameResult,
        object_ids: Collection[int],
        *,
        by_run: Collection[int] = (),
    ) -> bool:
        """Write labels and verdicts, and return whether any label has changed."""
        written = self.target.write(
            self.view,
            result,
            object_ids,
            replace=self.replace,
            returning=self._returning(result),
        )
        if written.spared & result.objects.keys():
            self.kept.add(result.frame)
        # A verdict is about the pixels that were written.
        seen = result.with_labels(self.target.labels(self.view, result.frame))
        self.target.record(self.view).frames.note(seen, by_run=by_run)
        self.frames.note(seen)
        self.progress.step()
        return written.edit is not None

    def _returning(self, result: FrameResult) -> tuple[int, ...]:
        """Objects that may come back on a frame from which a person erased them."""
        return ()

    def _doubts(self) -> list[str]:
        counts = Counter(self._verdicts_by_frame.values())
        doubtful = counts[Verdict.DOUBTFUL]
        return [f"{doubtful} doubtful"] if doubtful else []


def _without(result: FrameResult, object_ids: Collection[int]) -> FrameResult:
    """Leave objects out of a result, as if they were not part of the run."""
    is_out = np.isin(result.labels, list(object_ids))
    objects = {
        object_id: found
        for object_id, found in result.objects.items()
        if object_id not in object_ids
    }
    labels = np.where(is_out, 0, result.labels).astype(result.labels.dtype)
    return replace(result, labels=labels, objects=objects)


def counted(number: int, noun: str) -> str:
    """Return a number with its noun, in the singular or plural."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


@dataclass(eq=False)
class CorrectionRun(Run):
    """Corrections of labels, under way.

    Attributes
    ----------
    corrections : tuple of Correction
        What is corrected.
    draft : LabelsDraft
        What the corrections are computed from.
    has_changed : bool
        Whether any label has changed.
    """

    corrections: tuple[Correction, ...] = ()
    has_changed: bool = False

    kind = CORRECTION

    @property
    def title(self) -> str:
        """What a menu calls it."""
        frames = sorted({prompt.frame for prompt in self.prompts})
        return (
            f"Correction of {_listed('object', self.prompts.object_ids)} around "
            f"{_listed('frame', frames)}"
        )

    @property
    def details(self) -> dict[str, Any]:
        """Plain values that say how it can be done again."""
        return {
            "target": self.target.number,
            "axis": self.view.axis,
            "fixed": [list(pair) for pair in self.view.fixed],
            "corrections": [
                {
                    "prompts": [[one.object_id, one.frame] for one in each.prompts],
                    "frames": [each.frames.start, each.frames.stop],
                }
                for each in self.corrections
            ],
        }

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
        return cls(
            view, target, prompts, False, ProgressEstimate(), corrections=corrections
        )

    @property
    def activity(self) -> str:
        """What is under way, in one sentence."""
        objects = _listed("object", self.prompts.object_ids)
        frames = _listed("frame", sorted({prompt.frame for prompt in self.prompts}))
        return f"Correcting {objects} around {frames}…"

    def begin(self, session: Session) -> Iterator[FrameResult]:
        """Start the corrections in a session.

        Parameters
        ----------
        session : Session
            Is given the prompts that the labels were made from.

        Returns
        -------
        iterator of FrameResult
            To be taken in the background, where labels are searched for what was
            painted by hand, which counts as certain.

        Raises
        ------
        PromptError, LabelsError
            If points or labels do not fit the movie; before the first result.
        """
        known = self._prompt_log.without(self.corrections)
        self.target.freeze_axes(self.view)
        return self.draft.follow(self._steps(session, known))

    def _steps(self, session: Session, known: PromptSet) -> Iterator[FrameResult]:
        session.prompts = PromptSet((*known, *self._painted()))
        for one in self.corrections:
            yield from session.correct(one.prompts, self.draft, one.frames)

    def write(self, result: FrameResult) -> None:
        """Write a result and count it.

        Known objects yield to the corrected one, other labels do not.
        """
        own_ids = self._prompt_log.object_ids
        labels = np.where(np.isin(result.labels, own_ids), result.labels, 0).astype(
            result.labels.dtype
        )
        self.has_changed |= self._write_labels(result.with_labels(labels), own_ids)
        self._prompt_log.note_correction(self.labelled_by(result))
        self.draft.mark_written(result)

    def labelled_by(self, result: FrameResult) -> tuple[Prompt, ...]:
        """Return the corrections that a result brings into the labels."""
        return tuple(
            prompt
            for prompt in self.prompts
            if prompt.frame == result.frame and prompt.object_id in result.objects
        )

    def summary(self, *, was_stopped: bool) -> str:
        """Say in one line what was done."""
        if not (was_stopped or self.has_changed or self.kept):
            return "The labels agree with your points already; nothing has changed."
        start = "Stopped; corrected so far:" if was_stopped else "Corrected:"
        count = counted(len(self._verdicts_by_frame), "frame")
        parts = [f"{start} {count} recomputed", *self._doubts()]
        if self.kept:
            parts.append(
                f"{len(self.kept)} kept as you painted them (undo your strokes there, "
                "or paint on)"
            )
        return ", ".join(parts) + "."

    @property
    def _prompt_log(self) -> PromptLog:
        return self.target.record(self.view).prompt_log

    def _returning(self, result: FrameResult) -> tuple[int, ...]:
        """Objects that a person erased there and now points at."""
        settled = self.labelled_by(result)
        return tuple(prompt.object_id for prompt in settled if prompt.is_positive)

    def _painted(self) -> Iterator[Prompt]:
        for one in self.corrections:
            yield from self.target.painted(self.view, one.object_ids, one.frames)


def _listed(noun: str, numbers: tuple[int, ...] | list[int]) -> str:
    named = ", ".join(map(str, numbers))
    return f"{noun} {named}" if len(numbers) == 1 else f"{noun}s {named}"
