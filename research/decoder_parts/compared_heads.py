"""The decoders that are compared: ways to make masks of one embedding."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
import torch
import torch.nn.functional as F

from decoder_parts.whole_mask_decoding import (
    EarlyWindow,
    PromptTensors,
    best_rated,
    decode,
)
from napari_sam_decoder.model.prompt_encoder import tokenise
from napari_sam_decoder.model.transforms import enlarge, input_shape
from napari_sam_decoder.model.values import BACKGROUND_LOGIT
from shipped_head.zoom import zoom_in

if TYPE_CHECKING:
    from decoder_parts.document_decoder import DocumentDecoder
    from decoder_parts.unet_decoder import UnetDecoder
    from napari_sam_decoder.model.heads import Rater, Sharpener
    from napari_sam_decoder.model.sam import Sam
    from napari_sam_decoder.model.values import Embedding, ModelPrompt

__all__ = [
    "ComparedHead",
    "DecodedMasks",
    "EncodedPicture",
    "FixedHead",
    "SamHead",
    "SharpHead",
    "WholeMaskHead",
    "ZoomHead",
]


@dataclass(frozen=True, eq=False)
class EncodedPicture:
    """A frame and its embedding.

    Attributes
    ----------
    picture : (Y, X, 3) array of uint8
        RGB.
    embedding : Embedding
        Of the picture.
    """

    picture: np.ndarray
    embedding: Embedding


@dataclass(frozen=True, eq=False)
class DecodedMasks:
    """The masks of a decoder for one prompt.

    Attributes
    ----------
    logits : (M, h, h) array of float32
        Logits over the square input, which can be fed back.
    ratings : (M,) array of float32
        Predicted IoUs; NaN if none are predicted, and then the first mask is chosen.
    """

    logits: np.ndarray
    ratings: np.ndarray


class ComparedHead(Protocol):
    """A decoder that is measured."""

    def decode(
        self, view: EncodedPicture, prompt: ModelPrompt, previous: np.ndarray | None
    ) -> DecodedMasks:
        """Give hypotheses for a first prompt, and a single mask with a previous one."""

    def mask(
        self, view: EncodedPicture, prompt: ModelPrompt, logits: np.ndarray
    ) -> np.ndarray:
        """Return one of the masks at the pixels of the frame, (Y, X) bool."""


class SamHead:
    """SAM's own decoder, and bilinear enlargement.

    Parameters
    ----------
    sam : Sam
        Its heads are ignored.
    rater : Rater, optional
        Rates the hypotheses instead.
    """

    def __init__(self, sam: Sam, rater: Rater | None = None) -> None:
        self._sam = sam
        self._rater = rater

    def decode(
        self, view: EncodedPicture, prompt: ModelPrompt, previous: np.ndarray | None
    ) -> DecodedMasks:
        """Give three hypotheses, or the single mask with a previous one."""
        answer = self._sam.decode(view.embedding, [prompt], [previous])
        asked = slice(1, 4) if previous is None else slice(0, 1)
        ratings = answer.iou_predictions[0, asked]
        if previous is None and self._rater is not None:
            ratings = self._rater.rate(answer.tokens)[0]
        return DecodedMasks(answer.low_res_logits[0, asked], ratings)

    def mask(
        self, view: EncodedPicture, prompt: ModelPrompt, logits: np.ndarray
    ) -> np.ndarray:
        """Return the mask, (Y, X) bool."""
        shape = view.embedding.frame_shape
        return self._sam.enlarge(logits, shape).mask(shape)


class FixedHead(SamHead):
    """SAM's decoder without ratings: always the same output is chosen.

    Parameters
    ----------
    sam : Sam
        The network.
    output : {0, 1, 2, 3}
        0 for the single mask, which is then the only one; else the number of a
        hypothesis.
    """

    def __init__(self, sam: Sam, output: int) -> None:
        super().__init__(sam)
        self._output = output

    def decode(
        self, view: EncodedPicture, prompt: ModelPrompt, previous: np.ndarray | None
    ) -> DecodedMasks:
        """Give the same masks; the chosen one is rated 1, all others 0."""
        if previous is not None:
            return super().decode(view, prompt, previous)
        logits = self._sam.decode(view.embedding, [prompt]).low_res_logits[0]
        masks = logits[1:] if self._output else logits[:1]
        ratings = np.zeros(len(masks), np.float32)
        ratings[max(self._output - 1, 0)] = 1
        return DecodedMasks(masks, ratings)


class ZoomHead(SamHead):
    """SAM's decoder, and each mask segmented again in an enlarged view."""

    def mask(
        self, view: EncodedPicture, prompt: ModelPrompt, logits: np.ndarray
    ) -> np.ndarray:
        """Return the mask, (Y, X) bool."""
        seen = zoom_in(self._sam, view.picture, logits, prompt)
        if seen is None:
            return np.zeros(view.embedding.frame_shape, bool)
        return seen[0].mask(view.embedding.frame_shape)


