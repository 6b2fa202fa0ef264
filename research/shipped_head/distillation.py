"""Lessons from photographs without a truth: what the network itself sees from nearby.

A closer look at an object gives a mask that is several times finer than the one in the
whole picture, which is what a sharper one is learned from; and what the network thinks
of its hypotheses on photographs, which it was trained on, is what it should go on to
think of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from napari_sam_decoder.metrics import mask_iou
from napari_sam_decoder.model.transforms import input_shape
from napari_sam_decoder.model.values import ModelPrompt
from napari_sam_decoder.training.coarse import Answers, make_lesson, resize_mask
from shipped_head.closer import look_closer
from shipped_head.scenes import compressed, recoloured

if TYPE_CHECKING:
    from napari_sam_decoder.model.sam import Sam
    from napari_sam_decoder.model.values import MaskCandidates
    from napari_sam_decoder.training.lessons import Lesson

__all__ = ["distil_lesson"]

CLICKS = 14
MOST_OBJECTS = 5

SURE = 0.85
"""Predicted IoU from which a mask, and a closer look at it, is taken for an object."""

ALIKE = 0.7
"""IoU from which two masks are of the same object."""

KEPT = 0.8
"""IoU with the given mask that a closer look must have to be of the same object."""

_SHARES = 0.003, 0.35
_LARGEST_SIDE = 1024


def distil_lesson(
    photograph: np.ndarray, sam: Sam, rng: np.random.Generator
) -> Lesson | None:
    """Click on a photograph, and look closer at what is found.

    Parameters
    ----------
    photograph : (Y, X, 3) array of uint8
        RGB; a piece of it is used, often in other colours.
    sam : Sam
        Frozen.
    rng : Generator
        Which piece, and where it is clicked on.

    Returns
    -------
    Lesson or None
        None if nothing is found of which the network is sure.

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
    answers = Answers()
    truth: list[np.ndarray] = []
    for index, prompt in enumerate(prompts):
        rated = candidates.iou_predictions[index, 1:].clip(0, 1)
        answers.take(candidates, index, rated.tolist())
        if len(truth) == MOST_OBJECTS:
            continue
        logits = _choose(candidates, index, rng)
        if not _is_worth_it(logits, answers, shown):
            continue
        # The clear picture is looked at: clicks lie in it where they lie in the other.
        closer = look_closer(sam, clear, logits, prompt)
        if closer is not None and closer[1] >= SURE:
            mask = resize_mask(closer[0].mask(clear.shape[:2]), shown)
            if mask_iou(_lowered(mask, logits.shape[0]), logits > 0) >= KEPT:
                answers.logits.append(logits)
                answers.objects.append(len(truth))
                truth.append(mask)
    return make_lesson(seen, embedding, truth, answers) if truth else None


def _view(photograph: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A piece of a photograph, at most as large as the network's input."""
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
    """As a poorer camera would have taken it."""
    if rng.random() < 0.5:
        picture = _shrunk(picture, rng.uniform(0.4, 0.9))
    if rng.random() < 0.5:
        picture = compressed(np.ascontiguousarray(picture), int(rng.integers(50, 95)))
    return picture


def _shrunk(picture: np.ndarray, factor: float) -> np.ndarray:
    """Smaller by a factor; never larger, and never too small to show anything."""
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
    """The hypothesis that is rated best, or any that is rated well."""
    rated = candidates.iou_predictions[index, 1:]
    good = np.flatnonzero(rated >= min(SURE, rated.max()))
    best = int(rated.argmax())
    chosen = best if rng.random() < 0.5 else int(rng.choice(good))
    logits: np.ndarray = candidates.low_res_logits[index, 1 + chosen]
    return logits


def _is_worth_it(logits: np.ndarray, answers: Answers, shown: tuple[int, int]) -> bool:
    """Whether a mask is neither tiny nor nearly all, nor one that is there already."""
    mask = logits > 0
    share = 16 * np.count_nonzero(mask) / (shown[0] * shown[1])
    if not _SHARES[0] < share < _SHARES[1]:
        return False
    return all(mask_iou(mask, other > 0) < ALIKE for other in answers.logits)


def _lowered(mask: np.ndarray, size: int) -> np.ndarray:
    """(size, size) bool: the low-res pixels whose middle is in a mask."""
    lowered = np.zeros((size, size), bool)
    sampled = mask[2::4, 2::4]
    lowered[: sampled.shape[0], : sampled.shape[1]] = sampled
    return lowered
