"""Labels that results go to, and what must not be overwritten in them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_sam_decoder.errors import LabelsError
from napari_sam_decoder.labels import label_ids
from napari_sam_decoder.model.transforms import extent
from napari_sam_decoder.project.changes import EntryChange, LabelsChange
from napari_sam_decoder.project.cut import axes_of, place_of, scope_of
from napari_sam_decoder.project.cut_record import CutRecord
from napari_sam_decoder.project.guarded_labels import GuardedLabels, read_labels
from napari_sam_decoder.project.movie_cut import MovieCut
from napari_sam_decoder.project.object_record import locked_objects
from napari_sam_decoder.prompts import PaintedMask, Prompt

if TYPE_CHECKING:
    from collections.abc import (
        Callable,
        Collection,
        Iterable,
        Iterator,
        Mapping,
        Sequence,
    )
    from contextlib import AbstractContextManager

    from napari_sam_decoder.project.cut import Cut, PlaneAxes
    from napari_sam_decoder.project.frame_records import FrameRecords
    from napari_sam_decoder.project.guarded_labels import LabelsHolder, WriteResult
    from napari_sam_decoder.project.history import History, Step
    from napari_sam_decoder.project.label_snapshot import PlanePosition
    from napari_sam_decoder.project.prompt_log import Correction, PromptLog
    from napari_sam_decoder.project.run_request import RunRequest
    from napari_sam_decoder.prompts import PromptSet
    from napari_sam_decoder.propagation import FrameResult

    BeforeStrokes = Callable[[np.ndarray, PlanePosition, PlaneAxes], np.ndarray]

__all__ = ["LabelsContents", "LabelsTarget"]

_BOX_OVERLAP = 0.6
"""IoU with the bounding box of a mask from which a box may have been drawn on it."""


def _as_it_is(plane: np.ndarray, place: PlanePosition, axes: PlaneAxes) -> np.ndarray:
    """Return a plane on which nothing is just being drawn."""
    del place, axes
    return plane


@dataclass(frozen=True)
class LabelsContents:
    """What labels hold.

    Attributes
    ----------
    ids : frozenset of int
        Without 0; of all planes.
    frames : mapping of int to frozenset of int
        The frames of the movie on which each object has pixels.
    """

    ids: frozenset[int]
    frames: Mapping[int, frozenset[int]]


class LabelsTarget:
    """Labels, and who put what there: others, runs, or a person by hand.

    Parameters
    ----------
    holder : LabelsHolder
        Has the labels, which have the movie's shape.
    view : Cut
        The movie.
    history : History
        Where all changes are recorded.
    number : int
        Of the labels in the history's document.
    is_own : bool, default False
        Whether the labels were made for results, so that nothing else was in them.
    is_recorded : bool, default False
        Whether the history knows all their pixels already.
    before_strokes : callable, optional
        As for `GuardedLabels`; strokes count at once by default.
    """

    def __init__(
        self,
        holder: LabelsHolder,
        view: Cut,
        history: History,
        number: int,
        *,
        is_own: bool = False,
        is_recorded: bool = False,
        before_strokes: BeforeStrokes = _as_it_is,
    ) -> None:
        self.holder = holder
        self.view = view
        self.number = number
        self._history = history
        self._is_own = is_own
        self._records: dict[tuple[int, ...], CutRecord] = {}
        # Strokes that may have changed objects that were locked then.
        self._unchecked: list[tuple[Step, frozenset[int]]] = []
        self._ids = history.document.table("ids", number)
        self._dismissed = history.document.table("dismissed", number)
        self._guarded = GuardedLabels(
            history.document,
            number,
            holder,
            is_blank=is_own and not is_recorded,
            is_recorded=is_recorded,
            before_strokes=before_strokes,
        )
        for table in history.document.tables:
            if table.name == "frames" and table.scope[:1] == (number,):
                # A project that is opened knows cuts that nobody has looked at yet.
                self._record(table.scope)

    def record(self, view: Cut) -> CutRecord:
        """Return what is known of the cut that a view shows."""
        return self._record((self.number, *scope_of(view)))

    def _record(self, scope: tuple[int, ...]) -> CutRecord:
        if scope not in self._records:
            self._records[scope] = CutRecord(self._history, scope, is_own=self._is_own)
        return self._records[scope]

    @property
    def highest_id(self) -> int:
        """The largest id that fits the labels."""
        return int(np.iinfo(self.holder.data.dtype).max)

    @property
    def known_ids(self) -> frozenset[int]:
        """Objects that runs have made in it, or that were adopted."""
        records = self._records.values()
        return frozenset(
            one for record in records for one in record.prompt_log.object_ids
        )

    @property
    def locked_ids(self) -> frozenset[int]:
        """Objects whose pixels nothing changes."""
        return locked_objects(self._history.document)

    @property
    def object_ids(self) -> frozenset[int]:
        """Objects that have pixels in it, as far as is known, without the dismissed."""
        found = (record.frames.ids_with_pixels for record in self._records.values())
        known = frozenset[int]().union(self._ids, *found)
        return known - frozenset(self._dismissed)

    def adopt_labels(
        self, view: Cut, contents: LabelsContents, prompts_now: Collection[Prompt]
    ) -> None:
        """Adopt the objects in the labels, so that they can be corrected.

        A run leaves them as they are, since it is not known what they were made from,
        except those that have points already.

        Parameters
        ----------
        view : Cut
            The movie, cut as it was scanned.
        contents : LabelsContents
            Of the labels.
        prompts_now : collection of Prompt
            All prompts as they are now.
        """
        with self._history.note():
            self._adopt_labels(view, contents, prompts_now)

    def _adopt_labels(
        self, view: Cut, contents: LabelsContents, prompts_now: Collection[Prompt]
    ) -> None:
        record = self.record(view)
        record.is_scanned = True
        self._guarded.record_originals()
        for object_id in contents.ids:
            self._ids[object_id] = True
        every = sorted(frozenset().union(*contents.frames.values()))
        # An object may have been missed on a frame between two others.
        reach = range(every[0], every[-1] + 1) if every else range(0)
        agreed = [prompt for prompt in prompts_now if self.agrees(view, prompt)]
        pointed_at = {prompt.object_id for prompt in agreed if prompt.is_positive}
        known = pointed_at | set(record.prompt_log.object_ids)
        for object_id in contents.frames.keys() - frozenset(self._dismissed):
            if not record.frames.frames_with(object_id):
                record.frames.add_pixels(object_id, contents.frames[object_id])
            if object_id not in known:
                record.inherit(object_id, contents.frames[object_id])
        record.prompt_log.adopt(contents.ids - frozenset(self._dismissed), reach)
        record.prompt_log.attribute_labels(agreed)

    def attribute_labels(self, view: Cut, prompts: Collection[Prompt]) -> None:
        """Take prompts that agree with the labels as what these were made from.

        Parameters
        ----------
        view : Cut
            The movie.
        prompts : collection of Prompt
            Some that were added since.
        """
        record = self.record(view)
        agreed = [
            prompt
            for prompt in prompts
            if record.inherited(prompt.object_id) and self.agrees(view, prompt)
        ]
        record.prompt_log.attribute_labels(agreed)
        for prompt in agreed:
            record.inherit(prompt.object_id, ())

    def agrees(self, view: Cut, prompt: Prompt) -> bool:
        """Whether the labels agree with all that a prompt shows."""
        mask = self._mask(view, prompt.object_id, prompt.frame)
        if prompt.is_settled:
            return prompt.mask == PaintedMask.of(mask)
        if prompt.outer_box is not None and not _fills(mask, prompt.outer_box):
            return False
        scribbled = mask.copy()
        for scribble in prompt.scribbles:
            scribbled[scribble.pixels.to_array()] = scribble.is_positive
        if (scribbled != mask).any():
            return False
        highest = np.array(mask.shape) - 1
        signs = prompt.signs or ()
        for position, is_positive in zip(prompt.points, signs, strict=True):
            row, column = np.clip(np.rint(position), 0, highest).astype(int)
            if bool(mask[row, column]) != is_positive:
                return False
        return True

    def begin(self, view: Cut, prompts: PromptSet, request: RunRequest) -> None:
        """Note that a run recomputes objects.

        Parameters
        ----------
        view : Cut
            The movie.
        prompts : PromptSet
            Of the run.
        request : RunRequest
            Whether adopted objects may be replaced. Otherwise only their frames with
            new points are.
        """
        record = self.record(view)
        for prompt in prompts:
            self._dismissed.pop(prompt.object_id, None)
            frames = record.inherited(prompt.object_id)
            if request.replace:
                record.inherit(prompt.object_id, ())
            elif not record.prompt_log.holds(prompt):
                record.inherit(prompt.object_id, frames - {prompt.frame})
        record.prompt_log.begin(prompts, request)

    def dismiss(self, object_id: int) -> None:
        """Stop tracking an object; its pixels are treated as foreign."""
        for record in self._records.values():
            record.forget(object_id)
        self._dismissed[object_id] = True

    def absorb(
        self, object_id: int, into: int, prompts_now: Collection[Prompt]
    ) -> None:
        """Take the labels of an object as those of another one.

        Its pixels are still to be given to the other one, see `relabel`.

        Parameters
        ----------
        object_id : int
            Known no more.
        into : int
            The other one.
        prompts_now : collection of Prompt
            All prompts, which name only the other one.
        """
        for record in self._records.values():
            record.absorb(object_id, into, prompts_now)
        if object_id in self._ids:
            self._ids[into] = True

    def split(self, view: Cut, object_id: int, new_id: int, start: int) -> None:
        """Take the labels of an object from a frame on as those of a new one.

        Its pixels are still to be given to the new one, see `relabel`.

        Parameters
        ----------
        view : Cut
            The movie.
        object_id, new_id : int
            The object that keeps what comes before, and the new one.
        start : int
            The first frame of the new one.
        """
        for (_, axis, *_rest), record in self._records.items():
            if axis == scope_of(view)[0]:
                record.split(object_id, new_id, start)
            elif object_id in record.frames.object_ids:
                # Along another axis, only the pixels say who is where.
                record.is_scanned = False
        if object_id in self._ids:
            self._ids[new_id] = True

    def relabel(self, view: Cut, frame: int, object_id: int, new_id: int) -> None:
        """Give the pixels of an object on a frame another label.

        Whoever has painted them counts as the painter of the other one.

        Parameters
        ----------
        view : Cut
            The movie.
        frame : int
            Of the movie.
        object_id : int
            The label that goes.
        new_id : int
            That of another object, or 0 to erase them.

        Raises
        ------
        LabelsError
            If the labels were replaced by others that do not fit.
        """
        self.check(view, max(new_id, 1))
        self._guarded.relabel(view, frame, object_id, new_id)

    def note_relabelled(self, object_id: int, *, is_gone: bool = True) -> None:
        """Note that pixels have another label now.

        Parameters
        ----------
        object_id : int
            The label that they had.
        is_gone : bool, default True
            Whether no pixels have it any more.
        """
        if is_gone:
            self._ids.pop(object_id, None)

    def reconsider(self) -> None:
        """Count dismissed objects again, once the labels have been scanned."""
        if self._dismissed:
            self._dismissed.clear()
            for record in self._records.values():
                record.is_scanned = False

    @property
    def prompt_log(self) -> PromptLog:
        """What the labels on the current cut were made from."""
        return self.record(self.view).prompt_log

    @property
    def frames(self) -> FrameRecords:
        """What is known of each frame of the current cut."""
        return self.record(self.view).frames

    def sync(self, view: Cut, frames: Iterable[int]) -> None:
        """Record what others have changed on some frames without telling.

        Parameters
        ----------
        view : Cut
            The movie.
        frames : iterable of int
            Of the movie.
        """
        self.check(view)
        self.freeze_axes(view)
        places = [place_of(view, frame) for frame in frames]
        self._guarded.record_originals(places)
        self._record_foreign(places)

    def sync_before(
        self, steps: Iterable[Step], breathe: Callable[[], None] = lambda: None
    ) -> None:
        """Record what others have changed since where steps changed the labels.

        Parameters
        ----------
        steps : iterable of Step
            Which are about to be undone or redone.
        breathe : callable
            Called often meanwhile; must not change the labels.
        """
        axes = self._guarded.axes
        if axes is None or not self._guarded.has_its_shape:
            return
        planes = {
            (change.sliced, change.place)
            for step in steps
            for change in step.changes
            if isinstance(change, LabelsChange) and change.target == self.number
        }
        places = {place for sliced, place in planes if sliced == axes.sliced}
        if any(sliced != axes.sliced for sliced, _ in planes):
            # Planes along other axes cross all of them.
            places |= set(self._comparable)
        changed = []
        for place in sorted(places):
            breathe()
            if self._guarded.is_changed(place):
                changed.append(place)
        self._record_foreign(changed)

    def record_strokes(
        self,
        planes: Mapping[PlanePosition, tuple[np.ndarray, np.ndarray]],
        verb: str,
    ) -> None:
        """Record what a person has painted, as one step.

        Parameters
        ----------
        planes : mapping
            By their place along the axes of `view`, planes before and after.
        verb : str
            What was done, such as "Paint".
        """
        self.freeze_axes(self.view)
        for place, (before, _) in planes.items():
            self._guarded.begin_stroke(place, before)
        self._guarded.record_originals()
        with self._painting(tuple(planes), verb) as step:
            for place, (before, after) in planes.items():
                if self._guarded.record_stroke(place, after):
                    self._note_ids(place, after)
                    self._fix_painted(place, before, after)
        locked = self.locked_ids
        if locked:
            self._unchecked.append((step, locked))

    def _record_foreign(self, places: Sequence[PlanePosition]) -> None:
        axes = self._guarded.axes
        is_shown = axes is not None and axes.sliced == self.view.sliced_axes
        named = places if is_shown else ()
        with self._painting(named, "Labels changed by a script"):
            for place in self._guarded.sync(places):
                # Along other axes than those of the movie, a plane is no frame.
                if is_shown:
                    self._note_ids(place)

    def _painting(
        self, places: Sequence[PlanePosition], verb: str
    ) -> AbstractContextManager[Step]:
        """Record what others have changed as a step."""
        title = verb
        if len(places) == 1:
            title = f"{verb} on frame {self._frame_at(places[0])}"
        return self._history.step(title, "paint", {"target": self.number})

    def _frame_at(self, place: PlanePosition) -> int:
        at = dict(zip(self.view.sliced_axes, place, strict=True))
        return 0 if self.view.axis is None else at[self.view.axis]

    def _cut_at(self, place: PlanePosition) -> tuple[MovieCut, int]:
        """Find the cut and the frame that a plane is."""
        at = dict(zip(self.view.sliced_axes, place, strict=True))
        axis = self.view.axis
        fixed = tuple((other, at[other]) for other, _ in self.view.fixed)
        cut = MovieCut(self.view.spatial_shape, axis, fixed)
        return cut, 0 if axis is None else at[axis]

    def _note_ids(self, place: PlanePosition, plane: np.ndarray | None = None) -> None:
        """Note which known objects a plane holds now."""
        cut, frame = self._cut_at(place)
        if plane is None:
            plane = read_labels(self.holder, axes_of(cut).index(place))
        self.record(cut).frames.note_ids(frame, label_ids(plane))

    def _fix_painted(
        self, place: PlanePosition, before: np.ndarray, after: np.ndarray
    ) -> None:
        """Doubt known objects no more on a plane where a person has painted them."""
        cut, frame = self._cut_at(place)
        frames = self.record(cut).frames
        changed = before != after
        touched = label_ids(before[changed]) | label_ids(after[changed])
        for object_id in sorted((touched & frames.object_ids) - self.locked_ids):
            frames.fix(object_id, frame, int((after == object_id).sum()))

    def confirm(self, view: Cut, object_id: int, frame: int) -> Prompt:
        """Fix an object on a frame as it is in the labels.

        Parameters
        ----------
        view : Cut
            The movie.
        object_id : int
            Known here, see `known_ids`.
        frame : int
            0 <= frame < len(view).

        Returns
        -------
        Prompt
            Its mask; an empty one where the labels do not hold it.

        Raises
        ------
        LabelsError
            If the labels were replaced by others that do not fit.
        """
        self.sync(view, [frame])
        mask, record = self._mask(view, object_id, frame), self.record(view)
        prompt = Prompt(object_id, frame, mask=PaintedMask.of(mask))
        record.prompt_log.confirm(prompt)
        record.frames.fix(object_id, frame, int(mask.sum()))
        return prompt

    def note(self, view: Cut, place: PlanePosition, plane: np.ndarray) -> None:
        """Take a plane as the original one; see `GuardedLabels.note`."""
        self._guarded.note(view, place, plane)

    def write(
        self,
        view: Cut,
        result: FrameResult,
        object_ids: Collection[int],
        *,
        replace: bool,
        returning: Collection[int] = (),
    ) -> WriteResult:
        """Write a result into the labels, except over what a person has painted.

        Locked objects stay as they are in any case.

        Parameters
        ----------
        view : Cut
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
            If the labels were replaced by others that cannot hold the result.
        """
        self.check(view, max(object_ids, default=1))
        locked = self.locked_ids
        return self._guarded.write(
            view,
            result.frame,
            result.labels,
            frozenset(object_ids) - locked,
            replace=replace,
            locked=locked,
            returning=[
                object_id
                for object_id in returning
                if not self._has_mask(view, object_id, result.frame)
            ],
        )

    def reconcile(self, view: Cut, prompts_now: Collection[Prompt]) -> int | None:
        """Take back corrections whose points are gone.

        Pixels that have changed since stay.

        Parameters
        ----------
        view : Cut
            The movie, of the same image.
        prompts_now : collection of Prompt
            All prompts as they are now.

        Returns
        -------
        int or None
            The number of frames whose labels have changed; None if no correction was
            taken back.
        """
        record = self.record(view)
        record.prompt_log.readmit(prompts_now)
        steps = record.prompt_log.lost_corrections(prompts_now)
        places: set[tuple[tuple[int, ...], PlanePosition]] = set()
        for step in steps:
            places |= set(self._take_back(step))
        for sliced, place in sorted(places):
            if sliced == self.view.sliced_axes:
                self._note_ids(place)
        record.prompt_log.forget_adopted(prompts_now)
        return len(places) if steps else None

    def _take_back(self, step: Step) -> Iterator[tuple[tuple[int, ...], PlanePosition]]:
        """Take back what a step has changed in these labels, unless it changed since.

        Yields the sliced axes and places of planes whose pixels have changed.
        """
        fits = tuple(self.holder.data.shape) == self.view.spatial_shape
        rerun, locked = self._rerun_since(step), self.locked_ids
        for change in reversed(step.changes):
            if isinstance(change, LabelsChange) and change.target == self.number:
                if fits and self._guarded.take_back(change, rerun, locked):
                    yield change.sliced, change.place
            elif isinstance(change, EntryChange) and change.scope[:1] == (self.number,):
                table = self._history.document.table(change.table, *change.scope)
                if _object_of(change.key) in locked:
                    continue
                if table.get(change.key) == change.after:
                    if change.before is None:
                        del table[change.key]
                    else:
                        table[change.key] = change.before

    def put_back_locked(self) -> bool:
        """Take back what strokes have done to objects that were locked at the time.

        Returns
        -------
        bool
            Whether there was anything.
        """
        strokes, self._unchecked = self._unchecked, []
        changed = [self._put_back(*one) for one in reversed(strokes)]
        return any(changed)

    def _put_back(self, step: Step, locked: Collection[int]) -> bool:
        """Take back what a step has done to some objects, as a part of it."""
        is_changed = False
        with self._history.extend(step):
            for change in reversed(step.changes):
                if not isinstance(change, LabelsChange) or change.target != self.number:
                    continue
                if self._guarded.take_back(change, only=locked):
                    is_changed = True
                    if change.sliced == self.view.sliced_axes:
                        self._note_ids(change.place)
        return is_changed

    def _rerun_since(self, step: Step) -> frozenset[int]:
        """Objects that a run has recomputed after a step: they get nothing back."""
        done = self._history.done
        later = done[done.index(step) + 1 :]
        return frozenset(
            object_id
            for one in later
            if one.kind == "run"
            for object_id in one.details["objects"]
        )

    def check(self, view: Cut, highest_id: int = 1) -> None:
        """Refuse labels that were replaced and do not fit any more.

        Parameters
        ----------
        view : Cut
            The movie.
        highest_id : int
            The largest that is to be written.

        Raises
        ------
        LabelsError
            If they have another shape, or cannot hold the id.
        """
        shape = tuple(int(length) for length in self.holder.data.shape)
        if shape != view.spatial_shape:
            raise LabelsError(
                f"labels of shape {shape} do not fit the movie of shape "
                f"{view.spatial_shape}; choose labels of that shape"
            )
        if highest_id > self.highest_id:
            raise LabelsError(
                f"labels of type {self.holder.data.dtype} cannot hold object id "
                f"{highest_id}; choose a smaller id, or start a new project"
            )

    def painted_ids(self, view: Cut, frame: int) -> frozenset[int]:
        """List the objects that a person has painted or erased on a frame.

        A script may have done it as well. What was undone does not count.

        Parameters
        ----------
        view : Cut
            The movie, of the same image.
        frame : int
            0 <= frame < len(view).
        """
        return self._guarded.objects(view, frame)

    def painted(
        self, view: Cut, object_ids: Collection[int], frames: Iterable[int]
    ) -> Iterator[Prompt]:
        """Return what a person has painted as prompts.

        Parameters
        ----------
        view : Cut
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
            self.check(view)
            if self._guarded.is_likely(view, frame):
                for object_id in self.painted_ids(view, frame) & set(object_ids):
                    mask = self._mask(view, object_id, frame)
                    yield Prompt(object_id, frame, mask=PaintedMask.of(mask))

    def corrections(
        self, view: Cut, prompts_now: Collection[Prompt]
    ) -> tuple[Correction, ...]:
        """Find what would correct the labels; see `PromptLog.corrections`.

        Parameters
        ----------
        view : Cut
            The movie, of the same image.
        prompts_now : collection of Prompt
            All prompts as they are now.
        """
        if tuple(self.holder.data.shape) != view.spatial_shape:
            # The data were replaced; a run will refuse them and say why.
            return ()
        has_mask = partial(self._has_mask, view)
        return self.record(view).prompt_log.corrections(prompts_now, has_mask)

    def freeze_axes(self, view: Cut) -> None:
        """Cut the labels as a movie is cut, before others read it in the background."""
        axes = self._guarded.axes
        if axes is not None and axes.sliced != view.sliced_axes:
            self._record_foreign(self._comparable)
        self._guarded.cut_along(view)

    @property
    def _comparable(self) -> tuple[PlanePosition, ...]:
        """The known planes, unless it takes long to read all of them."""
        is_in_memory = isinstance(self.holder.data, np.ndarray)
        return self._guarded.places if is_in_memory else ()

    def labels(self, view: Cut, frame: int) -> np.ndarray:
        """(Y, X) labels of a frame as they are now, not to be changed."""
        return read_labels(self.holder, view.index(frame))

    def _has_mask(self, view: Cut, object_id: int, frame: int) -> bool:
        return bool(self._mask(view, object_id, frame).any())

    def _mask(self, view: Cut, object_id: int, frame: int) -> np.ndarray:
        mask: np.ndarray = self.labels(view, frame) == object_id
        return mask


def _object_of(key: Any) -> Any:
    """The object that an entry is about, if it is about one."""
    return key[0] if isinstance(key, tuple) else key


def _fills(mask: np.ndarray, box: tuple[float, float, float, float]) -> bool:
    """Whether a box is around a mask, if not quite tight."""
    found = extent(mask)
    if found is None:
        return False
    rows, columns = found
    own = np.array([rows.start, columns.start, rows.stop - 1, columns.stop - 1])
    given = np.array(box)
    low, high = np.maximum(own, given)[:2], np.minimum(own, given)[2:]
    shared = np.prod(np.maximum(high - low, 0))
    areas = [np.prod(one[2:] - one[:2]) for one in (own, given)]
    return bool(shared >= _BOX_OVERLAP * (sum(areas) - shared))
