"""A Labels layer in which what people and scripts have changed is not overwritten."""

from __future__ import annotations

from dataclasses import dataclass
from threading import RLock
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_sam_decoder.widgets.layers.label_snapshot import LabelSnapshot
from napari_sam_decoder.widgets.layers.strokes import (
    PlaneAxes,
    before_strokes,
    forget_pixels,
    places_of,
    strokes_of,
    unfinished_strokes,
)
from napari_sam_decoder.widgets.layers.targets import Edit, apply_edit, merge_frame

if TYPE_CHECKING:
    from collections.abc import Collection

    from napari.layers import Labels

    from napari_sam_decoder.widgets.layers.label_snapshot import Place
    from napari_sam_decoder.widgets.layers.view import MovieView

__all__ = ["GuardedLabels", "Written"]


@dataclass(frozen=True, eq=False)
class Written:
    """What became of a result.

    Attributes
    ----------
    edit : Edit or None
        What has changed; None if nothing has.
    spared : frozenset of int
        Objects of the result that others have changed on the frame, and that were
        therefore left as they are.
    """

    edit: Edit | None
    spared: frozenset[int] = frozenset()


@dataclass(frozen=True, eq=False)
class _Look:
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

    place: Place
    now: np.ndarray
    left: np.ndarray
    changed: np.ndarray | None

    @property
    def objects(self) -> frozenset[int]:
        """Objects that were given pixels by others, or lost some to them."""
        if self.changed is None:
            return frozenset()
        ids = np.union1d(self.now[self.changed], self.left[self.changed])
        return frozenset(ids.tolist()) - {0}


class GuardedLabels:
    """Writes labels around other people's changes, found by comparing pixels.

    What was drawn and undone again is no change, and what a script has put there
    without a word is one. A pixel that stands changed is not written, unless others'
    work is to be replaced; where it is, napari's history forgets it, so that neither
    undo nor redo can bring an old value back.

    Only the GUI thread writes; `note`, `objects` and `is_likely` may be called in the
    background.

    Parameters
    ----------
    layer : napari.layers.Labels
        Listened to until `close`.
    view : MovieView
        The movie that the layer belongs to.
    is_blank : bool
        Whether the layer was made just now and holds nothing.
    """

    def __init__(self, layer: Labels, view: MovieView, *, is_blank: bool) -> None:
        self._layer = layer
        # What is known of the planes and the axes that they are cut along belong
        # together.
        self._lock = RLock()
        self._axes = _axes_of(view)
        self._snapshot = LabelSnapshot(is_blank=is_blank)
        self._touched = {
            place for atom in strokes_of(layer) for place in places_of(atom, self._axes)
        }
        layer.events.paint.connect(self._note_strokes)

    def close(self) -> None:
        """Listen no more."""
        self._layer.events.paint.disconnect(self._note_strokes)

    def note(self, view: MovieView, place: Place, plane: np.ndarray) -> None:
        """Take a plane for what it was from the beginning, unless it is known already.

        Parameters
        ----------
        view : MovieView
            Says how the layer is cut; if it is not any more, nothing happens.
        place : tuple of int
            Along the sliced axes.
        plane : (Y, X) array of int
            As it was when the layer was chosen.
        """
        with self._lock:
            if view.sliced_axes == self._axes.sliced:
                self._snapshot.begin(place, plane)

    def objects(self, view: MovieView, frame: int) -> frozenset[int]:
        """List the objects that were given pixels on a frame, or lost some there.

        Parameters
        ----------
        view : MovieView
            The movie, of the same image.
        frame : int
            0 <= frame < len(view).
        """
        with self._lock:
            self._turn_to(view)
            if _place_of(view, frame) not in self._snapshot:
                return frozenset()
            return self._look(view, frame).objects

    def is_likely(self, view: MovieView, frame: int) -> bool:
        """Whether a frame is worth a look, without reading labels from a disk.

        Labels in memory are always looked at.
        """
        with self._lock:
            self._turn_to(view)
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
    ) -> Written:
        """Put labels of some objects on a frame; see `merge_frame`.

        Unless ``replace``, objects that others have changed on the frame stay as they
        are, and so does every pixel that others have changed. Those of ``returning``
        were wiped out on the frame and may come back.
        """
        with self._lock:
            look = self._look(view, frame)
            writable, kept, spared = frozenset(object_ids), None, frozenset[int]()
            if not replace and look.changed is not None:
                spared = (writable & look.objects) - frozenset(returning)
                writable -= spared
                labels = np.where(np.isin(labels, list(writable)), labels, 0)
                wiped_out = (look.now == 0) & np.isin(look.left, list(returning))
                kept = look.changed & ~wiped_out
            edit = merge_frame(look.now, labels, writable, replace=replace, kept=kept)
            if edit is not None:
                apply_edit(view, self._layer, frame, edit)
            said = _decided(look, edit, labels, kept)
            if look.changed is not None:
                # All that is theirs by now, also where others have wiped it out.
                theirs = object_ids if replace else returning
                said |= np.isin(look.left, list(theirs))
            self._sign(look, edit, said)
            return Written(edit, spared)

    def take_back(self, view: MovieView, frame: int, edit: Edit) -> bool:
        """Undo an edit that was made here, but for pixels that have changed since.

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
            look = self._look(view, frame)
            here = look.now[edit.window]
            stands = edit.changed & (here == edit.after)
            if not stands.any():
                return False
            back = Edit(edit.window, here, np.where(stands, edit.before, here))
            apply_edit(view, self._layer, frame, back)
            self._sign(look, back, back.spread(look.now.shape))
            return True

    def _look(self, view: MovieView, frame: int) -> _Look:
        """Read a frame; what is not known of it is taken for left as it is.

        That does not go for what is just being drawn.
        """
        self._turn_to(view)
        place = _place_of(view, frame)
        # A copy: labels in memory are only seen through the layer.
        now = np.array(self._layer.data[view.index(frame)])
        if place not in self._snapshot:
            atoms = unfinished_strokes(self._layer)
            self._snapshot.put(place, before_strokes(now, atoms, place, self._axes))
        left = self._snapshot.plane(place, now)
        return _Look(place, now, left, self._snapshot.changed(place, now, left))

    def _sign(self, look: _Look, edit: Edit | None, said: np.ndarray) -> None:
        """Note that some pixels of a frame were decided on here."""
        if not said.any():
            return
        after = look.now
        if edit is not None:
            after[edit.window] = edit.after
        self._snapshot.put(look.place, np.where(said, after, look.left))
        if look.place in self._touched or unfinished_strokes(self._layer):
            forget_pixels(self._layer, look.place, said, self._axes)

    def _turn_to(self, view: MovieView) -> None:
        """Cut the layer along other axes, and keep what is changed on either."""
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
        """Give the places of all pixels that stand changed, and what was left there."""
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
    look: _Look, edit: Edit | None, labels: np.ndarray, kept: np.ndarray | None
) -> np.ndarray:
    """Find the pixels that a result has changed, and those that it agrees with."""
    decided: np.ndarray = (labels > 0) & (labels == look.now)
    if kept is not None:
        decided &= ~kept
    if edit is not None:
        decided |= edit.spread(decided.shape)
    return decided


def _axes_of(view: MovieView) -> PlaneAxes:
    return PlaneAxes(view.sliced_axes, view.frame_axes)


def _place_of(view: MovieView, frame: int) -> Place:
    origin = view.origin(frame)
    return tuple(origin[axis] for axis in view.sliced_axes)
