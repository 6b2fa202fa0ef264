"""Layers that several parts of the network share."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

__all__ = [
    "LayerNorm2d",
    "LearnedVectors",
    "Mlp",
    "from_windows",
    "make_neck",
    "to_windows",
]


class LayerNorm2d(nn.Module):
    """Normalise the channels of each pixel of a (B, C, H, W) image.

    Parameters
    ----------
    channels : int
        C, the length of the learned weight and bias.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, image: Tensor) -> Tensor:
        """Return the normalised image, (B, C, H, W), stored channels last."""
        last = image.permute(0, 2, 3, 1)
        normed = F.layer_norm(last, self.weight.shape, self.weight, self.bias, 1e-6)
        return normed.permute(0, 3, 1, 2)


class LearnedVectors(nn.Module):
    """A few learned vectors, drawn from a standard normal distribution.

    Parameters
    ----------
    count : int
        Number of vectors.
    width : int
        Length of each.

    Notes
    -----
    Not `nn.Embedding`, which draws in place: on the meta device torch imports sympy
    for that, and two seconds would be lost whenever a checkpoint is loaded.
    """

    def __init__(self, count: int, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.normal(0.0, 1.0, (count, width)))

    def forward(self) -> Tensor:
        """Return the vectors, (count, width)."""
        return self.weight


class Mlp(nn.Module):
    """Two linear layers with an activation between, on the last axis.

    Parameters
    ----------
    width : int
        Length of the last axis, at input and output.
    hidden : int
        Length of the last axis between the two layers.
    activation : nn.Module
        What is applied between them.
    """

    def __init__(self, width: int, hidden: int, activation: nn.Module) -> None:
        super().__init__()
        self.lin1 = nn.Linear(width, hidden)
        self.lin2 = nn.Linear(hidden, width)
        self.activation = activation

    def forward(self, tokens: Tensor) -> Tensor:
        """Return (..., width) for (..., width)."""
        out: Tensor = self.lin2(self.activation(self.lin1(tokens)))
        return out


def make_neck(width: int, channels: int) -> nn.Sequential:
    """Build the convolutions that bring any encoder to SAM's embedding width.

    Parameters
    ----------
    width : int
        Channels that the encoder's last block gives.
    channels : int
        Channels of the embedding, 256 for the public checkpoints.

    Returns
    -------
    nn.Sequential
        Maps (B, width, H, W) to (B, channels, H, W).
    """
    return nn.Sequential(
        nn.Conv2d(width, channels, kernel_size=1, bias=False),
        LayerNorm2d(channels),
        nn.Conv2d(channels, channels, kernel_size=3, padding=1, bias=False),
        LayerNorm2d(channels),
    )


def to_windows(grid: Tensor, side: int) -> Tensor:
    """Cut a grid of tokens into square windows.

    Parameters
    ----------
    grid : (B, H, W, C) tensor
        Tokens; zeros are added at the bottom and right to whole windows.
    side : int
        Rows and columns of a window.

    Returns
    -------
    (B * n, side, side, C) tensor
        The n windows of each grid in row-major order.
    """
    batch, height, width, channels = grid.shape
    padded = F.pad(grid, (0, 0, 0, -width % side, 0, -height % side))
    rows, columns = padded.shape[1] // side, padded.shape[2] // side
    blocks = padded.reshape(batch, rows, side, columns, side, channels)
    return blocks.transpose(2, 3).reshape(-1, side, side, channels)


def from_windows(windows: Tensor, shape: torch.Size) -> Tensor:
    """Put windows back together, the inverse of `to_windows`.

    Parameters
    ----------
    windows : (B * n, side, side, C) tensor
        Windows in row-major order.
    shape : torch.Size
        (B, H, W, C) of the grid that was cut.

    Returns
    -------
    (B, H, W, C) tensor
        The grid without the zeros that `to_windows` added.
    """
    batch, height, width, channels = shape
    side = windows.shape[1]
    rows, columns = -(-height // side), -(-width // side)
    blocks = windows.reshape(batch, rows, columns, side, side, channels)
    padded = blocks.transpose(2, 3).reshape(batch, rows * side, columns * side, -1)
    return padded[:, :height, :width]
