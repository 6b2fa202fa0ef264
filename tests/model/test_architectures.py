from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import torch
from safetensors import safe_open

from napari_sam_decoder.errors import CheckpointError
from napari_sam_decoder.model.architectures import ARCHITECTURES, build_sam
from napari_sam_decoder.model.catalogue import MODELS, local_path

if TYPE_CHECKING:
    from napari_sam_decoder.model.sam import Sam

GOLDEN = Path(__file__).parents[1] / "golden"
PARAMETERS = {
    "vit_t": 9_808_452,
    "vit_b": 93_735_472,
    "vit_l": 312_342_832,
    "vit_h": 641_090_608,
}
GLOBAL_BLOCKS = {
    "vit_b": {2, 5, 8, 11},
    "vit_l": {5, 11, 17, 23},
    "vit_h": {7, 15, 23, 31},
}


def build_empty(architecture: str) -> Sam:
    with torch.device("meta"):
        return build_sam(architecture, identity="test")


def shapes_in(path: Path) -> dict[str, tuple[int, ...]]:
    with safe_open(path, "pt") as file:
        return {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118


def shapes_of(sam: Sam) -> dict[str, tuple[int, ...]]:
    return {name: tuple(item.shape) for name, item in sam.state_dict().items()}


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_parameter_counts_are_the_published_ones(architecture: str) -> None:
    sam = build_empty(architecture)
    assert sum(item.numel() for item in sam.parameters()) == PARAMETERS[architecture]
    assert sam.image_size == 1024
    assert sam.mask_size == 256
    assert sam.embedding_shape == (256, 64, 64)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_entries_outside_the_encoder_are_those_of_the_public_files(
    architecture: str,
) -> None:
    found = shapes_of(build_empty(architecture))
    expected = shapes_in(local_path(MODELS["mobile_sam"]))
    for shapes in (found, expected):
        for name in [name for name in shapes if name.startswith("image_encoder.")]:
            del shapes[name]
    assert found == expected


def test_tiny_vit_has_the_entries_of_the_public_file() -> None:
    found = shapes_of(build_empty("vit_t"))
    counters = {name for name in found if name.endswith("num_batches_tracked")}
    for name in counters:
        assert found.pop(name) == ()
    assert len(counters) == 27
    assert found == shapes_in(local_path(MODELS["mobile_sam"]))


@pytest.mark.parametrize("architecture", GLOBAL_BLOCKS)
def test_vit_has_the_entries_of_the_public_files(architecture: str) -> None:
    found = shapes_of(build_empty(architecture))
    encoder = {name for name in found if name.startswith("image_encoder.")}
    golden = shapes_in(GOLDEN / "vit_small.safetensors").keys()
    per_block = {
        re.sub(r"blocks\.\d+", "blocks.N", name)
        for name in golden
        if name.startswith("image_encoder.")
    }
    depth = ARCHITECTURES[architecture].depth
    assert encoder == {
        name.replace("blocks.N", f"blocks.{index}")
        for name in per_block
        for index in range(depth)
    }


@pytest.mark.parametrize(
    ("architecture", "width", "head_width"),
    [("vit_b", 768, 64), ("vit_l", 1024, 64), ("vit_h", 1280, 80)],
)
def test_vit_shapes(architecture: str, width: int, head_width: int) -> None:
    found = shapes_of(build_empty(architecture))
    prefix = "image_encoder"
    assert found[f"{prefix}.pos_embed"] == (1, 64, 64, width)
    assert found[f"{prefix}.patch_embed.proj.weight"] == (width, 3, 16, 16)
    assert found[f"{prefix}.blocks.0.attn.qkv.weight"] == (3 * width, width)
    assert found[f"{prefix}.blocks.0.mlp.lin1.weight"] == (4 * width, width)
    assert found[f"{prefix}.neck.0.weight"] == (256, width, 1, 1)
    for index in range(ARCHITECTURES[architecture].depth):
        length = 127 if index in GLOBAL_BLOCKS[architecture] else 27
        for axis in "hw":
            name = f"{prefix}.blocks.{index}.attn.rel_pos_{axis}"
            assert found[name] == (length, head_width)


def test_unknown_architecture_is_refused_with_the_known_ones() -> None:
    with pytest.raises(CheckpointError, match="vit_t, vit_b, vit_l, vit_h"):
        build_sam("vit_x", identity="test")
