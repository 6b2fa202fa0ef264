"""A frame on which objects are shown, with the networks that see it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from napari_sam_decoder.interactive.clues import most_of
from napari_sam_decoder.prompts import mask_logits

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from napari_sam_decoder.frames import FrameGeometry
    from napari_sam_decoder.interactive.actions import Action
    from napari_sam_decoder.interactive.refiner import Refiner
    from napari_sam_decoder.model.values import (
        Embedding,
        FrameLogits,
        MaskCandidates,
        ModelPrompt,
    )
    from napari_sam_decoder.prompts import Prompt

__all__ = ["Decoder", "ShownFrame"]

POINTS_OF_SCRIBBLE = 3
"""Points that stand for a scribble, which the decoder does not know."""


class Decoder(Protocol):
    """What is needed of a network beside its embeddings, for example a `Sam`."""

    @property
    def image_size(self) -> int:
        """Side of the square input in model pixels."""

    @property
    def mask_size(self) -> int:
        """Side of the low-res logits."""

    def decode(
        self,
        embedding: Embedding,
        prompts: Sequence[ModelPrompt],
        previous_logits: Sequence[np.ndarray | None] | None = None,
    ) -> MaskCandidates:
        """Return four candidate masks for each prompt."""

    def enlarge(
        self, low_res_logits: np.ndarray, frame_shape: tuple[int, int]
    ) -> FrameLogits:
        """Bring (h, w) low-res logits to the pixels of the frame."""


@dataclass(frozen=True, eq=False)
class ShownFrame:
    """One frame, its embedding, and the networks.

    Attributes
    ----------
    picture : (3, Y, X) array of uint8
    embedding : Embedding
    decoder : Decoder
    refiner : Refiner
    geometry : FrameGeometry
    rate : callable
        Returns (B, 4) ratings of the decoder's masks for single clicks.
    draw : callable
        Returns the `FrameLogits` of (h, w) low-res logits of the decoder.
    """

    picture: np.ndarray
    embedding: Embedding
    decoder: Decoder
    refiner: Refiner
    geometry: FrameGeometry
    rate: Callable[[MaskCandidates], np.ndarray]
    draw: Callable[[np.ndarray], FrameLogits]

    @property
    def shape(self) -> tuple[int, int]:
        """(Y, X) of the frame."""
        return self.geometry.frame_shape

    def decode_first(self, prompt: Prompt, first: Action | None) -> MaskCandidates:
        """Decode what shows an object first: an outline, or else an action."""
        actions = [] if first is None else [first]
        return self.decoder.decode(
            self.embedding, [self._model_prompt(prompt, actions)], [None]
        )

    def decode_action(
        self, prompt: Prompt, actions: Sequence[Action], mask: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Decode all actions with the mask so far, and the last one by itself.

        Returns
        -------
        together, alone : (4, h, h) array of float32
            Low-res logits. ``alone`` shows what is at the action, whatever its sign.
        """
        so_far = None
        if mask.any():
            so_far = mask_logits(mask, self.geometry, self.decoder.mask_size)
        pixels = actions[-1].pixels
        here = self.geometry.to_prompt(pixels[len(pixels) // 2], [True])
        found = self.decoder.decode(
            self.embedding,
            [self._model_prompt(prompt, actions), here],
            [so_far, None],
        )
        return found.low_res_logits[0], found.low_res_logits[1]

    def _model_prompt(self, prompt: Prompt, actions: Sequence[Action]) -> ModelPrompt:
        pixels = [most_of(action.pixels, POINTS_OF_SCRIBBLE) for action in actions]
        signs = [
            action.is_positive
            for few, action in zip(pixels, actions, strict=True)
            for _ in few
        ]
        points = np.concatenate([np.zeros((0, 2), int), *pixels])
        return self.geometry.to_prompt(points, signs, prompt.outer_box)
