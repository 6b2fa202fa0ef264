"""Prompt a decoder that draws whole masks: the document's, or a U-Net."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import torch

from decoder_parts.unet_decoder import UnetDecoder, draw_hints

if TYPE_CHECKING:
    from torch import Tensor

    from decoder_parts.document_decoder import DocumentDecoder
    from napari_sam_decoder.model.prompt_encoder import PromptEncoder

__all__ = ["DecodedPrompts", "EarlyWindow", "PromptTensors", "best_rated", "decode"]

_PIXELS_PER_CELL = 4


@dataclass(frozen=True, eq=False)
class PromptTensors:
    """Prompts on embedded pictures, one on each.

    Attributes
    ----------
    grid : (B, C, G, G) tensor of float32
        Image embeddings.
    positions : (B, T, 2) tensor of float32
        (x, y) in pixels of the network's input.
    kinds : (B, T) tensor of int64
        -1 padding, 0 background, 1 object, 2 and 3 the box's first and last corner.
    logits : (B, 1, 4 * G, 4 * G) tensor of float32, optional
        Mask prompts: an earlier result to refine.
    """

    grid: Tensor
    positions: Tensor
    kinds: Tensor
    logits: Tensor | None = None


@dataclass(frozen=True, eq=False)
class EarlyWindow:
    """A window of H x W cells of each picture, and its early features.

    Attributes
    ----------
    corners : (B, 2) tensor of int64
        First row and column, in cells.
    early : (B, early_channels, 4 * H, 4 * W) tensor of float32
        Features of the encoder's first stage.
    """

    corners: Tensor
    early: Tensor

    def crop(self, image: Tensor, factor: int = 1) -> Tensor:
        """(B, C, factor * H, factor * W) of (B, C, factor * G, factor * G)."""
        rows, columns = (
            factor * side // _PIXELS_PER_CELL for side in self.early.shape[-2:]
        )
        corners = (factor * self.corners).tolist()
        parts = [
            one[:, row : row + rows, column : column + columns]
            for one, (row, column) in zip(image, corners, strict=True)
        ]
        return torch.stack(parts)


class DecodedPrompts(Protocol):
    """What a decoder makes of prompts, before masks are drawn."""

    @property
    def ratings(self) -> Tensor | None:
        """(B, M) predicted IoUs, 0..1; None if the decoder predicts none."""

    def draw(self, window: EarlyWindow) -> Tensor:
        """(B, M, 16 * H, 16 * W) logits of float32: all hypotheses in a window."""


def decode(
    network: DocumentDecoder | UnetDecoder,
    encoder: PromptEncoder,
    prompts: PromptTensors,
) -> DecodedPrompts:
    """Give prompts to a decoder.

    Parameters
    ----------
    network : DocumentDecoder or UnetDecoder
        The decoder.
    encoder : PromptEncoder
        Frozen; a U-Net does not need it.
    prompts : PromptTensors
        The prompts.

    Returns
    -------
    DecodedPrompts
    """
    if isinstance(network, UnetDecoder):
        return _UnetPrompts(network, prompts)
    return _DocumentPrompts(network, encoder, prompts)


def best_rated(ratings: Tensor | None, logits: Tensor) -> Tensor:
    """Choose a hypothesis of each prompt.

    Parameters
    ----------
    ratings : (B, M) tensor or None
        Predicted IoUs.
    logits : (B, M, ...) tensor
        All hypotheses.

    Returns
    -------
    (B,) tensor of int64
        The one with the highest rating; the first without ratings.
    """
    if ratings is None:
        return torch.zeros(len(logits), dtype=torch.int64, device=logits.device)
    return ratings.argmax(dim=1)


class _DocumentPrompts:
    """Tokens that have attended to the prompts and the whole grid."""

    def __init__(
        self, decoder: DocumentDecoder, encoder: PromptEncoder, prompts: PromptTensors
    ) -> None:
        self._decoder = decoder
        # In a smaller number type positions would be off by pixels.
        with torch.autocast(prompts.grid.device.type, enabled=False):
            image, positions, tokens = _embedded(encoder, prompts)
            self._tokens = decoder.read(image, positions, tokens)
            self.ratings = (
                decoder.rate(self._tokens) if decoder.config.iou_head else None
            )
        self._grid = image.transpose(1, 2).reshape(prompts.grid.shape)

    def draw(self, window: EarlyWindow) -> Tensor:
        dtype = next(self._decoder.drawing.parameters()).dtype
        return self._decoder.draw(
            _for_convolutions(window.crop(self._grid), dtype),
            _for_convolutions(window.early, dtype),
            self._tokens.to(dtype),
        )


class _UnetPrompts:
    """Prompts drawn as channels."""

    ratings = None

    def __init__(self, network: UnetDecoder, prompts: PromptTensors) -> None:
        size = _PIXELS_PER_CELL * prompts.grid.shape[-1]
        self._network = network
        self._grid = prompts.grid
        self._hints = draw_hints(prompts.positions, prompts.kinds, prompts.logits, size)

    def draw(self, window: EarlyWindow) -> Tensor:
        dtype = next(self._network.parameters()).dtype
        return self._network.draw(
            _for_convolutions(window.crop(self._grid), dtype),
            _for_convolutions(window.early, dtype),
            window.crop(self._hints, _PIXELS_PER_CELL),
        )


@torch.no_grad()
def _embedded(
    encoder: PromptEncoder, prompts: PromptTensors
) -> tuple[Tensor, Tensor, Tensor]:
    """Cells with the mask prompt, their positions, and the tokens of the prompts."""
    cells = prompts.grid.flatten(2).transpose(1, 2)
    dense = (
        encoder.embed_no_mask()
        if prompts.logits is None
        else encoder.embed_masks(prompts.logits, cells.dtype)
    )
    tokens = encoder.embed_tokens(prompts.positions, prompts.kinds)
    return cells + dense, encoder.grid_positions(), tokens


def _for_convolutions(image: Tensor, dtype: torch.dtype) -> Tensor:
    """Convolutions are faster with channels last."""
    return image.to(dtype, memory_format=torch.channels_last)
