"""A network that sees perfectly and costs nothing, for tests of the window."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

import numpy as np
from scipy import ndimage

from napari_sam_decoder.model.heads import Heads
from napari_sam_decoder.model.values import Embedding, FrameLogits, MaskCandidates

SIDE = 64
CELL = 4
BACKGROUND = 40


@dataclass
class StageSam:
    """Offers the region of equal brightness at a point: a part, the whole, everything.

    An embedding holds the frame itself, each cell its 16 pixels, so that the network
    needs no other knowledge.
    """

    identity: str = "stage float32"
    weights: str = "stage"
    origin: tuple[str, str] = ("mobile_sam", "auto")
    image_size: int = CELL * SIDE
    mask_size: int = SIDE
    embedding_shape: tuple[int, int, int] = (CELL**2, SIDE // CELL, SIDE // CELL)
    heads: Heads = field(default_factory=Heads)
    decoder: str = "sam"
    encoded: list[int] = field(default_factory=list)
    gate: threading.Semaphore | None = None
    error: Exception | None = None

    def prepare(self, frame_shape):
        assert tuple(frame_shape) == (SIDE, SIDE)

    def encode(self, frame):
        if self.gate is not None:
            self.gate.acquire(timeout=20)
        if self.error is not None:
            raise self.error
        self.encoded.append(threading.get_ident())
        grey = frame[..., 0].reshape(SIDE // CELL, CELL, SIDE // CELL, CELL)
        cells = grey.transpose(1, 3, 0, 2).reshape(self.embedding_shape)
        return Embedding(cells.astype(np.float32), (SIDE, SIDE))

    def decode(self, embedding, prompts, previous_logits=None):
        cells = embedding.features.reshape(CELL, CELL, SIDE // CELL, SIDE // CELL)
        grey = cells.transpose(2, 0, 3, 1).reshape(SIDE, SIDE)
        answers = [self._answer(grey, prompt) for prompt in prompts]
        return MaskCandidates(*map(np.stack, zip(*answers, strict=True)))

    def enlarge(self, low_res_logits, frame_shape):
        assert tuple(frame_shape) == (SIDE, SIDE)
        return FrameLogits(low_res_logits, (slice(None), slice(None)))

    def _answer(self, grey, prompt):
        row, column = _inside(prompt)
        regions, _ = ndimage.label(np.abs(grey - grey[row, column]) < 8)
        whole = regions == regions[row, column]
        if np.median(grey) == grey[row, column]:
            return np.stack([_logits(whole)] * 4), np.full(4, 0.1, np.float32)
        part = whole & (np.arange(SIDE) <= column)
        everything = np.ones_like(whole)
        masks = [whole, part, whole, everything]
        ratings = np.array([0.97, 0.6, 0.98, 0.9], np.float32)
        return np.stack([_logits(mask) for mask in masks]), ratings


def _inside(prompt):
    """Pixel of the first positive point, the middle of the box, or any point."""
    positive = prompt.points[prompt.signs == 1]
    if len(positive):
        x, y = positive[0]
    elif prompt.box is not None:
        x, y = prompt.box.reshape(2, 2).mean(axis=0)
    else:
        # Beside an object that somebody has painted; its mask says the rest.
        x, y = prompt.points[0]
    place = np.clip(np.array([y, x]) / CELL, 0, SIDE - 1).astype(int)
    return int(place[0]), int(place[1])


def _logits(mask):
    return np.where(mask, 9, -9).astype(np.float32)


def squares(frames=8, size=14):
    """A movie of two squares that drift apart: (T, 64, 64) grey, and its truth."""
    truth = np.zeros((frames, SIDE, SIDE), np.uint16)
    for frame in range(frames):
        truth[frame, 10 : 10 + size, 8 + frame : 8 + frame + size] = 1
        truth[frame, 38 : 38 + size, 40 - frame : 40 - frame + size] = 2
    return np.choose(truth, [BACKGROUND, 120, 200]).astype(np.uint8), truth
