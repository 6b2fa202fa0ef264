"""The task of rating SAM's hypotheses."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.nn.functional as F

if TYPE_CHECKING:
    from collections.abc import Iterable

    from torch import Tensor

    from napari_sam_decoder.model.heads import HiresDecoder
    from shipped_head.sam_examples import SamExample

__all__ = ["RatingTask"]


class RatingTask:
    """Draws SAM's tokens with the true IoUs, and computes the loss of an IoU head.

    Parameters
    ----------
    examples : iterable of SamExample
        Read once; only tokens and IoUs are kept, 3 KB per prompt.
    size : int
        Prompts in a batch.
    """

    def __init__(self, examples: Iterable[SamExample], size: int = 64) -> None:
        tokens, ious = zip(
            *((example.tokens, example.ious) for example in examples), strict=True
        )
        self._tokens = np.concatenate(tokens)
        self._ious = np.concatenate(ious)
        self._size = size

    def batch(self, rng: np.random.Generator) -> tuple[Tensor, ...]:
        """Return (B, 5, 256) tokens and (B, 3) IoUs, 0..1, of random prompts."""
        chosen = rng.integers(len(self._tokens), size=self._size)
        tokens = self._tokens[chosen].astype(np.float32)
        return torch.from_numpy(tokens), torch.from_numpy(self._ious[chosen])

    def loss(self, decoder: HiresDecoder, batch: tuple[Tensor, ...]) -> Tensor:
        """Return the mean squared error of the predicted IoUs."""
        tokens, ious = batch
        return F.mse_loss(decoder.iou_prediction_head(tokens), ious)
