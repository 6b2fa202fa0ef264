"""Writing labels without overwriting what people or scripts changed."""

from __future__ import annotations

from dataclasses import dataclass
from threading import RLock
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from napari_sam_decoder.errors import LabelsError, wrap_os_errors
from napari_sam_decoder.labels import merge_labels
from napari_sam_decoder.model.transforms import extent
from napari_sam_decoder.project.changes import LabelsChange
from napari_sam_decoder.project.cut import PlaneAxes, axes_of, place_of
from napari_sam_decoder.project.label_difference import LabelDifference
from napari_sam_decoder.project.label_snapshot import LabelSnapshot

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator

    from napari_sam_decoder.project.cut import Cut
    from napari_sam_decoder.project.document import Document
    from napari_sam_decoder.project.label_snapshot import PlanePosition

__all__ = [
    "Edit",
    "GuardedLabels",
    "LabelsHolder",
    "WriteResult",
    "merge_frame",
    "read_labels",
]


class LabelsHolder(Protocol):
    """Something with labels, such as a Labels layer."""

    data: Any


def read_labels(holder: LabelsHolder, index: tuple[int | slice, ...]) -> np.ndarray:
    """Read a part of labels, which may lie on a disk; a view of those in memory.

    Parameters
    ----------
    holder : LabelsHolder
        Where they are.
    index : tuple of int and slice
        Which part.

    Raises
    ------
    LabelsError
        If they cannot be read, and a user can do something about it.
    """
    with wrap_os_errors("cannot read the labels", LabelsError):
        return np.asarray(holder.data[index])


@dataclass(frozen=True, eq=False)
class Edit:
    """A change of a part of one frame.

    Attributes
    ----------
    window : (slice, slice)
        Rows and columns of the frame.
    before, after : (rows, columns) arrays of int
        Labels of the window.
    """

    window: tuple[slice, slice]
    before: np.ndarray
    after: np.ndarray

    def spread(self, shape: tuple[int, ...]) -> np.ndarray:
        """(Y, X) bool over a whole frame: the pixels that have another label."""
        changed = np.zeros(shape, bool)
        changed[self.window] = self.before != self.after
        return changed


@dataclass(frozen=True, eq=False)
class WriteResult:
    """What was written of a result.

    Attributes
    ----------
    edit : Edit or None
        What has changed; None if nothing has.
    spared : frozenset of int
        Objects of the result that were left as they are, since others have changed them
        on the frame.
    """

    edit: Edit | None
    spared: frozenset[int] = frozenset()


@dataclass(frozen=True, eq=False)
class _FrameState:
    """A frame as it is, and as it was left.

    Attributes
    ----------
    place : tuple of int
        Along the sliced axes.
    now, known, left : (Y, X) arrays of int
        ``known`` is what the history says, ``left`` the same without what others have
        changed. Where nobody has changed anything, all are the labels themselves, and
        change when these are written; else they are copies.
    changed : (Y, X) array of bool or None
        The pixels that others have changed; None where there is none.
    """

    place: PlanePosition
    now: np.ndarray
    known: np.ndarray
    left: np.ndarray
    changed: np.ndarray | None

    @property
    def is_copy(self) -> bool:
        """Whether the planes stay as they are when the labels are written."""
        return self.left is not self.now

    @property
    def objects(self) -> frozenset[int]:
        """Objects whose pixels others have added or removed."""
        if self.changed is None:
            return frozenset()
        ids = np.union1d(self.now[self.changed], self.left[self.changed])
        return frozenset(ids.tolist()) - {0}


