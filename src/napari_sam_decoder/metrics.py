"""How well predicted labels match the ground truth."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["iou_over_time", "mask_iou"]


def mask_iou(first: np.ndarray, second: np.ndarray) -> float:
    """Intersection over union of two boolean masks.

    Parameters
    ----------
    first, second : array of bool
        Of equal shape.

    Returns
    -------
    float
        0..1; 1 if both are empty, 0 if one is.
    """
    union = int(np.count_nonzero(first | second))
    return int(np.count_nonzero(first & second)) / union if union else 1.0


def iou_over_time(
    truth: np.ndarray, predicted: np.ndarray, object_ids: Iterable[int]
) -> dict[int, np.ndarray]:
    """Compute the IoU of each object on each frame.

    Parameters
    ----------
    truth, predicted : (T, Y, X) array of int
        Labels with the same ids.
    object_ids : iterable of int
        The objects to compare; others are ignored.

    Returns
    -------
    dict of int to (T,) array of float
    """
    return {
        object_id: np.array(
            [
                mask_iou(true == object_id, found == object_id)
                for true, found in zip(truth, predicted, strict=True)
            ]
        )
        for object_id in object_ids
    }
