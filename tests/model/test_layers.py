from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from napari_sam_decoder.model.layers import (
    ConvNorm,
    GridConv,
    LayerNorm,
    LayerNorm2d,
    Linear,
    from_windows,
    gelu,
    to_windows,
)


def randomise_statistics(norm: nn.BatchNorm2d) -> None:
    nn.init.normal_(norm.weight)
    nn.init.normal_(norm.bias)
    nn.init.normal_(norm.running_mean)
    nn.init.uniform_(norm.running_var, 0.5, 2)


@pytest.mark.parametrize("size", [1, 3])
def test_folded_norm_equals_convolution_then_norm(size: int) -> None:
    torch.manual_seed(0)
    groups = 1 if size == 1 else 8
    convolution = GridConv(8, 8, size, padding=size // 2, groups=groups, bias=False)
    layer = ConvNorm(convolution).eval()
    randomise_statistics(layer.bn)
    grid = torch.randn(2, 9, 9, 8)
    folded = layer.folded()
    assert isinstance(folded, Linear) == (size == 1)
    with torch.inference_mode():
        torch.testing.assert_close(folded(grid), layer(grid))


def test_norm_uses_and_updates_statistics_in_training() -> None:
    layer = ConvNorm(GridConv(3, 4, 1, bias=False)).train()
    out = layer(torch.randn(8, 5, 5, 3))
    torch.testing.assert_close(out.mean((0, 1, 2)), torch.zeros(4), atol=1e-5, rtol=0)
    assert layer.bn.num_batches_tracked == 1


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64])
def test_linear_is_the_same_with_and_without_gradients(dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    layer, tokens = Linear(32, 16).to(dtype), torch.randn(2, 5, 7, 32).to(dtype)
    expected = layer(tokens)
    assert expected.requires_grad
    with torch.inference_mode():
        torch.testing.assert_close(layer(tokens), expected.detach())


def test_gelu_overwrites_only_where_no_gradients_are_wanted() -> None:
    image = torch.randn(3, 4)
    before, expected = image.clone(), F.gelu(image)
    assert torch.equal(gelu(image), expected)
    assert torch.equal(image, before)
    with torch.inference_mode():
        torch.testing.assert_close(gelu(image), expected)
    torch.testing.assert_close(image, expected)


def test_gelu_of_a_strided_view_leaves_it() -> None:
    image = torch.randn(3, 4)
    with torch.inference_mode():
        view = image.clone().T
        before = view.clone()
        torch.testing.assert_close(gelu(view), F.gelu(before))
        assert torch.equal(view, before)


def test_layer_norm_takes_any_number_type() -> None:
    tokens = torch.randn(4, 8)
    norm = LayerNorm(8)
    torch.nn.init.normal_(norm.weight)
    found = norm(tokens.bfloat16())
    assert found.dtype == torch.bfloat16
    torch.testing.assert_close(found.float(), norm(tokens), atol=0.1, rtol=0.05)


@pytest.mark.parametrize(("height", "width"), [(14, 14), (9, 13), (7, 1), (3, 20)])
def test_windows_round_trip(height: int, width: int) -> None:
    grid = torch.rand(2, height, width, 3)
    windows = to_windows(grid, 7)
    rows, columns = -(-height // 7), -(-width // 7)
    assert windows.shape == (2 * rows * columns, 7, 7, 3)
    assert torch.equal(from_windows(windows, grid.shape), grid)


def test_windows_are_in_row_major_order_and_padded_with_zeros() -> None:
    grid = torch.arange(1.0, 13).reshape(1, 3, 4, 1)
    windows = to_windows(grid, 2)[..., 0]
    assert windows.tolist() == [
        [[1, 2], [5, 6]],
        [[3, 4], [7, 8]],
        [[9, 10], [0, 0]],
        [[11, 12], [0, 0]],
    ]


def test_layer_norm_works_on_the_channels_of_each_pixel() -> None:
    image = torch.randn(2, 5, 3, 4)
    norm = LayerNorm2d(5)
    torch.nn.init.normal_(norm.weight)
    torch.nn.init.normal_(norm.bias)
    mean = image.mean(1, keepdim=True)
    spread = (image.var(1, keepdim=True, correction=0) + 1e-6).sqrt()
    expected = (image - mean) / spread
    expected = expected * norm.weight[:, None, None] + norm.bias[:, None, None]
    torch.testing.assert_close(norm(image), expected)
