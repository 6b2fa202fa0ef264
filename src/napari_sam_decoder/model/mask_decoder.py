"""SAM's mask decoder: four masks and four predicted IoUs for each prompt.

Kirillov et al., "Segment Anything", ICCV 2023, appendix A.
"""

from __future__ import annotations

from itertools import pairwise
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from napari_sam_decoder.model.layers import (
    LayerNorm,
    LearnedVectors,
    gelu,
    linear,
    unflattened,
)

__all__ = ["MaskDecoder"]

_MASKS = 4
_HEAD_DEPTH = 3

_TWICE_AS_WIDE = {2: torch.int32, 4: torch.int64}
"""By bytes of a number, an integer type of twice its width."""


class MaskDecoder(nn.Module):
    """Turn an image embedding and prompt tokens into masks.

    Parameters
    ----------
    transformer : nn.Module
        Called with image, positions and tokens; returns tokens and image.
    width : int
        Channels of tokens and image features, a multiple of 8.
    """

    def __init__(self, transformer: nn.Module, width: int = 256) -> None:
        super().__init__()
        self.transformer = transformer
        self.iou_token = LearnedVectors(1, width)
        self.mask_tokens = LearnedVectors(_MASKS, width)
        self.output_upscaling = nn.Sequential(
            nn.ConvTranspose2d(width, width // 4, kernel_size=2, stride=2),
            LayerNorm(width // 4, eps=1e-6),
            nn.GELU(),
            nn.ConvTranspose2d(width // 4, width // 8, kernel_size=2, stride=2),
            nn.GELU(),
        )
        self.output_hypernetworks_mlps = nn.ModuleList(
            OutputMlp(width, width // 8) for _ in range(_MASKS)
        )
        self.iou_prediction_head = OutputMlp(width, _MASKS)

    def forward(
        self, image: Tensor, positions: Tensor, prompt_tokens: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Run the transformer on tokens and image.

        Parameters
        ----------
        image : (B, N, width) tensor
            Image embedding with the dense prompt added, one row per grid cell.
        positions : (N, width) tensor
            Positional encoding of the cells, in the number type of the image.
        prompt_tokens : (B, T, width) tensor
            Embedded points and box corners.

        Returns
        -------
        tokens : (B, 1 + 4, width) tensor
            Output tokens for the predicted IoU and for the four masks.
        image : (B, N, width) tensor
            The updated image, for `draw`.
        """
        tokens, image = self.transformer(
            image, positions, self._with_outputs(prompt_tokens)
        )
        return tokens[:, : 1 + _MASKS], image

    def draw(self, tokens: Tensor, grid: Tensor) -> Tensor:
        """Draw the four masks on a part of the grid.

        Parameters
        ----------
        tokens : (B, 1 + 4, width) tensor
            From `forward`.
        grid : (B, H, W, width) tensor
            Any part of the image from `forward`. Cells no longer depend on each other,
            so those of the padding may be left out.

        Returns
        -------
        (B, 4, 4 * H, 4 * W) tensor
            Single-mask output first, then the three hypotheses; above 0 is object.
        """
        norm = self.output_upscaling[1]
        halves = gelu(norm(self._enlarged(grid, step=0)))
        quarters = gelu(self._enlarged(halves, step=3))
        kernels = self._kernels(tokens[:, 1:]).to(grid.dtype)
        logits = torch.bmm(kernels, quarters.flatten(1, -2).transpose(1, 2))
        return _in_place(logits, quarters.shape[1:-1])

    def rate(self, tokens: Tensor) -> Tensor:
        """Return the (B, 4) predicted IoUs of the masks, which may exceed 1."""
        ratings: Tensor = self.iou_prediction_head(tokens[:, 0])
        return ratings

    def _enlarged(self, grid: Tensor, step: int) -> Tensor:
        """Run a transposed convolution as linear layer, (..., in) to (..., 2, 2, out).

        The four pixels are moved to their places at the end (`_in_place`): one channel
        is moved then, instead of all channels after each step.
        """
        layer = cast("nn.ConvTranspose2d", self.output_upscaling[step])
        weights = layer.weight.permute(2, 3, 1, 0)
        bias = cast("Tensor", layer.bias).repeat(4).to(grid.dtype)
        tokens = linear(grid, weights.flatten(0, 2).to(grid.dtype), bias)
        return unflattened(tokens, -1, weights.shape[:3])

    def _with_outputs(self, prompt_tokens: Tensor) -> Tensor:
        outputs = torch.cat([self.iou_token(), self.mask_tokens()])
        outputs = outputs.expand(len(prompt_tokens), -1, -1)
        return torch.cat([outputs, prompt_tokens], dim=1)

    def _kernels(self, mask_tokens: Tensor) -> Tensor:
        heads = zip(self.output_hypernetworks_mlps, mask_tokens.unbind(1), strict=True)
        return torch.stack([head(token) for head, token in heads], dim=1)


def _in_place(logits: Tensor, shape: torch.Size) -> Tensor:
    """Bring (B, M, pixels) to (B, M, 4 * H, 4 * W), for pixels of (H, W, 2, 2, 2, 2).

    The last four axes are the row and column in a cell, and those in each half of it.
    """
    cells = unflattened(logits, -1, shape)
    if torch.is_grad_enabled():
        return _placed(cells).flatten(5, 7).flatten(2, 4)
    # Neighbours in a row are moved together, as half as many numbers, twice as wide.
    pairs = _placed(cells.view(_TWICE_AS_WIDE[cells.element_size()])).contiguous()
    return pairs.view(logits.dtype).flatten(5, 7).flatten(2, 4)


def _placed(cells: Tensor) -> Tensor:
    return cells.permute(0, 1, 2, 4, 6, 3, 5, 7)


class OutputMlp(nn.Module):
    """Three linear layers with ReLU between, and no sigmoid."""

    def __init__(self, width: int, outputs: int) -> None:
        super().__init__()
        widths = [width] * _HEAD_DEPTH + [outputs]
        self.layers = nn.ModuleList(
            nn.Linear(before, after) for before, after in pairwise(widths)
        )

    def forward(self, token: Tensor) -> Tensor:
        """Return (B, outputs) for (B, width)."""
        *hidden, last = self.layers
        for layer in hidden:
            token = F.relu(layer(token))
        out: Tensor = last(token)
        return out
