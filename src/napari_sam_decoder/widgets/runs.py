"""One propagation or correction into a Labels layer: under way, and what came of it."""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, field, replace
from itertools import chain
from time import monotonic
from typing import TYPE_CHECKING

import numpy as np
from tqdm import tqdm

from napari_sam_decoder.prompts import PromptSet
from napari_sam_decoder.propagation import Verdict
from napari_sam_decoder.widgets.layers import LabelsDraft
from napari_sam_decoder.widgets.movie_state import RunRequest

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from typing import Self

    from napari_sam_decoder.prompts import Prompt
    from napari_sam_decoder.propagation import FrameResult, ObjectResult
    from napari_sam_decoder.session import Session
    from napari_sam_decoder.widgets.correction_log import Correction, PromptLog
    from napari_sam_decoder.widgets.layers import Edit, MovieView
    from napari_sam_decoder.widgets.target_layer import LabelsTarget

__all__ = ["CorrectionRun", "ProgressEstimate", "Run", "VerdictTable", "counted"]

_REMEMBERED_STEPS = 12


class ProgressEstimate:
    """Steps done and to do, timed by the last few steps.

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
        """Time for the rest at the pace of the last steps; None if not known yet."""
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


class VerdictTable:
    """What the last run said of each object on each frame."""

    def __init__(self) -> None:
        self._results: dict[int, dict[int, ObjectResult]] = {}

    def note(self, result: FrameResult) -> None:
        """Take the verdicts of a frame."""
        for object_id, found in result.judged.items():
            self._results.setdefault(object_id, {})[result.frame] = found

    def forget(self, object_id: int) -> None:
        """Forget one object."""
        self._results.pop(object_id, None)

    def of(self, object_id: int, frame: int) -> ObjectResult | None:
        """What was said of an object on a frame, if anything was."""
        return self._results.get(object_id, {}).get(frame)

    def restore(self, object_id: int, frame: int, found: ObjectResult | None) -> None:
        """Say again what was said before; None for nothing."""
        of_object = self._results.setdefault(object_id, {})
        of_object.pop(frame, None)
        if found is not None:
            of_object[frame] = found

    def counts(self, object_id: int) -> Counter[Verdict]:
        """Count an object's frames by verdict."""
        results = self._results.get(object_id, {}).values()
        return Counter(found.verdict for found in results)

    def conflicts(self, object_id: int) -> Counter[str]:
        """Count the frames on which others are in an object's way, by what is said."""
        return Counter(
            found.why
            for _, found in sorted(self._results.get(object_id, {}).items())
            if found.reason is not None and found.reason.is_conflict
        )

    def frames_of(self, object_ids: tuple[int, ...]) -> dict[int, Verdict]:
        """Give each frame one verdict: doubtful if any object is, or is taken."""
        frames: dict[int, Verdict] = {}
        for object_id in object_ids:
            for frame, found in self._results.get(object_id, {}).items():
                if frames.get(frame) is not Verdict.DOUBTFUL:
                    is_taken = found.reason is not None and found.reason.is_conflict
                    frames[frame] = Verdict.DOUBTFUL if is_taken else found.verdict
        return frames