def merge_frame(
    labels: np.ndarray,
    new: np.ndarray,
    object_ids: Collection[int],
    *,
    replace: bool,
    kept: np.ndarray | None = None,
) -> Edit | None:
    """Merge the labels of some objects into a frame, without writing it.

    Parameters
    ----------
    labels : (Y, X) array of int
        Of the frame; not changed.
    new : (Y, X) array of int
        Labels of this run, holding only ``object_ids`` and 0.
    object_ids : collection of int
        The objects of this run, which lose what they had on the frame.
    replace : bool
        Whether new pixels overwrite those of other objects.
    kept : (Y, X) array of bool, optional
        Pixels that stay as they are in any case.

    Returns
    -------
    Edit or None
        None if nothing changes.

    Raises
    ------
    LabelsError
        If ``new`` has another shape than the frame.
    """
    if labels.shape != new.shape:
        raise LabelsError(
            f"results of shape {new.shape} do not fit labels whose frames have shape "
            f"{labels.shape}; choose a new labels layer"
        )
    # Merging changes nothing where both agree, which is most of a picture.
    window = extent(labels != new)
    if window is None:
        return None
    # A copy: indexing labels in memory returns a view.
    before = np.array(labels[window])
    after = merge_labels(before, new[window], object_ids, replace=replace)
    if kept is not None:
        np.copyto(after, before, where=kept[window])
    return None if np.array_equal(before, after) else Edit(window, before, after)


