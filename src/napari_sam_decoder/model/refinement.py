"""A network that redraws the mask of an object in a small window of a frame."""

from __future__ import annotations

from typing import cast

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, cat, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from napari_sam_decoder.model.torch_errors import computing

__all__ = ["CLUES", "RefinementNetwork"]

CLUES = 20
"""Channels of the input."""

_WIDTHS = (32, 64, 96, 128)
"""Channels at 48, 24, 12 and 6 cells a side."""


class RefinementNetwork(nn.Module):
    """A U-Net from clues to the logits of a mask and a rating of it.

    Parameters
    ----------
    widths : tuple of int
        Channels at each of the four resolutions, the finest first.
    """

    def __init__(self, widths: tuple[int, int, int, int] = _WIDTHS) -> None:
        super().__init__()
        first, second, third, deepest = widths
        self.down = nn.ModuleList(
            [
                _Pair(4 * CLUES, first),
                _Pair(first, second),
                _Pair(second, third),
                _Pair(third, deepest),
            ]
        )
        self.up = nn.ModuleList(
            [
                _Pair(deepest + third, third),
                _Pair(third + second, second),
                _Pair(second + first, first),
            ]
        )
        self.head = nn.Conv2d(first, 4, 3, padding=1)
        self.rating = nn.Sequential(
            nn.Linear(2 * deepest, 64), nn.ReLU(), nn.Linear(64, 1)
        )

    def forward(self, clues: Tensor) -> tuple[Tensor, Tensor]:
        """Redraw masks.

        Parameters
        ----------
        clues : (B, CLUES, GRID_SIDE, GRID_SIDE) tensor
            In -1..1: what is known in a window around each object.

        Returns
        -------
        logits : (B, GRID_SIDE, GRID_SIDE) tensor
            Above 0 is object.
        ratings : (B,) tensor
            Expected IoU of each mask, about 0..1.
        """
        # With the channels last already, this would take twice as long.
        blocks = F.pixel_unshuffle(clues, 2)
        image = self.down[0](blocks.contiguous(memory_format=torch.channels_last))
        skipped = []
        for pair in self.down[1:]:
            skipped.append(image)
            image = pair(F.max_pool2d(image, 2))
        pooled = cat([image.mean((2, 3)), image.amax((2, 3))], dim=1)
        for pair in self.up:
            enlarged = F.interpolate(image, scale_factor=2.0, mode="nearest")
            image = pair(cat([enlarged, skipped.pop()], dim=1))
        logits = F.pixel_shuffle(self.head(image), 2)[:, 0]
        return logits, self.rating(pooled)[:, 0]

    @torch.inference_mode()
    def refine(self, seen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Redraw masks, as `forward` does, from numpy to numpy.

        Raises
        ------
        DecodingError
            If there is too little memory.
        """
        weights = self.head.weight
        clues = torch.from_numpy(np.ascontiguousarray(seen, np.float32))
        with computing("refine a mask", weights.device):
            logits, ratings = self(clues.to(weights.dtype))
        return logits.float().numpy(), ratings.float().numpy()

    def prepared(self, dtype: torch.dtype) -> RefinementNetwork:
        """Fold the norms and choose a number type, in place, for use after training."""
        self.eval()
        for pair in [*self.down, *self.up]:
            pair.fold()
        return self.to(dtype, memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]


class _Pair(nn.Module):
    """Two convolutions, each with batch norm, which is folded in before use."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
        self.first_norm: nn.Module = nn.BatchNorm2d(outputs)
        self.second = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.second_norm: nn.Module = nn.BatchNorm2d(outputs)

    def forward(self, image: Tensor) -> Tensor:
        """(B, outputs, H, W) of (B, inputs, H, W)."""
        image = F.relu(self.first_norm(self.first(image)), inplace=True)
        return F.relu(self.second_norm(self.second(image)), inplace=True)

    def fold(self) -> None:
        """Fold the norms into the convolutions."""
        self.first = _folded(self.first, self.first_norm)
        self.second = _folded(self.second, self.second_norm)
        self.first_norm = self.second_norm = nn.Identity()


def _folded(convolution: nn.Conv2d, norm: nn.Module) -> nn.Conv2d:
    return fuse_conv_bn_eval(convolution, cast("nn.BatchNorm2d", norm))
