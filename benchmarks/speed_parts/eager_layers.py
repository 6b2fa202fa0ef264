"""Layers that both halves of the plain network share, written out as published."""

from __future__ import annotations

import torch
from torch import Tensor, nn

__all__ = ["LayerNorm2d"]

EPSILON = 1e-6


class LayerNorm2d(nn.Module):
    """Normalise the channels of each pixel of a (B, C, H, W) image, step by step."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, image: Tensor) -> Tensor:
        """Return (B, C, H, W)."""
        centred = image - image.mean(1, keepdim=True)
        variance = centred.pow(2).mean(1, keepdim=True)
        normed = centred / torch.sqrt(variance + EPSILON)
        return self.weight[:, None, None] * normed + self.bias[:, None, None]
