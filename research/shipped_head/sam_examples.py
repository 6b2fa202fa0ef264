"""Training examples with what SAM's decoder gives for the objects of a picture."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from napari_sam_decoder.metrics import mask_iou
from napari_sam_decoder.model.transforms import input_shape
from napari_sam_decoder.training.examples import TrainingExample, resize_mask
from napari_sam_decoder.training.simulated_prompts import (
    PromptSequence,
    first_prompt,
    low_res_mask,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_sam_decoder.model.sam import Sam
    from napari_sam_decoder.model.values import Embedding, MaskCandidates
    from shipped_head.scenes import SyntheticScene

__all__ = ["SamExample", "SamRecord", "make_example", "record_example"]

MOST_OBJECTS = 6
"""Prompted on one picture: from more objects there is less to learn than from another
picture."""

CLICKS = 3

LEAST_IOU = 0.5
"""A mask with a lower IoU is of something else, and cannot be sharpened."""


@dataclass(frozen=True, eq=False)
class SamExample(TrainingExample):
    """An embedded picture, its objects, and SAM's masks and tokens for them.

    Attributes
    ----------
    picture : (Y, X, 3) array of uint8
        The picture itself.
    logits : (L, 256, 256) array of float16
        Low-res logits; certain background in the padding.
    objects : (L,) array of int
        The number of each mask's object.
    tokens : (K, 5, 256) array of float16
        SAM's output tokens for prompts with three hypotheses.
    ious : (K, 3) array of float32
        The true IoU of each of these hypotheses, 0..1.
    """

    picture: np.ndarray
    logits: np.ndarray
    objects: np.ndarray
    tokens: np.ndarray
    ious: np.ndarray


def record_example(
    scene: SyntheticScene, sam: Sam, rng: np.random.Generator
) -> SamExample | None:
    """Embed a picture, and record SAM's masks for its objects.

    Parameters
    ----------
    scene : SyntheticScene
        Picture and truth.
    sam : Sam
        Frozen.
    rng : Generator
        Decides on objects and clicks.

    Returns
    -------
    SamExample or None
        For each object the best of three masks after one click or box, and the one
        after three clicks, if their IoU is at least 0.5. None if there is none.

    Raises
    ------
    DecodingError
        If the network fails.
    """
    embedding = sam.encode(scene.picture)
    shape = input_shape(embedding.frame_shape, sam.image_size)
    chosen = rng.permutation(len(scene.masks))[:MOST_OBJECTS]
    truth = [resize_mask(scene.masks[index], shape) for index in chosen]
    low_res = [low_res_mask(mask, sam.image_size, sam.mask_size) for mask in truth]
    sequences = [
        first_prompt(index, mask, rng)
        for index, mask in enumerate(low_res)
        if mask.any()
    ]
    record = _record(sam, embedding, sequences)
    if not record.logits:
        return None
    return make_example(scene.picture, embedding, truth, record)


@dataclass
class SamRecord:
    """What SAM's decoder gave for the objects of a picture.

    Attributes
    ----------
    logits : list of (256, 256) array of float32
        Masks to be sharpened.
    objects : list of int
        The number of each mask's object.
    tokens : list of (5, 256) array of float32
        Of prompts with three hypotheses.
    ious : list of (3,) array or list of float
        True IoUs of the hypotheses.
    """

    logits: list[np.ndarray] = field(default_factory=list)
    objects: list[int] = field(default_factory=list)
    tokens: list[np.ndarray] = field(default_factory=list)
    ious: list[Sequence[float]] = field(default_factory=list)

    def add_ratings(
        self, candidates: MaskCandidates, index: int, ious: list[float]
    ) -> None:
        """Add the tokens of one of several prompts, and the IoUs of its hypotheses."""
        if candidates.tokens is None:
            raise ValueError("the decoder has returned no tokens")
        self.tokens.append(candidates.tokens[index])
        self.ious.append(ious)


def make_example(
    picture: np.ndarray,
    embedding: Embedding,
    truth: Sequence[np.ndarray],
    record: SamRecord,
) -> SamExample:
    """Pack an example.

    Parameters
    ----------
    picture : (Y, X, 3) array of uint8
        RGB pixels.
    embedding : Embedding
        Of the picture.
    truth : sequence of (rows, columns) array of bool
        The objects, at the pixels of the network's input that show the picture.
    record : SamRecord
        With at least one mask.

    Returns
    -------
    SamExample
    """
    return SamExample(
        features=embedding.features.astype(np.float16),
        picture=picture,
        shown=np.array(truth[0].shape),
        truth=np.packbits(np.stack(truth), axis=-1),
        logits=np.stack(record.logits).astype(np.float16),
        objects=np.array(record.objects),
        tokens=np.stack(record.tokens).astype(np.float16),
        ious=np.array(record.ious, np.float32),
    )


def _record(
    sam: Sam, embedding: Embedding, sequences: Sequence[PromptSequence]
) -> SamRecord:
    record = SamRecord()
    for click in range(CLICKS if sequences else 0):
        prompts = [sequence.prompt for sequence in sequences]
        previous = [sequence.mask for sequence in sequences]
        candidates = sam.decode(embedding, prompts, previous)
        is_first = click == 0
        for number, sequence in enumerate(sequences):
            logits = candidates.low_res_logits[number]
            masks = logits[1:] if is_first else logits[:1]
            ious = [mask_iou(mask > 0, sequence.truth) for mask in masks]
            sequence.mask = masks[int(np.argmax(ious))]
            if is_first:
                record.add_ratings(candidates, number, ious)
            if max(ious) > LEAST_IOU and click in (0, CLICKS - 1):
                record.logits.append(sequence.mask)
                record.objects.append(sequence.index)
            sequence.add_correction()
    return record
