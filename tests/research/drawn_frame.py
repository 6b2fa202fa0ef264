"""A frame with bright discs, two networks that see what is bright, and its file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from stand_in import SURE, BrightSam

from napari_sam_decoder.frames import FrameGeometry
from napari_sam_decoder.interactive import ShownFrame
from napari_sam_decoder.model.values import Embedding

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["LABELS", "BrightRefiner", "shown_frame", "write_picture"]

DISCS = ((40, 40, 18), (45, 80, 20), (90, 120, 25))


def _labels() -> np.ndarray:
    rows, columns = np.ogrid[:120, :160]
    labels = np.zeros((120, 160), np.uint16)
    for number, (row, column, radius) in enumerate(DISCS):
        labels[np.hypot(rows - row, columns - column) < radius] = 1 + number
    return labels


LABELS = _labels()
"""Of three discs; the first two nearly touch."""


class BrightRefiner:
    """Draws all that is bright in a window."""

    def refine(self, seen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        logits = np.where(seen[:, 0] > 0, SURE, -SURE).astype(np.float32)
        return logits, np.full(len(seen), 0.8, np.float32)


def picture() -> np.ndarray:
    """(Y, X, 3) array of uint8."""
    grey = np.where(LABELS > 0, 220, 30).astype(np.uint8)
    return np.repeat(grey[..., None], 3, axis=-1)


def shown_frame() -> ShownFrame:
    sam, shape = BrightSam(), (LABELS.shape[0], LABELS.shape[1])
    return ShownFrame(
        np.ascontiguousarray(np.moveaxis(picture(), -1, 0)),
        Embedding(picture()[..., 0].astype(np.float32), shape),
        sam,
        BrightRefiner(),
        FrameGeometry.fit(shape, sam.image_size),
        lambda found: found.iou_predictions,
        lambda logits: sam.enlarge(logits, shape),
    )


def write_picture(path: Path, labels: np.ndarray = LABELS) -> None:
    """Write what `embed_pictures` does, as the stand-in embeds it."""
    features = picture()[..., 0].astype(np.float16)
    np.savez(path, picture=picture(), labels=labels, features=features)
