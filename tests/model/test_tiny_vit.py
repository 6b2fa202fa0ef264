from __future__ import annotations

import copy
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Barrier

import pytest
import torch
from torch import nn

from napari_sam_decoder.model import tiny_vit
from napari_sam_decoder.model.beyond import Cut, typical_image
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


def typical(shown: tuple[int, int]) -> torch.Tensor:
    cut = Cut(int(shown[1] < shown[0]), min(shown), kept=4)
    return typical_image(128, cut, skipped=0)


@pytest.mark.parametrize("strides", [(2, 2, 1), (1, 2, 2)])
@pytest.mark.parametrize("shown", [(60, 128), (128, 31)])
def test_beyond_the_cut_is_what_a_typical_image_has_there(
    shown: tuple[int, int], strides: tuple[int, int, int]
) -> None:
    torch.manual_seed(0)
    network = TinyViT(replace(SMALL, strides=strides)).eval()
    images = torch.cat([typical(shown), padded(128, shown)])
    with torch.inference_mode():
        wanted = network(images)
        for _ in range(2):
            found = network(images, shown)
            torch.testing.assert_close(found[0], wanted[0], atol=1e-5, rtol=1e-5)
            error = (found[1] - wanted[1]).norm() / wanted[1].norm()
            assert 0 < error < 0.3


@pytest.mark.parametrize("shown", [(128, 128), (111, 128)])
def test_without_room_for_a_cut_all_is_computed(shown: tuple[int, int]) -> None:
    network = TinyViT(SMALL).eval()
    image = padded(128, shown)
    with torch.inference_mode():
        torch.testing.assert_close(network(image, shown), network(image))


def test_windows_end_at_the_cut() -> None:
    network = TinyViT(TinyViTConfig())
    assert network.cut((576, 1024)) == Cut(axis=0, shown=576, kept=42)
    assert network.cut((1024, 513)) == Cut(axis=1, shown=513, kept=42)
    assert network.cut((900, 1024)) is None


def test_only_what_shows_the_image_is_computed() -> None:
    network = TinyViT(replace(SMALL, image_size=256)).eval()
    rows = []
    network.patch_embed.register_forward_pre_hook(
        lambda _, inputs: rows.append(inputs[0].shape[1])
    )
    image = padded(256, (100, 256))
    with torch.inference_mode():
        for _ in range(3):
            network(image, (100, 256))
    # The typical image without its first windows, once, and three frames.
    assert rows == [192, 136, 136, 136]


def test_the_typical_image_can_be_seen_ahead() -> None:
    network = TinyViT(replace(SMALL, image_size=256)).eval()
    rows = []
    network.patch_embed.register_forward_pre_hook(
        lambda _, inputs: rows.append(inputs[0].shape[1])
    )
    with torch.inference_mode():
        network.prepare(torch.empty(1), (256, 256))
        assert rows == []
        network.prepare(torch.empty(1), (100, 256))
        assert rows == [192]
        network(padded(256, (100, 256)), (100, 256))
    assert rows == [192, 136]


def test_frames_side_by_side_share_the_typical_image() -> None:
    network = TinyViT(replace(SMALL, image_size=256)).eval()
    image, begin, rows = padded(256, (100, 256)), Barrier(4), []

    @torch.inference_mode()
    def embed(_: int) -> None:
        begin.wait()
        network(image, (100, 256))

    network.patch_embed.register_forward_pre_hook(
        lambda _, inputs: rows.append(inputs[0].shape[1])
    )
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(embed, range(4)))
    assert sorted(rows) == [136, 136, 136, 136, 192]


def test_a_copy_looks_at_the_typical_image_itself() -> None:
    network = TinyViT(SMALL).eval()
    image, shown = padded(128, (60, 128)), (60, 128)
    with torch.inference_mode():
        found = network(image, shown)
        other = copy.deepcopy(network)
        assert len(other._beyond) == 0
        torch.testing.assert_close(other(image, shown), found)


def test_new_weights_see_the_typical_image_anew() -> None:
    torch.manual_seed(0)
    network, other = (TinyViT(SMALL).eval() for _ in range(2))
    shown = (60, 128)
    with torch.inference_mode():
        network(typical(shown), shown)
        network.load_state_dict(other.state_dict())
        found = network(typical(shown), shown)
        wanted = other(typical(shown))
        torch.testing.assert_close(found, wanted, atol=1e-5, rtol=1e-5)


def test_few_shapes_are_kept() -> None:
    network = TinyViT(SMALL).eval()
    with torch.inference_mode():
        for rows in range(50, 62):
            network(padded(128, (rows, 128)), (rows, 128))
    assert 0 < len(network._beyond) <= tiny_vit._SHAPES_KEPT


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
