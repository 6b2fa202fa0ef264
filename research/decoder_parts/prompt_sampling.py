"""Random prompts for the objects of examples, with windows and their truth."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from torch import Tensor

from decoder_parts.whole_mask_decoding import EarlyWindow
from napari_sam_decoder.model.prompt_encoder import tokenise
from napari_sam_decoder.model.transforms import scaled
from napari_sam_decoder.training.simulated_prompts import first_prompt, low_res_mask

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_sam_decoder.model.sam import Sam
    from napari_sam_decoder.training.simulated_prompts import PromptSequence
    from shipped_head.sam_examples import SamExample

__all__ = ["PromptSampler", "SamplingOptions", "WindowBatch"]

CELL = 16
"""Pixels of the network's input a side."""


@dataclass(frozen=True)
class SamplingOptions:
    """How a batch is drawn.

    Attributes
    ----------
    pictures : int
        Examples.
    objects : int
        Prompts on each of them, perhaps several for one object.
    near, far : int
        Sides, in cells, of the window at the object and of a random window.
    """

    pictures: int = 2
    objects: int = 2
    near: int = 20
    far: int = 10


class WindowBatch(NamedTuple):
    """Prompts for objects, and the truth.

    Attributes
    ----------
    grid : (B, C, G, G) tensor of float32
        Image embeddings.
    positions, kinds : (B, 2, 2) tensor of float32, (B, 2) tensor of int64
        The tokens of a box, or of a point and of the lack of a box.
    low_res : (B, 1, 4 * G, 4 * G) tensor of bool
        The truth, in low-res pixels.
    near_corners, far_corners : (B, 2) tensor of int64
        First row and column of a window, in cells.
    near_early, far_early : (B, E, 4 * N, 4 * N) tensor of float32
        Features of the encoder's first stage there.
    near_truth, far_truth : (B, 16 * N, 16 * N) tensor of float32
        0 or 1; 0 in the padding.
    """

    grid: Tensor
    positions: Tensor
    kinds: Tensor
    low_res: Tensor
    near_corners: Tensor
    near_early: Tensor
    near_truth: Tensor
    far_corners: Tensor
    far_early: Tensor
    far_truth: Tensor

    @property
    def windows(self) -> list[EarlyWindow]:
        """The near and the far one."""
        return [
            EarlyWindow(self.near_corners, self.near_early),
            EarlyWindow(self.far_corners, self.far_early),
        ]

    @property
    def truth(self) -> Tensor:
        """(B, P) tensor of float32: the pixels of both windows."""
        return torch.cat([self.near_truth.flatten(1), self.far_truth.flatten(1)], dim=1)


class PromptSampler:
    """Draws random prompts.

    Parameters
    ----------
    examples : sequence of SamExample
        PromptTensors for one whenever prompts on it are wanted; each has objects.
    sam : Sam
        The network that embedded them; encodes windows.
    options : SamplingOptions
        How a batch is drawn.
    """

    def __init__(
        self, examples: Sequence[SamExample], sam: Sam, options: SamplingOptions
    ) -> None:
        self._lessons = examples
        self._sam = sam
        self._options = options

    def batch(self, rng: np.random.Generator) -> WindowBatch:
        """Draw objects, prompts and windows.

        Returns
        -------
        WindowBatch
            With `SamplingOptions.pictures` times `SamplingOptions.objects` prompts.
        """
        parts: list[tuple[Tensor, ...]] = []
        while len(parts) < self._options.pictures * self._options.objects:
            example = self._lessons[int(rng.integers(len(self._lessons)))]
            sequences = self._prompts(example, rng)
            parts += [self._row(example, sequence, rng) for sequence in sequences]
        return WindowBatch(*(torch.stack(part) for part in zip(*parts, strict=True)))

    def _prompts(
        self, example: SamExample, rng: np.random.Generator
    ) -> list[PromptSequence]:
        """Prompt for some objects; for none if all are smaller than a low-res pixel."""
        sizes = self._sam.image_size, self._sam.mask_size
        low_res = [
            low_res_mask(example.mask(index), *sizes)
            for index in range(len(example.truth))
        ]
        seen = [index for index, mask in enumerate(low_res) if mask.any()]
        chosen = rng.integers(len(seen), size=self._options.objects) if seen else ()
        return [first_prompt(seen[one], low_res[seen[one]], rng) for one in chosen]

    def _row(
        self, example: SamExample, sequence: PromptSequence, rng: np.random.Generator
    ) -> tuple[Tensor, ...]:
        """One row of a batch."""
        tokens = tokenise(sequence.prompt)
        mask = example.mask(sequence.index)
        middle = _middle(sequence)
        near = _near_corner(sequence.truth, middle, self._options.near, rng)
        far = _far_corner(example, self._sam.embedding_shape[1], self._options.far, rng)
        parts = (
            example.features.astype(np.float32),
            tokens.positions,
            tokens.kinds,
            sequence.truth[None],
            *self._window(example, mask, near, self._options.near),
            *self._window(example, mask, far, self._options.far),
        )
        return tuple(torch.from_numpy(part) for part in parts)

    def _window(
        self, example: SamExample, mask: np.ndarray, corner: np.ndarray, side: int
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Corner, early features and truth of a window."""
        row, column = corner.tolist()
        cells = slice(row, row + side), slice(column, column + side)
        early = self._sam.encode_window(example.picture, cells).early
        rows, columns = (scaled(one, CELL) for one in cells)
        shown = mask[rows, columns]
        truth = np.zeros((CELL * side, CELL * side), np.float32)
        truth[: shown.shape[0], : shown.shape[1]] = shown
        return corner, np.ascontiguousarray(early), truth


def _middle(sequence: PromptSequence) -> np.ndarray:
    """Row and column, in cells, of the click or of the centre of the box."""
    box = sequence.box
    x, y = sequence.points[0] if box is None else (box[:2] + box[2:]) / 2
    return np.array([y, x]) // CELL


def _near_corner(
    low_res: np.ndarray, middle: np.ndarray, side: int, rng: np.random.Generator
) -> np.ndarray:
    """First row and column of a window with the object in it, or the prompted part.

    A U-Net sees only prompts in the window.
    """
    count = len(low_res) // 4
    filled = [np.flatnonzero(low_res.any(axis=axis)) // 4 for axis in (1, 0)]
    first = np.array([places[0] for places in filled])
    last = np.array([places[-1] for places in filled]) + 1 - side
    corner = rng.integers(np.minimum(first, last), np.maximum(first, last) + 1)
    around = corner.clip(middle - side + 1, middle).clip(0, count - side)
    chosen: np.ndarray = around.astype(np.int64)
    return chosen


def _far_corner(
    example: SamExample, count: int, side: int, rng: np.random.Generator
) -> np.ndarray:
    """First row and column of a random window, if possible without padding."""
    shown = -(-example.shown // CELL)
    highest = (shown - side).clip(0, count - side)
    return rng.integers(0, highest + 1)
