"""A network that sees bright things, whole, wherever it is clicked on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_sam_decoder.model.transforms import input_shape
from napari_sam_decoder.model.values import (
    BACKGROUND_LOGIT,
    Embedding,
    FrameLogits,
    MaskCandidates,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_sam_decoder.model.values import ModelPrompt

__all__ = ["BrightSam"]

SURE = 4.0


class BrightSam:
    """Has the methods of `Sam`; its masks are the bright low-res pixels of a frame.

    Hypotheses 1 to 3 are rated 0.3, 0.9 and 0.6; all are the same mask.
    """

    image_size = 512
    mask_size = 128

    def __init__(self) -> None:
        self.seen: list[np.ndarray] = []
        self.prompts: list[Sequence[ModelPrompt]] = []

    def encode(self, frame: np.ndarray) -> Embedding:
        self.seen.append(frame)
        shape = frame.shape[0], frame.shape[1]
        return Embedding(frame[..., 0].astype(np.float32), shape)

    def decode(
        self,
        embedding: Embedding,
        prompts: Sequence[ModelPrompt],
        previous_logits: Sequence[np.ndarray | None] | None = None,
    ) -> MaskCandidates:
        self.prompts.append(prompts)
        rows, columns = (
            side // 4 for side in input_shape(embedding.frame_shape, self.image_size)
        )
        height, width = embedding.features.shape
        bright = embedding.features[
            np.ix_(
                ((np.arange(rows) + 0.5) * height / rows).astype(int),
                ((np.arange(columns) + 0.5) * width / columns).astype(int),
            )
        ]
        logits = np.full((4, 128, 128), BACKGROUND_LOGIT, np.float32)
        logits[:, :rows, :columns] = np.where(bright > 128, SURE, -SURE)
        count = len(prompts)
        return MaskCandidates(
            np.repeat(logits[None], count, axis=0),
            np.tile(np.array([0.86, 0.3, 0.9, 0.6], np.float32), (count, 1)),
            np.ones((count, 5, 256), np.float32),
        )

    def upscale(
        self, low_res_logits: np.ndarray, frame_shape: tuple[int, int]
    ) -> np.ndarray:
        rows, columns = (side / 4 for side in input_shape(frame_shape, self.image_size))
        height, width = frame_shape
        across = ((np.arange(width) + 0.5) * columns / width).astype(int)
        down = ((np.arange(height) + 0.5) * rows / height).astype(int)
        found: np.ndarray = low_res_logits[:, down][:, :, across]
        return found

    def enlarge(
        self, low_res_logits: np.ndarray, frame_shape: tuple[int, int]
    ) -> FrameLogits:
        values = self.upscale(low_res_logits[None], frame_shape)[0]
        return FrameLogits(values, (slice(None), slice(None)))
