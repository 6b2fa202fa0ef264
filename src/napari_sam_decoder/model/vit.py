"""The plain vision transformer that encodes images in SAM's B, L and H models.

Patches of 16 x 16 pixels, windowed attention with a few global blocks, and relative
positions split into rows and columns [1]_ [2]_.

.. [1] Li et al., "Exploring plain vision transformer backbones for object detection",
   ECCV 2022.
.. [2] Kirillov et al., "Segment Anything", ICCV 2023.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from napari_sam_decoder.model.layers import Mlp, from_windows, make_neck, to_windows

__all__ = ["ViT", "ViTConfig", "relative_positions"]

_NORM_EPSILON = 1e-6
_MLP_RATIO = 4


@dataclass(frozen=True)
class ViTConfig:
    """Widths and depths of a vision transformer.

    Attributes
    ----------
    width : int
        Channels of a token, a multiple of `heads`.
    depth : int
        Number of blocks.
    heads : int
        Attention heads per block.
    global_blocks : tuple of int
        Indices of the blocks that attend to the whole image.
    window : int
        Side of the attention windows of all other blocks, in patches.
    image_size : int
        Side of the square input in pixels, a multiple of `patch`.
    patch : int
        Side of a patch in pixels.
    channels : int
        Channels of the embedding that leaves the neck.
    """

    width: int
    depth: int
    heads: int
    global_blocks: tuple[int, ...]
    window: int = 14
    image_size: int = 1024
    patch: int = 16
    channels: int = 256

    @property
    def grid(self) -> int:
        """Patches along one side of the image."""
        return self.image_size // self.patch


class ViT(nn.Module):
    """Vision transformer with windowed and global attention.

    Parameters
    ----------
    config : ViTConfig
        Widths and depths.
    """

    def __init__(self, config: ViTConfig) -> None:
        super().__init__()
        self.image_size = config.image_size
        self.grid = config.grid
        self.patch_embed = ViTPatchEmbedding(config)
        self.pos_embed = nn.Parameter(
            torch.zeros(1, config.grid, config.grid, config.width)
        )
        self.blocks = nn.ModuleList(
            ViTBlock(
                config, window=0 if index in config.global_blocks else config.window
            )
            for index in range(config.depth)
        )
        self.neck = make_neck(config.width, config.channels)

    def forward(self, image: Tensor) -> Tensor:
        """Encode a batch of images.

        Parameters
        ----------
        image : (B, 3, image_size, image_size) tensor
            Normalised and padded pixels.

        Returns
        -------
        (B, channels, grid, grid) tensor
            The embedding.
        """
        tokens = self.patch_embed(image) + self.pos_embed
        for block in self.blocks:
            tokens = block(tokens)
        embedding: Tensor = self.neck(tokens.permute(0, 3, 1, 2))
        return embedding


class ViTPatchEmbedding(nn.Module):
    """A linear layer on each patch, as a strided convolution."""

    def __init__(self, config: ViTConfig) -> None:
        super().__init__()
        self.proj = nn.Conv2d(3, config.width, config.patch, stride=config.patch)

    def forward(self, image: Tensor) -> Tensor:
        """Return (B, grid, grid, width) for (B, 3, image_size, image_size)."""
        patches: Tensor = self.proj(image)
        return patches.permute(0, 2, 3, 1)


class ViTBlock(nn.Module):
    """Attention and MLP, each with a norm before and a residual around it."""

    def __init__(self, config: ViTConfig, window: int) -> None:
        super().__init__()
        self.window = window
        self.norm1 = nn.LayerNorm(config.width, eps=_NORM_EPSILON)
        self.attn = GridAttention(config, side=window or config.grid)
        self.norm2 = nn.LayerNorm(config.width, eps=_NORM_EPSILON)
        self.mlp = Mlp(config.width, _MLP_RATIO * config.width, nn.GELU())

    def forward(self, grid: Tensor) -> Tensor:
        """Return (B, H, W, width) for (B, H, W, width)."""
        grid = grid + self._attended(self.norm1(grid))
        out: Tensor = grid + self.mlp(self.norm2(grid))
        return out

    def _attended(self, grid: Tensor) -> Tensor:
        if not self.window:
            attended: Tensor = self.attn(grid)
            return attended
        windows = self.attn(to_windows(grid, self.window))
        return from_windows(windows, grid.shape)


class GridAttention(nn.Module):
    """Self-attention over a grid, with a bias from row and column distance."""

    def __init__(self, config: ViTConfig, side: int) -> None:
        super().__init__()
        self.heads = config.heads
        self.qkv = nn.Linear(config.width, 3 * config.width)
        self.proj = nn.Linear(config.width, config.width)
        table = (2 * side - 1, config.width // config.heads)
        self.rel_pos_h = nn.Parameter(torch.zeros(table))
        self.rel_pos_w = nn.Parameter(torch.zeros(table))

    def forward(self, grid: Tensor) -> Tensor:
        """Return (B, H, W, width) for (B, H, W, width)."""
        batch, height, width, _ = grid.shape
        qkv = self.qkv(grid).reshape(batch, height * width, 3, self.heads, -1)
        query, key, value = qkv.permute(2, 0, 3, 1, 4)
        placed = query.reshape(batch, self.heads, height, width, -1)
        bias = self._distance_bias(placed)
        mixed = F.scaled_dot_product_attention(query, key, value, attn_mask=bias)
        out: Tensor = self.proj(mixed.transpose(1, 2).reshape(grid.shape))
        return out

    def _distance_bias(self, query: Tensor) -> Tensor:
        """(B, heads, H * W, H * W); rows and columns are added last, to save memory."""
        height, width = query.shape[2:4]
        rows = relative_positions(self.rel_pos_h, height)
        columns = relative_positions(self.rel_pos_w, width)
        by_row = torch.einsum("bnhwc,hkc->bnhwk", query, rows)
        by_column = torch.einsum("bnhwc,wkc->bnhwk", query, columns)
        bias = by_row[..., :, None] + by_column[..., None, :]
        return bias.flatten(4, 5).flatten(2, 3)


def relative_positions(table: Tensor, side: int) -> Tensor:
    """Look up the vector for every pair of positions along one axis.

    Parameters
    ----------
    table : (L, C) tensor
        One vector per signed distance. Where L is not ``2 * side - 1``, the table is
        stretched linearly to that length.
    side : int
        Number of positions along the axis.

    Returns
    -------
    (side, side, C) tensor
        Vector for query position i and key position j.
    """
    length = 2 * side - 1
    if table.shape[0] != length:
        table = F.interpolate(table.T[None], size=length, mode="linear")[0].T
    steps = torch.arange(side, device=table.device)
    return table[steps[:, None] - steps[None, :] + side - 1]
