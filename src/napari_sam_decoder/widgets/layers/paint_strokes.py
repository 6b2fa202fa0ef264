"""What was painted on a Labels layer, from napari's undo history.

napari's history is a list of items, each of one or more atoms. An atom is a box with a
mask (since napari 0.8), or else indices along every axis, with the values from before.
There is no public way to tell it that pixels were written by somebody else since.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from napari.layers import Labels

    from napari_sam_decoder.widgets.layers.guarded_labels import PlanePosition

__all__ = [
    "PlaneAxes",
    "before_strokes",
    "forget_pixels",
    "places_of",
    "strokes_of",
    "unfinished_strokes",
]


@dataclass(frozen=True)
class PlaneAxes:
    """Which axes of a layer span a plane, and along which ones it is cut.

    Attributes
    ----------
    sliced : tuple of int
        Ascending; one index along each is the position of a plane.
    shown : (int, int)
        Rows and columns.
    """

    sliced: tuple[int, ...]
    shown: tuple[int, int]

    def index(self, place: PlanePosition) -> tuple[int | slice, ...]:
        """Return the index of a plane in the layer."""
        index: list[int | slice] = [slice(None)] * (len(self.sliced) + len(self.shown))
        for axis, position in zip(self.sliced, place, strict=True):
            index[axis] = position
        return tuple(index)


def strokes_of(layer: Labels) -> list[Any]:
    """List the atoms of everything that can be undone or redone, and of a stroke."""
    done = [atom for history in _histories(layer) for item in history for atom in item]
    return [*done, *unfinished_strokes(layer)]


def unfinished_strokes(layer: Labels) -> list[Any]:
    """List the atoms of a stroke that is being drawn."""
    return list(getattr(layer, "_staged_history", ()))


def places_of(atom: Any, axes: PlaneAxes) -> set[PlanePosition]:
    """Find the planes on which an atom has pixels.

    Parameters
    ----------
    atom : object
        Of napari's history.
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
        pixels, values = _on_plane(atom, place, axes)
        before[pixels] = values
    return before


def forget_pixels(
    layer: Labels, place: PlanePosition, written: np.ndarray, axes: PlaneAxes
) -> None:
    """Prevent undo and redo from changing pixels that were written after a stroke.

    Parameters
    ----------
    layer : napari.layers.Labels
        Its history is cut down; strokes without any pixel left are dropped.
    place : tuple of int
        Of the plane that was written.
    written : (Y, X) array of bool
        The pixels in it.
    axes : PlaneAxes
        How the layer is cut.
    """
    if not written.any():
        return
    for history in _histories(layer):
        items = [_without(item, place, written, axes) for item in history]
        if any(item is not old for item, old in zip(items, history, strict=True)):
            history.clear()
            history.extend(item for item in items if item)
    staged = unfinished_strokes(layer)
    if staged:
        layer._staged_history = _without(staged, place, written, axes)


def _histories(layer: Labels) -> tuple[Any, ...]:
    """Return what can be undone and redone; nothing if napari keeps it elsewhere."""
    names = ("_undo_history", "_redo_history")
    return tuple(getattr(layer, name, ()) for name in names)


def _without(
    item: list[Any], place: PlanePosition, written: np.ndarray, axes: PlaneAxes
) -> list[Any]:
    """Cut an item down; the same one if it has none of the pixels."""
    atoms = [_cut(atom, place, written, axes) for atom in item]
    if all(atom is old for atom, old in zip(atoms, item, strict=True)):
        return item
    return [atom for atom in atoms if atom is not None]


def _cut(atom: Any, place: PlanePosition, written: np.ndarray, axes: PlaneAxes) -> Any:
    """Return an atom without some pixels; None if no pixel is left."""
    (rows, columns), _ = _on_plane(atom, place, axes)
    if not written[rows, columns].any():
        return atom
    return (_cut_box if _has_box(atom) else _cut_indices)(atom, place, written, axes)


def _cut_box(
    atom: Any, place: PlanePosition, written: np.ndarray, axes: PlaneAxes
) -> Any:
    box, mask = atom.slice_key, _mask(atom)
    kept = mask.copy()
    plane = _plane_of(box, place, axes)
    rows, columns = (box[axis] for axis in axes.shown)
    kept[plane] &= ~written[rows, columns]
    if not kept.any():
        return None
    old = np.ravel(atom.old_values)
    return type(atom)(box, kept, old[kept[mask]], atom.new_value)


def _cut_indices(
    atom: Any, place: PlanePosition, written: np.ndarray, axes: PlaneAxes
) -> Any:
    indices, old, new = atom
    flat = [np.ravel(part) for part in np.broadcast_arrays(*indices)]
    kept = ~(
        _is_at(flat, place, axes) & written[tuple(flat[axis] for axis in axes.shown)]
    )
    if not kept.any():
        return None
    size = kept.size
    left = tuple(part[kept] for part in flat)
    old = np.ravel(np.broadcast_to(old, np.shape(indices[0])))[kept]
    if np.size(new) == size and np.ndim(new):
        new = np.ravel(new)[kept]
    return left, old, new


def _on_plane(
    atom: Any, place: PlanePosition, axes: PlaneAxes
) -> tuple[tuple[np.ndarray, np.ndarray], np.ndarray]:
    """Rows and columns of an atom's pixels on a plane, and what was there before."""
    if _has_box(atom):
        return _box_on_plane(atom, place, axes)
    indices, old, _ = atom
    flat = [np.ravel(part) for part in np.broadcast_arrays(*indices)]
    is_here = _is_at(flat, place, axes)
    rows, columns = (flat[axis][is_here] for axis in axes.shown)
    values = np.ravel(np.broadcast_to(old, np.broadcast(*indices).shape))
    return (rows, columns), values[is_here]


def _box_on_plane(
    atom: Any, place: PlanePosition, axes: PlaneAxes
) -> tuple[tuple[np.ndarray, np.ndarray], np.ndarray]:
    box, mask = atom.slice_key, _mask(atom)
    spans = zip((box[axis] for axis in axes.sliced), place, strict=True)
    if not all(span.start <= index < span.stop for span, index in spans):
        nothing = np.zeros(0, int)
        return (nothing, nothing), nothing
    old = atom.old_values
    if atom.mask is not None:
        old = np.zeros(mask.shape, np.asarray(old).dtype)
        old[mask] = atom.old_values
    plane = _plane_of(box, place, axes)
    rows, columns = np.nonzero(mask[plane])
    values = np.broadcast_to(old, mask.shape)[plane][rows, columns]
    first_row, first_column = (box[axis].start for axis in axes.shown)
    return (rows + first_row, columns + first_column), values


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
