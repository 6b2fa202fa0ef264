"""Ask a decoder that draws whole masks: the one of the document, or a U-Net."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import torch

from napari_sam_decoder.model.hires_decoder import HiresDecoder, Seen
from shipped_head.unet_decoder import UnetDecoder, draw_hints

if TYPE_CHECKING:
    from torch import Tensor

    from napari_sam_decoder.model.prompt_encoder import PromptEncoder

__all__ = ["Answer", "Asked", "Window", "ask", "pick"]

_PIXELS_PER_CELL = 4


@dataclass(frozen=True, eq=False)
class Asked:
    """Prompts on embedded pictures, one on each.

    Attributes
    ----------
    grid : (B, C, G, G) tensor of float32
        Image embeddings.
    places : (B, T, 2) tensor of float32
        (x, y) in pixels of the network's input.
    kinds : (B, T) tensor of int64
        -1 padding, 0 background, 1 object, 2 and 3 the box's first and last corner.
    logits : (B, 1, 4 * G, 4 * G) tensor of float32, optional
        Of an earlier answer, to be refined.
    """

    grid: Tensor
    places: Tensor
    kinds: Tensor
    logits: Tensor | None = None


@dataclass(frozen=True, eq=False)
class Window:
    """A part of H x W cells of each picture, and what the encoder saw early there.

    Attributes
    ----------
    corners : (B, 2) tensor of int64
        First row and column, in cells.
    early : (B, early_channels, 4 * H, 4 * W) tensor of float32
    """

    corners: Tensor
    early: Tensor

    def cut(self, image: Tensor, factor: int = 1) -> Tensor:
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


class Answer(Protocol):
    """What a decoder makes of prompts, before any of it is drawn."""

    @property
    def ratings(self) -> Tensor | None:
        """(B, M) predicted IoUs, 0..1; None if the decoder predicts none."""

    def draw(self, window: Window) -> Tensor:
        """(B, M, 16 * H, 16 * W) logits of float32: all hypotheses in a window."""


def ask(
    network: HiresDecoder | UnetDecoder, encoder: PromptEncoder, asked: Asked
) -> Answer:
    """Let a decoder read prompts.

    Parameters
    ----------
    network : HiresDecoder or UnetDecoder
        The former with a depth above 0.
    encoder : PromptEncoder
        Frozen; not needed by a U-Net.
    asked : Asked
        What is wanted.

    Returns
    -------
    Answer
    """
    if isinstance(network, UnetDecoder):
        return _UnetAnswer(network, asked)
    return _HiresAnswer(network, encoder, asked)


def pick(ratings: Tensor | None, drawn: Tensor) -> Tensor:
    """Choose a hypothesis as it is done in use.

    Parameters
    ----------
    ratings : (B, M) tensor or None
        Predicted IoUs.
    drawn : (B, M, ...) tensor
        All hypotheses.

    Returns
    -------
    (B,) tensor of int64
        The one with the highest rating; the first one where there is none.
    """
    if ratings is None:
        return torch.zeros(len(drawn), dtype=torch.int64, device=drawn.device)
    return ratings.argmax(dim=1)


class _HiresAnswer:
    """Tokens that have read the prompts and the whole grid."""

    def __init__(
        self, decoder: HiresDecoder, encoder: PromptEncoder, asked: Asked
    ) -> None:
        self._decoder = decoder
        # In a smaller number type positions would be off by pixels.
        with torch.autocast(asked.grid.device.type, enabled=False):
            image, positions, prompts = _embedded(encoder, asked)
            self._tokens = decoder.read(image, positions, prompts)
            self.ratings = (
                decoder.rate(self._tokens) if decoder.config.iou_head else None
            )
        self._grid = image.transpose(1, 2).reshape(asked.grid.shape)

    def draw(self, window: Window) -> Tensor:
        number_type = next(self._decoder.drawing.parameters()).dtype
        seen = Seen(
            _for_convolutions(window.cut(self._grid), number_type),
            _for_convolutions(window.early, number_type),
        )
        return self._decoder.draw(seen, self._tokens.to(number_type))


class _UnetAnswer:
    """Prompts drawn as channels."""

    ratings = None

    def __init__(self, network: UnetDecoder, asked: Asked) -> None:
        size = _PIXELS_PER_CELL * asked.grid.shape[-1]
        self._network = network
        self._grid = asked.grid
        self._hints = draw_hints(asked.places, asked.kinds, asked.logits, size)

    def draw(self, window: Window) -> Tensor:
        number_type = next(self._network.parameters()).dtype
        seen = Seen(
            _for_convolutions(window.cut(self._grid), number_type),
            _for_convolutions(window.early, number_type),
        )
        hints = window.cut(self._hints, _PIXELS_PER_CELL)
        return self._network.draw(seen, hints)


@torch.no_grad()
def _embedded(encoder: PromptEncoder, asked: Asked) -> tuple[Tensor, Tensor, Tensor]:
    """Cells with the fed-back mask, their positions, and the prompts as tokens."""
    cells = asked.grid.flatten(2).transpose(1, 2)
    dense = (
        encoder.embed_no_mask()
        if asked.logits is None
        else encoder.embed_masks(asked.logits, cells.dtype)
    )
    prompts = encoder.embed_tokens(asked.places, asked.kinds)
    return cells + dense, encoder.grid_positions(), prompts


def _for_convolutions(image: Tensor, number_type: torch.dtype) -> Tensor:
    """Convolutions are faster with channels last."""
    return image.to(number_type, memory_format=torch.channels_last)
