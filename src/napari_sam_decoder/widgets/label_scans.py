"""Scans labels in the background: adopts the objects in them, or removes one."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject, Signal

from napari_sam_decoder.widgets.layers import frames_with, scan_labels
from napari_sam_decoder.wording import counted

if TYPE_CHECKING:
    from collections.abc import Generator

    from napari.components import ViewerModel

    from napari_sam_decoder.project import CutRecord, LabelsContents, Step
    from napari_sam_decoder.widgets.job_queue import JobQueue
    from napari_sam_decoder.widgets.layers import MovieView
    from napari_sam_decoder.widgets.movie_state import MovieState
    from napari_sam_decoder.widgets.objects import ObjectIds
    from napari_sam_decoder.widgets.target_layer import TargetLayer

__all__ = ["LabelScans"]


@dataclass(frozen=True)
class Relabelling:
    """An object whose pixels get another label.

    Attributes
    ----------
    object_id : int
    name : str
        Of the object.
    new_id : int
        Of the object that gets them; 0 if they are removed.
    new_name : str
        Of that object.
    start : int
        The first frame on which they do.
    """

    object_id: int
    name: str
    new_id: int = 0
    new_name: str = ""
    start: int = 0

    @property
    def activity(self) -> str:
        """What is under way, in one sentence."""
        if self.start:
            return f"Splitting {self.name!r} at frame {self.start}…"
        if self.new_id:
            return f"Merging {self.name!r} into {self.new_name!r}…"
        return f"Removing the labels of {self.name!r}…"

    def done(self, frames: str) -> str:
        """Say what was done on so many frames."""
        if self.start:
            return (
                f"{self.name!r} is {self.new_name!r} from frame {self.start} on, on "
                f"{frames}."
            )
        if self.new_id:
            return f"{self.name!r} was merged into {self.new_name!r}, on {frames}."
        return f"{self.name!r} was deleted, with its labels on {frames}."

    def unfinished(self, reason: str) -> str:
        """Say that the labels of some frames are as before, and what to do."""
        return (
            f"Not all labels of {self.name!r} were changed {reason}; undo, and do it "
            "once more."
        )


class LabelScans(QObject):
    """The scans of Labels layers that were there before, plane by plane.

    Nothing is written into a layer before it is known what it holds.

    Parameters
    ----------
    viewer : ViewerModel
        Its layers hold the points of adopted objects.
    ids : ObjectIds
        Gives objects other ids where theirs are taken.
    job_queue : JobQueue
        Runs the scans.
    parent : QObject
        Its Qt parent.
    """

    ended = Signal()
    failed = Signal(object)
    unreadable = Signal(object)

    def __init__(
        self, viewer: ViewerModel, ids: ObjectIds, job_queue: JobQueue, parent: QObject
    ) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self._ids = ids
        self._job_queue = job_queue
        self._running: list[CutRecord] = []
        self._relabelling: list[tuple[MovieState, Relabelling]] = []

    def close(self) -> None:
        """Say what was not finished."""
        for state, change in self._relabelling:
            state.outcome = change.unfinished("before the dock was closed")

    def start(self, state: MovieState, view: MovieView | None) -> None:
        """Scan the labels of a plane of a movie, unless that is done or under way."""
        target = state.target
        if view is None or target is None:
            return
        record = target.record(view)
        if record.is_scanned or record in self._running:
            return

        def adopt(contents: LabelsContents | None) -> None:
            if contents is not None:
                self._adopt(state, view, target, contents)

        def end(error: Exception | None) -> None:
            self._running.remove(record)
            if error is not None:
                state.forget_labels(target.layer)
                self.unreadable.emit(state)
                self.failed.emit(error)
            self.ended.emit()

        self._running.append(record)
        note = partial(target.note, view)
        steps = partial(scan_labels, view, target.layer.data, note)
        self._job_queue.scan(steps, adopt, end)

    def is_relabelling(self, state: MovieState) -> bool:
        """Whether an object is being removed or merged in the labels of a movie."""
        return any(other is state for other, _ in self._relabelling)

    def relabel(
        self, state: MovieState, view: MovieView, change: Relabelling, step: Step
    ) -> None:
        """Give the pixels of an object to another one, or to none, on all frames.

        Parameters
        ----------
        state : MovieState
            Its labels are written to: all where another object gets the pixels, else
            those that were chosen last.
        view : MovieView
            The movie.
        change : Relabelling
            What to do.
        step : Step
            What changes becomes a part of it.
        """
        targets = [] if state.target is None else [state.target]
        if change.new_id:
            # Records of all labels say already whose pixels these are.
            targets = list(state.targets.values())
        if not targets:
            return
        frames: set[tuple[Any, int]] = set()
        failures: list[Exception] = []
        self._relabelling.append((state, change))

        def relabel(found: tuple[TargetLayer, MovieView, int] | None) -> None:
            if found is None:
                return
            target, cut, frame = found
            try:
                target.sync(cut, [frame])
                with state.history.extend(step):
                    target.relabel(cut, frame, change.object_id, change.new_id)
            except Exception as error:  # noqa: BLE001 - as if the search had failed
                # The layer may have got other data meanwhile, or its disk may be full.
                job.stop()
                failures.append(error)
            else:
                frames.add((cut.fixed, frame))

        def end(error: Exception | None) -> None:
            self._relabelling.remove((state, change))
            failures.extend([] if error is None else [error])
            done = counted(len(frames), "frame")
            if failures:
                state.outcome = change.unfinished(f"(those on {done} were)")
                self.failed.emit(failures[0])
            else:
                with state.history.extend(step):
                    for target in targets:
                        is_gone = not change.start
                        target.note_relabelled(change.object_id, is_gone=is_gone)
                state.outcome = change.done(done)
            for target in targets:
                target.layer.refresh(extent=False)
            self.ended.emit()

        state.outcome = change.activity
        data = [(target, target.layer.data) for target in targets]
        steps = partial(_places_of, change, view, data)
        job = self._job_queue.scan(steps, relabel, end)

    def _adopt(
        self,
        state: MovieState,
        view: MovieView,
        target: TargetLayer,
        contents: LabelsContents,
    ) -> None:
        objects = state.objects
        if state.target is target:
            self._renumber_clashing(state, view, target, contents)
        if state.view is view:
            objects.read(view, self._viewer.layers)
        reading = objects.reading
        target.adopt_labels(view, contents, (*reading.prompts, *reading.negatives))
        adopted = contents.ids & target.object_ids
        if adopted and not state.outcome:
            state.outcome = (
                f"{target.layer.name!r} holds {counted(len(adopted), 'object')}: "
                "select one in the table to correct it."
            )
        # These ids stay taken even after somebody has erased the objects.
        self._ids.mark_given(view, contents.ids)

    def _renumber_clashing(
        self,
        state: MovieState,
        view: MovieView,
        target: TargetLayer,
        contents: LabelsContents,
    ) -> None:
        """Give objects created here other ids where the labels cannot take theirs."""
        objects, highest, name = state.objects, target.highest_id, target.layer.name
        too_high = {one for one in objects.created_ids if one > highest}
        clashing = objects.created_ids & contents.ids - target.known_ids
        told, reasons = [], set()
        for object_id in sorted(clashing | too_high):
            prompts = objects.reading.prompts.of_object(object_id)
            if any(target.agrees(view, one) for one in prompts):
                continue
            [new_id] = self._ids.give(view, highest, besides=contents.ids)
            title = f"Object {object_id} becomes object {new_id}"
            with state.history.step(title, "objects"):
                objects.renumber(object_id, new_id)
                document = state.history.document
                document.set_rows("points", objects.points)
                document.set_rows("shapes", objects.shapes)
                document.set_rows("scribbles", objects.scribbles)
            told.append(f"Object {object_id} here is object {new_id} now.")
            reasons.add(
                f"{name!r} takes no id above {highest}."
                if object_id in too_high
                else f"{name!r} holds others with these ids."
            )
        state.outcome = " ".join((state.outcome, *told, *sorted(reasons))).strip()


def _places_of(
    change: Relabelling, view: MovieView, labels: list[tuple[TargetLayer, Any]]
) -> Generator[tuple[TargetLayer, MovieView, int] | None]:
    """Find the frames on which the label of an object is to change.

    Yields None after each frame without it.
    """
    for target, data in labels:
        for found in frames_with(view, data, change.object_id, change.start):
            yield None if found is None else (target, *found)
