"""Combining the masks of several objects into one label image."""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from napari_sam_decoder.errors import LabelsError
from napari_sam_decoder.frames import ArrayLike, Window

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from typing import Any

    from napari_sam_decoder.model.values import FrameLogits

__all__ = [
    "MAJORITY",
    "Overlap",
    "check_labels",
    "is_any_of",
    "label_dtype",
    "label_ids",
    "measure_overlaps",
    "merge_labels",
    "overlap_after_merge",
    "replace_mask",
    "require_fitting_ids",
    "resolve_overlaps",
    "without_objects",
]


MAJORITY = 0.5
"""Fraction of an object's pixels; losing more than this is reported."""

LARGE_DISPLACED = 0.25
"""Fraction of a mask; with more than this from another object it is doubtful."""


def label_dtype(highest_id: int) -> np.dtype:
    """Return the smaller of uint16 and uint32 that holds an object id.

    Raises
    ------
    LabelsError
        If the id does not fit 32 bits.
    """
    for dtype in (np.uint16, np.uint32):
        if highest_id <= np.iinfo(dtype).max:
            return np.dtype(dtype)
    raise LabelsError(
        f"object id {highest_id} is above {np.iinfo(np.uint32).max}; choose a smaller "
        "one"
    )


def without_objects(labels: np.ndarray, object_ids: Collection[int]) -> np.ndarray:
    """Return labels in which some objects have no pixels.

    Parameters
    ----------
    labels : array of int
        Left as they are.
    object_ids : collection of int
        Any ids; those that the labels do not hold change nothing.

    Returns
    -------
    array of int
        Of the same type; the labels themselves if there is nothing to take out.
    """
    if not object_ids:
        return labels
    cleared: np.ndarray = labels.copy()
    cleared[np.isin(labels, [*object_ids])] = 0
    return cleared


def check_labels(
    labels: Any, shape: tuple[int, int, int], object_ids: Collection[int] = ()
) -> None:
    """Reject labels that do not fit a movie or cannot hold certain object ids.

    Parameters
    ----------
    labels : object
        As the caller passes them.
    shape : (int, int, int)
        (T, Y, X) of the movie.
    object_ids : collection of int
        Objects that will be written to the labels.

    Raises
    ------
    LabelsError
        If they are not an integer array of this shape, or their dtype is too small.
    """
    if not isinstance(labels, ArrayLike):
        raise LabelsError(
            f"labels are an array of shape {shape}, not a {type(labels).__name__}; "
            "convert them first, as in np.asarray(labels)"
        )
    found = f"labels of {labels.dtype} and shape {tuple(labels.shape)}"
    try:
        dtype = np.dtype(labels.dtype)
    except TypeError as error:
        raise LabelsError(
            f"{found} are not a numpy array; convert them first, as in "
            "np.asarray(labels)"
        ) from error
    if tuple(labels.shape) != shape or dtype.kind not in "bui":
        raise LabelsError(
            f"{found} do not fit this movie; its labels have shape {shape} and are "
            "integers"
        )
    require_fitting_ids(dtype, object_ids)


def require_fitting_ids(dtype: np.dtype, object_ids: Collection[int]) -> None:
    """Reject object ids that a dtype cannot hold.

    Raises
    ------
    LabelsError
        If an id is too large.
    """
    highest = max(object_ids, default=0)
    most = 1 if dtype.kind == "b" else int(np.iinfo(dtype).max)
    if highest > most:
        raise LabelsError(
            f"labels of {dtype} cannot hold object {highest}, since their ids end at "
            f"{most}; choose a smaller object id, or convert them, as in "
            f"labels.astype('{label_dtype(highest)}')"
        )


def label_ids(labels: np.ndarray) -> set[int]:
    """Return the ids in a plane of labels, 0 included.

    Parameters
    ----------
    labels : array of int
        Of any shape.
    """
    flat = labels.ravel()
    if flat.size == 0:
        return set()
    # A new id can only start where pixels change; sorting all of them takes longer.
    starts = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    return {int(flat[0]), *np.unique(flat[starts]).tolist()}


