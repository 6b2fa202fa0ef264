"""A network that sees two touching cells."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from ideal_network import (
    MASKS_TOGETHER,
    SIDE,
    STRIDE,
    ObedientRefiner,
    as_logits,
    place_of,
)

from napari_sam_decoder.model.values import Embedding, FrameLogits, MaskCandidates
from napari_sam_decoder.prompts import Prompt
from napari_sam_decoder.propagation import Context, Settings

LEFT, RIGHT = (16, 16), (16, 32)
"""Points in the middle of two cells that touch."""


def box_mask(rows, columns):
    mask = np.zeros((SIDE, SIDE), bool)
    mask[slice(*rows), slice(*columns)] = True
    return mask


CELLS = {LEFT: box_mask((8, 24), (8, 24)), RIGHT: box_mask((8, 24), (24, 40))}


PAIR = CELLS[LEFT] | CELLS[RIGHT]


ALL = np.ones((SIDE, SIDE), bool)


@dataclass
class TouchingCells:
    """A network that sees two touching cells, and rates its decoded as it is told."""

    offers: dict[tuple[int, int], list[tuple[np.ndarray, float]]]
    apart: dict[tuple[int, int], list[tuple[np.ndarray, float]]] = field(
        default_factory=dict
    )
    image_size: int = STRIDE * SIDE
    mask_size: int = SIDE
    asked: list[list[list[int]]] = field(default_factory=list)

    def get(self, frame):
        return Embedding(np.zeros((1, 16, 16), np.float16), (SIDE, SIDE))

    def get_with_pixels(self, frame):
        return self.get(frame), np.zeros((SIDE, SIDE, 3), np.uint8)

    def decode(self, embedding, prompts, previous_logits=None):
        self.asked.append([prompt.signs.tolist() for prompt in prompts])
        decoded = [self._answer(prompt) for prompt in prompts]
        return MaskCandidates(*map(np.stack, zip(*decoded, strict=True)))

    def enlarge(self, low_res_logits, frame_shape):
        return FrameLogits(low_res_logits, (slice(None), slice(None)))

    def _answer(self, prompt):
        column, row = (place_of(prompt) / STRIDE).astype(int)
        has_negative = (prompt.signs == 0).any()
        known = (self.apart or self.offers) if has_negative else self.offers
        single, *three = [
            known[int(row), int(column)][0],
            *known[int(row), int(column)],
        ]
        masks = [single[0], *(mask for mask, _ in three)]
        ratings = [0.0, *(rating for _, rating in three)]
        return (
            np.stack([as_logits(mask) for mask in masks]),
            np.array(ratings, np.float32),
        )


def cell(at, own=0.7, pair=0.8):
    return [(CELLS[at], own), (PAIR, pair), (ALL, 0.95)]


def context_of(network):
    refiner = ObedientRefiner(MASKS_TOGETHER + 1)
    return Context(network, network, (SIDE, SIDE), Settings(), refiner=refiner)


def click(object_id, at, **values):
    return Prompt(object_id, 0, [at], **values)
