"""SAM's prompt encoder: points, box corners and a previous mask as vectors.

Positions are random Fourier features [1]_, to which a learned vector for the kind of
point is added [2]_.

.. [1] Tancik et al., "Fourier features let networks learn high frequency functions in
   low dimensional domains", NeurIPS 2020.
.. [2] Kirillov et al., "Segment Anything", ICCV 2023, appendix A.
"""

from __future__ import annotations

import math
from typing import cast

import torch
from torch import Tensor, nn

from napari_sam_decoder.model.layers import (
    LayerNorm2d,
    LearnedVectors,
    linear,
    standard_normal,
)

__all__ = ["PromptEncoder"]

_POINT_KINDS = 4
_MASK_CHANNELS = 16


class PromptEncoder(nn.Module):
    """Embed prompts for the mask decoder.

    Parameters
    ----------
    image_size : int
        Side of the square network input, in the pixels that points are given in.
    grid : int
        Side of the image embedding; masks have four times as many pixels per side.
    width : int
        Channels of the embedding.
    """

    def __init__(self, image_size: int, grid: int, width: int = 256) -> None:
        super().__init__()
        self.image_size = image_size
        self.grid = grid
        self.width = width
        self.pe_layer = FourierPositions(width)
        self.point_embeddings = nn.ModuleList(
            LearnedVectors(1, width) for _ in range(_POINT_KINDS)
        )
        self.not_a_point_embed = LearnedVectors(1, width)
        self.mask_downscaling = nn.Sequential(
            nn.Conv2d(1, _MASK_CHANNELS // 4, kernel_size=2, stride=2),
            LayerNorm2d(_MASK_CHANNELS // 4),
            nn.GELU(),
            nn.Conv2d(_MASK_CHANNELS // 4, _MASK_CHANNELS, kernel_size=2, stride=2),
            LayerNorm2d(_MASK_CHANNELS),
            nn.GELU(),
            nn.Conv2d(_MASK_CHANNELS, width, kernel_size=1),
        )
        self.no_mask_embed = LearnedVectors(1, width)

    def embed_tokens(self, positions: Tensor, labels: Tensor) -> Tensor:
        """Embed points and box corners.

        Parameters
        ----------
        positions : (B, T, 2) tensor
            (x, y) in pixels of the network input.
        labels : (B, T) tensor of int64
            -1 padding, 0 background, 1 object, 2 and 3 the box's first and last corner.

        Returns
        -------
        (B, T, width) tensor
            One vector per token; padding has no position.
        """
        kinds = torch.cat([kind() for kind in self._kinds()])
        # Pixel centres lie at half pixels.
        encoded = self.pe_layer((positions + 0.5) / self.image_size)
        placed = torch.where(labels[..., None] < 0, 0.0, encoded)
        return placed + kinds[labels + 1]

    def embed_masks(self, masks: Tensor, dtype: torch.dtype) -> Tensor:
        """Embed masks of earlier calls.

        Parameters
        ----------
        masks : (B, 1, 4 * grid, 4 * grid) tensor
            Unthresholded logits.
        dtype : torch.dtype
            Number type of the image embedding.

        Returns
        -------
        (B, grid * grid, width) tensor
            To be added to the cells of the image embedding.
        """
        shrunk = self.mask_downscaling[:-1](masks)
        cells = shrunk.flatten(2).transpose(1, 2).to(dtype).contiguous()
        # A convolution of single pixels, whose result is wanted with channels last.
        last = cast("nn.Conv2d", self.mask_downscaling[-1])
        weight, bias = last.weight.flatten(1), cast("Tensor", last.bias)
        return linear(cells, weight.to(dtype), bias.to(dtype))

    def embed_no_mask(self) -> Tensor:
        """Return the (1, width) tensor that stands for having no mask."""
        vector: Tensor = self.no_mask_embed()
        return vector

    def grid_positions(self) -> Tensor:
        """Return the (grid * grid, width) positions of the embedding's cells."""
        matrix = self.pe_layer.positional_encoding_gaussian_matrix
        steps = torch.arange(self.grid, device=matrix.device, dtype=matrix.dtype)
        centres = (steps + 0.5) / self.grid
        y, x = torch.meshgrid(centres, centres, indexing="ij")
        encoded: Tensor = self.pe_layer(torch.stack([x, y], dim=-1))
        return encoded.flatten(0, 1)

    def _kinds(self) -> list[nn.Module]:
        return [self.not_a_point_embed, *self.point_embeddings]


class FourierPositions(nn.Module):
    """Sines and cosines of random projections of a position."""

    positional_encoding_gaussian_matrix: Tensor

    def __init__(self, width: int) -> None:
        super().__init__()
        matrix = standard_normal(2, width // 2)
        self.register_buffer("positional_encoding_gaussian_matrix", matrix)

    def forward(self, positions: Tensor) -> Tensor:
        """Return (..., width) for (..., 2) positions between 0 and 1."""
        centred = 2 * positions - 1
        phases = 2 * math.pi * (centred @ self.positional_encoding_gaussian_matrix)
        return torch.cat([phases.sin(), phases.cos()], dim=-1)
