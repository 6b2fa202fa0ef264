from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import nn

from napari_sam_decoder.model import tiny_vit
from napari_sam_decoder.model.tiny_vit import (
    ConvBlock,
    TinyViT,
    TinyViTConfig,
    WindowAttention,
)


def test_bands_give_what_the_whole_gives(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    block = ConvBlock(8).eval()
    grid = torch.randn(2, 11, 5, 8)
    with torch.inference_mode():
        whole = block(grid)
        monkeypatch.setattr(tiny_vit, "_BAND_ROWS", 4)
        torch.testing.assert_close(block(grid), whole)


SMALL = TinyViTConfig(
    widths=(8, 16, 24, 32),
    depths=(2, 1, 1, 1),
    heads=(2, 2, 2),
    windows=(4, 4, 4),
    image_size=128,
)


def padded(size: int, shown: tuple[int, int]) -> torch.Tensor:
    image = torch.zeros(1, 3, size, size)
    image[:, :, : shown[0], : shown[1]] = torch.randn(1, 3, *shown)
    return image


@pytest.mark.parametrize("strides", [(2, 2, 1), (1, 2, 2)])
@pytest.mark.parametrize("shown", [(60, 128), (128, 31), (128, 128), (111, 128)])
def test_padding_is_not_computed_again_and_gives_the_same(
    shown: tuple[int, int], strides: tuple[int, int, int]
) -> None:
    torch.manual_seed(0)
    network = TinyViT(replace(SMALL, strides=strides)).eval()
    with torch.inference_mode():
        for image in (padded(128, shown), padded(128, shown)):
            found = network(image, shown)
            torch.testing.assert_close(found, network(image), atol=1e-5, rtol=1e-5)


def test_only_what_shows_the_image_is_computed() -> None:
    network = TinyViT(replace(SMALL, image_size=256)).eval()
    rows = []
    network.patch_embed.register_forward_pre_hook(
        lambda _, inputs: rows.append(inputs[0].shape[1])
    )
    image = padded(256, (64, 256))
    with torch.inference_mode():
        for _ in range(3):
            network(image, (64, 256))
    # The frame, padding once, and two frames more.
    assert rows == [88, 192, 88, 88]


def test_new_weights_make_padding_anew() -> None:
    torch.manual_seed(0)
    network, other = (TinyViT(SMALL).eval() for _ in range(2))
    image = padded(128, (40, 128))
    with torch.inference_mode():
        network(image, (40, 128))
        network.load_state_dict(other.state_dict())
        found = network(image, (40, 128))
        torch.testing.assert_close(found, other(image), atol=1e-5, rtol=1e-5)


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
