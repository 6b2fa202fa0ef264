"""Layers that several parts of the network share."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = [
    "ConvNorm",
    "GridConv",
    "LayerNorm",
    "LayerNorm2d",
    "LearnedVectors",
    "Linear",
    "Mlp",
    "from_windows",
    "gelu",
    "has_onednn",
    "initialise",
    "linear",
    "make_neck",
    "standard_normal",
    "to_windows",
    "unflattened",
]

_EPSILON = 1e-6
_FEW_CHANNELS = 32


def gelu(image: Tensor) -> Tensor:
    """Apply the Gaussian error linear unit.

    Parameters
    ----------
    image : tensor
        Overwritten in inference: allocating memory takes several times longer than the
        arithmetic.

    Returns
    -------
    tensor
        Of the same shape.
    """
    if image.ndim == 4 and image.is_contiguous(memory_format=torch.channels_last):
        # With channels last torch takes nine times as long for the same numbers.
        return _flat_gelu(image.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
    return _flat_gelu(image)


def _flat_gelu(image: Tensor) -> Tensor:
    if torch.is_grad_enabled() or not image.is_contiguous():
        return F.gelu(image)
    activated: Tensor = torch.ops.aten.gelu_(image)
    return activated


def linear(tokens: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """Multiply by a matrix and add a bias, without a pass over the result for it.

    Parameters
    ----------
    tokens : (..., inputs) tensor
        The fast way is for float32 and bfloat16.
    weight : (outputs, inputs) tensor
        Of the same number type.
    bias : (outputs,) tensor
        Of the same number type.

    Returns
    -------
    (..., outputs) tensor

    Notes
    -----
    Torch copies the bias into every row of the result before it multiplies, which for
    short rows takes as long as the product itself. oneDNN adds it while it writes, but
    has no gradients.
    """
    if torch.is_grad_enabled() or not _is_for_onednn(tokens):
        return F.linear(tokens, weight, bias)
    product: Tensor = torch.ops.mkldnn._linear_pointwise(
        tokens, weight, bias, "none", [], ""
    )
    return product


def initialise(layer: nn.Module) -> None:
    """Draw the weights of a convolution so that it keeps the variance [1]_.

    With torch's defaults each layer halves it.

    Parameters
    ----------
    layer : nn.Module
        Left alone unless it is a convolution.

    .. [1] He et al., "Delving deep into rectifiers", ICCV 2015.
    """
    if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
        nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)


class Linear(nn.Linear):
    """A linear layer on the last axis, see `linear`."""

    def forward(self, tokens: Tensor) -> Tensor:
        """Return (..., outputs) for (..., inputs)."""
        return linear(tokens, self.weight, self.bias)

    def activated(self, tokens: Tensor) -> Tensor:
        """As `forward`, then `gelu`; layers that fuse both do it in one pass."""
        return gelu(self(tokens))


class LayerNorm(nn.LayerNorm):
    """Normalise the last axis, in the number type of the input."""

    def forward(self, tokens: Tensor) -> Tensor:
        """Return a tensor of the same shape and type."""
        weight, bias = self.weight.to(tokens.dtype), self.bias.to(tokens.dtype)
        return F.layer_norm(tokens, self.normalized_shape, weight, bias, self.eps)


def has_onednn() -> bool:
    """Whether torch multiplies by oneDNN on this processor; only on x86."""
    is_built_in: bool = torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
    return is_built_in and torch.backends.cpu.get_cpu_capability() in ("AVX2", "AVX512")


def _is_for_onednn(tokens: Tensor) -> bool:
    return tokens.device.type == "cpu" and tokens.dtype in _onednn_types()


@cache
def _onednn_types() -> frozenset[torch.dtype]:
    """Number types that oneDNN multiplies on this processor; none but on x86.

    Without AVX-512 it has no products of bfloat16, and raises an error.
    """
    if not (has_onednn() and hasattr(torch.ops.mkldnn, "_linear_pointwise")):
        return frozenset()
    has_bfloat16 = torch.ops.mkldnn._is_mkldnn_bf16_supported()
    return frozenset({torch.float32} | ({torch.bfloat16} if has_bfloat16 else set()))


class GridConv(nn.Conv2d):
    """A convolution of (B, H, W, C) grids."""

    def forward(self, grid: Tensor) -> Tensor:
        """Return (B, H', W', out) for (B, H, W, in)."""
        return super().forward(grid.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)


class ConvNorm(nn.Module):
    """A convolution without bias, followed by a BatchNorm, of (B, H, W, C) grids.

    Parameters
    ----------
    convolution : GridConv
        The norm gets its number of output channels.
    """

    def __init__(self, convolution: GridConv) -> None:
        super().__init__()
        self.c = convolution
        self.bn = nn.BatchNorm2d(convolution.out_channels)

    def forward(self, grid: Tensor) -> Tensor:
        """Return (B, H', W', out) for (B, H, W, in)."""
        normed: Tensor = self.bn(self.c(grid).permute(0, 3, 1, 2))
        return normed.permute(0, 2, 3, 1)

    def activated(self, grid: Tensor) -> Tensor:
        """As `forward`, then `gelu`; layers that fuse both do it in one pass."""
        return gelu(self(grid))

    def folded(self) -> GridConv | Linear:
        """Return one equivalent layer, with the current statistics of the norm."""
        convolution = fuse_conv_bn_eval(self.c, self.bn)
        is_pointwise = convolution.kernel_size == convolution.stride == (1, 1)
        return _as_linear(convolution) if is_pointwise else convolution


def _as_linear(convolution: GridConv) -> Linear:
    with torch.device("meta"):
        layer = Linear(convolution.in_channels, convolution.out_channels)
    layer.weight = nn.Parameter(convolution.weight.flatten(1))
    layer.bias = nn.Parameter(cast("Tensor", convolution.bias))
    return layer


def unflattened(tensor: Tensor, axis: int, sizes: Sequence[int]) -> Tensor:
    """Split one axis into several, as `torch.Tensor.unflatten`, which has no types."""
    split: Tensor = tensor.unflatten(axis, sizes)  # type: ignore[no-untyped-call]
    return split


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
        """Return the normalised image, (B, C, H, W)."""
        if len(self.weight) < _FEW_CHANNELS:
            return self._normed(image)
        last = image.permute(0, 2, 3, 1)
        normed = F.layer_norm(last, self.weight.shape, self.weight, self.bias, _EPSILON)
        return normed.permute(0, 3, 1, 2)

    def _normed(self, image: Tensor) -> Tensor:
        """For few channels torch's layer norm and variance are slow."""
        centred = image - image.mean(dim=1, keepdim=True)
        variance = centred.square().mean(dim=1, keepdim=True)
        normed = centred * torch.rsqrt(variance + _EPSILON)
        return normed * self.weight[:, None, None] + self.bias[:, None, None]


class LearnedVectors(nn.Module):
    """A few learned vectors, drawn from a standard normal distribution.

    Parameters
    ----------
    count : int
        Number of vectors.
    width : int
        Length of each.
    """

    def __init__(self, count: int, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(standard_normal(count, width))

    def forward(self) -> Tensor:
        """Return the vectors, (count, width)."""
        return self.weight


def standard_normal(rows: int, columns: int) -> Tensor:
    """Draw a (rows, columns) matrix; on torch's meta device nothing is drawn.

    Loading a checkpoint there must not advance the random generator of the process.
    Torch would also import sympy, which takes two seconds.
    """
    blank = torch.empty(rows, columns)
    return blank if blank.is_meta else torch.randn(rows, columns)


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
        Tokens; padded with zeros at the bottom and right to whole windows.
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
