"""Teach a decoder to rate SAM's hypotheses."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.nn.functional as F

if TYPE_CHECKING:
    from collections.abc import Iterable

    from torch import Tensor

    from napari_sam_decoder.model.hires_decoder import HiresDecoder
    from napari_sam_decoder.training.lessons import Lesson

__all__ = ["Rating"]


class Rating:
    """Prompts, and how good each of the three answers to them is.

    Parameters
    ----------
    lessons : iterable of Lesson
        Read once; only tokens are kept, 3 KB for each prompt.
    size : int
        Prompts in a batch.
    """

    def __init__(self, lessons: Iterable[Lesson], size: int = 64) -> None:
        tokens, ious = zip(
            *((lesson.tokens, lesson.ious) for lesson in lessons), strict=True
        )
        self._tokens = np.concatenate(tokens)
        self._ious = np.concatenate(ious)
        self._size = size

    def batch(self, rng: np.random.Generator) -> tuple[Tensor, ...]:
        """Return (B, 5, 256) tokens and (B, 3) IoUs, 0..1, of prompts by chance."""
        chosen = rng.integers(len(self._tokens), size=self._size)
        tokens = self._tokens[chosen].astype(np.float32)
        return torch.from_numpy(tokens), torch.from_numpy(self._ious[chosen])

    def loss(self, decoder: HiresDecoder, batch: tuple[Tensor, ...]) -> Tensor:
        """Mean square of how far predicted IoUs are off."""
        tokens, ious = batch
        return F.mse_loss(decoder.rate(tokens), ious)
