"""How far to believe the refiner on a movie: it is tried where masks are known.

On cells and in volumes, which the decoder hardly recognises, the refiner holds an
object that the decoder loses. In photographs it only blurs what the decoder draws.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

import numpy as np

from napari_sam_decoder.metrics import mask_iou
from napari_sam_decoder.propagation.decoding import (
    DecoderInput,
    decode_alternatives,
    redraw_low_res,
)
from napari_sam_decoder.propagation.prior import prompt_from_mask
from napari_sam_decoder.propagation.track import shift_logits

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from napari_sam_decoder.propagation.accumulator import PackedLogits
    from napari_sam_decoder.propagation.context import Context
    from napari_sam_decoder.propagation.views import Views

__all__ = ["refiner_share"]

LARGEST_SHARE = 0.5
"""Weight of the refiner's logits where it is believed."""
SMALL_LOSS, LARGE_LOSS = 0.02, 0.05
"""IoU by which it may draw known masks worse than the decoder: from the first on it is
believed less, from the second on not at all."""
SHIFT = 0.05
"""By how much a known mask is moved away, in units of its side."""
MOST_TRIALS = 8
"""More masks would hardly change the mean."""


def refiner_share(views: Views, known: Iterable[tuple[int, PackedLogits]]) -> float:
    """Compare the refiner with the decoder on masks that are known.

    Both see the mask moved a little, and the picture.

    Parameters
    ----------
    views : Views
        Have the frames and the networks.
    known : iterable of (int, PackedLogits)
        Frames, and low-res logits of an object there; the first few count.

    Returns
    -------
    float
        0..1, the weight that the refiner's logits deserve. In colour pictures it is 0:
        the refiner has learned grey ones of cells.
    """
    losses: list[float] = []
    for frame, packed in islice(known, MOST_TRIALS):
        context, logits = views.at(packed.window), packed.unpack()
        if len(context.features(frame).picture) > 1:
            return 0.0
        losses += _losses(context, frame, logits)
    if not losses:
        return 0.0
    spared = (LARGE_LOSS - float(np.mean(losses))) / (LARGE_LOSS - SMALL_LOSS)
    return LARGEST_SHARE * min(max(spared, 0.0), 1.0)


def _losses(context: Context, frame: int, logits: np.ndarray) -> Iterator[float]:
    """Yield the IoU that the refiner lacks against the decoder, for each move."""
    grid, embedding = context.grid, context.features(frame).embedding
    known = grid.crop(logits)
    step = max(round(SHIFT * float(np.sqrt(np.count_nonzero(known > 0)))), 1)
    for moved in (shift_logits(known, (way * step,) * 2) for way in (1, -1)):
        before = grid.pad(moved)
        prompt = prompt_from_mask(before, grid)
        if prompt is None:
            continue
        ((decoded, _),) = decode_alternatives(
            context, embedding, [[DecoderInput(prompt, before)]]
        )
        place, drawn = redraw_low_res(context, frame, before, moved, decoded)
        redrawn = np.zeros(logits.shape, bool)
        redrawn[place] = drawn > 0
        best = max(mask_iou(logits > 0, one > 0) for one in decoded)
        yield best - mask_iou(logits > 0, redrawn)
