"""Fine-tuning of the mask decoder on windows of embedded pictures, which is faster."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import torch

from napari_sam_decoder.model.layers import unflattened
from napari_sam_decoder.training.finetuning import Finetuning

if TYPE_CHECKING:
    from torch import Tensor

    from napari_sam_decoder.model.mask_decoder import MaskDecoder
    from napari_sam_decoder.training.examples import TrainingExample
    from napari_sam_decoder.training.finetuning import PromptBatch

__all__ = ["WINDOW", "WindowedFinetuning"]

WINDOW = 32
"""Side of a window, in cells of the embedding: a quarter of all cells."""

WHOLE_SHARE = 0.15
"""Share of the batches on whole pictures, as in use."""

_LOW_RES, _INPUT = 4, 16
"""Low-res pixels, and pixels of the network's input, along a cell."""

_LEAST_VISIBLE = 0.3
"""Objects of which a window shows less are not prompted for."""


class WindowedFinetuning(Finetuning):
    """As `Finetuning`, mostly on windows, which lie anywhere in the network's input."""

    _corner = (0, 0)

    def batch(self, rng: np.random.Generator) -> tuple[Tensor, ...]:  # type: ignore[override]
        """Return a `PromptBatch`, and the (row, column) of the window's first cell."""
        prompts = super().batch(rng)
        free = 1 + self._sam.prompt_encoder.grid - prompts.features.shape[-1]
        return *prompts, torch.from_numpy(rng.integers(free, size=2))

    def loss(self, decoder: MaskDecoder, batch: tuple[Tensor, ...]) -> Tensor:
        """Return the loss of `Finetuning` on the window."""
        *prompts, corner = batch
        row, column = corner.tolist()
        side = prompts[0].shape[-1]
        every = unflattened(self._positions, 0, (self._sam.prompt_encoder.grid,) * 2)
        placed = copy.copy(self)
        placed._corner = row, column
        window = every[row : row + side, column : column + side]
        placed._positions = window.flatten(0, 1)
        return Finetuning.loss(placed, decoder, tuple(prompts))

    def _drawn(self, rng: np.random.Generator) -> tuple[TrainingExample, np.ndarray]:
        """A part of an example, and what it shows of the objects."""
        example, masks = super()._drawn(rng)
        if rng.random() < WHOLE_SHARE:
            return example, masks
        inside = np.argwhere(masks[rng.integers(len(masks))])
        middle = inside[rng.integers(len(inside))] // _LOW_RES
        grid = self._sam.prompt_encoder.grid
        row, column = (middle - rng.integers(WINDOW, size=2)).clip(0, grid - WINDOW)
        rows, columns = slice(row, row + WINDOW), slice(column, column + WINDOW)
        seen = masks[:, _scaled(rows), _scaled(columns)]
        shares = seen.sum(axis=(1, 2)) / masks.sum(axis=(1, 2))
        if not (shares >= _LEAST_VISIBLE).any():
            return example, masks
        left = example.shown - _INPUT * np.array([row, column])
        part = replace(
            example,
            features=np.ascontiguousarray(example.features[:, rows, columns]),
            shown=left.clip(1, _INPUT * WINDOW),
        )
        return part, seen[shares >= _LEAST_VISIBLE]

    def _embedded(self, prompts: PromptBatch) -> tuple[Tensor, Tensor]:
        corner = prompts.positions.new_tensor(self._corner[::-1])
        moved = prompts.positions + _INPUT * corner
        return super()._embedded(prompts._replace(positions=moved))


def _scaled(cells: slice) -> slice:
    return slice(_LOW_RES * cells.start, _LOW_RES * cells.stop)
