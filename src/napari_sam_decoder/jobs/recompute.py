"""The history of a project, carried out again step by step."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, field
from sys import maxsize
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_sam_decoder.errors import ProjectError
from napari_sam_decoder.frames import Movie, Planes
from napari_sam_decoder.jobs.project_work import prepare_run
from napari_sam_decoder.jobs.provenance import stored_settings
from napari_sam_decoder.project import (
    CORRECTION,
    Correction,
    CorrectionRun,
    EntryChange,
    History,
    LabelsChange,
    LabelsTarget,
    MovieCut,
    RunRequest,
    decode_operation,
    decode_request,
    read_document,
    scope_of,
)
from napari_sam_decoder.project.array_labels import ArrayLabels
from napari_sam_decoder.project.journal import CHECKPOINT
from napari_sam_decoder.session import Session
from napari_sam_decoder.wording import differing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from napari_sam_decoder.model.sam import Sam
    from napari_sam_decoder.project import (
        Change,
        Cut,
        Operation,
        PlanePosition,
        Run,
        Step,
        TargetRecord,
    )
    from napari_sam_decoder.project.journal import JournalContents
    from napari_sam_decoder.prompts import Prompt
    from napari_sam_decoder.propagation import FrameResult

__all__ = ["FrameDifference", "Recomputation"]

_RUN = "run"


@dataclass(frozen=True)
class FrameDifference:
    """Where a result that was computed again is not what is stored.

    Attributes
    ----------
    step : int
        Number of the run or correction.
    title : str
        What it is called.
    frame : int
    pixels : int
        That have another label.
    """

    step: int
    title: str
    frame: int
    pixels: int

    def __str__(self) -> str:
        return (
            f"step {self.step} ({self.title}), frame {self.frame}: "
            f"{differing(self.pixels, 'pixel')}"
        )


@dataclass(eq=False)
class _Again:
    """A run or correction that is carried out again."""

    run: Run
    results: Iterator[FrameResult]


@dataclass(eq=False)
class _Story:
    """All operations of a project, and which of their steps are still done."""

    operations: list[Operation]
    steps: dict[int, Step] = field(default_factory=dict)
    done: set[int] = field(default_factory=set)
    computed: dict[int, list[Operation]] = field(default_factory=dict)

    @classmethod
    def of(cls, contents: JournalContents) -> _Story:
        """Read it; raises `ProjectError` if it makes no sense."""
        try:
            return cls._of(contents)
        # A step goes on with another that there is not, or its notes are no mapping.
        except (LookupError, TypeError, ValueError) as error:
            raise ProjectError(
                f"the history of the project is damaged ({error!r}), so it cannot be "
                "carried out again; replay the stored labels instead"
            ) from error

    @classmethod
    def _of(cls, contents: JournalContents) -> _Story:
        encoded = (one.decode() for one in (*contents.older, *contents.recent))
        story = cls(
            [decode_operation(one) for one in encoded if one["op"] != CHECKPOINT]
        )
        history = History(maxsize)
        for operation in story.operations:
            if operation.kind == "trim":
                # What cannot be undone any more stays done.
                story.done |= {one.number for one in history.done[: operation.count]}
            history.repeat(operation, is_applied=True)
            if operation.kind == "step" and operation.step is not None:
                story.steps[operation.step.number] = operation.step
            if operation.step is not None:
                root = story.root(operation.step.number)
                story.computed.setdefault(root.number, []).append(operation)
        story.done |= {one.number for one in history.done}
        return story

    def root(self, number: int) -> Step:
        """The step that a step goes on with, or the step itself."""
        step = self.steps[number]
        return self.steps.get(step.details.get("continues", number), step)

    def is_computed(self, step: Step) -> bool:
        """Whether it can be computed again."""
        return step.kind in (_RUN, CORRECTION) and "model" in step.details

    @property
    def results(self) -> int:
        """Operations that are to be computed again, about."""
        return sum(
            len(operations)
            for number, operations in self.computed.items()
            if self.is_computed(self.steps[number])
        )


class Recomputation:
    """Carries out the history of a project again.

    Prompts, strokes and objects are applied as they are stored; runs and corrections
    are computed again from what is there then. What was undone is left out.

    Parameters
    ----------
    contents : JournalContents
        Of the project, from its first line on.
    data : array-like
        The pixels of the movie.
    find_model : callable
        Given the details of a step, returns the network that it was computed with.
    cache : str, Path or None
        As in `Session`.

    Attributes
    ----------
    labels : dict of int to array
        What comes out, by the number of the target.
    differences : list of FrameDifference
        In the order of the steps.

    Raises
    ------
    ProjectError
        If the beginning of the history is missing or damaged.
    """

    def __init__(
        self,
        contents: JournalContents,
        data: Any,
        find_model: Callable[[Mapping[str, Any]], Sam],
        cache: Any = None,
    ) -> None:
        _require_whole(contents)
        self._story = _Story.of(contents)
        self._data = data
        self._find_model = find_model
        self._cache = cache
        self._history = History(maxsize)
        self._stored: dict[int, ArrayLabels] = {}
        self._new: dict[int, ArrayLabels] = {}
        self._targets: dict[int, LabelsTarget] = {}
        self._again: dict[int, _Again] = {}
        self._sessions: dict[object, Session] = {}
        self._found: dict[tuple[int, int], FrameDifference] = {}
        self._history.document.table("targets").subscribe(self._add_target)

    @property
    def labels(self) -> dict[int, np.ndarray]:
        """The labels as they are now, by the number of the target."""
        return {number: one.data for number, one in self._new.items()}

    @property
    def differences(self) -> list[FrameDifference]:
        """Where they are not as they are stored, in the order of the steps."""
        return [one for _, one in sorted(self._found.items()) if one.pixels]

    @property
    def total(self) -> int:
        """Number of results to come, at most."""
        return self._story.results

    def carry_out(self) -> Iterator[None]:
        """Carry out everything; yields after each result.

        Raises
        ------
        SamDecoderError
            If something cannot be computed.
        """
        with ExitStack() as stack:
            for operation in self._story.operations:
                if operation.kind == "note":
                    self._apply(operation.changes)
                elif (
                    operation.kind in ("step", "extend") and operation.step is not None
                ):
                    number = operation.step.number
                    root = self._story.root(number)
                    if self._story.is_computed(root):
                        yield from self._compute(root, number, operation, stack)
                    elif number in self._story.done:
                        self._apply(operation.changes)

    def _add_target(
        self, number: int, before: object, after: TargetRecord | None
    ) -> None:
        if before is None and after is not None:
            self._stored[number], self._new[number] = (
                ArrayLabels(after),
                ArrayLabels(after),
            )
            self._targets[number] = LabelsTarget(
                SimpleNamespace(data=self._new[number].data),
                MovieCut(after.shape, 0 if len(after.shape) > _PLANE else None),
                self._history,
                number,
                is_own=after.is_own,
                is_recorded=True,
            )

    def _apply(self, changes: Sequence[Change]) -> None:
        for change in changes:
            self._history.document.apply(change)
        self._apply_stored(changes)

    def _apply_stored(self, changes: Sequence[Change]) -> None:
        for change in changes:
            if isinstance(change, LabelsChange) and change.target in self._stored:
                store = self._stored[change.target]
                store.apply(change.sliced, change.place, change.difference)

    def _compute(
        self, root: Step, number: int, operation: Operation, stack: ExitStack
    ) -> Iterator[None]:
        is_done = number in self._story.done
        if is_done:
            self._apply_stored(operation.changes)
        if not any(
            one.step is not None and one.step.number in self._story.done
            for one in self._story.computed[root.number]
        ):
            return
        if root.number not in self._again:
            self._again[root.number] = self._start(root, stack)
        again = self._again[root.number]
        frame = _frame_of(again.run.view, operation.changes)
        if frame is None:
            return
        for result in again.results:
            if is_done:
                again.run.record(result)
            yield
            if result.frame == frame:
                break
        if is_done:
            self._compare(root, again.run, frame)

    def _compare(self, root: Step, run: Run, frame: int) -> None:
        index = run.view.index(frame)
        number = run.target.number
        now, stored = self._new[number].data[index], self._stored[number].data[index]
        pixels = int(np.count_nonzero(now != stored))
        difference = FrameDifference(root.number, root.title, frame, pixels)
        self._found[root.number, frame] = difference

    def _start(self, root: Step, stack: ExitStack) -> _Again:
        details = root.details
        try:
            target = self._targets[int(details["target"])]
            fixed = tuple((int(axis), int(at)) for axis, at in details["fixed"])
            cut = MovieCut(target.view.spatial_shape, details["axis"], fixed)
            session = self._session(cut, details, stack)
            if root.kind == CORRECTION:
                return self._start_correction(root, cut, target, session)
            request = decode_request(details["request"])
        except (KeyError, TypeError, ValueError) as error:
            raise ProjectError(
                f"step {root.number} ({root.title}) of the project is damaged; restore "
                "the file from a backup"
            ) from error
        return self._start_run(request, cut, target, session)

    def _start_run(
        self, request: RunRequest, cut: Cut, target: LabelsTarget, session: Session
    ) -> _Again:
        target.view = cut
        prompts = self._reading(cut).prompts
        run, results = prepare_run(session, target, request, prompts)
        run.open_step(self._history, None)
        with run.recording():
            target.begin(cut, run.prompts, request)
        return _Again(run, results)

    def _start_correction(
        self, root: Step, cut: Cut, target: LabelsTarget, session: Session
    ) -> _Again:
        target.view = cut
        known = self._corrected_prompts(root, cut, target)
        corrections = tuple(
            Correction(
                tuple(known[object_id, frame] for object_id, frame in one["prompts"]),
                range(*one["frames"]),
            )
            for one in root.details["corrections"]
        )
        run = CorrectionRun.of(cut, target, corrections)
        results = run.begin(session)
        run.open_step(self._history, None)
        return _Again(run, results)

    def _corrected_prompts(
        self, root: Step, cut: Cut, target: LabelsTarget
    ) -> dict[tuple[int, int], Prompt]:
        """The prompts as they are, but those of the correction as they were then."""
        reading = self._reading(cut)
        known = {
            (one.object_id, one.frame): one
            for one in (*reading.prompts, *reading.negatives)
        }
        scope = target.number, *scope_of(cut)
        for operation in self._story.computed[root.number]:
            for change in operation.changes:
                if isinstance(change, EntryChange) and (change.table, change.scope) == (
                    "made",
                    scope,
                ):
                    known[change.key] = change.after or known[change.key]
        return known

    def _reading(self, cut: Cut) -> Any:
        return read_document(cut, self._history.document)

    def _session(
        self, cut: MovieCut, details: Mapping[str, Any], stack: ExitStack
    ) -> Session:
        contrast = tuple(details["contrast"])
        if isinstance(contrast[0], list):
            raise ProjectError(
                f"{len(contrast)} channels were seen as colours, which only the window "
                "can find again: continue there, or leave --recompute (in Python "
                "recompute=) out"
            )
        key = cut, contrast, details["model"], details["decoder"]
        if key not in self._sessions:
            planes = Planes(self._data, cut.axis, cut.fixed)
            movie = Movie(planes, axes=details["axes"], contrast=contrast)
            model = self._find_model(details)
            session = Session(movie, model=model, cache=self._cache)
            self._sessions[key] = stack.enter_context(session)
        session = self._sessions[key]
        session.settings = stored_settings(details["settings"])
        return session


_PLANE = 2


def _require_whole(contents: JournalContents) -> None:
    count = len(contents.older) + len(contents.recent)
    if contents.last_number != count:
        raise ProjectError(
            f"the history cannot be carried out again, since its beginning is lost: "
            f"{contents.damage}; replay the stored labels instead"
        )


def _frame_of(cut: Cut, changes: Sequence[Change]) -> int | None:
    """The frame that a result has changed; None if nothing tells."""
    for change in changes:
        if isinstance(change, LabelsChange) and change.sliced == cut.sliced_axes:
            return _frame_at(cut, change.place)
        if isinstance(change, EntryChange) and change.table == "frames":
            number = change.key[1]
            return number if isinstance(number, int) else None
    return None


def _frame_at(cut: Cut, place: PlanePosition) -> int:
    at = dict(zip(cut.sliced_axes, place, strict=True))
    return 0 if cut.axis is None else at[cut.axis]
