from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from napari_sam_decoder.model.vit import ViT, ViTConfig, relative_positions

GOLDEN = Path(__file__).parents[1] / "golden"


def read_config() -> ViTConfig:
    sheet = json.loads((GOLDEN / "vit_small.json").read_text())
    return ViTConfig(
        width=sheet["embed_dim"],
        depth=sheet["depth"],
        heads=sheet["num_heads"],
        global_blocks=tuple(sheet["global_attn_indexes"]),
        window=sheet["window_size"],
        image_size=sheet["img_size"],
        patch=sheet["patch_size"],
        channels=sheet["out_chans"],
    )


def test_golden() -> None:
    entries = load_file(GOLDEN / "vit_small.safetensors")
    image, expected = entries.pop("golden.input"), entries.pop("golden.output")
    network = ViT(read_config()).eval()
    network.load_state_dict(
        {name.removeprefix("image_encoder."): item for name, item in entries.items()}
    )
    with torch.inference_mode():
        found = network(image)
    assert found.shape == expected.shape
    assert (found - expected).norm() / expected.norm() < 1e-4


@pytest.mark.parametrize("side", [1, 2, 5])
def test_relative_positions_are_looked_up_by_signed_distance(side: int) -> None:
    table = torch.arange(2.0 * side - 1)[:, None]
    found = relative_positions(table, side)[..., 0]
    for query in range(side):
        for key in range(side):
            assert found[query, key] == query - key + side - 1


def test_relative_positions_of_another_length_are_stretched() -> None:
    table = torch.linspace(-1, 1, 7)[:, None]
    found = relative_positions(table, side=7)
    assert found.shape == (7, 7, 1)
    assert torch.all(found[:-1] < found[1:])
    assert found[0, 6] == -1
    assert found[6, 0] == 1
    torch.testing.assert_close(
        found.diagonal(dim1=0, dim2=1), torch.zeros(1, 7), atol=1e-6, rtol=0
    )
