"""The task of sharpening masks, in windows on their edges."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.nn.functional as F
from scipy import ndimage

from napari_sam_decoder.model.heads import WindowTensors, near_edge
from napari_sam_decoder.model.transforms import scaled
from napari_sam_decoder.model.values import DECODER_LIMIT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from napari_sam_decoder.model.heads import HiresDecoder
    from napari_sam_decoder.model.sam import Sam
    from shipped_head.sam_examples import SamExample

__all__ = ["SharpeningTask"]

WINDOW = 10
"""Cells a side of a window: 160 x 160 pixels of the input."""

ALTERED = 0.5
"""Share of the masks that are altered as by propagation: clipped, flattened and
smoothed."""

WINDOWS = 3
"""Of each picture: reading it takes longer than cutting out windows."""


class SharpeningTask:
    """Draws windows on the edges of masks, and computes the loss in them.

    Parameters
    ----------
    examples : sequence of SamExample
        PromptTensors for one whenever windows of it are wanted.
    sam : Sam
        The network that embedded them; encodes windows.
    pictures : int
        In a batch, each with three windows.
    """

    def __init__(
        self, examples: Sequence[SamExample], sam: Sam, pictures: int = 5
    ) -> None:
        self._lessons = examples
        self._sam = sam
        self._pictures = pictures

    def batch(self, rng: np.random.Generator) -> tuple[Tensor, ...]:
        """Draw windows.

        Returns
        -------
        tuple of tensor
            Embedding (B, 256, 10, 10), early features (B, E, 40, 40), pixels
            (B, 3, 160, 160) and low-res logits (B, 1, 40, 40) of windows; the truth
            (B, 1, 160, 160) and the weights of its pixels, both 0..1.
        """
        chosen = rng.integers(len(self._lessons), size=self._pictures)
        examples = [self._lessons[index] for index in chosen]
        windows = [
            _window(example, self._sam, rng)
            for example in examples
            for _ in range(WINDOWS)
        ]
        return tuple(torch.stack(parts) for parts in zip(*windows, strict=True))

    def loss(self, decoder: HiresDecoder, batch: tuple[Tensor, ...]) -> Tensor:
        """Return the mean cross-entropy near both the given and the true edge.

        Notes
        -----
        Far from the true edge the given mask is of something else, which cannot be
        told from nearby, and such places would dominate the loss.

        With focal and dice loss all masks grew by half a pixel, since dice loss rewards
        including doubtful pixels.
        """
        grid, early, pixels, logits, truth, counts = batch
        drawn = decoder.drawing(WindowTensors(grid, early, pixels), logits)
        off = F.binary_cross_entropy_with_logits(drawn, truth, reduction="none")
        return (off * counts).sum() / counts.sum().clamp(min=1)


def _window(
    example: SamExample, sam: Sam, rng: np.random.Generator
) -> tuple[Tensor, ...]:
    which = rng.integers(len(example.logits))
    logits = _altered(example.logits[which].astype(np.float32), rng)
    mask = example.mask(int(example.objects[which]))
    near = _near_both(logits > 0, mask)
    row, column = _choose_corner(logits > 0, near, rng)
    cells = slice(row, row + WINDOW), slice(column, column + WINDOW)
    truth, known = _cut(mask, scaled(cells[0], 16), scaled(cells[1], 16))
    encoded = sam.encode_window(example.picture, cells)
    quarters = scaled(cells[0], 4), scaled(cells[1], 4)
    counts = near[quarters].repeat(4, axis=0).repeat(4, axis=1)
    parts = (
        example.features[(slice(None), *cells)],
        encoded.early,
        encoded.pixels,
        logits[quarters][None],
        truth[None],
        (counts & known)[None],
    )
    return tuple(torch.from_numpy(part.astype(np.float32)) for part in parts)


def _altered(logits: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """(h, h) logits of the same mask; the edge moves by less than a low-res pixel."""
    if rng.random() > ALTERED:
        return logits
    flatter = rng.uniform(0.3, 1) * np.clip(logits, -DECODER_LIMIT, DECODER_LIMIT)
    smoothed: np.ndarray = ndimage.gaussian_filter(flatter, rng.uniform(0, 1.2))
    return smoothed


def _near_both(given: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """(h, h) bool: the low-res pixels close to the edges of both masks."""
    sampled = truth[1::4, 1::4]
    lowered = np.zeros_like(given)
    lowered[: sampled.shape[0], : sampled.shape[1]] = sampled
    near: np.ndarray = near_edge(given) & near_edge(lowered)
    return near


def _choose_corner(
    mask: np.ndarray, near: np.ndarray, rng: np.random.Generator
) -> tuple[int, int]:
    """First row and column, in cells, of a window that contains some of the edge."""
    edge = mask & ~ndimage.binary_erosion(mask, border_value=1)
    wanted = next((some for some in (edge & near, edge) if some.any()), ~mask)
    places = np.argwhere(wanted)
    place = places[rng.integers(len(places))] // 4
    corner = place - rng.integers(2, WINDOW - 2, 2)
    row, column = corner.clip(0, len(mask) // 4 - WINDOW)
    return int(row), int(column)


def _cut(
    truth: np.ndarray, rows: slice, columns: slice
) -> tuple[np.ndarray, np.ndarray]:
    """The truth in a window, and where it is known: not in the padding."""
    found = truth[rows, columns]
    cut, known = np.zeros((2, 16 * WINDOW, 16 * WINDOW), bool)
    cut[: found.shape[0], : found.shape[1]] = found
    known[: found.shape[0], : found.shape[1]] = True
    return cut, known
