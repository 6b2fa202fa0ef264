"""Frames with made-up networks, for tests of what is answered."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from scipy import ndimage

from napari_sam_decoder.frames import FrameGeometry
from napari_sam_decoder.interactive import ShownFrame
from napari_sam_decoder.model.values import (
    GRID_SIDE,
    Embedding,
    FrameLogits,
    MaskCandidates,
)
from napari_sam_decoder.prompts import PaintedMask, Prompt, Scribble

SHAPE = (40, 56)
LOW_RES = 28
STRIDE = 4

DISK = np.hypot(*np.ogrid[-20:20, -24:32]) < 9
MIDDLE = (20, 24)
"""Of the disk, in row and column."""

MASK, PROPOSAL, REGION = 3, 4, 16
"""Channels of the clues, see `Clues`."""


@dataclass
class MadeDecoder:
    """Offers the same four masks for whatever is asked, and notes that."""

    offers: tuple[np.ndarray, ...]
    ratings: tuple[float, ...] = (0.5, 0.6, 0.7, 0.8)
    image_size: int = STRIDE * LOW_RES
    mask_size: int = LOW_RES
    asked: list[object] = field(default_factory=list)

    def decode(self, embedding, prompts, previous_logits=None):
        self.asked.extend(prompts)
        logits = np.stack([as_low_res(mask) for mask in self.offers])
        return MaskCandidates(
            np.stack([logits] * len(prompts)),
            np.stack([np.array(self.ratings, np.float32)] * len(prompts)),
        )

    def enlarge(self, low_res_logits, frame_shape):
        scale = max(frame_shape) / LOW_RES
        large = ndimage.zoom(
            low_res_logits, scale, order=1, mode="nearest", grid_mode=True
        )
        values = large[: frame_shape[0], : frame_shape[1]]
        return FrameLogits(values, (slice(None), slice(None)))


class ProposalRefiner:
    """Draws the decoder's first mask, whatever else it sees."""

    def refine(self, seen):
        return seen[:, PROPOSAL] * 4, np.full(len(seen), 0.5, np.float32)


@dataclass
class MadeRefiner:
    """Draws noise that has nothing to do with what is shown, or all, or nothing.

    Its ratings are noise too, unless one is given.
    """

    kind: str
    strength: float = 5
    rating: float | None = None
    asked: int = 0

    def refine(self, seen):
        self.asked += len(seen)
        # By what is seen: the same question has the same answer.
        noise = np.random.default_rng(int(np.abs(seen).sum() * 1000))
        shape = len(seen), GRID_SIDE, GRID_SIDE
        logits = np.full(shape, self.strength, np.float32)
        if self.kind == "off":
            logits = -logits
        if self.kind == "noise":
            coarse = noise.normal(size=(len(seen), 12, 12)).astype(np.float32)
            logits = np.kron(coarse, np.ones((8, 8), np.float32))
        ratings = noise.uniform(-0.5, 1.5, len(seen)).astype(np.float32)
        if self.rating is not None:
            ratings = np.full_like(ratings, self.rating)
        return logits, ratings


def as_low_res(mask):
    logits = np.full((LOW_RES, LOW_RES), -9, np.float32)
    every = max(SHAPE) // LOW_RES
    small = mask[::every, ::every]
    logits[: small.shape[0], : small.shape[1]] = np.where(small, 9, -9)
    return logits


def frame_with(refiner, offers=(DISK,) * 4, **values):
    decoder = MadeDecoder(offers, **values)
    picture = np.where(DISK, 180, 60).astype(np.uint8)
    return ShownFrame(
        np.stack([picture] * 3),
        Embedding(np.zeros((1, 7, 7), np.float16), SHAPE),
        decoder,
        refiner,
        FrameGeometry.fit(SHAPE, decoder.image_size),
        lambda candidates: candidates.iou_predictions,
        lambda logits: decoder.enlarge(logits, SHAPE),
    )


def block(rows, columns):
    mask = np.zeros(SHAPE, bool)
    mask[slice(*rows), slice(*columns)] = True
    return mask


def scribble(mask, *, is_positive=True, after=0):
    return Scribble(PaintedMask.of(mask), is_positive, after)


def click(place=MIDDLE, **values):
    return Prompt(1, 0, [place], **values)
