"""One propagation or correction into a Labels layer, under way or finished."""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, field, replace
from itertools import chain
from time import monotonic
from typing import TYPE_CHECKING

import numpy as np
from tqdm import tqdm

from napari_sam_decoder.prompts import PromptSet
from napari_sam_decoder.propagation import Direction, Verdict
from napari_sam_decoder.widgets.layers import LabelsDraft

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from typing import Self

    from napari_sam_decoder.prompts import Prompt
    from napari_sam_decoder.propagation import FrameResult, ObjectResult
    from napari_sam_decoder.session import Session
    from napari_sam_decoder.widgets.correction_log import Correction, PromptLog
    from napari_sam_decoder.widgets.layers import Edit, MovieView
    from napari_sam_decoder.widgets.target_layer import LabelsTarget

__all__ = [
    "CorrectionRun",
    "ProgressEstimate",
    "Run",
    "RunRequest",
    "VerdictTable",
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


@dataclass(frozen=True)
class RunRequest:
    """A propagation that was asked for.

    Attributes
    ----------
    direction : Direction
    frames : range, optional
        All by default.
    object_ids : tuple of int, optional
        All by default.
    replace : bool
        Whether it may overwrite other objects and what was painted by hand.
    is_rerun : bool
        Whether it was started automatically because points changed.
    """

    direction: Direction = Direction.BOTH
    frames: range | None = None
    object_ids: tuple[int, ...] | None = None
    replace: bool = False
    is_rerun: bool = False

    def choose(self, prompts: PromptSet) -> PromptSet:
        """Return the prompts of the asked objects."""
        if self.object_ids is None:
            return prompts
        chosen = prompts
        for object_id in set(prompts.object_ids) - set(self.object_ids):
            chosen = chosen.without(object_id)
        return chosen


class VerdictTable:
    """What the last run found out about each object on each frame."""

    def __init__(self) -> None:
        self._results: dict[int, dict[int, ObjectResult]] = {}
        # Counted as they come: the table of objects asks for them all the time.
        self._counts: dict[int, Counter[Verdict]] = {}
        self._conflicts: dict[int, Counter[str]] = {}

    def note(self, result: FrameResult) -> None:
        """Take the verdicts of a frame."""
        for object_id, found in result.judged.items():
            self.restore(object_id, result.frame, found)

    def forget(self, object_id: int) -> None:
        """Forget one object."""
        self._results.pop(object_id, None)
        self._counts.pop(object_id, None)
        self._conflicts.pop(object_id, None)

    def of(self, object_id: int, frame: int) -> ObjectResult | None:
        """Return what was found out about an object on a frame, if anything was."""
        return self._results.get(object_id, {}).get(frame)

    def restore(self, object_id: int, frame: int, found: ObjectResult | None) -> None:
        """Set what is known of an object on a frame; None for nothing."""
        results = self._results.setdefault(object_id, {})
        earlier = results.pop(frame, None)
        if found is not None:
            results[frame] = found
        for result, step in ((earlier, -1), (found, 1)):
            if result is not None:
                self._count(object_id, result, step)

    def counts(self, object_id: int) -> Counter[Verdict]:
        """Count an object's frames by verdict."""
        return +self._counts.get(object_id, Counter())

    def conflicts(self, object_id: int) -> Counter[str]:
        """Count the frames on which others are in an object's way, by the reason."""
        return +self._conflicts.get(object_id, Counter())

    def _count(self, object_id: int, result: ObjectResult, step: int) -> None:
        self._counts.setdefault(object_id, Counter())[result.verdict] += step
        if result.reason is not None and result.reason.is_conflict:
            self._conflicts.setdefault(object_id, Counter())[result.why] += step

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
        self._write_labels(result, set(self.prompts.object_ids) - inherited)
        self.target.record(self.view).prompt_log.note(result)

    def _inherited_on(self, frame: int) -> set[int]:
        """Objects that were on a frame before, whose prompts are not known."""
        inherited = self.target.record(self.view).inherited
        return {
            object_id
            for object_id in self.prompts.object_ids
            if frame in inherited.get(object_id, ())
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
        return self.verdicts.frames_of(self.prompts.object_ids)

    def _write_labels(
        self, result: FrameResult, object_ids: Collection[int]
    ) -> Edit | None:
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
        self.target.record(self.view).note(seen)
        self.verdicts.note(seen)
        self.progress.step()
        return written.edit

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
        return self.draft.follow(self._steps(session, known))

    def _steps(self, session: Session, known: PromptSet) -> Iterator[FrameResult]:
        session.prompts = PromptSet((*known, *self._painted()))
        for one in self.corrections:
            yield from session.correct(one.prompts, self.draft, one.frames)

    def write(self, result: FrameResult) -> None:
        """Write a result and count it.

        Known objects yield to the corrected one, other labels do not.
        """
        record, own_ids = self.target.record(self.view), self._prompt_log.object_ids
        earlier = {
            object_id: record.verdicts.of(object_id, result.frame)
            for object_id in result.objects
        }
        labels = np.where(np.isin(result.labels, own_ids), result.labels, 0).astype(
            result.labels.dtype
        )
        edit = self._write_labels(result.with_labels(labels), own_ids)
        self.has_changed |= edit is not None
        self._prompt_log.note_correction(self.labelled_by(result))
        for object_id, verdict in earlier.items():
            self._prompt_log.note_change(object_id, result.frame, edit, verdict)
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
