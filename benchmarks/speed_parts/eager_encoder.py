"""MobileSAM's image encoder as a plain float32 network, to compare with.

It is written from the published description and shares no code with the program, so
that tuning the program does not speed up what it is compared with: every convolution
is followed by its BatchNorm, and attention is a product, a sum, a softmax and another
product.
"""

from __future__ import annotations

from collections import OrderedDict

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from speed_parts.eager_layers import LayerNorm2d

__all__ = ["EagerEncoder"]

WIDTHS = 64, 128, 160, 320
DEPTHS = 2, 2, 6, 2
HEADS = 2, 4, 5, 10
WINDOWS = 7, 7, 14, 7
STRIDES = 2, 2, 1
EXPANSION = 4
CHANNELS = 256


class EagerEncoder(nn.Module):
    """TinyViT and SAM's neck, with the entries of the public checkpoint."""

    def __init__(self) -> None:
        super().__init__()
        half = WIDTHS[0] // 2
        self.patch_embed = nn.Module()
        self.patch_embed.seq = nn.Sequential(
            conv_norm(3, half, 3, 2), nn.GELU(), conv_norm(half, WIDTHS[0], 3, 2)
        )
        self.layers = nn.ModuleList(Stage(number) for number in range(len(WIDTHS)))
        self.neck = nn.Sequential(
            nn.Conv2d(WIDTHS[-1], CHANNELS, 1, bias=False),
            LayerNorm2d(CHANNELS),
            nn.Conv2d(CHANNELS, CHANNELS, 3, padding=1, bias=False),
            LayerNorm2d(CHANNELS),
        )

    def forward(self, image: Tensor) -> Tensor:
        """Return (B, 256, 64, 64) for (B, 3, 1024, 1024) normalised pixels."""
        grid = self.patch_embed.seq(image)
        for stage in self.layers:
            grid = stage(grid)
        embedding: Tensor = self.neck(grid)
        return embedding


def conv_norm(
    before: int, after: int, side: int = 1, stride: int = 1, *, depthwise: bool = False
) -> nn.Sequential:
    """Build a convolution and, apart from it, its BatchNorm."""
    groups = before if depthwise else 1
    convolution = nn.Conv2d(
        before, after, side, stride, side // 2, groups=groups, bias=False
    )
    return nn.Sequential(OrderedDict(c=convolution, bn=nn.BatchNorm2d(after)))


class Stage(nn.Module):
    """Blocks of one width, then the merging of patches where a stage follows."""

    def __init__(self, number: int) -> None:
        super().__init__()
        block = AttentionBlock if number else ConvBlock
        self.blocks = nn.ModuleList(block(number) for _ in range(DEPTHS[number]))
        is_last = number == len(STRIDES)
        self.downsample = nn.Identity() if is_last else Merging(number)

    def forward(self, grid: Tensor) -> Tensor:
        """Return (B, C', H', W') for (B, C, H, W)."""
        for block in self.blocks:
            grid = block(grid)
        merged: Tensor = self.downsample(grid)
        return merged


class ConvBlock(nn.Module):
    """Inverted bottleneck of the first stage."""

    def __init__(self, number: int) -> None:
        super().__init__()
        width = WIDTHS[number]
        wide = EXPANSION * width
        self.conv1 = conv_norm(width, wide)
        self.conv2 = conv_norm(wide, wide, 3, depthwise=True)
        self.conv3 = conv_norm(wide, width)

    def forward(self, grid: Tensor) -> Tensor:
        """Return (B, C, H, W) for (B, C, H, W)."""
        wide = F.gelu(self.conv2(F.gelu(self.conv1(grid))))
        return F.gelu(grid + self.conv3(wide))


class Merging(nn.Module):
    """The step to the next stage's width and grid."""

    def __init__(self, number: int) -> None:
        super().__init__()
        before, after = WIDTHS[number : number + 2]
        self.conv1 = conv_norm(before, after)
        self.conv2 = conv_norm(after, after, 3, STRIDES[number], depthwise=True)
        self.conv3 = conv_norm(after, after)

    def forward(self, grid: Tensor) -> Tensor:
        """Return (B, C', H', W') for (B, C, H, W)."""
        merged: Tensor = self.conv3(F.gelu(self.conv2(F.gelu(self.conv1(grid)))))
        return merged


class AttentionBlock(nn.Module):
    """Attention in windows, a depthwise convolution, and an MLP."""

    def __init__(self, number: int) -> None:
        super().__init__()
        width = WIDTHS[number]
        self.side = WINDOWS[number]
        self.attn = WindowAttention(width, HEADS[number], self.side)
        self.local_conv = conv_norm(width, width, 3, depthwise=True)
        self.mlp = nn.Sequential(
            OrderedDict(
                norm=nn.LayerNorm(width),
                fc1=nn.Linear(width, EXPANSION * width),
                act=nn.GELU(),
                fc2=nn.Linear(EXPANSION * width, width),
            )
        )

    def forward(self, grid: Tensor) -> Tensor:
        """Return (B, C, H, W) for (B, C, H, W)."""
        tokens = grid.permute(0, 2, 3, 1)
        tokens = tokens + self._attended(tokens)
        tokens = self.local_conv(tokens.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
        mixed: Tensor = tokens + self.mlp(tokens)
        return mixed.permute(0, 3, 1, 2)

    def _attended(self, tokens: Tensor) -> Tensor:
        """Pad to whole windows, attend in each, and crop again."""
        batch, height, width, channels = tokens.shape
        side = self.side
        padded = F.pad(tokens, (0, 0, 0, -width % side, 0, -height % side))
        rows, columns = padded.shape[1] // side, padded.shape[2] // side
        cut = padded.reshape(batch, rows, side, columns, side, channels)
        windows = cut.transpose(2, 3).reshape(-1, side * side, channels)
        mixed = self.attn(windows).reshape(batch, rows, columns, side, side, channels)
        joined = mixed.transpose(2, 3).reshape(padded.shape)
        return joined[:, :height, :width]


class WindowAttention(nn.Module):
    """Attention between the tokens of a window, biased by their distance."""

    bias: Tensor

    def __init__(self, width: int, heads: int, side: int) -> None:
        super().__init__()
        self.heads = heads
        self.scale = (width // heads) ** -0.5
        self.norm = nn.LayerNorm(width)
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)
        self.attention_biases = nn.Parameter(torch.zeros(heads, side * side))
        self.register_buffer("distances", _distances(side), persistent=False)
        self.register_buffer("bias", torch.empty(0), persistent=False)
        # As published, the table is looked up once for all frames.
        self.register_load_state_dict_post_hook(_look_up_bias)

    def forward(self, windows: Tensor) -> Tensor:
        """Return (B, N, C) for the N tokens of each of B windows."""
        batch, count, channels = windows.shape
        qkv = self.qkv(self.norm(windows)).reshape(batch, count, self.heads, -1)
        query, key, value = qkv.permute(0, 2, 1, 3).chunk(3, dim=-1)
        scores = query @ key.transpose(-2, -1) * self.scale + self.bias
        mixed = scores.softmax(dim=-1) @ value
        out: Tensor = self.proj(mixed.transpose(1, 2).reshape(batch, count, channels))
        return out


def _distances(side: int) -> Tensor:
    """(N, N) number of the unsigned distance between any two tokens of a window."""
    places = torch.cartesian_prod(torch.arange(side), torch.arange(side))
    apart = (places[:, None] - places[None]).abs()
    return side * apart[..., 0] + apart[..., 1]


def _look_up_bias(attention: WindowAttention, _: object) -> None:
    attention.bias = attention.attention_biases.detach()[:, attention.distances]
