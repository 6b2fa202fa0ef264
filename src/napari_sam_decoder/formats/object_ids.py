"""Object ids in pixels: which type holds them, and whether they are any."""

from __future__ import annotations

import numpy as np

from napari_sam_decoder.errors import LabelsError
from napari_sam_decoder.validation import MAX_OBJECT_ID

__all__ = ["as_ids", "holds_only_ids", "id_dtype"]

WIDEST = np.dtype(np.uint32)


def id_dtype(stored: np.dtype) -> np.dtype:
    """Return the smallest unsigned type for the ids that a type may hold."""
    if stored.kind in "iu":
        return np.dtype(f"u{min(stored.itemsize, WIDEST.itemsize)}")
    return stored if stored.kind == "b" else WIDEST


def holds_only_ids(stored: np.dtype) -> bool:
    """Whether all values of a type are object ids, or 0."""
    return np.can_cast(stored, id_dtype(stored))


def as_ids(plane: np.ndarray, what: object) -> np.ndarray:
    """Convert pixels to the unsigned type of their ids.

    Parameters
    ----------
    plane : array of int or float
        Pixels.
    what : object
        Whose they are, such as the path of a file.

    Raises
    ------
    LabelsError
        If one is not a whole number, negative or too large.
    """
    with np.errstate(invalid="ignore"):
        ids: np.ndarray = plane.astype(id_dtype(plane.dtype), copy=False)
    if not holds_only_ids(plane.dtype):
        is_odd = ids != plane
        if is_odd.any():
            raise LabelsError(
                f"{what} holds {plane[is_odd][0]:.15g}, which is not an object id; "
                f"export it with whole numbers from 0 to {MAX_OBJECT_ID}, for instance "
                "by thresholding, or by numbering the objects anew"
            )
    return ids
