"""A frame on which objects are shown, with the networks that see it."""

from __future__ import annotations

from dataclasses import dataclass, field
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
CLICKS_REMEMBERED = 8
"""Their masks take one or two megabytes each."""


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
    picture : (1 or 3, Y, X) array of uint8
        One channel if all three are equal.
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
    _at_clicks: dict[tuple[int, ...], np.ndarray] = field(
        default_factory=dict, init=False, repr=False
    )

    @property
    def shape(self) -> tuple[int, int]:
        """(Y, X) of the frame."""
        return self.geometry.frame_shape

    def decode_first(self, prompt: Prompt, first: Action | None) -> MaskCandidates:
        """Decode what shows an object first: an outline, or else an action."""
        actions = [] if first is None else [first]
        found = self.decoder.decode(
            self.embedding, [self._model_prompt(prompt, actions)], [None]
        )
        if first is not None and first.is_click and prompt.outer_box is None:
            self._remember(_middle(first), found.low_res_logits[0])
        return found

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
        asked, place = self._model_prompt(prompt, actions), _middle(actions[-1])
        alone = self._at_clicks.get(place)
        if alone is not None:
            found = self.decoder.decode(self.embedding, [asked], [so_far])
            return found.low_res_logits[0], alone
        here = self.geometry.to_prompt(np.array(place), [True])
        found = self.decoder.decode(self.embedding, [asked, here], [so_far, None])
        self._remember(place, found.low_res_logits[1])
        return found.low_res_logits[0], found.low_res_logits[1]

    def _remember(self, place: tuple[int, ...], logits: np.ndarray) -> None:
        """Keep what the decoder draws of a single click: rivals are told apart by it.

        They are answered again with each other's click, soon after their own.
        """
        while len(self._at_clicks) >= CLICKS_REMEMBERED:
            self._at_clicks.pop(next(iter(self._at_clicks)), None)
        self._at_clicks[place] = logits

    def _model_prompt(self, prompt: Prompt, actions: Sequence[Action]) -> ModelPrompt:
        pixels = [most_of(action.pixels, POINTS_OF_SCRIBBLE) for action in actions]
        signs = [
            action.is_positive
            for few, action in zip(pixels, actions, strict=True)
            for _ in few
        ]
        points = np.concatenate([np.zeros((0, 2), int), *pixels])
        return self.geometry.to_prompt(points, signs, prompt.outer_box)


def _middle(action: Action) -> tuple[int, ...]:
    """(row, column) of the pixel that stands for an action."""
    return tuple(action.pixels[len(action.pixels) // 2].tolist())
