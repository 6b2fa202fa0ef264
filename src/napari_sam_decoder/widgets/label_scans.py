"""Scans labels in the background: adopts the objects in them, or removes one."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from qtpy.QtCore import QObject, Signal

from napari_sam_decoder.errors import SamDecoderError
from napari_sam_decoder.widgets.layers import frames_with, scan_labels
from napari_sam_decoder.widgets.runs import counted

if TYPE_CHECKING:
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
            state.outcome = (
                f"Not all labels of {change.name!r} were changed before the dock was "
                "closed; undo, and do it once more."
            )

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
            Its target is written to.
        view : MovieView
            The movie.
        change : Relabelling
            What to do.
        step : Step
            What changes becomes a part of it.
        """
        target = state.target
        if target is None:
            return
        frames: list[int] = []
        self._relabelling.append((state, change))

        def relabel(found: tuple[MovieView, int] | None) -> None:
            if found is None:
                return
            try:
                target.sync(found[0], [found[1]])
                with state.history.extend(step):
                    target.relabel(*found, change.object_id, change.new_id)
            except SamDecoderError as error:
                # The layer may have got other data meanwhile.
                self.failed.emit(error)
            else:
                frames.append(found[1])

        def end(error: Exception | None) -> None:
            self._relabelling.remove((state, change))
            with state.history.extend(step):
                target.note_relabelled(change.object_id, is_gone=not change.start)
            state.outcome = change.done(counted(len(frames), "frame"))
            if error is not None:
                self.failed.emit(error)
            self.ended.emit()

        state.outcome = change.activity
        steps = partial(
            frames_with, view, target.layer.data, change.object_id, change.start
        )
        self._job_queue.scan(steps, relabel, end)

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