def resolve_overlaps(
    logits: Mapping[int, FrameLogits], frame_shape: tuple[int, int], dtype: np.dtype
) -> np.ndarray:
    """Give each pixel to the object with the highest logit above zero.

    Parameters
    ----------
    logits : mapping of object id to FrameLogits
        For each object that is present.
    frame_shape : tuple of int
        (Y, X).
    dtype : dtype
        Of the result; must hold all ids.

    Returns
    -------
    (Y, X) array
        0 where no object has a logit above zero. Of equal logits the smaller id wins.
    """
    labels = np.zeros(frame_shape, dtype=dtype)
    whole = Window.of_frame(frame_shape)
    # The smallest part that holds all of them.
    parts = {key: Window.at(one.place, whole) for key, one in logits.items()}
    present = [part for part in parts.values() if part is not None]
    if not present:
        return labels
    around = reduce(Window.joined, present)
    best = np.zeros(around.shape, dtype=np.float32)
    for object_id in sorted(logits):
        part = parts[object_id]
        if part is None:
            continue
        here, highest = labels[part.place], best[part.within(around).place]
        values = logits[object_id].values
        wins = values > highest
        here[wins] = object_id
        highest[wins] = values[wins]
    return labels


@dataclass(frozen=True)
class Overlap:
    """How an object's mask overlaps with those of other objects, and what it keeps.

    Attributes
    ----------
    area : int
        Pixels of the mask.
    kept : int
        Pixels that the object has in the labels.
    rival : int, optional
        The object that has most of the other pixels; None if no object has any.
    duplicate : int, optional
        The object whose mask is most like this one; None if no other touches it.
    duplicate_iou : float
        0..1, of these two masks.
    displaced : int, optional
        An object that has lost most of its mask to this one, if that is a large part of
        this one's mask.
    """

    area: int
    kept: int
    rival: int | None = None
    duplicate: int | None = None
    duplicate_iou: float = 0.0
    displaced: int | None = None


def overlap_after_merge(
    object_id: int, before: np.ndarray, after: np.ndarray
) -> Overlap:
    """Measure what an object keeps in labels that were merged with others.

    Parameters
    ----------
    object_id : int
        The object.
    before, after : (Y, X) array of int
        Labels before and after the merge.

    Returns
    -------
    Overlap
    """
    mask = before == object_id
    kept = int(np.count_nonzero(after == object_id))
    rival = _most_frequent(after[mask], object_id)
    return Overlap(int(np.count_nonzero(mask)), kept, rival)


def measure_overlaps(
    logits: Mapping[int, FrameLogits], labels: np.ndarray
) -> dict[int, Overlap]:
    """Compare the masks of objects with each other and with the labels.

    Parameters
    ----------
    logits : mapping of object id to FrameLogits
        Of each object that is present.
    labels : (Y, X) array of int
        Made of these by `resolve_overlaps`.

    Returns
    -------
    dict of object id to Overlap
    """
    masks = {key: found.values > 0 for key, found in logits.items()}
    areas = {key: int(np.count_nonzero(mask)) for key, mask in masks.items()}
    pixels = {key: labels[logits[key].place][mask] for key, mask in masks.items()}
    duplicates = _duplicates(logits, areas, labels.shape)
    rivals = {key: _most_frequent(found, key) for key, found in pixels.items()}
    displaced = _displaced(pixels, rivals)
    overlaps = {}
    for key, area in areas.items():
        iou, duplicate = duplicates.get(key, (0.0, None))
        kept = int(np.count_nonzero(pixels[key] == key))
        rival = rivals[key]
        overlaps[key] = Overlap(area, kept, rival, duplicate, iou, displaced.get(key))
    return overlaps


def _duplicates(
    logits: Mapping[int, FrameLogits],
    areas: Mapping[int, int],
    shape: tuple[int, ...],
) -> dict[int, tuple[float, int]]:
    """Find for each object the one with the highest IoU: (IoU, object id)."""
    duplicates: dict[int, tuple[float, int]] = {}
    for first, second in combinations(logits, 2):
        shared = _shared(logits[first], logits[second], shape)
        iou = shared / max(areas[first] + areas[second] - shared, 1)
        for one, other in ((first, second), (second, first)):
            if shared:
                duplicates[one] = max(duplicates.get(one, (0.0, 0)), (iou, other))
    return duplicates


