"""Simple ways to carry a prompt through a movie, one object at a time.

Each takes a context, a seed and the frames to come, nearest first, and yields a (Y, X)
mask of bool for each frame.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage
from scipy.special import expit, logit
from skimage.transform import resize

from napari_sam_decoder import Prompt
from napari_sam_decoder.appearance.memory import Memory
from napari_sam_decoder.prompts import mask_logits
from napari_sam_decoder.propagation.prior import appearance_anywhere, prompt_from_mask
from napari_sam_decoder.selection import soft_iou
from tracking_parts.prompting import inmost, outline

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from napari_sam_decoder.model.values import MaskCandidates, ModelPrompt
    from napari_sam_decoder.propagation import Context
    from napari_sam_decoder.propagation.prior import Grid

__all__ = [
    "Seed",
    "feedback",
    "plant",
    "projection",
    "projection_motion",
    "recollection",
    "static",
]

ALL = (0, 1, 2, 3)
HYPOTHESES = (1, 2, 3)
SINGLE = (0,)

CERTAINTY = 0.999
"""Sigmoid of 6.9."""

SMOOTHING = 0.5
"""Weight of the newest displacement."""


@dataclass(frozen=True, eq=False)
class Seed:
    """One object on the frame that it starts from.

    Attributes
    ----------
    prompt : Prompt
    logits : (h, w) array of float32
        Low-res logits: the decoder's answer to the prompt, or made of its mask.
    mask : (Y, X) array of bool
    """

    prompt: Prompt
    logits: np.ndarray
    mask: np.ndarray


@dataclass(frozen=True, eq=False)
class _Question:
    """What to ask the decoder, and which of its four masks may be the answer."""

    prompt: ModelPrompt
    allowed: Sequence[int] = ALL
    previous: np.ndarray | None = None


def plant(context: Context, prompt: Prompt) -> Seed:
    """Take a user's mask as it is; put any other prompt to the decoder."""
    if prompt.mask is not None:
        mask = prompt.mask.to_array()
        logits = mask_logits(mask, context.geometry, context.decoder.mask_size)
        return Seed(prompt, logits, mask)
    logits = _ask(context, prompt.frame, _as_question(context, prompt))
    return Seed(prompt, logits, _enlarged(context, logits))


def static(context: Context, seed: Seed, frames: Iterable[int]) -> Iterator[np.ndarray]:
    """Put the same prompt to every frame; a mask as its inmost point and its box."""
    prompt = seed.prompt
    if prompt.mask is not None:
        points, box = [inmost(seed.mask)], outline(seed.mask)
        prompt = Prompt(prompt.object_id, prompt.frame, points, box=box)
    question = _as_question(context, prompt)
    for frame in frames:
        yield _enlarged(context, _ask(context, frame, question))


def feedback(
    context: Context, seed: Seed, frames: Iterable[int]
) -> Iterator[np.ndarray]:
    """Ask for the mask of the frame before, by point, box and its soft logits.

    Of the four masks that of the best predicted IoU is taken.
    """
    logits = seed.logits
    for frame in frames:
        prompt = prompt_from_mask(logits, context.grid)
        if prompt is None:
            yield _nothing(context)
            continue
        logits = _ask(context, frame, _Question(prompt, ALL, logits))
        yield _enlarged(context, logits)


def projection(
    context: Context, seed: Seed, frames: Iterable[int]
) -> Iterator[np.ndarray]:
    """Project the binary mask of the frame before, as micro-sam does in volumes.

    The prompt is the mask's box together with the mask as logits of -6.9 and 6.9, and
    the decoder's single-mask output is taken. An object ends only with an empty mask.
    micro-sam also ends it where the IoU of neighbouring masks is low, by default
    below 0.5; leaving that out favours this baseline wherever an object moves.
    """
    mask = seed.mask
    for frame in frames:
        mask = _project(context, frame, mask)
        yield mask


def projection_motion(
    context: Context, seed: Seed, frames: Iterable[int]
) -> Iterator[np.ndarray]:
    """Project the mask after moving it on, as micro-sam does when it tracks.

    It moves by the smoothed displacement of the centre of mass, which is known from
    the third frame on. It ends as in `projection`.
    """
    mask, velocity = seed.mask, None
    for frame in frames:
        before = mask
        mask = _project(context, frame, _moved(before, velocity))
        velocity = _velocity(before, mask, velocity)
        yield mask


