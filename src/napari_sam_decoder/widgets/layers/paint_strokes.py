"""What is painted on a Labels layer, and an undo that is not napari's.

napari tells of a stroke as a list of atoms. An atom is a box with a mask (since napari
0.8), or else indices along every axis, with the values from before.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from napari.layers import Labels

    from napari_sam_decoder.project import PlaneAxes, PlanePosition

__all__ = [
    "StrokeListener",
    "after_strokes",
    "before_strokes",
    "places_of",
]


class StrokeListener:
    """Listens to strokes on a Labels layer, and undoes them in place of napari.

    napari's own history of the layer is kept empty, so that it cannot disagree with
    another one. Its keys and its menu then call ``undo`` and ``redo``.

    Parameters
    ----------
    layer : napari.layers.Labels
        Listened to until `close`.
    on_stroke : callable
        Called with the atoms of each stroke, and with those among them that may not be
        written yet.
    undo, redo : callable
        Called instead of the layer's own.
    """

    def __init__(
        self,
        layer: Labels,
        on_stroke: Callable[[list[Any], list[Any]], None],
        undo: Callable[[], None],
        redo: Callable[[], None],
    ) -> None:
        self._layer = layer
        self._on_stroke = on_stroke
        layer.undo, layer.redo = undo, redo
        layer._history_limit = 0
        layer._reset_history()
        layer.events.paint.connect(self._on_paint)

    def close(self) -> None:
        """Stop listening, and give napari its own history back."""
        self._layer.events.paint.disconnect(self._on_paint)
        for name in ("undo", "redo", "_history_limit"):
            delattr(self._layer, name)
        self._layer._reset_history()

    @property
    def is_drawing(self) -> bool:
        """Whether a stroke is being drawn just now."""
        return bool(self._unfinished)

    def before(
        self, plane: np.ndarray, place: PlanePosition, axes: PlaneAxes
    ) -> np.ndarray:
        """Return a plane without the stroke that is being drawn.

        Parameters
        ----------
        plane : (Y, X) array of int
            As it is now; not changed.
        place : tuple of int
            Of the plane.
        axes : PlaneAxes
            How the layer is cut.
        """
        atoms = self._unfinished
        return before_strokes(plane, atoms, place, axes) if atoms else plane

    @property
    def _unfinished(self) -> list[Any]:
        return list(getattr(self._layer, "_staged_history", ()))

    def _on_paint(self, event: Any) -> None:
        atoms = list(event.value)
        # A stroke that was collected has been written bit by bit.
        is_written = event.value is getattr(self._layer, "_staged_history", None)
        self._on_stroke(atoms, [] if is_written else atoms)


def places_of(atom: Any, axes: PlaneAxes) -> set[PlanePosition]:
    """Find the planes on which an atom has pixels.

    Parameters
    ----------
    atom : object
        A part of a stroke, as napari tells of it.
    axes : PlaneAxes
        How the layer is cut.
    """
    if not axes.sliced:
        return {()}
    if not _has_box(atom):
        places = np.broadcast_arrays(*(np.ravel(atom[0][axis]) for axis in axes.sliced))
        return {tuple(map(int, place)) for place in np.stack(places, -1)}
    mask = _mask(atom)
    found = np.argwhere(mask.any(axis=axes.shown))
    start = [atom.slice_key[axis].start for axis in axes.sliced]
    return {tuple(map(int, place)) for place in found + np.array(start, int)}


def before_strokes(
    plane: np.ndarray, atoms: Sequence[Any], place: PlanePosition, axes: PlaneAxes
) -> np.ndarray:
    """Return a plane as it was before some atoms changed it.

    Parameters
    ----------
    plane : (Y, X) array of int
        As it is now; not changed.
    atoms : sequence
        In the order in which they came.
    place : tuple of int
        Of the plane.
    axes : PlaneAxes
        How the layer is cut.
    """
    before = np.array(plane)
    for atom in reversed(atoms):
        part = _on_plane(atom, place, axes)
        here = before[part.index]
        # Others may have written over the stroke.
        is_drawn = part.mask & (here == part.new)
        before[part.index] = np.where(is_drawn, part.old, here)
    return before


def after_strokes(
    plane: np.ndarray, atoms: Sequence[Any], place: PlanePosition, axes: PlaneAxes
) -> np.ndarray:
    """Return a plane as it is after some atoms have changed it.

    napari tells of some strokes before it writes them, and of others after.

    Parameters
    ----------
    plane : (Y, X) array of int
        As it is now; not changed.
    atoms : sequence
        In the order in which they came.
    place : tuple of int
        Of the plane.
    axes : PlaneAxes
        How the layer is cut.
    """
    after = np.array(plane)
    for atom in atoms:
        part = _on_plane(atom, place, axes)
        after[part.index] = np.where(part.mask, part.new, after[part.index])
    return after


@dataclass(frozen=True, eq=False)
class _PlanePart:
    """The pixels of a plane that an atom changes.

    Attributes
    ----------
    index : tuple
        Rows and columns: two slices, or two arrays of one number per pixel.
    mask : array of bool
        Which of these are changed.
    old, new : array of int
        Their labels before and after.
    """

    index: tuple[Any, Any]
    mask: np.ndarray
    old: np.ndarray
    new: np.ndarray


def _on_plane(atom: Any, place: PlanePosition, axes: PlaneAxes) -> _PlanePart:
    if _has_box(atom):
        return _box_on_plane(atom, place, axes)
    indices, old, new = atom
    flat = [np.ravel(part) for part in np.broadcast_arrays(*indices)]
    is_here = _is_at(flat, place, axes)
    rows, columns = (flat[axis][is_here] for axis in axes.shown)
    shape = np.broadcast(*indices).shape
    before, after = (np.ravel(np.broadcast_to(one, shape)) for one in (old, new))
    return _PlanePart((rows, columns), np.array(True), before[is_here], after[is_here])


def _box_on_plane(atom: Any, place: PlanePosition, axes: PlaneAxes) -> _PlanePart:
    box, mask, new = atom.slice_key, _mask(atom), np.asarray(atom.new_value)
    spans = zip((box[axis] for axis in axes.sliced), place, strict=True)
    if not all(span.start <= index < span.stop for span, index in spans):
        nothing = slice(0, 0)
        return _PlanePart((nothing, nothing), np.array(False), new, new)
    old = np.asarray(atom.old_values)
    if atom.mask is not None:
        old = np.zeros(mask.shape, old.dtype)
        old[mask] = atom.old_values
    plane = _plane_of(box, place, axes)
    rows, columns = (box[axis] for axis in axes.shown)
    return _PlanePart((rows, columns), mask[plane], old[plane], new)


def _plane_of(
    box: Sequence[slice], place: PlanePosition, axes: PlaneAxes
) -> tuple[int | slice, ...]:
    starts = (box[axis].start for axis in axes.sliced)
    return axes.index(
        tuple(index - start for index, start in zip(place, starts, strict=True))
    )


def _is_at(
    flat: Iterable[np.ndarray], place: PlanePosition, axes: PlaneAxes
) -> np.ndarray:
    parts = list(flat)
    is_here = np.ones(parts[0].shape, bool)
    for axis, position in zip(axes.sliced, place, strict=True):
        is_here &= parts[axis] == position
    return is_here


def _has_box(atom: Any) -> bool:
    return hasattr(atom, "slice_key")


def _mask(atom: Any) -> np.ndarray:
    if atom.mask is not None:
        return np.asarray(atom.mask)
    return np.ones([span.stop - span.start for span in atom.slice_key], bool)
