"""Ways to find the objects of a frame that nobody has shown.

``otsu`` is the classical way: a threshold of the smoothed picture, and a watershed of
the distances to the background. ``grid`` follows the published description of SAM's
automatic masks, as micro-sam uses them: 32 x 32 clicks, masks with a predicted IoU of
at least 0.88 and a stability of at least 0.95, and of those whose boxes overlap by an
IoU of more than 0.7 the best rated one; what differs is that there are no crops of the
frame, and that smaller masks are drawn over larger ones. ``ours`` is
`Session.find_objects`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage
from skimage.feature import peak_local_max
from skimage.filters import threshold_otsu
from skimage.segmentation import watershed

from napari_sam_decoder.selection import stability

if TYPE_CHECKING:
    from napari_sam_decoder import Session

__all__ = ["METHODS", "find_by_grid", "find_by_otsu", "find_ours"]

RATED_FROM = 0.88
STABLE_FROM = 0.95
BOX_IOU = 0.7
GRID = 32
BATCH = 64
SMOOTHING, NEAREST_PEAKS = 2, 20
"""In pixels; the best of twelve pairs of values on two frames of simulated nuclei."""
SMALLEST = 20


def find_by_otsu(session: Session, frame: int) -> np.ndarray:
    """Return (Y, X) labels of bright objects."""
    grey = ndimage.gaussian_filter(session.movie.rgb(frame).mean(axis=2), SMOOTHING)
    bright = grey > threshold_otsu(grey)
    distances = ndimage.gaussian_filter(ndimage.distance_transform_edt(bright), 1)
    peaks = peak_local_max(
        distances, min_distance=NEAREST_PEAKS, labels=ndimage.label(bright)[0]
    )
    markers = np.zeros(grey.shape, int)
    markers[tuple(peaks.T)] = np.arange(1, len(peaks) + 1)
    found = watershed(-distances, markers, mask=bright)
    small = np.flatnonzero(np.bincount(found.ravel()) < SMALLEST)
    labels: np.ndarray = np.where(np.isin(found, small), 0, found)
    return labels


def find_by_grid(session: Session, frame: int) -> np.ndarray:
    """Return (Y, X) labels as SAM's automatic masks."""
    shown = session._views.whole.shown(frame)
    step = max(shown.shape) / GRID
    places = [np.arange(step / 2, length, step) for length in shown.shape]
    points = np.stack(np.meshgrid(*places, indexing="ij"), axis=-1).reshape(-1, 2)
    kept: list[tuple[float, np.ndarray]] = []
    for start in range(0, len(points), BATCH):
        batch = points[start : start + BATCH]
        prompts = [shown.geometry.to_prompt(one[None], [True]) for one in batch]
        decoded = shown.decoder.decode(shown.embedding, prompts, [None] * len(prompts))
        for logits, ratings in zip(
            decoded.low_res_logits, decoded.iou_predictions, strict=True
        ):
            for mask, rating in zip(logits[1:], ratings[1:], strict=True):
                if rating >= RATED_FROM and stability(mask) >= STABLE_FROM:
                    kept.append((float(rating), shown.draw(mask).mask(shown.shape)))
    return _painted(_distinct(kept), shown.shape)


def _distinct(found: list[tuple[float, np.ndarray]]) -> list[np.ndarray]:
    chosen: list[tuple[np.ndarray, np.ndarray]] = []
    for _, mask in sorted(found, key=lambda one: -one[0]):
        if not mask.any():
            continue
        rows, columns = np.nonzero(mask)
        box = np.array([rows.min(), columns.min(), rows.max() + 1, columns.max() + 1])
        if all(_box_iou(box, other) <= BOX_IOU for other, _ in chosen):
            chosen.append((box, mask))
    return [mask for _, mask in chosen]


def _box_iou(one: np.ndarray, other: np.ndarray) -> float:
    low, high = np.maximum(one[:2], other[:2]), np.minimum(one[2:], other[2:])
    shared = np.prod(np.maximum(high - low, 0))
    areas = [np.prod(box[2:] - box[:2]) for box in (one, other)]
    return float(shared / (sum(areas) - shared))


def _painted(masks: list[np.ndarray], shape: tuple[int, int]) -> np.ndarray:
    labels = np.zeros(shape, int)
    for number, mask in enumerate(sorted(masks, key=lambda one: -one.sum()), start=1):
        labels[mask] = number
    return labels


def find_ours(session: Session, frame: int) -> np.ndarray:
    """Return (Y, X) labels of `Session.find_objects`."""
    labels = np.zeros(session.movie.frame_shape, int)
    for number, found in enumerate(session.find_objects(frame), start=1):
        labels[found.mask] = number
    return labels


METHODS = {"otsu": find_by_otsu, "grid": find_by_grid, "ours": find_ours}
