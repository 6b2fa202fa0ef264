"""Training examples from photographs, with the network's own masks as the truth.

The mask of an object in an enlarged view is several times finer than in the whole
picture: that is what the sharpener learns. On photographs, on which the network was
trained, the rating head should keep the network's own ratings.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from napari_sam_decoder.metrics import mask_iou
from napari_sam_decoder.model.transforms import input_shape
from napari_sam_decoder.model.values import ModelPrompt
from napari_sam_decoder.training.examples import resize_mask
from shipped_head.sam_examples import SamRecord, make_example
from shipped_head.scenes import compressed, recoloured
from shipped_head.zoom import zoom_in

if TYPE_CHECKING:
    from napari_sam_decoder.model.sam import Sam
    from napari_sam_decoder.model.values import MaskCandidates
    from shipped_head.sam_examples import SamExample

__all__ = ["distil_example"]

CLICKS = 14
MOST_OBJECTS = 5

SURE = 0.85
"""Least predicted IoU of a mask, in the whole picture and enlarged."""

ALIKE = 0.7
"""Masks with at least this IoU are of the same object."""

KEPT = 0.8
"""Least IoU of an enlarged mask with the mask in the whole picture."""

_SHARES = 0.003, 0.35
_LARGEST_SIDE = 1024


def distil_example(
    photograph: np.ndarray, sam: Sam, rng: np.random.Generator
) -> SamExample | None:
    """Click on a photograph, and segment the objects again in enlarged views.

    Parameters
    ----------
    photograph : (Y, X, 3) array of uint8
        RGB; a crop of it is used, often in other colours.
    sam : Sam
        Frozen.
    rng : Generator
        Decides on the crop and the clicks.

    Returns
    -------
    SamExample or None
        None if the network is sure of no mask.

    Raises
    ------
    DecodingError
        If the network fails.
    """
    clear = _view(photograph, rng)
    seen = _worsened(clear, rng)
    embedding = sam.encode(seen)
    shown = input_shape(embedding.frame_shape, sam.image_size)
    places = rng.uniform(0, 1, (CLICKS, 2)) * shown[::-1]
    prompts = [_click(place) for place in places]
    candidates = sam.decode(embedding, prompts)
    record = SamRecord()
    truth: list[np.ndarray] = []
    for index, prompt in enumerate(prompts):
        rated = candidates.iou_predictions[index, 1:].clip(0, 1)
        record.add_ratings(candidates, index, rated.tolist())
        if len(truth) == MOST_OBJECTS:
            continue
        logits = _choose(candidates, index, rng)
        if not _is_new_object(logits, record, shown):
            continue
        # In the clear picture objects are where they are in the worsened one.
        closer = zoom_in(sam, clear, logits, prompt)
        if closer is not None and closer[1] >= SURE:
            mask = resize_mask(closer[0].mask(clear.shape[:2]), shown)
            if mask_iou(_lowered(mask, logits.shape[0]), logits > 0) >= KEPT:
                record.logits.append(logits)
                record.objects.append(len(truth))
                truth.append(mask)
    return make_example(seen, embedding, truth, record) if truth else None


def _view(photograph: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A crop of a photograph, at most as large as the network's input."""
    share = rng.uniform(0.5, 1)
    sides = [int(share * side) for side in photograph.shape[:2]]
    corner = [
        rng.integers(length - side + 1)
        for length, side in zip(photograph.shape, sides, strict=False)
    ]
    piece = photograph[
        corner[0] : corner[0] + sides[0], corner[1] : corner[1] + sides[1]
    ]
    piece = _shrunk(piece[:, :: rng.choice([-1, 1])], _LARGEST_SIDE / max(sides))
    if rng.random() < 0.5:
        piece = recoloured(rng, piece.astype(np.float32)).clip(0, 255)
    return piece.astype(np.uint8)


def _worsened(picture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Lower the resolution and add JPEG artefacts, each in half of the cases."""
    if rng.random() < 0.5:
        picture = _shrunk(picture, rng.uniform(0.4, 0.9))
    if rng.random() < 0.5:
        picture = compressed(np.ascontiguousarray(picture), int(rng.integers(50, 95)))
    return picture


def _shrunk(picture: np.ndarray, factor: float) -> np.ndarray:
    """Shrink by a factor, to no less than 64 pixels a side; never enlarge."""
    rows, columns = (
        min(side, max(64, round(factor * side))) for side in picture.shape[:2]
    )
    image = Image.fromarray(np.ascontiguousarray(picture))
    return np.asarray(image.resize((columns, rows), Image.Resampling.LANCZOS))


def _click(place: np.ndarray) -> ModelPrompt:
    return ModelPrompt(place[None].astype(np.float32), np.array([1]))


def _choose(
    candidates: MaskCandidates, index: int, rng: np.random.Generator
) -> np.ndarray:
    """The hypothesis with the best rating, or any with a good one."""
    rated = candidates.iou_predictions[index, 1:]
    good = np.flatnonzero(rated >= min(SURE, rated.max()))
    best = int(rated.argmax())
    chosen = best if rng.random() < 0.5 else int(rng.choice(good))
    logits: np.ndarray = candidates.low_res_logits[index, 1 + chosen]
    return logits


def _is_new_object(
    logits: np.ndarray, record: SamRecord, shown: tuple[int, int]
) -> bool:
    """Whether a mask is neither tiny nor huge, nor that of a known object."""
    mask = logits > 0
    share = 16 * np.count_nonzero(mask) / (shown[0] * shown[1])
    if not _SHARES[0] < share < _SHARES[1]:
        return False
    return all(mask_iou(mask, other > 0) < ALIKE for other in record.logits)


def _lowered(mask: np.ndarray, size: int) -> np.ndarray:
    """(size, size) bool: the low-res pixels whose centre is in a mask."""
    lowered = np.zeros((size, size), bool)
    sampled = mask[2::4, 2::4]
    lowered[: sampled.shape[0], : sampled.shape[1]] = sampled
    return lowered
