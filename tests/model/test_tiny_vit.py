from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn

from napari_sam_decoder.model import tiny_vit
from napari_sam_decoder.model.tiny_vit import (
    ConvBlock,
    TinyViT,
    TinyViTConfig,
    WindowAttention,
)

if TYPE_CHECKING:
    import pytest


def test_bands_give_what_the_whole_gives(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    block = ConvBlock(8).eval()
    grid = torch.randn(2, 11, 5, 8)
    with torch.inference_mode():
        whole = block(grid)
        monkeypatch.setattr(tiny_vit, "_BAND_ROWS", 4)
        torch.testing.assert_close(block(grid), whole)


def test_attention_adds_the_bias_of_each_unsigned_distance() -> None:
    torch.manual_seed(0)
    attention = WindowAttention(width=8, heads=2, window=3).eval()
    nn.init.normal_(attention.attention_biases)
    windows = torch.randn(4, 3, 3, 8)
    qkv = attention.qkv(attention.norm(windows)).reshape(4, 9, 2, 12)
    query, key, value = (part.transpose(1, 2) for part in qkv.split(4, dim=3))
    scores = query @ key.transpose(2, 3) / 2
    for i in range(9):
        for j in range(9):
            distance = 3 * abs(i // 3 - j // 3) + abs(i % 3 - j % 3)
            scores[:, :, i, j] += attention.attention_biases[:, distance]
    mixed = (scores.softmax(-1) @ value).transpose(1, 2).reshape(4, 3, 3, 8)
    torch.testing.assert_close(attention(windows), attention.proj(mixed))


def test_biases_loaded_after_eval_take_effect() -> None:
    torch.manual_seed(0)
    attention = WindowAttention(width=8, heads=2, window=3).eval()
    windows = torch.randn(1, 3, 3, 8)
    before = attention(windows)
    state = attention.state_dict()
    state["attention_biases"] = torch.randn(2, 9)
    attention.load_state_dict(state)
    assert not torch.allclose(attention(windows), before)


def test_grid_is_a_sixteenth_of_the_image() -> None:
    network = TinyViT(TinyViTConfig(image_size=128)).eval()
    with torch.inference_mode():
        assert network(torch.randn(2, 3, 128, 128)).shape == (2, 256, 8, 8)


def test_parameter_count_without_classification_head() -> None:
    with torch.device("meta"):
        network = TinyViT(TinyViTConfig())
    assert sum(item.numel() for item in network.parameters()) == 5_743_892
