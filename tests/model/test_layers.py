from __future__ import annotations

import pytest
import torch

from napari_sam_decoder.model.layers import LayerNorm2d, from_windows, to_windows


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
