"""Measures of how well masks and verdicts match the truth.

J and F are those of Perazzi et al., "A benchmark dataset and evaluation methodology
for video object segmentation", CVPR 2016.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage
from scipy.spatial import KDTree
from scipy.stats import rankdata

from napari_sam_decoder.metrics import mask_iou

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = [
    "auc",
    "boundary_f",
    "boundary_f_within",
    "boundary_iou",
    "dice",
    "flicker",
    "mean",
    "precision_recall",
]

TOLERANCE = 0.008
"""How far a boundary may be off, as a share of the picture's diagonal."""


def boundary_f(truth: np.ndarray, found: np.ndarray) -> float:
    """Harmonic mean of precision and recall of a mask's boundary.

    Parameters
    ----------
    truth, found : (Y, X) array of bool
        Masks of one frame.

    Returns
    -------
    float
        0..1; 1 if neither has a boundary, 0 if only one has.

    Notes
    -----
    A boundary pixel counts as found if the other boundary comes within a disk of
    ``ceil(0.008 * diagonal)`` pixels around it.
    """
    radius = np.ceil(TOLERANCE * np.hypot(*truth.shape))
    return boundary_f_within(truth, found, [float(radius)])[0]


def boundary_f_within(
    truth: np.ndarray, found: np.ndarray, radii: Sequence[float]
) -> list[float]:
    """Give `boundary_f` for disks of other radii, in pixels."""
    window = _window(truth | found)
    true_edge, found_edge = _boundary(truth[window]), _boundary(found[window])
    if not len(true_edge) or not len(found_edge):
        return [float(len(true_edge) == len(found_edge))] * len(radii)
    off = _distances(found_edge, true_edge), _distances(true_edge, found_edge)
    return [
        _harmonic(*(float(np.mean(far <= radius)) for far in off)) for radius in radii
    ]


def boundary_iou(truth: np.ndarray, found: np.ndarray) -> float:
    """Compute the IoU of the pixels near the boundaries of two masks.

    Parameters
    ----------
    truth, found : (Y, X) array of bool
        Masks of one frame.

    Returns
    -------
    float
        0..1.

    Notes
    -----
    Cheng et al., "Boundary IoU", CVPR 2021: of each mask the pixels within 2 % of the
    picture's diagonal from its own boundary. The border of the picture is a boundary.
    """
    width = max(1, round(0.02 * float(np.hypot(*truth.shape))))
    return mask_iou(_rim(truth, width), _rim(found, width))


def _rim(mask: np.ndarray, width: int) -> np.ndarray:
    """The pixels of a mask that are within `width` of its background."""
    depth = ndimage.distance_transform_edt(np.pad(mask, 1))[1:-1, 1:-1]
    rim: np.ndarray = mask & (depth <= width)
    return rim


def flicker(truth: Iterable[np.ndarray], found: Iterable[np.ndarray]) -> float | None:
    """Measure how much less the masks of neighbouring frames overlap than they should.

    Parameters
    ----------
    truth, found : iterable of (Y, X) array of bool
        Masks of the same frames in order, either way.

    Returns
    -------
    float or None
        Mean over pairs of neighbours of ``max(0, IoU(truth) - IoU(found))``, 0..1;
        None for fewer than two frames.
    """
    pairs = zip(pairwise(truth), pairwise(found), strict=True)
    return mean(
        max(0.0, mask_iou(*true_pair) - mask_iou(*found_pair))
        for true_pair, found_pair in pairs
    )


def dice(truth: Iterable[np.ndarray], found: Iterable[np.ndarray]) -> float | None:
    """Dice coefficient of two volumes, given slice by slice.

    Returns
    -------
    float or None
        0..1; 1 if both are empty, None without slices.
    """
    sums = [
        (np.count_nonzero(true & mask), np.count_nonzero(true) + np.count_nonzero(mask))
        for true, mask in zip(truth, found, strict=True)
    ]
    if not sums:
        return None
    shared, total = (sum(column) for column in zip(*sums, strict=True))
    return 2 * shared / total if total else 1.0


def auc(scores: np.ndarray, positive: np.ndarray) -> float | None:
    """Area under the ROC curve: how likely a positive outranks a negative.

    Parameters
    ----------
    scores : (N,) array of float
        High for what should be positive.
    positive : (N,) array of bool
        What is.

    Returns
    -------
    float or None
        0..1, equal scores counting half; None if all belong to one class.
    """
    wanted = int(np.count_nonzero(positive))
    others = len(positive) - wanted
    if not wanted or not others:
        return None
    ranks = rankdata(scores)[positive].sum()
    return float((ranks - wanted * (wanted + 1) / 2) / (wanted * others))


def precision_recall(
    truth: np.ndarray, found: np.ndarray
) -> tuple[float | None, float | None]:
    """Precision and recall of (N,) bools; None where there is nothing to count."""
    hits = int(np.count_nonzero(truth & found))
    claimed, wanted = np.count_nonzero(found), np.count_nonzero(truth)
    return hits / claimed if claimed else None, hits / wanted if wanted else None


def mean(values: Iterable[float | None]) -> float | None:
    """Mean of the values that are there; None if none is."""
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None


def _window(mask: np.ndarray) -> tuple[slice, slice]:
    """The window of a mask and a pixel beyond, which contains its whole boundary."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not len(rows):
        return slice(0), slice(0)
    return (
        slice(max(rows[0] - 1, 0), rows[-1] + 2),
        slice(max(columns[0] - 1, 0), columns[-1] + 2),
    )


def _boundary(mask: np.ndarray) -> np.ndarray:
    """(N, 2) positions of pixels unlike their right, lower or lower right neighbour."""
    ahead = np.pad(mask, ((0, 1), (0, 1)), mode="edge") if mask.size else mask
    unlike = mask != ahead[:-1, 1:]
    unlike |= mask != ahead[1:, :-1]
    unlike |= mask != ahead[1:, 1:]
    return np.argwhere(unlike)


def _distances(points: np.ndarray, others: np.ndarray) -> np.ndarray:
    distances: np.ndarray = KDTree(others).query(points)[0]
    return distances


def _harmonic(precision: float, recall: float) -> float:
    total = precision + recall
    return 2 * precision * recall / total if total else 0.0
