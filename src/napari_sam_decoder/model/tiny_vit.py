"""TinyViT, the small image encoder of MobileSAM.

A convolutional stage and three stages of windowed attention with a depthwise
convolution in each block [1]_; MobileSAM leaves the last stage at 64 x 64 and adds
SAM's neck [2]_. Grids are (B, H, W, C) throughout: a convolution of single pixels is
then a linear layer, and nothing is rearranged between attention and convolutions.

.. [1] Wu et al., "TinyViT: fast pretraining distillation for small vision
   transformers", ECCV 2022.
.. [2] Zhang et al., "Faster Segment Anything: towards lightweight SAM for mobile
   applications", arXiv:2306.14289, 2023.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from napari_sam_decoder.model.layers import (
    ConvNorm,
    GridConv,
    Linear,
    from_windows,
    gelu,
    make_neck,
    to_windows,
)

__all__ = ["TinyViT", "TinyViTConfig"]

_EXPANSION = 4
_PIXELS_PER_CELL = 16
_PIXELS_PER_PATCH = 4

_BAND_ROWS = 64
"""The widest grids are processed in bands of this many rows: they stay in the cache of
the processor, and allocating memory for the whole takes longer than the arithmetic."""


@dataclass(frozen=True)
class TinyViTConfig:
    """Widths and depths of a TinyViT; the defaults are MobileSAM's.

    Attributes
    ----------
    widths, depths : tuple of int
        Channels and number of blocks of the four stages.
    heads, windows : tuple of int
        Attention heads and window side of the last three stages.
    strides : tuple of int
        Strides between the four stages; their product is 4.
    image_size : int
        Side of the square input in pixels, a multiple of 16.
    channels : int
        Channels of the embedding that leaves the neck.
    """

    widths: tuple[int, int, int, int] = (64, 128, 160, 320)
    depths: tuple[int, int, int, int] = (2, 2, 6, 2)
    heads: tuple[int, int, int] = (4, 5, 10)
    windows: tuple[int, int, int] = (7, 14, 7)
    strides: tuple[int, int, int] = (2, 2, 1)
    image_size: int = 1024
    channels: int = 256


class TinyViT(nn.Module):
    """MobileSAM's image encoder.

    Parameters
    ----------
    config : TinyViTConfig
        Widths and depths.
    """

    def __init__(self, config: TinyViTConfig) -> None:
        super().__init__()
        self.image_size = config.image_size
        self.grid = config.image_size // _PIXELS_PER_CELL
        self.patch_embed = TinyViTPatchEmbedding(config.widths[0])
        stages = zip(_make_blocks(config), _make_steps(config), strict=True)
        self.layers = nn.ModuleList(
            TinyViTStage(blocks, step) for blocks, step in stages
        )
        self.neck = make_neck(config.widths[-1], config.channels)
        self._stride = _PIXELS_PER_PATCH * config.strides[0]
        self._reach = _PIXELS_PER_PATCH * (config.depths[0] + 2) - 1
        self._padding: dict[_PaddingKey, Tensor] = {}
        hook = self.register_load_state_dict_post_hook
        hook(_forget_padding)  # type: ignore[no-untyped-call]

    def forward(self, image: Tensor, shown: tuple[int, int] | None = None) -> Tensor:
        """Encode a batch of images.

        Parameters
        ----------
        image : (B, 3, image_size, image_size) tensor
            Normalised and padded pixels.
        shown : (int, int), optional
            Rows and columns of the image; what is below or right of these is zeros. The
            first stage is not computed there again for each image.

        Returns
        -------
        (B, channels, grid, grid) tensor
            The embedding; grid is ``image_size // 16``.
        """
        grid = self._after_first_stage(image, shown or (self.image_size,) * 2)
        for stage in self.layers[1:]:
            grid = stage(grid)
        embedding: Tensor = self.neck(grid.permute(0, 3, 1, 2))
        return embedding

    def early_features(self, image: Tensor) -> Tensor:
        """Run only the first stage, on images or on parts of them.

        Parameters
        ----------
        image : (B, 3, 4 * H, 4 * W) tensor
            Normalised and padded pixels.

        Returns
        -------
        (B, H, W, widths[0]) tensor
            Features before patches are merged: one cell for 4 x 4 pixels. Two cells
            from a border that is not a border of the whole image, they differ from
            those of the whole image.
        """
        first = cast("TinyViTStage", self.layers[0])
        return first.run_blocks(self.patch_embed(image.permute(0, 2, 3, 1)))

    def _after_first_stage(self, image: Tensor, shown: tuple[int, int]) -> Tensor:
        """(B, H, W, widths[1]): cells that see only padding are the same each time."""
        axis = int(shown[1] < shown[0])
        seen = -(-(min(shown) + self._reach) // self._stride)
        crop = self._stride * (seen - 1) + self._reach + 1
        if self.training or crop >= image.shape[2 + axis]:
            return self._first_stage(image)
        crop = -(-crop // self._stride) * self._stride
        grid = self._first_stage(image.narrow(2 + axis, 0, crop))
        parts = grid.narrow(1 + axis, 0, seen), self._seen_of_padding(image, axis, seen)
        return torch.cat(parts, dim=1 + axis)

    def _seen_of_padding(self, image: Tensor, axis: int, first: int) -> Tensor:
        """The cells from `first`, of an image that is zeros there and somewhat before.

        A blank image gives them, too, which starts as far before as they see.
        """
        key = axis, first, len(image), image.dtype, image.device
        if key not in self._padding:
            before = -(-self._reach // self._stride)
            count = image.shape[2 + axis] // self._stride - first
            size = self._stride * (count + before)
            grid = self._first_stage(torch.zeros_like(image.narrow(2 + axis, 0, size)))
            self._padding[key] = grid.narrow(1 + axis, before, count).clone()
        return self._padding[key]

    def _first_stage(self, image: Tensor) -> Tensor:
        grid: Tensor = self.layers[0](self.patch_embed(image.permute(0, 2, 3, 1)))
        return grid


_PaddingKey = tuple[int, int, int, torch.dtype, torch.device]


def _forget_padding(network: TinyViT, _: object) -> None:
    network._padding.clear()


def _make_blocks(config: TinyViTConfig) -> list[nn.ModuleList]:
    first = nn.ModuleList(ConvBlock(config.widths[0]) for _ in range(config.depths[0]))
    stages = zip(
        config.widths[1:], config.depths[1:], config.heads, config.windows, strict=True
    )
    attending = (
        nn.ModuleList(AttentionBlock(width, heads, window) for _ in range(depth))
        for width, depth, heads, window in stages
    )
    return [first, *attending]


def _make_steps(config: TinyViTConfig) -> list[nn.Module | None]:
    pairs = zip(pairwise(config.widths), config.strides, strict=True)
    return [
        *(PatchMerging(before, after, stride) for (before, after), stride in pairs),
        None,
    ]


def _pointwise(before: int, after: int) -> ConvNorm:
    return ConvNorm(GridConv(before, after, kernel_size=1, bias=False))


def _depthwise(width: int, stride: int = 1) -> ConvNorm:
    return ConvNorm(
        GridConv(width, width, 3, stride, padding=1, groups=width, bias=False)
    )


def _halving(before: int, after: int) -> ConvNorm:
    return ConvNorm(GridConv(before, after, 3, stride=2, padding=1, bias=False))


class TinyViTPatchEmbedding(nn.Module):
    """Two strided convolutions, to a quarter of the image's side."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.seq = nn.Sequential(
            _halving(3, width // 2), nn.GELU(), _halving(width // 2, width)
        )

    def forward(self, image: Tensor) -> Tensor:
        """Return (B, H / 4, W / 4, width) for (B, H, W, 3)."""
        first, _, second = self.seq
        grid: Tensor = second(gelu(first(image)))
        return grid