@dataclass(eq=False)
class Run:
    """A propagation under way.

    Attributes
    ----------
    view : MovieView
        The movie, which may not be the one of now any more.
    target : LabelsTarget
        Where the results go.
    prompts : PromptSet
        What they come from.
    replace : bool
        As asked.
    progress : Pace
    request : RunRequest
        How it was asked for.
    kept : set of int
        Frames that show other objects than the run has found, since a person had
        painted these there.
    inherited : set of int
        Frames that show objects as they were before, since nobody knows what these
        were made from.
    verdicts : VerdictTable
        Of this run alone.
    """

    view: MovieView
    target: LabelsTarget
    prompts: PromptSet
    replace: bool
    progress: ProgressEstimate
    request: RunRequest = field(default_factory=RunRequest)
    kept: set[int] = field(default_factory=set)
    inherited: set[int] = field(default_factory=set)
    verdicts: VerdictTable = field(default_factory=VerdictTable)

    @property
    def activity(self) -> str:
        """What is going on, in one sentence."""
        start = "Labels arrive"
        if self.request.is_rerun:
            start = "Points have changed, so labels arrive anew"
        return f"{start} frame by frame; the slider may be moved meanwhile."

    def take(self, result: FrameResult) -> None:
        """Write a result and count it, but for objects that are to stay as they are."""
        inherited = self._inherited_on(result.frame)
        if inherited:
            self.inherited.add(result.frame)
            result = _without(result, inherited)
        self._write(result, set(self.prompts.object_ids) - inherited)
        self.target.record(self.view).prompt_log.note(result)

    def _inherited_on(self, frame: int) -> set[int]:
        """Objects that were on a frame before, whose prompts nobody knows."""
        inherited = self.target.record(self.view).inherited
        return {
            object_id
            for object_id in self.prompts.object_ids
            if frame in inherited.get(object_id, ())
        }

    def labelled_by(self, result: FrameResult) -> tuple[Prompt, ...]:
        """Give the prompts that need no preview any more before the run ends."""
        return ()

    def summary(self, *, was_stopped: bool) -> str:
        """Say in one line what came of it."""
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
        return self.verdicts.frames_of(self.prompts.object_ids)

    def _write(self, result: FrameResult, object_ids: Collection[int]) -> Edit | None:
        written = self.target.write(
            self.view,
            result,
            object_ids,
            replace=self.replace,
            returning=self._returning(result),
        )
        if written.spared & result.objects.keys():
            self.kept.add(result.frame)
        # What is said of an object is said of the pixels that it has got.
        seen = result.with_labels(self.target.labels(self.view, result.frame))
        self.target.record(self.view).note(seen)
        self.verdicts.note(seen)
        self.progress.step()
        return written.edit

    def _returning(self, result: FrameResult) -> tuple[int, ...]:
        """Objects that may come back on a frame on which they were wiped out."""
        return ()

    def _doubts(self) -> list[str]:
        counts = Counter(self._verdicts_by_frame.values())
        doubtful = counts[Verdict.DOUBTFUL]
        return [f"{doubtful} doubtful"] if doubtful else []


def _without(result: FrameResult, object_ids: Collection[int]) -> FrameResult:
    """Take objects out of a result, as if the run had not looked for them."""
    is_out = np.isin(result.labels, list(object_ids))
    objects = {
        object_id: found
        for object_id, found in result.objects.items()
        if object_id not in object_ids
    }
    labels = np.where(is_out, 0, result.labels).astype(result.labels.dtype)
    return replace(result, labels=labels, objects=objects)


def counted(number: int, noun: str) -> str:
    """Say how many there are, in the singular or plural."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


@dataclass(eq=False)
class CorrectionRun(Run):
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
        return cls(
            view, target, prompts, False, ProgressEstimate(), corrections=corrections
        )

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
        known = self._prompt_log.without(self.corrections)
        return self.draft.follow(self._steps(session, known))

    def _steps(self, session: Session, known: PromptSet) -> Iterator[FrameResult]:
        session.prompts = PromptSet((*known, *self._painted()))
        for one in self.corrections:
            yield from session.correct(one.prompts, self.draft, one.frames)

    def take(self, result: FrameResult) -> None:
        """Write a result and count it.

        Objects that runs have made yield to the corrected one, other labels do not.
        """
        record, own_ids = self.target.record(self.view), self._prompt_log.object_ids
        earlier = {
            object_id: record.verdicts.of(object_id, result.frame)
            for object_id in result.objects
        }
        labels = np.where(np.isin(result.labels, own_ids), result.labels, 0).astype(
            result.labels.dtype
        )
        edit = self._write(result.with_labels(labels), own_ids)
        self.has_changed |= edit is not None
        self._prompt_log.note_correction(self.labelled_by(result))
        for object_id, verdict in earlier.items():
            self._prompt_log.trace(object_id, result.frame, edit, verdict)
        self.draft.settle(result)

    def labelled_by(self, result: FrameResult) -> tuple[Prompt, ...]:
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
    def _prompt_log(self) -> PromptLog:
        return self.target.record(self.view).prompt_log

    def _returning(self, result: FrameResult) -> tuple[int, ...]:
        """Whoever points at an object where it was wiped out wants it back."""
        settled = self.labelled_by(result)
        return tuple(prompt.object_id for prompt in settled if prompt.is_positive)

    def _painted(self) -> Iterator[Prompt]:
        for one in self.corrections:
            yield from self.target.painted(self.view, one.object_ids, one.frames)


def _listed(noun: str, numbers: tuple[int, ...] | list[int]) -> str:
    named = ", ".join(map(str, numbers))
    return f"{noun} {named}" if len(numbers) == 1 else f"{noun}s {named}"
