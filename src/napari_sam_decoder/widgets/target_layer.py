"""The Labels layer that results go to, and what must not be overwritten in it."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from napari_sam_decoder.prompts import PaintedMask, Prompt
from napari_sam_decoder.propagation import FrameResult, Verdict
from napari_sam_decoder.widgets.correction_log import PromptLog
from napari_sam_decoder.widgets.layers import GuardedLabels, check_shape, check_target
from napari_sam_decoder.widgets.runs import VerdictTable

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from napari.layers import Labels

    from napari_sam_decoder.prompts import PromptSet
    from napari_sam_decoder.widgets.correction_log import AppliedCorrection, Correction
    from napari_sam_decoder.widgets.layers import (
        LabelsContents,
        MovieView,
        PlanePosition,
        WriteResult,
    )
    from napari_sam_decoder.widgets.runs import RunRequest

__all__ = ["CutRecord", "LabelsTarget"]


@dataclass(eq=False)
class CutRecord:
    """What is known of the labels on one cut through them, such as one channel.

    Attributes
    ----------
    is_scanned : bool
        Whether the labels that were there before are known.
    prompt_log : PromptLog
        What the labels were made from.
    verdicts : VerdictTable
        What runs found out about the objects.
    frames : dict
        The frames on which each object has pixels, as far as is known.
    inherited : dict
        The frames on which objects were before, made from unknown prompts.
    """

    is_scanned: bool = False
    prompt_log: PromptLog = field(default_factory=PromptLog)
    verdicts: VerdictTable = field(default_factory=VerdictTable)
    frames: dict[int, set[int]] = field(default_factory=dict)
    inherited: dict[int, set[int]] = field(default_factory=dict)

    def note(self, result: FrameResult) -> None:
        """Note what a result has written into the labels."""
        self.verdicts.note(result)
        for object_id, found in result.objects.items():
            frames = self.frames.setdefault(object_id, set())
            if found.verdict is Verdict.ABSENT:
                frames.discard(result.frame)
            else:
                frames.add(result.frame)

    def note_ids(self, frame: int, ids: np.ndarray) -> None:
        """Note which of the known objects have pixels on a frame now."""
        ids_now = set(ids.tolist())
        for object_id, frames in self.frames.items():
            (frames.add if object_id in ids_now else frames.discard)(frame)

    def forget(self, object_id: int) -> None:
        """Forget an object, whatever its labels."""
        self.prompt_log.forget(object_id)
        self.verdicts.forget(object_id)
        self.frames.pop(object_id, None)
        self.inherited.pop(object_id, None)


class LabelsTarget:
    """A Labels layer, and who put what there: others, runs, or a person by hand.

    Parameters
    ----------
    layer : Labels
        Of the movie's shape.
    view : MovieView
        The movie.
    is_blank : bool, default False
        Whether the layer is new and empty.
    """

    def __init__(
        self, layer: Labels, view: MovieView, *, is_blank: bool = False
    ) -> None:
        self.layer = layer
        self.view = view
        self._is_blank = is_blank
        self._records: dict[object, CutRecord] = {}
        self._ids: set[int] = set()
        self._dismissed: set[int] = set()
        self._checked = layer.data
        self._guarded = GuardedLabels(layer, view, is_blank=is_blank)

    def record(self, view: MovieView) -> CutRecord:
        """Return what is known of the cut that a view shows."""
        cut = view.axis, view.fixed
        return self._records.setdefault(cut, CutRecord(self._is_blank))

    @property
    def highest_id(self) -> int:
        """The largest id that fits the layer."""
        return int(np.iinfo(self.layer.data.dtype).max)

    @property
    def known_ids(self) -> frozenset[int]:
        """Objects that runs have made in it, or that were adopted."""
        records = self._records.values()
        return frozenset(
            one for record in records for one in record.prompt_log.object_ids
        )

    @property
    def object_ids(self) -> frozenset[int]:
        """Objects that have pixels in it, as far as is known, without the dismissed."""
        found = (
            object_id
            for record in self._records.values()
            for object_id, frames in record.frames.items()
            if frames
        )
        return frozenset((*self._ids, *found)) - self._dismissed

    def adopt_labels(
        self, view: MovieView, contents: LabelsContents, prompts_now: Collection[Prompt]
    ) -> None:
        """Adopt the objects in the layer, so that they can be corrected.

        A run leaves them as they are, since it is not known what they were made from,
        except those that have points already.

        Parameters
        ----------
        view : MovieView
            The movie, cut as it was scanned.
        contents : LabelsContents
            Of the layer.
        prompts_now : collection of Prompt
            All prompts as they are now.
        """
        record = self.record(view)
        record.is_scanned = True
        self._ids |= contents.ids
        every = sorted(frozenset().union(*contents.frames.values()))
        # An object may have been missed on a frame between two others.
        reach = range(every[0], every[-1] + 1) if every else range(0)
        agreed = [prompt for prompt in prompts_now if self.agrees(view, prompt)]
        pointed_at = {prompt.object_id for prompt in agreed if prompt.is_positive}
        for object_id in contents.frames.keys() - self._dismissed:
            record.frames.setdefault(object_id, set(contents.frames[object_id]))
            if object_id not in (pointed_at | set(record.prompt_log.object_ids)):
                record.inherited[object_id] = set(contents.frames[object_id])
        record.prompt_log.adopt(contents.ids - self._dismissed, reach)
        record.prompt_log.attribute_labels(agreed)

    def attribute_labels(self, view: MovieView, prompts: Collection[Prompt]) -> None:
        """Take prompts that agree with the labels as what these were made from.

        Parameters
        ----------
        view : MovieView
            The movie.
        prompts : collection of Prompt
            Some that were added since.
        """
        record = self.record(view)
        agreed = [
            prompt
            for prompt in prompts
            if prompt.object_id in record.inherited and self.agrees(view, prompt)
        ]
        record.prompt_log.attribute_labels(agreed)
        for prompt in agreed:
            record.inherited.pop(prompt.object_id, None)

    def agrees(self, view: MovieView, prompt: Prompt) -> bool:
        """Whether the labels agree with all points of a prompt."""
        mask = self._mask(view, prompt.object_id, prompt.frame)
        highest = np.array(mask.shape) - 1
        signs = prompt.signs or ()
        for position, is_positive in zip(prompt.points, signs, strict=True):
            row, column = np.clip(np.rint(position), 0, highest).astype(int)
            if bool(mask[row, column]) != is_positive:
                return False
        return True

    def begin(self, view: MovieView, prompts: PromptSet, request: RunRequest) -> None:
        """Note that a run recomputes objects.

        Parameters
        ----------
        view : MovieView
            The movie.
        prompts : PromptSet
            Of the run.
        request : RunRequest
            Whether adopted objects may be replaced. Otherwise only their frames with
            new points are.
        """
        record = self.record(view)
        self._dismissed -= set(prompts.object_ids)
        for prompt in prompts:
            frames = record.inherited.get(prompt.object_id, set())
            if request.replace:
                record.inherited.pop(prompt.object_id, None)
            elif not record.prompt_log.holds(prompt):
                frames.discard(prompt.frame)
        record.prompt_log.begin(prompts, request)

    def dismiss(self, object_id: int) -> None:
        """Stop tracking an object; its pixels are treated as foreign."""
        for record in self._records.values():
            record.forget(object_id)
        self._dismissed.add(object_id)

    def erase(self, view: MovieView, frame: int, object_id: int) -> None:
        """Erase an object from a frame, even where others painted it."""
        nothing = np.zeros(view.frame_shape, np.uint16)
        result = FrameResult(frame, nothing, {})
        self.write(view, result, {object_id}, replace=True)

    def note_erased(self, object_id: int) -> None:
        """Note that an object has no pixels any more, and draw the layer."""
        self._ids.discard(object_id)
        self.layer.refresh(extent=False)

    def reconsider(self) -> None:
        """Count dismissed objects again, once the layer has been scanned."""
        if self._dismissed:
            self._dismissed.clear()
            for record in self._records.values():
                record.is_scanned = False

    @property
    def prompt_log(self) -> PromptLog:
        """What the labels on the current cut were made from."""
        return self.record(self.view).prompt_log

    @property
    def verdicts(self) -> VerdictTable:
        """What runs have found out on the current cut."""
        return self.record(self.view).verdicts

    def close(self) -> None:
        """Stop watching the layer."""
        self._guarded.close()

    def note(self, view: MovieView, place: PlanePosition, plane: np.ndarray) -> None:
        """Take a plane as the original one; see `GuardedLabels.note`."""
        self._guarded.note(view, place, plane)

    def write(
        self,
        view: MovieView,
        result: FrameResult,
        object_ids: Collection[int],
        *,
        replace: bool,
        returning: Collection[int] = (),
    ) -> WriteResult:
        """Write a result into the layer, except over what a person has painted.

        Parameters
        ----------
        view : MovieView
            The movie of the result, of the same image.
        result : FrameResult
            Labels of one frame.
        object_ids : collection of int
            The objects of the run.
        replace : bool
            Whether it may overwrite other objects and what was painted.
        returning : collection of int
            Objects that come back although a person has erased them on the frame.

        Returns
        -------
        Written
            What has changed, and which objects were left as they are.

        Raises
        ------
        LabelsError
            If the data of the layer was replaced and cannot hold the result.
        """
        if self.layer.data is not self._checked:
            check_target(view, self.layer, max(object_ids, default=1))
            self._checked = self.layer.data
        return self._guarded.write(
            view,
            result.frame,
            result.labels,
            object_ids,
            replace=replace,
            returning=[
                object_id
                for object_id in returning
                if not self._has_mask(view, object_id, result.frame)
            ],
        )

    def undo_corrections(
        self, view: MovieView, taken_back: Iterable[AppliedCorrection]
    ) -> frozenset[int]:
        """Undo corrections, except pixels that have changed since, and draw the layer.

        Parameters
        ----------
        view : MovieView
            The movie, of the same image.
        taken_back : iterable of AppliedCorrection
            The latest first.

        Returns
        -------
        frozenset of int
            Frames whose labels have changed.
        """
        record, frames = self.record(view), set()
        fits = tuple(self.layer.data.shape) == view.spatial_shape
        for correction in taken_back:
            for trace in reversed(correction.changes):
                record.verdicts.restore(
                    correction.object_id, trace.frame, trace.earlier
                )
                if trace.edit is None or not fits:
                    continue
                if self._guarded.undo_edit(view, trace.frame, trace.edit.unpacked()):
                    frames.add(trace.frame)
        for frame in frames:
            record.note_ids(frame, np.unique(self.layer.data[view.index(frame)]))
        self.layer.refresh(extent=False)
        return frozenset(frames)

    def painted_ids(self, view: MovieView, frame: int) -> frozenset[int]:
        """List the objects that a person has painted or erased on a frame.

        A script may have done it as well. What was undone does not count.

        Parameters
        ----------
        view : MovieView
            The movie, of the same image.
        frame : int
            0 <= frame < len(view).
        """
        return self._guarded.objects(view, frame)

    def painted(
        self, view: MovieView, object_ids: Collection[int], frames: Iterable[int]
    ) -> Iterator[Prompt]:
        """Return what a person has painted as prompts.

        Parameters
        ----------
        view : MovieView
            The movie, of the same image.
        object_ids : collection of int
            The objects to look for.
        frames : iterable of int
            The frames to look at.

        Yields
        ------
        Prompt
            The mask of an object on a frame where it was painted; an empty one where it
            was erased.
        """
        for frame in frames:
            check_shape(view, self.layer)
            if self._guarded.is_likely(view, frame):
                for object_id in self.painted_ids(view, frame) & set(object_ids):
                    mask = self._mask(view, object_id, frame)
                    yield Prompt(object_id, frame, mask=PaintedMask.of(mask))

    def corrections(
        self, view: MovieView, prompts_now: Collection[Prompt]
    ) -> tuple[Correction, ...]:
        """Find what would correct the labels; see `PromptLog.corrections`.

        Parameters
        ----------
        view : MovieView
            The movie, of the same image.
        prompts_now : collection of Prompt
            All prompts as they are now.
        """
        if tuple(self.layer.data.shape) != view.spatial_shape:
            # The data were replaced; a run will refuse them and say why.
            return ()
        has_mask = partial(self._has_mask, view)
        return self.record(view).prompt_log.corrections(prompts_now, has_mask)

    def labels(self, view: MovieView, frame: int) -> np.ndarray:
        """(Y, X) labels of a frame as the layer shows them, not to be changed."""
        return np.asarray(self.layer.data[view.index(frame)])

    def _has_mask(self, view: MovieView, object_id: int, frame: int) -> bool:
        return bool(self._mask(view, object_id, frame).any())

    def _mask(self, view: MovieView, object_id: int, frame: int) -> np.ndarray:
        mask: np.ndarray = self.labels(view, frame) == object_id
        return mask