class TinyViTStage(nn.Module):
    """Blocks of one width, then patch merging, except in the last stage."""

    def __init__(self, blocks: nn.ModuleList, step: nn.Module | None) -> None:
        super().__init__()
        self.blocks = blocks
        self.downsample = step

    def forward(self, grid: Tensor) -> Tensor:
        """Return (B, H', W', C') for (B, H, W, C)."""
        return self.merged(self.run_blocks(grid))

    def run_blocks(self, grid: Tensor) -> Tensor:
        """Return (B, H, W, C) for (B, H, W, C): all but patch merging."""
        for block in self.blocks:
            grid = block(grid)
        return grid

    def merged(self, grid: Tensor) -> Tensor:
        """Return (B, H', W', C') for (B, H, W, C): patch merging, if there is any."""
        return grid if self.downsample is None else self.downsample(grid)


class ConvBlock(nn.Module):
    """An inverted bottleneck: widen, mix neighbours, narrow; with a residual."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv1 = _pointwise(width, _EXPANSION * width)
        self.conv2 = _depthwise(_EXPANSION * width)
        self.conv3 = _pointwise(_EXPANSION * width, width)

    def forward(self, grid: Tensor) -> Tensor:
        """Return (B, H, W, width) for (B, H, W, width)."""
        if self.training:  # Batch norms need the statistics of all rows.
            return self._band(grid, 0, grid.shape[1])
        starts = range(0, grid.shape[1], _BAND_ROWS)
        bands = [self._band(grid, start, start + _BAND_ROWS) for start in starts]
        return torch.cat(bands, dim=1)

    def _band(self, grid: Tensor, start: int, stop: int) -> Tensor:
        """Rows from `start` to `stop`, computed with one more row on either side."""
        first = max(start - 1, 0)
        wide = gelu(self.conv2(self.conv1.activated(grid[:, first : stop + 1])))
        narrow = self.conv3(wide[:, start - first : stop - first])
        return gelu(narrow + grid[:, start:stop])


class PatchMerging(nn.Module):
    """A strided inverted bottleneck between two stages."""

    def __init__(self, before: int, after: int, stride: int) -> None:
        super().__init__()
        self.conv1 = _pointwise(before, after)
        self.conv2 = _depthwise(after, stride)
        self.conv3 = _pointwise(after, after)

    def forward(self, grid: Tensor) -> Tensor:
        """Return (B, H / stride, W / stride, after) for (B, H, W, before)."""
        out: Tensor = self.conv3(gelu(self.conv2(self.conv1.activated(grid))))
        return out


class AttentionBlock(nn.Module):
    """Windowed attention, a depthwise convolution across windows, and an MLP."""

    def __init__(self, width: int, heads: int, window: int) -> None:
        super().__init__()
        self.attn = WindowAttention(width, heads, window)
        self.local_conv = _depthwise(width)
        self.mlp = NormedMlp(width)

    def forward(self, grid: Tensor) -> Tensor:
        """Return (B, H, W, width) for (B, H, W, width)."""
        windows = self.attn(to_windows(grid, self.attn.window))
        grid = self.local_conv(grid + from_windows(windows, grid.shape))
        out: Tensor = grid + self.mlp(grid)
        return out


class WindowAttention(nn.Module):
    """Self-attention in a window, with one learned bias per unsigned distance."""

    def __init__(self, width: int, heads: int, window: int) -> None:
        super().__init__()
        self.heads = heads
        self.window = window
        self.norm = nn.LayerNorm(width)
        self.qkv = Linear(width, 3 * width)
        self.proj = Linear(width, width)
        self.attention_biases = nn.Parameter(torch.zeros(heads, window * window))

    def forward(self, windows: Tensor) -> Tensor:
        """Return (B, window, window, width) for (B, window, window, width)."""
        tokens = self.norm(windows).flatten(1, 2)
        qkv = self.qkv(tokens).reshape(*tokens.shape[:2], self.heads, 3, -1)
        query, key, value = qkv.permute(3, 0, 2, 1, 4)
        mixed = F.scaled_dot_product_attention(
            query, key, value, attn_mask=self._distance_bias()
        )
        out: Tensor = self.proj(mixed.transpose(1, 2).reshape(windows.shape))
        return out

    def _distance_bias(self) -> Tensor:
        """(1, heads, N, N), gathered for each call so that it cannot be stale."""
        steps = torch.arange(self.window, device=self.attention_biases.device)
        apart = (steps[:, None] - steps[None, :]).abs()
        index = self.window * apart[:, None, :, None] + apart[None, :, None, :]
        return self.attention_biases[:, index.flatten(2, 3).flatten(0, 1)][None]


class NormedMlp(nn.Module):
    """A norm and an MLP, with other names than those of SAM's own MLP."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.fc1 = Linear(width, _EXPANSION * width)
        self.fc2 = Linear(_EXPANSION * width, width)

    def forward(self, tokens: Tensor) -> Tensor:
        """Return (..., width) for (..., width)."""
        out: Tensor = self.fc2(self.fc1.activated(self.norm(tokens)))
        return out
