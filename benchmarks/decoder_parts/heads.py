"""Ways to make masks of one embedding: the decoders that are compared."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from napari_sam_decoder.training.closer import look_closer

if TYPE_CHECKING:
    from napari_sam_decoder.model.sam import Sam
    from napari_sam_decoder.model.sharpener import Sharpener
    from napari_sam_decoder.model.values import Embedding, ModelPrompt

__all__ = ["Head", "Offers", "SamHead", "SlimHead", "View", "ZoomHead"]


@dataclass(frozen=True, eq=False)
class View:
    """A frame and its embedding."""

    picture: np.ndarray
    embedding: Embedding


@dataclass(frozen=True, eq=False)
class Offers:
    """What a decoder answers to a prompt.

    Attributes
    ----------
    logits : (M, h, w) array of float32
        Low-res logits, to be fed back.
    ratings : (M,) array of float32
        Predicted IoUs.
    """

    logits: np.ndarray
    ratings: np.ndarray


class Head(Protocol):
    """A decoder to be measured."""

    def ask(
        self, view: View, prompt: ModelPrompt, previous: np.ndarray | None
    ) -> Offers:
        """Answer a prompt: hypotheses to the first, a single mask to later ones."""

    def mask(self, view: View, prompt: ModelPrompt, logits: np.ndarray) -> np.ndarray:
        """(Y, X) bool of one of the answers."""


class SamHead:
    """The decoder of the public checkpoints, and bilinear enlargement."""

    def __init__(self, sam: Sam) -> None:
        self._sam = sam

    def ask(
        self, view: View, prompt: ModelPrompt, previous: np.ndarray | None
    ) -> Offers:
        """Offer three hypotheses, or the single mask where there is a previous one."""
        answer = self._sam.decode(view.embedding, [prompt], [previous])
        asked = slice(1, 4) if previous is None else slice(0, 1)
        ratings = answer.iou_predictions[0, asked]
        if previous is None and answer.tokens is not None:
            ratings = self._rate(answer.tokens, ratings)
        return Offers(answer.low_res_logits[0, asked], ratings)

    def mask(self, view: View, prompt: ModelPrompt, logits: np.ndarray) -> np.ndarray:
        """(Y, X) bool."""
        shape = view.embedding.frame_shape
        return self._sam.enlarge(logits, shape).mask(shape)

    def _rate(self, tokens: np.ndarray, ratings: np.ndarray) -> np.ndarray:
        return ratings


class ZoomHead(SamHead):
    """The same, and a second look at each mask in a picture of it alone."""

    def mask(self, view: View, prompt: ModelPrompt, logits: np.ndarray) -> np.ndarray:
        """(Y, X) bool."""
        seen = look_closer(self._sam, view.picture, logits, prompt)
        if seen is None:
            return np.zeros(view.embedding.frame_shape, bool)
        return seen[0].mask(view.embedding.frame_shape)


class SlimHead(SamHead):
    """The same, drawn sharper and rated anew."""

    def __init__(self, sam: Sam, sharpener: Sharpener, *, rates: bool = True) -> None:
        super().__init__(sam)
        self._sharpener = sharpener
        self._rates = rates

    def mask(self, view: View, prompt: ModelPrompt, logits: np.ndarray) -> np.ndarray:
        """(Y, X) bool."""
        found = self._sharpener.sharpen(view.picture, view.embedding, logits)
        return found.mask(view.embedding.frame_shape)

    def _rate(self, tokens: np.ndarray, ratings: np.ndarray) -> np.ndarray:
        return self._sharpener.rate(tokens)[0] if self._rates else ratings