def _displaced(
    pixels: Mapping[int, np.ndarray], rivals: Mapping[int, int | None]
) -> dict[int, int]:
    """Find objects that have most of another one's pixels: to the other's id."""
    displaced = {}
    for key, rival in rivals.items():
        taken = np.count_nonzero(pixels[key] == rival) if rival is not None else 0
        area = len(pixels[key])
        if rival and taken > max(MAJORITY * area, LARGE_DISPLACED * len(pixels[rival])):
            displaced[rival] = key
    return displaced


def _shared(first: FrameLogits, second: FrameLogits, shape: tuple[int, ...]) -> int:
    """Count the pixels that two masks share."""
    windows = [_bounds(one, shape) for one in (first, second)]
    low = np.max([window[0] for window in windows], axis=0)
    high = np.min([window[1] for window in windows], axis=0)
    if (low >= high).any():
        return 0
    parts = [
        one.values[tuple(map(slice, low - start, high - start))] > 0
        for one, (start, _) in zip((first, second), windows, strict=True)
    ]
    return int(np.count_nonzero(parts[0] & parts[1]))


def _bounds(
    logits: FrameLogits, shape: tuple[int, ...]
) -> tuple[np.ndarray, np.ndarray]:
    """First pixel of a window, and one past its last."""
    spans = [
        side.indices(length) for side, length in zip(logits.place, shape, strict=True)
    ]
    return np.array([span[0] for span in spans]), np.array([span[1] for span in spans])


def _most_frequent(values: np.ndarray, but: int) -> int | None:
    """Return the most frequent object among some pixels, except one object."""
    ids, counts = np.unique(values[(values != but) & (values != 0)], return_counts=True)
    return int(ids[counts.argmax()]) if len(ids) else None


def merge_labels(
    existing: np.ndarray,
    new: np.ndarray,
    object_ids: Collection[int],
    *,
    replace: bool = False,
) -> np.ndarray:
    """Write new objects into labels that were there before.

    Parameters
    ----------
    existing : (Y, X) array of int
        Labels so far; not changed in place.
    new : (Y, X) array of int
        Labels of this run, holding only ``object_ids`` and 0.
    object_ids : collection of int
        The objects of this run: what they had in ``existing`` is given up first.
    replace : bool, default False
        Whether new pixels overwrite those of other objects.

    Returns
    -------
    (Y, X) array
        In the dtype of ``existing``.

    Raises
    ------
    LabelsError
        If the shapes differ, or ``existing`` cannot hold an id of ``new``.
    """
    if existing.shape != new.shape:
        raise LabelsError(
            f"existing labels of shape {existing.shape} do not fit frames of shape "
            f"{new.shape}; choose labels of the same movie or a new target"
        )
    require_fitting_ids(existing.dtype, (int(new.max()),))
    merged = existing.copy()
    merged[is_any_of(merged, object_ids)] = 0
    written = (new > 0) if replace else (new > 0) & (merged == 0)
    # The dtype holds every new label.
    np.copyto(merged, new, where=written, casting="unsafe")
    return merged


def is_any_of(labels: np.ndarray, object_ids: Collection[int]) -> np.ndarray:
    """Find the pixels of some objects; fast if their ids are consecutive.

    Parameters
    ----------
    labels : array of int
        Of any shape.
    object_ids : collection of int
        Without repetitions.

    Returns
    -------
    array of bool
        Of the shape of the labels.
    """
    lowest, highest = min(object_ids, default=1), max(object_ids, default=0)
    if highest - lowest + 1 == len(set(object_ids)):
        return (lowest <= labels) & (labels <= highest)
    return np.isin(labels, list(object_ids))


def replace_mask(
    labels: np.ndarray, mask: np.ndarray, object_id: int, yielding: Collection[int]
) -> np.ndarray:
    """Replace the mask of an object, taking pixels from some of the others.

    Parameters
    ----------
    labels : (Y, X) array of int
        Not modified.
    mask : (Y, X) array of bool
        The new mask. Other pixels of the object become background.
    object_id : int
        The object's value in the labels.
    yielding : collection of int
        Objects that lose pixels to the mask; all others keep theirs.

    Returns
    -------
    (Y, X) array
        Of the dtype of ``labels``.

    Raises
    ------
    LabelsError
        If the dtype cannot hold the id.
    """
    room = labels.copy()
    room[mask & np.isin(labels, list(yielding))] = 0
    new = np.where(mask, object_id, 0).astype(label_dtype(object_id))
    return merge_labels(room, new, [object_id])