class GuardedLabels:
    """Labels of a document, written around other people's changes.

    These are found by comparing pixels: what was drawn and undone again is no change,
    and what a script has written without an event is one. A pixel that others have
    changed is not written, unless their work is to be replaced.

    Only one thread writes; `note`, `objects` and `is_likely` may be called from others.

    Parameters
    ----------
    document : Document
        Records all changes.
    target : int
        Which labels of the document these are.
    holder : LabelsHolder
        Where they are; its data may be replaced by others of the same shape.
    is_blank : bool, default False
        Whether the labels are new and empty.
    is_recorded : bool, default False
        Whether the document knows all pixels already; those of blank labels it does.
    before_strokes : callable
        Given a plane, its place and axes, returns it without strokes that are just
        being drawn.
    """

    def __init__(
        self,
        document: Document,
        target: int,
        holder: LabelsHolder,
        *,
        is_blank: bool = False,
        is_recorded: bool = False,
        before_strokes: Callable[
            [np.ndarray, PlanePosition, PlaneAxes], np.ndarray
        ] = lambda plane, _place, _axes: plane,
    ) -> None:
        self._document = document
        self._target = target
        self._holder = holder
        self._before_strokes = before_strokes
        # The snapshot and the axes of its planes change together.
        self._lock = RLock()
        self._axes: PlaneAxes | None = None
        self._shape = tuple(int(length) for length in holder.data.shape)
        self._is_recorded = is_blank or is_recorded
        self._known = LabelSnapshot(is_blank=is_blank)
        # Pixels that were there before, until they are recorded.
        self._unrecorded: list[LabelsChange] = []
        self._painted = document.table("painted", target)
        # Whether something is painted on planes along other axes than the current.
        self._is_scattered = False
        self._painted.subscribe(self._follow_painted)
        document.attach(target, self)

    def note(self, cut: Cut, place: PlanePosition, plane: np.ndarray) -> None:
        """Take a plane as the original one, unless it is known already.

        Parameters
        ----------
        cut : Cut
            How the labels were cut; nothing happens if they are cut in another way now.
        place : tuple of int
            Along the sliced axes.
        plane : (Y, X) array of int
            As it was when the labels were chosen.
        """
        with self._lock:
            if self._axes is None or cut.sliced_axes == self._axes.sliced:
                self._axes = axes_of(cut)
                self._begin(place, plane)

    def objects(self, cut: Cut, frame: int) -> frozenset[int]:
        """List the objects whose pixels others have added or removed on a frame.

        Parameters
        ----------
        cut : Cut
            The movie.
        frame : int
            0 <= frame < len(cut).
        """
        with self._lock:
            self.cut_along(cut)
            place = place_of(cut, frame)
            if place not in self._known and self._key(place) not in self._painted:
                return frozenset()
            return self._compare(cut, frame).objects

    def is_likely(self, cut: Cut, frame: int) -> bool:
        """Whether others may have changed a frame, without reading labels from a disk.

        Always true for labels in memory.
        """
        with self._lock:
            self.cut_along(cut)
            is_in_memory = isinstance(self._holder.data, np.ndarray)
            return is_in_memory or self._key(place_of(cut, frame)) in self._painted

    def is_changed(self, place: PlanePosition) -> bool:
        """Whether others have changed a known plane without telling.

        Parameters
        ----------
        place : tuple of int
            Along the sliced axes.
        """
        with self._lock:
            if place not in self._known:
                return False
            now = self._before_strokes(self._plane(place), place, self._current)
            return not self._known.is_as_left(place, now)

    def sync(self, places: Iterable[PlanePosition]) -> Iterator[PlanePosition]:
        """Record what others have changed on some planes.

        Parameters
        ----------
        places : iterable of tuple of int
            Along the sliced axes.

        Yields
        ------
        tuple of int
            Those that were changed.
        """
        with self._lock:
            for place in places:
                if self._sync(place):
                    yield place

    def record_originals(self, places: Iterable[PlanePosition] = ()) -> None:
        """Record the pixels of planes that were there before anything was done.

        Parameters
        ----------
        places : iterable of tuple of int
            Planes that are about to change; besides those that were noted.
        """
        with self._lock:
            for place in places:
                if place not in self._known:
                    plane = self._plane(place)
                    self._begin(
                        place, self._before_strokes(plane, place, self._current)
                    )
            changes, self._unrecorded = self._unrecorded, []
            for change in changes:
                self._document.note_labels(change)

    def begin_stroke(self, place: PlanePosition, before: np.ndarray) -> None:
        """Note how a plane was before it was painted, unless it is known.

        Parameters
        ----------
        place : tuple of int
            Along the sliced axes.
        before : (Y, X) array of int
            A copy is kept.
        """
        with self._lock:
            self._begin(place, before)

    def record_stroke(self, place: PlanePosition, after: np.ndarray) -> bool:
        """Record that others have changed a plane that is known.

        Parameters
        ----------
        place : tuple of int
            Along the sliced axes.
        after : (Y, X) array of int
            As it is now, or is about to be.

        Returns
        -------
        bool
            Whether any pixel has changed.
        """
        with self._lock:
            return self._record_plane(place, after)

    @property
    def axes(self) -> PlaneAxes | None:
        """How the labels are cut into planes; None before that was needed."""
        return self._axes

    @property
    def has_its_shape(self) -> bool:
        """Whether the labels still have the shape that they had at first."""
        return tuple(self._holder.data.shape) == self._shape

    def knows(self, place: PlanePosition) -> bool:
        """Whether it is known how a plane is without what others do to it now."""
        with self._lock:
            return place in self._known

    @property
    def places(self) -> tuple[PlanePosition, ...]:
        """The planes that are known."""
        if self._known.is_blank and self._axes is not None:
            return tuple(np.ndindex(*(self._shape[axis] for axis in self._axes.sliced)))
        return tuple(self._known)

    def write(
        self,
        cut: Cut,
        frame: int,
        labels: np.ndarray,
        object_ids: Collection[int],
        *,
        replace: bool,
        returning: Collection[int] = (),
        locked: Collection[int] = (),
    ) -> WriteResult:
        """Put labels of some objects on a frame; see `merge_frame`.

        Unless ``replace``, objects that others have changed on the frame stay as they
        are, and so does every pixel that others have changed. The objects in
        ``returning`` were erased on the frame and may come back. The pixels of those in
        ``locked``, which are none of ``object_ids``, stay in any case.
        """
        with self._lock:
            self.cut_along(cut)
            state = self._compare(cut, frame)
            self.record_originals()
            writable, kept, spared = frozenset(object_ids), None, frozenset[int]()
            if not replace and state.changed is not None:
                spared = (writable & state.objects) - frozenset(returning)
                writable -= spared
                is_erased = (state.now == 0) & np.isin(state.left, list(returning))
                kept = state.changed & ~is_erased
            if locked:
                is_locked = np.isin(state.now, list(locked))
                kept = is_locked if kept is None else kept | is_locked
            if kept is not None:
                labels = np.where(np.isin(labels, list(writable)), labels, 0)
            edit = merge_frame(state.now, labels, writable, replace=replace, kept=kept)
            if edit is not None:
                self._write(state, edit)
            if state.is_copy:
                decided = _decided(state, edit, labels, kept)
                if state.changed is not None:
                    # All pixels of these objects, also where others have erased them.
                    theirs = object_ids if replace else returning
                    decided |= np.isin(state.left, list(theirs))
                self._repaint_decided(state, edit, decided)
            return WriteResult(edit, spared)

    def relabel(self, cut: Cut, frame: int, label: int, new: int) -> None:
        """Give the pixels of a label on a frame another one, whoever has put them.

        Parameters
        ----------
        cut : Cut
            The movie.
        frame : int
            0 <= frame < len(cut).
        label, new : int
            The label that goes, and the one that comes.
        """
        with self._lock:
            self.cut_along(cut)
            state = self._compare(cut, frame)
            window = extent(state.now == label)
            if window is None:
                return
            now, known, left = (
                np.where(one == label, new, one).astype(one.dtype)
                for one in (state.now, state.known, state.left)
            )
            edit = Edit(window, state.now[window].copy(), now[window])
            # First, since what is known may be the labels themselves.
            difference = LabelDifference.between(state.known, known)
            self._write_window(self._current.index(state.place), edit)
            if difference is not None:
                self._record(self._current, state.place, difference)
                self._known.patch(state.place, difference)
            self._repaint(state.place, left, known)

    def take_back(
        self,
        change: LabelsChange,
        but_not: Collection[int] = (),
        locked: Collection[int] = (),
        only: Collection[int] | None = None,
    ) -> bool:
        """Undo a change that was made here, except pixels that have changed since.

        Parameters
        ----------
        change : LabelsChange
            Of these labels.
        but_not : collection of int
            Objects that do not get their pixels back.
        locked : collection of int
            Objects that neither get nor lose pixels.
        only : collection of int, optional
            The objects that get or lose pixels; all by default.

        Returns
        -------
        bool
            Whether any pixel has changed.
        """
        with self._lock:
            axes = PlaneAxes.of(change.sliced)
            now = np.array(read_labels(self._holder, axes.index(change.place)))
            after = now.copy()
            back = change.difference.inverse()
            back.apply_where_unchanged(after, but_not=but_not)
            np.copyto(after, now, where=_concerns(locked, now, after))
            if only is not None:
                np.copyto(after, now, where=~_concerns(only, now, after))
            difference = LabelDifference.between(now, after)
            if difference is None:
                return False
            is_current = self._axes is not None and axes.sliced == self._axes.sliced
            known = self._known.plane(change.place, now) if is_current else now
            is_back = now != after
            new = np.where(is_back, after, known)
            self.apply(change.sliced, change.place, difference)
            changed = LabelDifference.between(known, new)
            if changed is not None:
                self._record(axes, change.place, changed)
            if is_current:
                left = np.where(is_back, after, self._left(change.place, known))
                self._repaint(change.place, left, new)
            return True

    def apply(
        self,
        sliced: tuple[int, ...],
        place: PlanePosition,
        difference: LabelDifference,
    ) -> None:
        """Change the pixels of one plane without recording it.

        Parameters
        ----------
        sliced : tuple of int
            The axes along which the labels are cut.
        place : tuple of int
            Where the plane lies along them.
        difference : LabelDifference
            Its labels before are taken for granted.

        Raises
        ------
        LabelsError
            If the labels have another shape by now.
        """
        with self._lock:
            index = PlaneAxes.of(sliced).index(place)
            data = self._holder.data
            if not self.has_its_shape:
                raise LabelsError(
                    f"labels of shape {tuple(data.shape)} cannot be changed, since "
                    f"their shape was {self._shape}; give the layer labels of that "
                    "shape again"
                )
            plane = read_labels(self._holder, index)
            if not isinstance(data, np.ndarray):
                plane = np.array(plane)
            difference.apply(plane)
            if not isinstance(data, np.ndarray):
                self._put(index, plane)
            if self._axes is None or sliced == self._axes.sliced:
                self._known.patch(place, difference)
            else:
                # Every plane along the other axes is crossed.
                self._known = LabelSnapshot()

    def cut_along(self, cut: Cut) -> None:
        """Cut the labels along other axes, and keep track of others' changes."""
        axes = axes_of(cut)
        if self._axes is None:
            self._axes = axes
        is_turned = axes.sliced != self._axes.sliced
        if not (is_turned or self._is_scattered):
            return
        is_in_memory = isinstance(self._holder.data, np.ndarray)
        for place in self.places if is_turned and is_in_memory else ():
            self._sync(place)
        places, left = self._painted_pixels()
        if is_turned:
            self._axes, self._known = axes, LabelSnapshot()
        self._is_scattered = False
        along = places[:, list(axes.sliced)]
        for place in {tuple(map(int, one)) for one in along}:
            is_here = (along == place).all(axis=1)
            now = np.array(read_labels(self._holder, axes.index(place)))
            before = now.copy()
            rows, columns = (places[is_here, axis] for axis in axes.shown)
            before[rows, columns] = left[is_here]
            self._set_painted(place, LabelDifference.between(before, now))

    def _key(self, place: PlanePosition) -> tuple[tuple[int, ...], PlanePosition]:
        return self._current.sliced, place

    @property
    def _current(self) -> PlaneAxes:
        if self._axes is None:
            raise RuntimeError("the labels have not been cut yet")
        return self._axes

    def _plane(self, place: PlanePosition) -> np.ndarray:
        """A plane as it is now; a view of labels in memory."""
        return read_labels(self._holder, self._current.index(place))

    def _sync(self, place: PlanePosition) -> bool:
        if place not in self._known:
            return False
        now = self._before_strokes(self._plane(place), place, self._current)
        return self._record_plane(place, now)

    def _record_plane(self, place: PlanePosition, now: np.ndarray) -> bool:
        if self._known.is_as_left(place, now):
            return False
        known = self._known.plane(place, now)
        difference = LabelDifference.between(known, now)
        if difference is None:
            return False
        left = self._left(place, known)
        self._record(self._current, place, difference)
        self._set_painted(place, LabelDifference.between(left, now))
        self._known.put(place, now)
        return True

    def _compare(self, cut: Cut, frame: int) -> _FrameState:
        """Read a frame; an unknown one counts as unchanged.

        Strokes that are just being drawn are changes in any case.
        """
        place = place_of(cut, frame)
        now = self._plane(place)
        if place not in self._known:
            self._begin(place, self._before_strokes(now, place, self._current))
        is_painted = self._key(place) in self._painted
        if not is_painted and self._known.is_as_left(place, now):
            return _FrameState(place, now, now, now, None)
        now = now.copy()
        known = self._known.plane(place, now)
        left = self._left(place, known)
        changed: np.ndarray = left != now
        return _FrameState(place, now, known, left, changed if changed.any() else None)

    def _begin(self, place: PlanePosition, plane: np.ndarray) -> None:
        """Take a plane as the original one, unless it is known already."""
        if place in self._known:
            return
        self._known.put(place, plane)
        if not self._is_recorded:
            blank = np.zeros_like(plane)
            original = LabelDifference.between(blank, plane)
            if original is not None:
                sliced = self._current.sliced
                change = LabelsChange(self._target, sliced, place, original)
                self._unrecorded.append(change)

    def _left(self, place: PlanePosition, known: np.ndarray) -> np.ndarray:
        """Return a plane without what others have changed."""
        painted: LabelDifference | None = self._painted.get(self._key(place))
        if painted is None:
            return known
        left = known.copy()
        painted.inverse().apply_where_unchanged(left)
        return left

    def _write(self, state: _FrameState, edit: Edit) -> None:
        """Write an edit, and record it."""
        # Strokes that are being drawn come later, so undo does not bring them.
        is_new = edit.before != edit.after
        before = state.known[edit.window]
        after = np.where(is_new, edit.after, before)
        difference = LabelDifference.between(before, after)
        self._write_window(self._current.index(state.place), edit)
        if difference is not None:
            rows, columns = edit.window
            difference = difference.at(rows.start, columns.start)
            self._record(self._current, state.place, difference)
            self._known.patch(state.place, difference)

    def _repaint_decided(
        self, state: _FrameState, edit: Edit | None, decided: np.ndarray
    ) -> None:
        """Note what others have painted still, once some pixels were decided on."""
        after, known = state.now, state.known
        if edit is not None:
            after = state.now.copy()
            after[edit.window] = edit.after
            known = np.where(edit.spread(after.shape), after, known)
        self._repaint(state.place, np.where(decided, after, state.left), known)

    def _record(
        self, axes: PlaneAxes, place: PlanePosition, difference: LabelDifference
    ) -> None:
        """Record what has been written; before, a failure would be taken back."""
        change = LabelsChange(self._target, axes.sliced, place, difference)
        self._document.record_labels(change)

    def _write_window(self, index: tuple[int | slice, ...], edit: Edit) -> None:
        place = list(index)
        for axis, part in zip(self._current.shown, edit.window, strict=True):
            place[axis] = part
        self._put(tuple(place), edit.after)

    def _put(self, index: tuple[int | slice, ...], labels: np.ndarray) -> None:
        with wrap_os_errors("cannot write the labels", LabelsError):
            self._holder.data[index] = labels

    def _follow_painted(self, key: Any, _before: Any, after: Any) -> None:
        """Notice what undo brings back from the time of another cut."""
        if after is not None and self._axes is not None:
            self._is_scattered |= key[0] != self._axes.sliced

    def _repaint(
        self, place: PlanePosition, left: np.ndarray, known: np.ndarray
    ) -> None:
        """Note what is painted still where something was."""
        if self._key(place) in self._painted:
            self._set_painted(place, LabelDifference.between(left, known))

    def _set_painted(
        self, place: PlanePosition, difference: LabelDifference | None
    ) -> None:
        if difference is not None:
            self._painted[self._key(place)] = difference
        else:
            self._painted.pop(self._key(place), None)

    def _painted_pixels(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the positions of all painted pixels, and the labels left there.

        They are forgotten along the axes along which they were recorded.
        """
        ndim = len(self._current.sliced) + 2
        places, values = [np.zeros((0, ndim), int)], [np.zeros(0, int)]
        for (sliced, place), _ in tuple(self._painted.items()):
            axes = PlaneAxes.of(sliced)
            now = read_labels(self._holder, axes.index(place))
            left = now.copy()
            self._painted.pop((sliced, place)).inverse().apply_where_unchanged(left)
            changed = left != now
            found = np.zeros((np.count_nonzero(changed), ndim), int)
            found[:, list(axes.sliced)] = place
            found[:, list(axes.shown)] = np.argwhere(changed)
            places.append(found)
            values.append(left[changed].astype(int))
        return np.concatenate(places), np.concatenate(values)


def _concerns(
    object_ids: Collection[int], before: np.ndarray, after: np.ndarray
) -> np.ndarray:
    """Find the pixels that some objects get or lose."""
    ids = list(object_ids)
    found: np.ndarray = np.isin(before, ids) | np.isin(after, ids)
    return found


def _decided(
    state: _FrameState, edit: Edit | None, labels: np.ndarray, kept: np.ndarray | None
) -> np.ndarray:
    """Find the pixels that a result has changed or confirmed."""
    decided: np.ndarray = (labels > 0) & (labels == state.now)
    if kept is not None:
        decided &= ~kept
    if edit is not None:
        decided |= edit.spread(decided.shape)
    return decided
