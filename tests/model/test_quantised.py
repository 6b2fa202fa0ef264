from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from napari_sam_decoder.model.layers import GridConv, Linear
from napari_sam_decoder.model.quantised import (
    InputRange,
    QuantisedConv,
    QuantisedGridConv,
    QuantisedLinear,
    multiplies_int8,
    quantise_layers,
)
from napari_sam_decoder.model.tiny_vit import ConvBlock, NormedMlp

RANGE = InputRange(-1.0, 3.0)
needs_int8 = pytest.mark.skipif(
    not multiplies_int8(), reason="the processor has no products of int8"
)


def restored(values: Tensor, given: InputRange) -> Tensor:
    return (values.float() - given.zero) * given.scale


def rounded_weight(weight: Tensor) -> Tensor:
    """As float32 what is left of weights after rounding each row to int8."""
    rows = weight.detach().flatten(1)
    scales = rows.abs().amax(dim=1, keepdim=True) / 127
    return ((rows / scales).round() * scales).view(weight.shape)


def test_inputs_are_rounded_to_the_nearest_and_cut_off_beyond_the_range() -> None:
    inside = torch.linspace(-1, 3, 1001)
    error = restored(RANGE.round(inside), RANGE) - inside
    assert error.abs().max() <= RANGE.scale * 0.501
    beyond = restored(RANGE.round(torch.tensor([-9.0, 9.0])), RANGE)
    torch.testing.assert_close(beyond, torch.tensor([-1.0, 3.0]), atol=0.01, rtol=0)


@pytest.mark.parametrize("given", [RANGE, InputRange(-0.17, 5.0), InputRange(0.0, 0.0)])
def test_zero_is_kept(given: InputRange) -> None:
    zeros = torch.zeros(3, 4)
    assert torch.equal(restored(given.round(zeros), given), zeros)


def test_many_values_are_rounded_as_few_are() -> None:
    values = torch.randn(3, 100_000).T
    found = RANGE.round(values)
    assert found.shape == values.shape
    assert torch.equal(found[-5:], RANGE.round(values[-5:]))


@needs_int8
@torch.inference_mode()
def test_a_linear_layer_gives_the_exact_product_of_what_was_rounded() -> None:
    torch.manual_seed(0)
    layer, tokens = Linear(32, 16), torch.randn(2, 5, 7, 32)
    found = QuantisedLinear(layer, RANGE)(tokens)
    seen = restored(RANGE.round(tokens), RANGE)
    expected = F.linear(seen, rounded_weight(layer.weight), layer.bias)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)
    assert torch.equal(QuantisedLinear(layer, RANGE)(RANGE.round(tokens)), found)


@needs_int8
@pytest.mark.parametrize(("groups", "bias"), [(1, False), (16, True)])
def test_a_convolution_gives_the_exact_sum_of_what_was_rounded(
    groups: int, bias: bool
) -> None:
    torch.manual_seed(0)
    layer = nn.Conv2d(16, 32, 3, stride=2, padding=1, groups=groups, bias=bias)
    image = torch.randn(1, 16, 9, 12).to(memory_format=torch.channels_last)
    with torch.inference_mode():
        found = QuantisedConv(layer, RANGE)(image)
        seen = restored(RANGE.round(image), RANGE)
        weight = rounded_weight(layer.weight)
        expected = F.conv2d(seen, weight, layer.bias, 2, 1, 1, groups)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)


@needs_int8
@torch.inference_mode()
def test_layers_in_a_chain_hand_on_integers() -> None:
    torch.manual_seed(0)
    mlp, tokens = NormedMlp(32).eval(), torch.randn(5, 32)
    expected = mlp(tokens)
    quantise_layers(mlp, {"fc1": InputRange(-4, 4), "fc2": InputRange(-0.17, 4)})
    assert isinstance(mlp.fc1, QuantisedLinear)
    between = mlp.fc1.activated(mlp.norm(tokens))
    assert between.dtype == torch.uint8
    assert mlp(tokens).dtype == torch.float32
    torch.testing.assert_close(mlp(tokens), expected, atol=0.03, rtol=0)


@needs_int8
@torch.inference_mode()
def test_only_the_layers_that_are_named_are_replaced() -> None:
    torch.manual_seed(0)
    block, grid = ConvBlock(8).eval(), torch.randn(1, 6, 5, 8)
    for name in ("conv1", "conv2", "conv3"):
        setattr(block, name, getattr(block, name).folded())
    expected = block(grid)
    ranges = {"conv1": InputRange(-4, 4), "conv2": InputRange(-0.17, 4)}
    quantise_layers(block, ranges)
    assert isinstance(block.conv1, QuantisedLinear)
    assert isinstance(block.conv2, QuantisedGridConv)
    assert isinstance(block.conv3, Linear)
    torch.testing.assert_close(block(grid), expected, atol=0.03, rtol=0)
    quantise_layers(block, {"conv3": InputRange(-0.17, 4)})
    torch.testing.assert_close(block(grid), expected, atol=0.05, rtol=0)


@needs_int8
def test_a_grid_is_convolved_as_an_image() -> None:
    layer, grid = GridConv(4, 8, 3, padding=1), torch.randn(1, 5, 6, 4)
    with torch.inference_mode():
        found = QuantisedGridConv(layer, RANGE)(grid)
        expected = QuantisedConv(layer, RANGE)(grid.permute(0, 3, 1, 2))
    assert torch.equal(found, expected.permute(0, 2, 3, 1))
