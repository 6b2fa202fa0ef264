"""Teach a decoder to sharpen masks, a window of a picture at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.nn.functional as F
from scipy import ndimage

from napari_sam_decoder.model.heads import near_edge
from napari_sam_decoder.model.hires_decoder import Seen
from napari_sam_decoder.model.transforms import scaled
from napari_sam_decoder.model.values import DECODER_LIMIT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from napari_sam_decoder.model.hires_decoder import HiresDecoder
    from napari_sam_decoder.model.sam import Sam
    from napari_sam_decoder.training.lessons import Lesson

__all__ = ["Sharpening"]

WINDOW = 10
"""Cells a side that are learned from at a time: 160 x 160 pixels of the input."""

ALTERED = 0.5
"""Share of the masks that are not as SAM's decoder draws them, but as propagation hands
them on: limited, flatter, and smoothed by what was expected."""

WINDOWS = 3
"""Of one picture at a time: to read it takes longer than to cut them out."""


class Sharpening:
    """Windows on the edges of masks, and how far what is drawn there is off.

    Parameters
    ----------
    lessons : sequence of Lesson
        Asked for one whenever windows of it are wanted.
    sam : Sam
        What has embedded them; looks at windows more closely.
    pictures : int
        So many lessons take part in a batch, each with three windows.
    """

    def __init__(self, lessons: Sequence[Lesson], sam: Sam, pictures: int = 5) -> None:
        self._lessons = lessons
        self._sam = sam
        self._pictures = pictures

    def batch(self, rng: np.random.Generator) -> tuple[Tensor, ...]:
        """Draw windows.

        Returns
        -------
        tuple of tensor
            Embedding (B, 256, 10, 10), early features (B, E, 40, 40), pixels
            (B, 3, 160, 160) and low-res logits (B, 1, 40, 40) of windows; the truth
            (B, 1, 160, 160), and where it counts, both 0..1.
        """
        chosen = rng.integers(len(self._lessons), size=self._pictures)
        lessons = [self._lessons[index] for index in chosen]
        windows = [
            _window(lesson, self._sam, rng)
            for lesson in lessons
            for _ in range(WINDOWS)
        ]
        return tuple(torch.stack(parts) for parts in zip(*windows, strict=True))

    def loss(self, decoder: HiresDecoder, batch: tuple[Tensor, ...]) -> Tensor:
        """Mean cross-entropy where both the given and the true edge are near.

        Notes
        -----
        Where the true edge is far, the given mask is of something else, and which
        nobody can tell from nearby: for all that there is to be learned, such places
        drown it.

        Not focal and dice loss, by which whole masks are learned: with those the masks
        grew by half a pixel, since dice loss rewards to take what is doubtful.
        """
        grid, early, pixels, logits, truth, counts = batch
        drawn = decoder.draw(Seen(grid, early, pixels), logits)
        off = F.binary_cross_entropy_with_logits(drawn, truth, reduction="none")
        return (off * counts).sum() / counts.sum().clamp(min=1)


def _window(lesson: Lesson, sam: Sam, rng: np.random.Generator) -> tuple[Tensor, ...]:
    which = rng.integers(len(lesson.logits))
    logits = _altered(lesson.logits[which].astype(np.float32), rng)
    mask = lesson.mask(int(lesson.objects[which]))
    near = _near_both(logits > 0, mask)
    row, column = _choose_corner(logits > 0, near, rng)
    cells = slice(row, row + WINDOW), slice(column, column + WINDOW)
    truth, known = _cut(mask, scaled(cells[0], 16), scaled(cells[1], 16))
    detail = sam.look_closely(lesson.picture, cells)
    quarters = scaled(cells[0], 4), scaled(cells[1], 4)
    counts = near[quarters].repeat(4, axis=0).repeat(4, axis=1)
    parts = (
        lesson.features[(slice(None), *cells)],
        detail.early,
        detail.pixels,
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
    """(h, h) bool: the low-res pixels with the edges of both masks in reach."""
    sampled = truth[1::4, 1::4]
    lowered = np.zeros_like(given)
    lowered[: sampled.shape[0], : sampled.shape[1]] = sampled
    near: np.ndarray = near_edge(given) & near_edge(lowered)
    return near


def _choose_corner(
    mask: np.ndarray, near: np.ndarray, rng: np.random.Generator
) -> tuple[int, int]:
    """First row and column, in cells, of a window with a piece of the edge in it."""
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
