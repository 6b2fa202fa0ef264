"""Writing into a Labels layer without overwriting what people or scripts changed."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from threading import Lock, RLock
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_sam_decoder.widgets.layers.labels_layers import (
    Edit,
    PackedPlane,
    apply_edit,
    check_shape,
    merge_frame,
)
from napari_sam_decoder.widgets.layers.paint_strokes import (
    PlaneAxes,
    before_strokes,
    forget_pixels,
    places_of,
    strokes_of,
    unfinished_strokes,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from napari.layers import Labels

    from napari_sam_decoder.propagation import FrameResult
    from napari_sam_decoder.widgets.layers.movie_view import MovieView

__all__ = [
    "KEPT_BYTES",
    "GuardedLabels",
    "LabelSnapshot",
    "LabelsDraft",
    "PlanePosition",
    "WriteResult",
]

PlanePosition = tuple[int, ...]
"""Where a plane lies along the sliced axes of a layer."""
KEPT_BYTES = 256 * 2**20
"""Room for compressed planes, about 30 kB for a megapixel of labels.

Beyond that, only a checksum of the oldest planes is kept: it tells that a plane has
changed, but not where.
"""


class LabelSnapshot:
    """Labels as the plugin last left them, plane by plane.

    Parameters
    ----------
    is_blank : bool, default False
        Whether planes that were never put here are known to be 0.
    room : int
        Bytes for compressed planes.
    """

    def __init__(self, *, is_blank: bool = False, room: int = KEPT_BYTES) -> None:
        self._is_blank = is_blank
        self._room = room
        self._packed: dict[PlanePosition, PackedPlane] = {}
        self._digests: dict[PlanePosition, bytes] = {}
        self._size = 0

    def __contains__(self, place: PlanePosition) -> bool:
        return self._is_blank or place in self._packed or place in self._digests

    def __iter__(self) -> Iterator[PlanePosition]:
        """Iterate over the positions of all planes that were put here."""
        yield from (*self._packed, *self._digests)

    def put(self, place: PlanePosition, plane: np.ndarray) -> None:
        """Keep a plane as it is now.

        Parameters
        ----------
        place : tuple of int
            Where it lies along the sliced axes.
        plane : (Y, X) array of int
            A copy is kept, compressed.
        """
        self._drop(place)
        packed = PackedPlane.of(plane)
        self._packed[place] = packed
        self._size += len(packed.content)
        while self._size > self._room and len(self._packed) > 1:
            oldest = next(iter(self._packed))
            digest = _digest(self._packed[oldest].plane())
            self._drop(oldest)
            self._digests[oldest] = digest

    def begin(self, place: PlanePosition, plane: np.ndarray) -> None:
        """Keep a plane unless it is known already."""
        if place not in self:
            self.put(place, plane)

    def changed(
        self, place: PlanePosition, now: np.ndarray, left: np.ndarray
    ) -> np.ndarray | None:
        """Find the pixels that have changed since they were left.

        Parameters
        ----------
        place : tuple of int
            Where the plane lies along the sliced axes.
        now : (Y, X) array of int
            As it is now.
        left : (Y, X) array of int
            As `plane` gives it.

        Returns
        -------
        (Y, X) array of bool or None
            None if nothing has changed, or the plane is not known. All of it if only a
            checksum is known.
        """
        digest = self._digests.get(place)
        if digest is not None:
            return None if digest == _digest(now) else np.ones(now.shape, bool)
        changed: np.ndarray = left != now
        return changed if changed.any() else None

    def plane(self, place: PlanePosition, now: np.ndarray) -> np.ndarray:
        """Return a plane as it was left, as far as it is known.

        Parameters
        ----------
        place : tuple of int
            Where it lies along the sliced axes.
        now : (Y, X) array of int
            As it is now; returned if nothing else is known.

        Returns
        -------
        (Y, X) array of int
            Not to be changed.
        """
        packed = self._packed.get(place)
        if packed is not None and packed.shape == now.shape:
            return packed.plane()
        if packed is None and self._is_blank and place not in self._digests:
            return np.zeros_like(now)
        return now

    def _drop(self, place: PlanePosition) -> None:
        packed = self._packed.pop(place, None)
        if packed is not None:
            self._size -= len(packed.content)
        self._digests.pop(place, None)


def _digest(plane: np.ndarray) -> bytes:
    # In one type, since the labels may be replaced by others of another type.
    pixels = np.ascontiguousarray(plane, dtype=np.int64)
    return hashlib.blake2b(pixels.tobytes(), digest_size=16).digest()


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
    """A frame of a layer as it is, and as it was left.

    Attributes
    ----------
    place : tuple of int
        Along the sliced axes.
    now, left : (Y, X) arrays of int
        ``now`` is a copy.
    changed : (Y, X) array of bool or None
        The pixels that others have changed since; None where there is none.
    """

    place: PlanePosition
    now: np.ndarray
    left: np.ndarray
    changed: np.ndarray | None

    @property
    def objects(self) -> frozenset[int]:
        """Objects whose pixels others have added or removed."""
        if self.changed is None:
            return frozenset()
        ids = np.union1d(self.now[self.changed], self.left[self.changed])
        return frozenset(ids.tolist()) - {0}


class GuardedLabels:
    """Writes labels around other people's changes, which it finds by comparing pixels.

    What was drawn and undone again is no change, and what a script has written without
    an event is one. A pixel that others have changed is not written, unless their work
    is to be replaced. Pixels that are written are dropped from napari's history, so
    that neither undo nor redo can bring an old value back.

    Only the GUI thread writes; `note`, `objects` and `is_likely` may be called in the
    background.

    Parameters
    ----------
    layer : napari.layers.Labels
        Listened to until `close`.
    view : MovieView
        The movie that the layer belongs to.
    is_blank : bool
        Whether the layer is new and empty.
    """

    def __init__(self, layer: Labels, view: MovieView, *, is_blank: bool) -> None:
        self._layer = layer
        # The snapshot and the axes of its planes change together.
        self._lock = RLock()
        self._axes = _axes_of(view)
        self._snapshot = LabelSnapshot(is_blank=is_blank)
        self._touched = {
            place for atom in strokes_of(layer) for place in places_of(atom, self._axes)
        }
        layer.events.paint.connect(self._note_strokes)

    def close(self) -> None:
        """Stop listening."""
        self._layer.events.paint.disconnect(self._note_strokes)

    def note(self, view: MovieView, place: PlanePosition, plane: np.ndarray) -> None:
        """Take a plane as the original one, unless it is known already.

        Parameters
        ----------
        view : MovieView
            How the layer was cut; nothing happens if it is cut in another way now.
        place : tuple of int
            Along the sliced axes.
        plane : (Y, X) array of int
            As it was when the layer was chosen.
        """
        with self._lock:
            if view.sliced_axes == self._axes.sliced:
                self._snapshot.begin(place, plane)

    def objects(self, view: MovieView, frame: int) -> frozenset[int]:
        """List the objects whose pixels others have added or removed on a frame.

        Parameters
        ----------
        view : MovieView
            The movie, of the same image.
        frame : int
            0 <= frame < len(view).
        """
        with self._lock:
            self._cut_along(view)
            if _place_of(view, frame) not in self._snapshot:
                return frozenset()
            return self._compare(view, frame).objects

    def is_likely(self, view: MovieView, frame: int) -> bool:
        """Whether others may have changed a frame, without reading labels from a disk.

        Always true for labels in memory.
        """
        with self._lock:
            self._cut_along(view)
            is_in_memory = isinstance(self._layer.data, np.ndarray)
            return is_in_memory or _place_of(view, frame) in self._touched

    def write(
        self,
        view: MovieView,
        frame: int,
        labels: np.ndarray,
        object_ids: Collection[int],
        *,
        replace: bool,
        returning: Collection[int] = (),
    ) -> WriteResult:
        """Put labels of some objects on a frame; see `merge_frame`.

        Unless ``replace``, objects that others have changed on the frame stay as they
        are, and so does every pixel that others have changed. The objects in
        ``returning`` were erased on the frame and may come back.
        """
        with self._lock:
            state = self._compare(view, frame)
            writable, kept, spared = frozenset(object_ids), None, frozenset[int]()
            if not replace and state.changed is not None:
                spared = (writable & state.objects) - frozenset(returning)
                writable -= spared
                labels = np.where(np.isin(labels, list(writable)), labels, 0)
                is_erased = (state.now == 0) & np.isin(state.left, list(returning))
                kept = state.changed & ~is_erased
            edit = merge_frame(state.now, labels, writable, replace=replace, kept=kept)
            if edit is not None:
                apply_edit(view, self._layer, frame, edit)
            decided = _decided(state, edit, labels, kept)
            if state.changed is not None:
                # All pixels of these objects, also where others have erased them.
                theirs = object_ids if replace else returning
                decided |= np.isin(state.left, list(theirs))
            self._record(state, edit, decided)
            return WriteResult(edit, spared)

    def undo_edit(self, view: MovieView, frame: int, edit: Edit) -> bool:
        """Undo an edit that was made here, except pixels that have changed since.

        Parameters
        ----------
        view : MovieView
            The movie, of the same image.
        frame : int
            Where it was made.
        edit : Edit
            As `write` has returned it.

        Returns
        -------
        bool
            Whether any pixel has changed.
        """
        with self._lock:
            state = self._compare(view, frame)
            here = state.now[edit.window]
            unchanged = edit.changed & (here == edit.after)
            if not unchanged.any():
                return False
            back = Edit(edit.window, here, np.where(unchanged, edit.before, here))
            apply_edit(view, self._layer, frame, back)
            self._record(state, back, back.spread(state.now.shape))
            return True

    def _compare(self, view: MovieView, frame: int) -> _FrameState:
        """Read a frame; an unknown one counts as unchanged.

        Strokes that are just being drawn are changes in any case.
        """
        self._cut_along(view)
        place = _place_of(view, frame)
        # A copy: indexing labels in memory returns a view.
        now = np.array(self._layer.data[view.index(frame)])
        if place not in self._snapshot:
            atoms = unfinished_strokes(self._layer)
            self._snapshot.put(place, before_strokes(now, atoms, place, self._axes))
        left = self._snapshot.plane(place, now)
        return _FrameState(place, now, left, self._snapshot.changed(place, now, left))

    def _record(
        self, state: _FrameState, edit: Edit | None, decided: np.ndarray
    ) -> None:
        """Record that some pixels of a frame were decided on here."""
        if not decided.any():
            return
        after = state.now
        if edit is not None:
            after[edit.window] = edit.after
        self._snapshot.put(state.place, np.where(decided, after, state.left))
        if state.place in self._touched or unfinished_strokes(self._layer):
            forget_pixels(self._layer, state.place, decided, self._axes)

    def _cut_along(self, view: MovieView) -> None:
        """Cut the layer along other axes, and keep track of others' changes."""
        if view.sliced_axes == self._axes.sliced:
            return
        before, self._axes = self._axes, _axes_of(view)
        old, self._snapshot = self._snapshot, LabelSnapshot()
        places, values = self._changes(old, before)
        self._touched = {
            place
            for atom in strokes_of(self._layer)
            for place in places_of(atom, self._axes)
        }
        along = places[:, list(self._axes.sliced)]
        for place in {tuple(map(int, one)) for one in along}:
            is_here = (along == place).all(axis=1)
            plane = np.array(self._layer.data[self._axes.index(place)])
            rows, columns = (places[is_here, axis] for axis in self._axes.shown)
            plane[rows, columns] = values[is_here]
            self._snapshot.put(place, plane)
            self._touched.add(place)

    def _changes(
        self, snapshot: LabelSnapshot, axes: PlaneAxes
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the positions of all changed pixels, and the labels left there."""
        ndim = len(axes.sliced) + len(axes.shown)
        in_memory = isinstance(self._layer.data, np.ndarray)
        places, values = [np.zeros((0, ndim), int)], [np.zeros(0, int)]
        for place in {*snapshot, *self._touched} if in_memory else self._touched:
            now = np.asarray(self._layer.data[axes.index(place)])
            left = snapshot.plane(place, now)
            changed = snapshot.changed(place, now, left)
            if changed is None:
                continue
            found = np.zeros((np.count_nonzero(changed), ndim), int)
            found[:, list(axes.sliced)] = place
            found[:, list(axes.shown)] = np.argwhere(changed)
            places.append(found)
            values.append(left[changed].astype(int))
        return np.concatenate(places), np.concatenate(values)

    def _note_strokes(self, event: Any) -> None:
        """Keep the planes of a stroke as they were before it."""
        with self._lock:
            atoms = list(event.value)
            for place in {one for atom in atoms for one in places_of(atom, self._axes)}:
                self._touched.add(place)
                if place not in self._snapshot:
                    now = np.asarray(self._layer.data[self._axes.index(place)])
                    self._snapshot.put(
                        place, before_strokes(now, atoms, place, self._axes)
                    )


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


def _axes_of(view: MovieView) -> PlaneAxes:
    return PlaneAxes(view.sliced_axes, view.frame_axes)


def _place_of(view: MovieView, frame: int) -> PlanePosition:
    origin = view.origin(frame)
    return tuple(origin[axis] for axis in view.sliced_axes)


class LabelsDraft:
    """The labels of a movie as they will be once all results are written.

    Only the GUI thread writes to a layer. Until it has, a result is kept here for the
    computation of the next one.

    Parameters
    ----------
    view : MovieView
        The movie.
    layer : napari.layers.Labels
        Of the movie's shape; it is only read, also if its data are replaced meanwhile.
    """

    def __init__(self, view: MovieView, layer: Labels) -> None:
        self._view = view
        self._layer = layer
        self._waiting: dict[int, np.ndarray] = {}
        self._guard = Lock()

    @property
    def shape(self) -> tuple[int, int, int]:
        """(T, Y, X) of the movie."""
        return len(self._view), *self._view.frame_shape

    @property
    def dtype(self) -> Any:
        """Type of one pixel of the layer."""
        return self._layer.data.dtype

    def __getitem__(self, frame: int) -> np.ndarray:
        """Read the labels of one frame: (Y, X), not to be changed.

        Raises
        ------
        LabelsError
            If the data of the layer has another shape by now.
        """
        with self._guard:
            waiting = self._waiting.get(frame)
        if waiting is not None:
            return waiting
        check_shape(self._view, self._layer)
        return np.asarray(self._layer.data[self._view.index(frame)])

    def follow(self, results: Iterable[FrameResult]) -> Iterator[FrameResult]:
        """Keep each result before the next one is asked for.

        Parameters
        ----------
        results : iterable of FrameResult
            Their labels hold all objects, as `Session.correct` gives them.

        Yields
        ------
        FrameResult
            The same.
        """
        for result in results:
            with self._guard:
                self._waiting[result.frame] = result.labels
            yield result

    def mark_written(self, result: FrameResult) -> None:
        """Read the frame from the layer again, unless a later result is waiting."""
        with self._guard:
            if self._waiting.get(result.frame) is result.labels:
                del self._waiting[result.frame]
