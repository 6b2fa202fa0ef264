"""Take leftover flicker out of an outline, without a say in where the object goes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_sam_decoder.scoring import mask_iou

if TYPE_CHECKING:
    from napari_sam_decoder.selection import Expectation

__all__ = ["smooth"]

LARGEST_SHARE_OF_THE_PAST = 0.5

UNLIKE, ALIKE = 0.5, 0.9
"""IoU with the moved mask at which the past has no say, and all that it may have."""

LOGIT_LIMIT = 6.0
"""Only pixels of which the decoder is less sure than this can change sides."""


def smooth(logits: np.ndarray, expectation: Expectation, amount: float) -> np.ndarray:
    """Average the logits with those of the frame before, moved along.

    Parameters
    ----------
    logits : (h, w) array of float32
        As decided on this frame.
    expectation : Expectation
        Holds the mask of the frame before, moved on by the object's motion.
    amount : float
        0..1; 0 changes nothing, 1 gives the past as much weight as the present,
        for an object that keeps its shape. Where the two masks differ much, the shape
        is changing and the past has less say.

    Returns
    -------
    (h, w) array of float32
        What is shown. The next frame still starts from what was decided, so that
        nothing is smeared along the movie.
    """
    rows, columns = expectation.moved.shape
    now = np.clip(logits[:rows, :columns], -LOGIT_LIMIT, LOGIT_LIMIT)
    before = np.clip(expectation.moved, -LOGIT_LIMIT, LOGIT_LIMIT)
    iou = mask_iou(now > 0, before > 0)
    alike = float(np.clip((iou - UNLIKE) / (ALIKE - UNLIKE), 0, 1))
    share = amount * alike * LARGEST_SHARE_OF_THE_PAST
    smoothed = logits.copy()
    smoothed[:rows, :columns] += share * (before - now)
    return smoothed
