"""Layers that multiply int8, for processors with such products.

Weights are rounded to int8 with a scale per output channel, inputs to uint8 with one
scale and one zero point per layer, from ranges that were measured beforehand [1]_.
oneDNN adds the products up exactly. All else is float32.

.. [1] Jacob et al., "Quantization and training of neural networks for efficient
   integer-arithmetic-only inference", CVPR 2018.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from napari_sam_decoder.model.layers import GridConv, has_onednn

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "InputRange",
    "QuantisedConv",
    "QuantisedLinear",
    "multiplies_int8",
    "quantise_layers",
]

_UNITS = "avx512_vnni", "avx_vnni"
"""What the processor needs: without them, sums of two products may be cut off."""
_LARGEST_INPUT = 255
_LARGEST_WEIGHT = 127
_SMALLEST_SCALE = 1e-12
_PIECE = 2**18
"""So many numbers are rounded at a time: they stay in the cache of the processor."""
_FED = {"fc1": "fc2", "conv1": "conv2"}
"""Layers whose activated output is nothing but the input of a layer beside them."""


def multiplies_int8() -> bool:
    """Whether the processor has products of int8 that are not disabled in torch."""
    # Not in all supported versions; without it float32 is safe.
    ask = getattr(torch.cpu, "get_capabilities", None)
    offers = ask() if ask is not None else {}
    has_units = any(offers.get(unit, False) for unit in _UNITS)
    return has_units and has_onednn() and hasattr(torch.ops.onednn, "qlinear_pointwise")


@dataclass(frozen=True)
class InputRange:
    """The range that inputs of a layer are rounded in; what is beyond is cut off.

    Attributes
    ----------
    low, high : float
        0 is between them and is kept exactly, or they are the same.
    """

    low: float
    high: float

    @property
    def scale(self) -> float:
        """Distance between two values."""
        return max((self.high - self.low) / _LARGEST_INPUT, _SMALLEST_SCALE)

    @property
    def zero(self) -> int:
        """The integer for 0."""
        return round(-self.low / self.scale)

    def round(self, values: Tensor) -> Tensor:
        """Round to the nearest of 256 values.

        Parameters
        ----------
        values : tensor of float32
            Of any shape.

        Returns
        -------
        tensor of uint8
            ``value / scale + zero``, of the same shape.
        """
        flat = values.reshape(-1)
        rounded = torch.empty_like(flat, dtype=torch.uint8)
        # What is cut off behind the comma was half a step higher.
        half = flat.new_tensor(self.zero + 0.5)
        places = torch.split(rounded, _PIECE)
        for piece, place in zip(torch.split(flat, _PIECE), places, strict=True):
            moved = torch.add(half, piece, alpha=1 / self.scale)
            # By way of int32 it takes half the time.
            place.copy_(moved.clamp_(0, _LARGEST_INPUT).int())
        return rounded.view(values.shape)


class QuantisedLinear(nn.Module):
    """A linear layer on the last axis, for inference on the CPU.

    Parameters
    ----------
    layer : nn.Linear
        In float32, with a bias.
    given : InputRange
        Of its inputs.

    Attributes
    ----------
    given : InputRange
        Of its inputs.
    wanted : InputRange or None
        That of the only layer that gets what `activated` returns, if it multiplies
        int8, too.
    """

    def __init__(self, layer: nn.Linear, given: InputRange) -> None:
        super().__init__()
        weight, self._scales = _rounded_weight(layer.weight)
        # None of these are buffers, since modules convert those to other types.
        self._weight = torch.ops.onednn.qlinear_prepack(weight, None)
        self._zeros = torch.zeros_like(self._scales, dtype=torch.int32)
        self._bias = layer.bias.detach()
        self.given = given
        self.wanted: InputRange | None = None

    def forward(self, tokens: Tensor) -> Tensor:
        """Return (..., outputs) of float32 for (..., inputs) of float32 or uint8.

        uint8 is rounded in the range `given` already.
        """
        return self._multiplied(tokens, None, "none")

    def activated(self, tokens: Tensor) -> Tensor:
        """As `forward`, then `gelu`; uint8 if `wanted`."""
        return self._multiplied(tokens, self.wanted, "gelu")

    def _multiplied(self, tokens: Tensor, out: InputRange | None, then: str) -> Tensor:
        product: Tensor = torch.ops.onednn.qlinear_pointwise(
            _rounded(tokens, self.given),
            self.given.scale,
            self.given.zero,
            self._weight,
            self._scales,
            self._zeros,
            self._bias,
            out.scale if out else 1.0,
            out.zero if out else 0,
            torch.uint8 if out else torch.float32,
            then,
            [],
            "none",
        )
        return product


class QuantisedConv(nn.Module):
    """A convolution of (B, C, H, W) images, for inference on the CPU.

    Parameters
    ----------
    layer : nn.Conv2d
        In float32.
    given : InputRange
        Of its inputs.
    """

    def __init__(self, layer: nn.Conv2d, given: InputRange) -> None:
        super().__init__()
        weight, self._scales = _rounded_weight(layer.weight)
        self._geometry = layer.stride, layer.padding, layer.dilation, layer.groups
        self._weight = torch.ops.onednn.qconv_prepack(
            weight, self._scales, given.scale, given.zero, *self._geometry
        )
        self._zeros = torch.zeros_like(self._scales, dtype=torch.int32)
        self._bias = None if layer.bias is None else layer.bias.detach()
        self.given = given

    def forward(self, image: Tensor) -> Tensor:
        """Return (B, C', H', W') of float32 for (B, C, H, W) of float32 or uint8.

        uint8 is rounded in the range `given` already.
        """
        # As the pixels lie in memory.
        last = _rounded(image.permute(0, 2, 3, 1), self.given)
        convolved: Tensor = torch.ops.onednn.qconv2d_pointwise(
            last.permute(0, 3, 1, 2),
            self.given.scale,
            self.given.zero,
            self._weight,
            self._scales,
            self._zeros,
            self._bias,
            *self._geometry,
            1.0,
            0,
            torch.float32,
            "none",
            [],
            "",
        )
        return convolved


class QuantisedGridConv(QuantisedConv):
    """A convolution of (B, H, W, C) grids."""

    def forward(self, grid: Tensor) -> Tensor:
        """Return (B, H', W', C') for (B, H, W, C), as `QuantisedConv` does images."""
        return super().forward(grid.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)


def quantise_layers(network: nn.Module, ranges: Mapping[str, InputRange]) -> None:
    """Replace layers by such that multiply int8, in place.

    Parameters
    ----------
    network : nn.Module
        In float32, on the CPU, with its norms folded.
    ranges : mapping of str to InputRange
        Of the inputs of each layer to replace, by its name in the network.
    """
    for name, given in ranges.items():
        layer = network.get_submodule(name)
        network.set_submodule(name, _quantised(layer, given))
    for module in network.modules():
        parts = dict(module.named_children())
        for name, fed in _FED.items():
            _feed(parts.get(name), parts.get(fed))


def _quantised(layer: nn.Module, given: InputRange) -> nn.Module:
    if isinstance(layer, GridConv):
        return QuantisedGridConv(layer, given)
    if isinstance(layer, nn.Conv2d):
        return QuantisedConv(layer, given)
    assert isinstance(layer, nn.Linear)
    return QuantisedLinear(layer, given)


def _feed(layer: nn.Module | None, fed: nn.Module | None) -> None:
    if isinstance(layer, QuantisedLinear) and isinstance(
        fed, QuantisedLinear | QuantisedConv
    ):
        layer.wanted = fed.given


def _rounded(values: Tensor, given: InputRange) -> Tensor:
    return values if values.dtype == torch.uint8 else given.round(values)


def _rounded_weight(weight: Tensor) -> tuple[Tensor, Tensor]:
    """int8 weights of the same shape, and a scale for each output channel."""
    rows = weight.detach().flatten(1)
    scales = (rows.abs().amax(dim=1) / _LARGEST_WEIGHT).clamp_min(_SMALLEST_SCALE)
    whole = (rows / scales[:, None]).round().to(torch.int8)
    return whole.view(weight.shape), scales
