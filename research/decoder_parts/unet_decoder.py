"""The traditional decoder that the design document compares its own with: a U-Net.

Prompts are channels of its input, there is no attention, and it draws one mask [1]_.
It uses the same frozen encoder as `DocumentDecoder`, and costs about as much.

.. [1] Ronneberger et al., "U-Net: Convolutional networks for biomedical image
   segmentation", MICCAI 2015. Clicks as channels are of Xu et al., "Deep interactive
   object selection", CVPR 2016.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from napari_sam_decoder.model.layers import LayerNorm2d, gelu, initialise

__all__ = ["HINTS", "UnetConfig", "UnetDecoder", "draw_hints"]

HINTS = 4
"""Channels of prompts: clicks on object and background, the box, and the mask."""

_SPREAD = 2.0
"""Standard deviation of a click, in low-res pixels."""

_BACKGROUND, _OBJECT, _FIRST_CORNER, _LAST_CORNER = 0, 1, 2, 3
_LOGIT_SCALE = 4.0


@dataclass(frozen=True)
class UnetConfig:
    """Widths of a U-Net.

    Attributes
    ----------
    widths : tuple of int
        Channels at 256, 128, 64, 32 and 16 pixels a side, down and up.
    last_widths : tuple of int
        Channels at 512 and 1024 pixels a side.
    channels : int
        Channels of the image embedding.
    early_channels : int
        Channels of the encoder's first stage.
    """

    widths: tuple[int, int, int, int, int] = (64, 128, 192, 192, 192)
    last_widths: tuple[int, int] = (32, 16)
    channels: int = 256
    early_channels: int = 64


class UnetDecoder(nn.Module):
    """Down from early features and prompts, past the embedding, and up to one mask.

    Parameters
    ----------
    config : UnetConfig
        Widths.

    Notes
    -----
    For a full view:

    =========== ======== ==========================================================
    stage       channels what comes in
    =========== ======== ==========================================================
    256 x 256   64       early features (64), prompts (4)
    128 x 128   128      the largest of 2 x 2
    64 x 64     192      the largest of 2 x 2, the image embedding (256)
    32 x 32     192      the largest of 2 x 2
    16 x 16     192      the largest of 2 x 2
    32 x 32     192      transposed convolution (192), skip connection (192)
    64 x 64     192      transposed convolution (192), skip connection (192)
    128 x 128   128      transposed convolution (128), skip connection (128)
    256 x 256   64       transposed convolution (64), skip connection (64)
    512 x 512   32       transposed convolution (32)
    1024 x 1024 16       transposed convolution (16); a 1 x 1 convolution to one mask
    =========== ======== ==========================================================
    """

    def __init__(self, config: UnetConfig) -> None:
        super().__init__()
        self.config = config
        inputs = [config.early_channels + HINTS, *config.widths[:-1]]
        inputs[2] += config.channels
        self.down = nn.ModuleList(
            UnetStage(before, width)
            for before, width in zip(inputs, config.widths, strict=True)
        )
        steps = zip(config.widths[:0:-1], config.widths[-2::-1], strict=True)
        self.up = nn.ModuleList(UnetUpBlock(before, after) for before, after in steps)
        fine, finest = config.last_widths
        self.to_512 = UnetUpsample(config.widths[0], fine)
        self.to_1024 = UnetUpsample(fine, finest)
        self.mask = nn.Conv2d(finest, 1, kernel_size=1)
        self.apply(initialise)

    def draw(self, grid: Tensor, early: Tensor, hints: Tensor) -> Tensor:
        """Draw a mask in a window of H x W cells.

        Parameters
        ----------
        grid : (B, channels, H, W) tensor
            Image embedding, without prompts.
        early : (B, early_channels, 4 * H, 4 * W) tensor
            Features of the encoder's first stage.
        hints : (B, 4, 4 * H, 4 * W) tensor
            From `draw_hints`.

        Returns
        -------
        (B, 1, 16 * H, 16 * W) tensor of float32
            Logits; above 0 is object. One of them is one pixel of the network's input.
        """
        quarters, *fewer = self.down
        image = quarters(torch.cat([early, hints.to(early.dtype)], dim=1))
        passed = [image]
        for number, stage in enumerate(fewer):
            image = F.max_pool2d(image, 2, ceil_mode=True)
            if number == 1:
                image = torch.cat([image, grid.to(image.dtype)], dim=1)
            image = stage(image)
            passed.append(image)
        image = passed.pop()
        for joining in self.up:
            image = joining(image, passed.pop())
        drawn: Tensor = self.mask(self.to_1024(self.to_512(image)))
        return drawn.float()


class UnetStage(nn.Module):
    """Two convolutions, with a norm after the first."""

    def __init__(self, before: int, width: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(before, width, kernel_size=3, padding=1)
        self.norm = LayerNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, kernel_size=3, padding=1)

    def forward(self, image: Tensor) -> Tensor:
        """Return (B, width, H, W) for (B, before, H, W)."""
        # Over the channels of a pixel: a norm over a window would depend on its size.
        return gelu(self.conv2(gelu(self.norm(self.conv1(image)))))


class UnetUpBlock(nn.Module):
    """Twice the side, joined with the features of the same side on the way down."""

    def __init__(self, before: int, width: int) -> None:
        super().__init__()
        self.enlarge = nn.ConvTranspose2d(before, width, kernel_size=2, stride=2)
        self.stage = UnetStage(2 * width, width)

    def forward(self, image: Tensor, passed: Tensor) -> Tensor:
        """Return (B, width, H, W) for (B, before, H / 2, W / 2), (B, width, H, W)."""
        rows, columns = passed.shape[-2:]
        larger = self.enlarge(image)[..., :rows, :columns]
        joined: Tensor = self.stage(torch.cat([larger, passed], dim=1))
        return joined


class UnetUpsample(nn.Module):
    """Twice the side, without a skip connection."""

    def __init__(self, before: int, width: int) -> None:
        super().__init__()
        self.enlarge = nn.ConvTranspose2d(before, width, kernel_size=2, stride=2)
        self.conv = nn.Conv2d(width, width, kernel_size=3, padding=1)

    def forward(self, image: Tensor) -> Tensor:
        """Return (B, width, 2 * H, 2 * W) for (B, before, H, W)."""
        return gelu(self.conv(gelu(self.enlarge(image))))


def draw_hints(
    positions: Tensor, kinds: Tensor, logits: Tensor | None, size: int
) -> Tensor:
    """Draw prompts as channels of an image.

    Parameters
    ----------
    positions : (B, T, 2) tensor
        (x, y) in pixels of the network's input.
    kinds : (B, T) tensor of int64
        -1 nothing, 0 background, 1 object, 2 and 3 the box's first and last corner.
    logits : (B, 1, size, size) tensor, optional
        An earlier mask.
    size : int
        Low-res pixels a side of the full view, a quarter of the input's.

    Returns
    -------
    (B, 4, size, size) tensor of float32
        Clicks on the object and on the background, as Gaussians with a peak of 1; 1 in
        the box; the earlier mask from -1 to 1, 0 without one.
    """
    lowered = (positions.float() + 0.5) / 4
    axis = torch.arange(size, device=positions.device) + 0.5
    clicks = [_bumps(lowered, kinds == kind, axis) for kind in (_OBJECT, _BACKGROUND)]
    drawn = (
        torch.zeros_like(clicks[0])
        if logits is None
        else torch.tanh(logits.float()[:, 0] / _LOGIT_SCALE)
    )
    return torch.stack([*clicks, _filled_box(lowered, kinds, axis), drawn], dim=1)


def _bumps(positions: Tensor, wanted: Tensor, axis: Tensor) -> Tensor:
    """(B, size, size): the maximum of Gaussians at the (B, T) wanted positions."""
    off = axis - positions[..., None]
    across, down = torch.exp(-0.5 * (off / _SPREAD) ** 2).unbind(dim=2)
    bumps = down[..., :, None] * across[..., None, :] * wanted[..., None, None]
    return bumps.amax(dim=1)


def _filled_box(positions: Tensor, kinds: Tensor, axis: Tensor) -> Tensor:
    """(B, size, size): 1 between the first and the last corner, if there are any."""
    is_first, is_last = kinds == _FIRST_CORNER, kinds == _LAST_CORNER
    first = (positions * is_first[..., None]).sum(dim=1)[..., None]
    last = (positions * is_last[..., None]).sum(dim=1)[..., None]
    across, down = ((axis >= first) & (axis <= last)).unbind(dim=1)
    box = down[:, :, None] & across[:, None, :] & is_first.any(1)[:, None, None]
    return box.float()
