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
from math import gcd, lcm
from typing import TYPE_CHECKING, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from napari_sam_decoder.model.beyond import (
    Beyond,
    Cut,
    KeptBeyond,
    plainly,
    typical_image,
)
from napari_sam_decoder.model.layers import (
    ConvNorm,
    GridConv,
    Linear,
    from_windows,
    gelu,
    make_neck,
    to_windows,
)

if TYPE_CHECKING:
    from napari_sam_decoder.model.beyond import Convolve

__all__ = ["TinyViT", "TinyViTConfig"]

_EXPANSION = 4
_PIXELS_PER_CELL = 16
_PIXELS_PER_PATCH = 4

_SHAPES_KEPT = 4
"""Shapes of frames of which it is kept what lies beyond a cut."""

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
        self._unit = _cells_between_windows(config)
        self._margin = _PIXELS_PER_PATCH * config.depths[0]
        self._beyond = KeptBeyond(_SHAPES_KEPT)
        hook = self.register_load_state_dict_post_hook
        hook(_forget_beyond)  # type: ignore[no-untyped-call]

    def forward(self, image: Tensor, shown: tuple[int, int] | None = None) -> Tensor:
        """Encode a batch of images.

        Parameters
        ----------
        image : (B, 3, image_size, image_size) tensor
            Normalised and padded pixels.
        shown : (int, int), optional
            Rows and columns of the image; what is below or right of these is zeros.
            Most of that is not computed, but taken from a typical image, see `beyond`.

        Returns
        -------
        (B, channels, grid, grid) tensor
            The embedding; grid is ``image_size // 16``.
        """
        cut = None if shown is None or self.training else self.cut(shown)
        grid = self._features(image) if cut is None else self._completed(image, cut)
        embedding: Tensor = self.neck(grid.permute(0, 3, 1, 2))
        return embedding

    def cut(self, shown: tuple[int, int]) -> Cut | None:
        """Return how much is computed of images that show so many rows and columns.

        None if that is all.
        """
        cells = -(-min(shown) // _PIXELS_PER_CELL)
        kept = -(-cells // self._unit) * self._unit
        if kept >= self.grid:
            return None
        return Cut(int(shown[1] < shown[0]), min(shown), kept)

    def prepare(self, image: Tensor, shown: tuple[int, int]) -> None:
        """Look at what lies beyond the cut of images of a shape, unless that is known.

        Parameters
        ----------
        image : tensor
            Of any shape and pixels; its type and device are those of the images.
        shown : (int, int)
            As in `forward`.
        """
        cut = self.cut(shown)
        if cut is not None:
            self._beyond_cut(image, cut)

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
        grid: Tensor = self.patch_embed(image.permute(0, 2, 3, 1))
        for block in cast("TinyViTStage", self.layers[0]).blocks:
            grid = block(grid)
        return grid

    def _features(self, image: Tensor, convolve: Convolve = plainly) -> Tensor:
        """(B, H, W, widths[-1]), of images or of parts of them."""
        return self._after_first_blocks(self.early_features(image), convolve)

    def _after_first_blocks(self, grid: Tensor, convolve: Convolve) -> Tensor:
        first, *rest = cast("list[TinyViTStage]", list(self.layers))
        grid = first.merged(grid, convolve)
        for stage in rest:
            grid = stage(grid, convolve)
        return grid

    def _completed(self, image: Tensor, cut: Cut) -> Tensor:
        """(B, grid, grid, widths[-1]): computed up to the cut."""
        beyond = self._beyond_cut(image, cut)
        pixels = _PIXELS_PER_CELL * cut.kept
        early = self.early_features(cut.first(image, 2, pixels + self._margin))
        early = cut.first(early, 1, pixels // _PIXELS_PER_PATCH).contiguous()
        return beyond.appended(self._after_first_blocks(early, beyond.convolve()))

    def _beyond_cut(self, image: Tensor, cut: Cut) -> Beyond:
        """Look at a typical image, from one unit of windows before the cut."""

        def look() -> Beyond:
            before = cut.kept - self._unit
            skipped = _PIXELS_PER_CELL * before
            typical = typical_image(self.image_size, cut, skipped).to(image)
            beyond = Beyond(cut.axis, self._unit, self.grid - before)
            beyond.keep(self._features(typical, beyond.record))
            return beyond

        return self._beyond.get((cut, image.dtype, image.device), look)


def _forget_beyond(network: TinyViT, _: object) -> None:
    network._beyond.clear()


def _cells_between_windows(config: TinyViTConfig) -> int:
    """After how many cells of the embedding windows of all stages end together."""
    units, scale = [], 1
    strides = (*config.strides[1:], 1)
    for window, stride in zip(config.windows[::-1], strides[::-1], strict=True):
        scale *= stride
        units.append(window // gcd(window, scale))
    return lcm(*units)


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

    def forward(self, grid: Tensor, convolve: Convolve = plainly) -> Tensor:
        """Return (B, H', W', C') for (B, H, W, C)."""
        for block in self.blocks:
            grid = block(grid, convolve)
        return self.merged(grid, convolve)

    def merged(self, grid: Tensor, convolve: Convolve = plainly) -> Tensor:
        """Return (B, H', W', C') for (B, H, W, C): patch merging, if there is any."""
        return grid if self.downsample is None else self.downsample(grid, convolve)


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

    def forward(self, grid: Tensor, convolve: Convolve = plainly) -> Tensor:
        """Return (B, H / stride, W / stride, after) for (B, H, W, before)."""
        mixed = convolve(self.conv2, self.conv1.activated(grid))
        out: Tensor = self.conv3(gelu(mixed))
        return out


class AttentionBlock(nn.Module):
    """Windowed attention, a depthwise convolution across windows, and an MLP."""

    def __init__(self, width: int, heads: int, window: int) -> None:
        super().__init__()
        self.attn = WindowAttention(width, heads, window)
        self.local_conv = _depthwise(width)
        self.mlp = NormedMlp(width)

    def forward(self, grid: Tensor, convolve: Convolve = plainly) -> Tensor:
        """Return (B, H, W, width) for (B, H, W, width)."""
        windows = self.attn(to_windows(grid, self.attn.window))
        attended = grid + from_windows(windows, grid.shape)
        grid = convolve(self.local_conv, attended)
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
