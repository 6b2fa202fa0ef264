"""An ideal network for `Discs`: as quick as can be, and right."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.nn.functional as F

from endurance_parts.discs import BAND, MOST_OBJECTS
from napari_sam_decoder.frames import FrameGeometry
from napari_sam_decoder.model.heads import Heads
from napari_sam_decoder.model.values import Embedding, FrameLogits, MaskCandidates

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_sam_decoder.model.values import ModelPrompt

__all__ = ["WHOLE", "IdealNetwork"]

WHOLE = 2
"""The hypothesis that is the object, between a part of it and all objects together."""

RATINGS = (0.95, 0.6, 0.95, 0.6)
"""Predicted IoU of the single-mask output and the three hypotheses."""

STEEPNESS = 12.0
"""Logit of a cell that lies wholly inside an object."""


class IdealNetwork:
    """Knows the discs by their grey levels; has what a session needs of a `Sam`.

    The embedding says of each cell, which is as large as a low-res pixel, what share of
    it each band of grey levels has. So the outline is known within the cell.
    """

    identity = "ideal"
    decoder = "ideal"
    heads = Heads()
    image_size = 256
    mask_size = 64
    embedding_shape = 1 + MOST_OBJECTS, mask_size, mask_size

    def encode(self, frame: np.ndarray) -> Embedding:
        """Measure the share of each band in each cell of a (Y, X, 3) uint8 frame."""
        frame_shape = frame.shape[0], frame.shape[1]
        geometry = FrameGeometry.fit(frame_shape, self.image_size)
        bands = frame[..., 0] // BAND
        shares = [
            geometry.coverage(bands == band, self.mask_size)
            for band in range(1 + MOST_OBJECTS)
        ]
        return Embedding(np.stack(shares), frame_shape)

    def decode(
        self,
        embedding: Embedding,
        prompts: Sequence[ModelPrompt],
        previous_logits: Sequence[np.ndarray | None] | None = None,
    ) -> MaskCandidates:
        """Offer what lies under the first positive point, a half of it, and all."""
        shares = embedding.features.astype(np.float32)
        answers = [self._answer(shares, prompt) for prompt in prompts]
        logits, ratings = zip(*answers, strict=True)
        return MaskCandidates(np.stack(logits), np.array(ratings, np.float32))

    def enlarge(
        self, low_res_logits: np.ndarray, frame_shape: tuple[int, int]
    ) -> FrameLogits:
        """Bring (h, w) low-res logits to the pixels of the frame."""
        rows, columns = (
            side * self.mask_size // max(frame_shape) for side in frame_shape
        )
        content = torch.tensor(low_res_logits[None, None, :rows, :columns])
        upscaled = F.interpolate(content, frame_shape, mode="bilinear")
        return FrameLogits(upscaled[0, 0].numpy(), (slice(None), slice(None)))

    def _answer(
        self, shares: np.ndarray, prompt: ModelPrompt
    ) -> tuple[np.ndarray, tuple[float, ...]]:
        place = prompt.points[prompt.signs == 1][0] * self.mask_size / self.image_size
        column, row = place.astype(int)
        band = int(shares[:, row, column].argmax())
        whole, everything = shares[band], shares[1:].sum(axis=0)
        half = np.where(np.arange(self.mask_size) < column, whole, 0)
        masks = np.stack([whole, half, whole, everything])
        ratings = RATINGS if band else (0.0,) * len(masks)
        return STEEPNESS * (2 * masks - 1), ratings