def recollection(
    context: Context, seed: Seed, frames: Iterable[int]
) -> Iterator[np.ndarray]:
    """Ask for what the memory of the object sees, wherever the last mask was.

    Memory and prior are the program's own, but neither motion nor the last mask has a
    say. Of the four masks that of the best predicted IoU times soft IoU with the prior
    is taken, and remembered by as much.
    """
    memory = Memory.of(context.features(seed.prompt.frame), seed.logits)
    for frame in frames:
        features = context.features(frame)
        prior = context.grid.pad(appearance_anywhere(memory, features))
        prompt = prompt_from_mask(prior, context.grid)
        if prompt is None:
            yield _nothing(context)
            continue
        answer = context.decoder.decode(features.embedding, [prompt], [prior])
        merits = _merits(answer, context.grid, prior)
        best = int(np.argmax(merits))
        logits = answer.low_res_logits[0, best]
        memory = memory.updated(features, logits, float(merits[best]))
        yield _enlarged(context, logits)


def _merits(answer: MaskCandidates, grid: Grid, prior: np.ndarray) -> np.ndarray:
    """0..1 for each of the four masks."""
    expected = expit(grid.crop(prior))
    likeness = [
        soft_iou(expit(grid.crop(mask)), expected) for mask in answer.low_res_logits[0]
    ]
    merits: np.ndarray = np.clip(answer.iou_predictions[0], 0, 1) * likeness
    return merits


def _project(context: Context, frame: int, mask: np.ndarray) -> np.ndarray:
    if not mask.any():
        return mask
    prompt = context.geometry.to_prompt([], [], outline(mask))
    question = _Question(prompt, SINGLE, _logits_of(context, mask))
    return _enlarged(context, _ask(context, frame, question))


def _moved(mask: np.ndarray, velocity: np.ndarray | None) -> np.ndarray:
    if velocity is None:
        return mask
    moved: np.ndarray = ndimage.shift(mask.astype(np.uint8), velocity, order=0) > 0
    return moved


def _velocity(
    before: np.ndarray, after: np.ndarray, velocity: np.ndarray | None
) -> np.ndarray | None:
    if not before.any() or not after.any():
        return velocity
    step: np.ndarray = _centre(after) - _centre(before)
    return step if velocity is None else SMOOTHING * step + (1 - SMOOTHING) * velocity


def _centre(mask: np.ndarray) -> np.ndarray:
    centre: np.ndarray = np.argwhere(mask).mean(axis=0)
    return centre


def _as_question(context: Context, prompt: Prompt) -> _Question:
    """One click without a pick asks for the three hypotheses, anything else for all."""
    shown = prompt.points, prompt.signs or (), prompt.outer_box
    asked = context.geometry.to_prompt(*shown)
    if prompt.hypothesis is not None:
        return _Question(asked, (prompt.hypothesis,))
    is_click = prompt.box is None and len(prompt.points) == 1
    return _Question(asked, HYPOTHESES if is_click else ALL)


def _ask(context: Context, frame: int, question: _Question) -> np.ndarray:
    """(h, w) logits of the allowed mask that the decoder rates highest."""
    embedding = context.source.get(frame)
    answer = context.decoder.decode(embedding, [question.prompt], [question.previous])
    ratings = answer.iou_predictions[0]
    index = max(question.allowed, key=lambda candidate: float(ratings[candidate]))
    logits: np.ndarray = answer.low_res_logits[0, index]
    return logits


def _logits_of(context: Context, mask: np.ndarray) -> np.ndarray:
    """Bring a binary mask to the decoder's grid; 0, which is no opinion, as padding."""
    size = context.decoder.mask_size
    rows, columns = context.grid.content
    share = resize(mask.astype(np.float32), (rows, columns), order=1)
    logits = np.zeros((size, size), np.float32)
    logits[:rows, :columns] = logit(np.clip(share, 1 - CERTAINTY, CERTAINTY))
    return logits


def _enlarged(context: Context, logits: np.ndarray) -> np.ndarray:
    frame_shape = context.geometry.frame_shape
    return context.decoder.enlarge(logits, frame_shape).mask(frame_shape)


def _nothing(context: Context) -> np.ndarray:
    return np.zeros(context.geometry.frame_shape, bool)
