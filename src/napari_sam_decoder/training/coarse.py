"""What SAM's decoder offers for the objects of a picture, as it is clicked on."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from napari_sam_decoder.metrics import mask_iou
from napari_sam_decoder.model.transforms import input_shape
from napari_sam_decoder.training.lessons import Lesson
from napari_sam_decoder.training.pointing import Pointing, lower_mask, point

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_sam_decoder.model.sam import Sam
    from napari_sam_decoder.model.values import Embedding, MaskCandidates

__all__ = ["Answers", "Scene", "make_lesson", "prepare_lesson", "resize_mask"]

MOST_OBJECTS = 6
"""Objects of one picture that are asked for; of more there is the same to be learned
as of those of the next picture, which is another one."""

CLICKS = 3
FEWEST_IN_COMMON = 0.5
"""IoU below which a mask is of something else, and there is nothing to sharpen."""


@dataclass(frozen=True, eq=False)
class Scene:
    """A picture and what is on it.

    Attributes
    ----------
    picture : (Y, X, 3) array of uint8
        RGB.
    masks : (N, Y, X) array of bool
        The visible part of each thing, and of some the whole and a part of it.
    """

    picture: np.ndarray
    masks: np.ndarray


def prepare_lesson(scene: Scene, sam: Sam, rng: np.random.Generator) -> Lesson | None:
    """Embed a picture, and ask SAM for its objects.

    Parameters
    ----------
    scene : Scene
        Picture and truth.
    sam : Sam
        Frozen.
    rng : Generator
        Which objects, and where they are clicked on.

    Returns
    -------
    Lesson or None
        For each object the best of three masks for one click or box, and the one for
        three clicks, where it has half of the object. None if there is none of these.

    Raises
    ------
    DecodingError
        If the network fails.
    """
    embedding = sam.encode(scene.picture)
    shape = input_shape(embedding.frame_shape, sam.image_size)
    chosen = rng.permutation(len(scene.masks))[:MOST_OBJECTS]
    truth = [resize_mask(scene.masks[index], shape) for index in chosen]
    lowered = [lower_mask(mask, sam.image_size, sam.mask_size) for mask in truth]
    pointings = [
        point(index, mask, rng) for index, mask in enumerate(lowered) if mask.any()
    ]
    answers = _ask(sam, embedding, pointings)
    if not answers.logits:
        return None
    return make_lesson(scene.picture, embedding, truth, answers)


@dataclass
class Answers:
    """What SAM's decoder has said about the objects of a picture.

    Attributes
    ----------
    logits : list of (256, 256) array of float32
        Masks that are worth to be sharpened.
    objects : list of int
        Which object each of them is of.
    tokens : list of (5, 256) array of float32
        Of prompts for which there are three hypotheses.
    ious : list of (3,) array or list of float
        How good the hypotheses are.
    """

    logits: list[np.ndarray] = field(default_factory=list)
    objects: list[int] = field(default_factory=list)
    tokens: list[np.ndarray] = field(default_factory=list)
    ious: list[Sequence[float]] = field(default_factory=list)

    def take(self, candidates: MaskCandidates, index: int, ious: list[float]) -> None:
        """Note how good the hypotheses of one of several prompts are."""
        if candidates.tokens is None:
            raise ValueError("the decoder has not handed out its tokens")
        self.tokens.append(candidates.tokens[index])
        self.ious.append(ious)


def make_lesson(
    picture: np.ndarray,
    embedding: Embedding,
    truth: Sequence[np.ndarray],
    answers: Answers,
) -> Lesson:
    """Put a lesson together.

    Parameters
    ----------
    picture : (Y, X, 3) array of uint8
        RGB pixels.
    embedding : Embedding
        What the encoder says of it.
    truth : sequence of (rows, columns) array of bool
        The objects at the pixels of the network's input that show the picture.
    answers : Answers
        With at least one mask.

    Returns
    -------
    Lesson
    """
    return Lesson(
        features=embedding.features.astype(np.float16),
        picture=picture,
        shown=np.array(truth[0].shape),
        truth=np.packbits(np.stack(truth), axis=-1),
        logits=np.stack(answers.logits).astype(np.float16),
        objects=np.array(answers.objects),
        tokens=np.stack(answers.tokens).astype(np.float16),
        ious=np.array(answers.ious, np.float32),
    )


def _ask(sam: Sam, embedding: Embedding, pointings: Sequence[Pointing]) -> Answers:
    answers = Answers()
    for click in range(CLICKS if pointings else 0):
        prompts = [pointing.prompt for pointing in pointings]
        previous = [pointing.mask for pointing in pointings]
        candidates = sam.decode(embedding, prompts, previous)
        is_first = click == 0
        for number, pointing in enumerate(pointings):
            logits = candidates.low_res_logits[number]
            offers = logits[1:] if is_first else logits[:1]
            ious = [mask_iou(offer > 0, pointing.truth) for offer in offers]
            pointing.mask = offers[int(np.argmax(ious))]
            if is_first:
                answers.take(candidates, number, ious)
            if max(ious) > FEWEST_IN_COMMON and click in (0, CLICKS - 1):
                answers.logits.append(pointing.mask)
                answers.objects.append(pointing.index)
            pointing.correct()
    return answers


def resize_mask(mask: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Bring a (Y, X) mask to another size; pixels that are half in it are in it."""
    soft = Image.fromarray(np.where(mask, 255, 0).astype(np.uint8))
    return np.asarray(soft.resize(shape[::-1], Image.Resampling.BILINEAR)) > 127