class SharpHead(SamHead):
    """SAM's decoder with sharpened masks.

    Parameters
    ----------
    sam : Sam
        The network.
    sharpener : Sharpener
        Draws the masks.
    rater : Rater, optional
        As for `SamHead`.
    """

    def __init__(
        self, sam: Sam, sharpener: Sharpener, rater: Rater | None = None
    ) -> None:
        super().__init__(sam, rater)
        self._sharpener = sharpener

    def mask(
        self, view: EncodedPicture, prompt: ModelPrompt, logits: np.ndarray
    ) -> np.ndarray:
        """Return the mask, (Y, X) bool."""
        found = self._sharpener.sharpen(view.picture, view.embedding, logits)
        return found.mask(view.embedding.frame_shape)


class WholeMaskHead:
    """A decoder that draws whole masks itself: the document's, or a U-Net.

    Parameters
    ----------
    sam : Sam
        Embeds frames and prompts.
    network : DocumentDecoder or UnetDecoder
        Trained with it.
    """

    def __init__(self, sam: Sam, network: DocumentDecoder | UnetDecoder) -> None:
        self._sam = sam
        self._network = network.eval().to(memory_format=torch.channels_last)

    @torch.inference_mode()
    def decode(
        self, view: EncodedPicture, prompt: ModelPrompt, previous: np.ndarray | None
    ) -> DecodedMasks:
        """Give all hypotheses, or the best rated one with a previous one."""
        tokens = tokenise(prompt)
        prompts = PromptTensors(
            _tensor(view.embedding.features),
            _tensor(tokens.positions),
            torch.from_numpy(tokens.kinds)[None],
            None if previous is None else F.avg_pool2d(_tensor(previous)[None], 4),
        )
        decoded = decode(self._network, self._sam.prompt_encoder, prompts)
        shown = decoded.draw(self._whole(view))
        size = self._sam.image_size
        drawn = torch.full((shown.shape[1], size, size), BACKGROUND_LOGIT)
        drawn[:, : shown.shape[2], : shown.shape[3]] = shown[0]
        ratings = drawn.new_full((len(drawn),), torch.nan)
        if decoded.ratings is not None:
            ratings = decoded.ratings[0]
        wanted = slice(None) if previous is None else best_rated(decoded.ratings, shown)
        return DecodedMasks(drawn[wanted].numpy(), ratings[wanted].numpy())

    def mask(
        self, view: EncodedPicture, prompt: ModelPrompt, logits: np.ndarray
    ) -> np.ndarray:
        """Return the mask, (Y, X) bool."""
        shape = view.embedding.frame_shape
        return enlarge(logits, shape, self._sam.image_size).mask(shape)

    def _whole(self, view: EncodedPicture) -> EarlyWindow:
        """The cells that show the frame."""
        stride = self._sam.image_size // self._sam.embedding_shape[1]
        rows, columns = (
            -(-side // stride)
            for side in input_shape(view.embedding.frame_shape, self._sam.image_size)
        )
        encoded = self._sam.encode_window(
            view.picture, (slice(0, rows), slice(0, columns))
        )
        return EarlyWindow(torch.zeros(1, 2, dtype=torch.int64), _tensor(encoded.early))


def _tensor(array: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.array(array, np.float32))[None]
