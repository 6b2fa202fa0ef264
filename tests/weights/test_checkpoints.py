from __future__ import annotations

import hashlib
import pickle
import re
import sys
import warnings
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from napari_sam_decoder.errors import CheckpointError, MissingExtraError
from napari_sam_decoder.weights.catalogue import MODELS, local_path
from napari_sam_decoder.weights.checkpoints import (
    ARCHITECTURES,
    build_sam,
    fill,
    hash_file,
    infer_architecture,
    read_checkpoint,
)

if TYPE_CHECKING:
    from napari_sam_decoder.model.sam import Sam


def test_sha256_is_the_default(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"abc")
    assert hash_file(path) == hashlib.sha256(b"abc").hexdigest()


def test_xxh128_of_nothing(tmp_path: Path) -> None:
    pytest.importorskip("xxhash")
    path = tmp_path / "file"
    path.write_bytes(b"")
    assert hash_file(path, "xxh128") == "99aa06d3014798d86001c324468d497f"


def test_without_xxhash_the_pip_line_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "xxhash", None)
    path = tmp_path / "file"
    path.write_bytes(b"abc")
    with pytest.raises(MissingExtraError, match=r"pip install .*\[xxhash\]"):
        hash_file(path, "xxh128")


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


STATE = {"a.weight": torch.arange(6.0).reshape(2, 3), "b": torch.ones(4)}


class RunsCode:
    """Unpickling this creates a file."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.marker,)


def assert_equal(found: dict[str, Tensor], expected: dict[str, Tensor]) -> None:
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[name], expected[name]) for name in expected)


@pytest.mark.parametrize("suffix", [".safetensors", ".pth", ""])
def test_safetensors_are_told_by_content(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"weights{suffix}"
    save_file(STATE, path)
    assert_equal(read_checkpoint(path), STATE)


@pytest.mark.parametrize("zipped", [True, False])
def test_files_saved_by_torch(tmp_path: Path, zipped: bool) -> None:
    path = tmp_path / "weights.pt"
    torch.save(STATE, path, _use_new_zipfile_serialization=zipped)
    assert_equal(read_checkpoint(path), STATE)


def test_checkpoints_of_micro_sams_trainer_are_unwrapped(tmp_path: Path) -> None:
    path = tmp_path / "best.pt"
    inner = {f"sam.{name}": item for name, item in STATE.items()}
    torch.save({"model_state": inner, "epoch": 3}, path)
    assert_equal(read_checkpoint(path), STATE)


@pytest.mark.parametrize("zipped", [True, False])
def test_pickle_that_runs_code_is_refused_and_does_not_run(
    tmp_path: Path, zipped: bool
) -> None:
    marker, path = tmp_path / "marker", tmp_path / "weights.pt"
    content = {**STATE, "extra": RunsCode(marker)}
    torch.save(content, path, _use_new_zipfile_serialization=zipped)
    with pytest.raises(CheckpointError, match="would run code when opened"):
        read_checkpoint(path)
    assert not marker.exists()

    # The trap is armed: an unguarded reader springs it.
    torch.load(path, weights_only=False)
    assert marker.exists()


def test_program_saved_by_torch_is_refused_without_a_warning(tmp_path: Path) -> None:
    path = tmp_path / "network.pt"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("network/constants.pkl", b"")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(CheckpointError, match=r"torch\.save\(model\.state_dict"):
            read_checkpoint(path)


def test_filters_of_warnings_stay_while_a_file_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, load, seen = tmp_path / "weights.pt", torch.load, []
    torch.save(STATE, path)

    def watched(*args: Any, **options: Any) -> Any:
        seen.append(list(warnings.filters))
        return load(*args, **options)

    monkeypatch.setattr(torch, "load", watched)
    read_checkpoint(path)
    assert seen == [list(warnings.filters)]


def test_bare_pickle_that_runs_code_is_refused_and_does_not_run(tmp_path: Path) -> None:
    marker, path = tmp_path / "marker", tmp_path / "weights.pth"
    path.write_bytes(pickle.dumps(RunsCode(marker), protocol=2))
    with pytest.raises(CheckpointError, match=r"torch\.save\(model\.state_dict"):
        read_checkpoint(path)
    assert not marker.exists()


@pytest.mark.parametrize(
    "content", [b"", b"no weights at all", b"\xff\xff\xff\xff\0\0\0\0{broken"]
)
def test_other_files_are_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "weights.pth"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=r"weights\.pth"):
        read_checkpoint(path)


def test_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="check the path"):
        read_checkpoint(tmp_path / "weights.pth")


@pytest.mark.parametrize("save", ["torch", "safetensors"])
def test_truncated_file_is_refused(tmp_path: Path, save: str) -> None:
    path = tmp_path / "weights"
    if save == "torch":
        torch.save(STATE, path)
    else:
        save_file(STATE, path)
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(CheckpointError, match="download it again"):
        read_checkpoint(path)


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ([torch.ones(2)], "holds a list"),
        ({"weights": STATE}, "not named tensors: weights"),
        ({"a": torch.ones(2), "epoch": 3}, "not named tensors: epoch"),
        ({0: torch.ones(2)}, "not named tensors: 0"),
    ],
)
def test_other_than_named_tensors_is_refused(
    tmp_path: Path, content: object, complaint: str
) -> None:
    path = tmp_path / "weights.pt"
    torch.save(content, path)
    with pytest.raises(CheckpointError, match=complaint):
        read_checkpoint(path)


@pytest.mark.parametrize(
    ("width", "architecture"), [(768, "vit_b"), (1024, "vit_l"), (1280, "vit_h")]
)
def test_vit_is_told_by_its_width(width: int, architecture: str) -> None:
    state = {"image_encoder.pos_embed": torch.empty(1, 64, 64, width, device="meta")}
    assert infer_architecture(state) == architecture


def test_tiny_vit_is_told_by_its_stem() -> None:
    state = {"image_encoder.patch_embed.seq.0.c.weight": torch.empty(32, 3, 3, 3)}
    assert infer_architecture(state) == "vit_t"


def test_vit_of_another_width_is_refused() -> None:
    state = {"image_encoder.pos_embed": torch.empty(1, 16, 16, 48)}
    with pytest.raises(CheckpointError, match="48 channels"):
        infer_architecture(state)


def test_file_without_image_encoder_is_refused() -> None:
    with pytest.raises(CheckpointError, match=r"begin with a\.weight, b"):
        infer_architecture(STATE)


def make_network() -> nn.Sequential:
    return nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))


def test_fill_replaces_weights_and_their_type() -> None:
    source = make_network()
    nn.init.normal_(source[1].running_mean)
    state = {name: item.half() for name, item in source.state_dict().items()}
    state["1.num_batches_tracked"] = torch.tensor(7)
    with torch.device("meta"):
        network = make_network()
    fill(network, state, torch.float32)
    assert network[0].weight.dtype == torch.float32
    assert torch.equal(network[0].weight, source[0].weight.half().float())
    assert network[1].num_batches_tracked == 7


def test_step_counters_may_be_missing() -> None:
    state = make_network().state_dict()
    del state["1.num_batches_tracked"]
    network = make_network()
    fill(network, state, torch.float32)
    assert network[1].num_batches_tracked == 0


@pytest.mark.parametrize(
    "name",
    [
        "image_encoder.norm_head.weight",
        "image_encoder.head.bias",
        "image_encoder.layers.1.blocks.0.attn.attention_bias_idxs",
        "image_encoder.layers.1.blocks.0.attn.ab",
        "pixel_mean",
        "pixel_std",
    ],
)
def test_what_sam_does_not_use_is_ignored(name: str) -> None:
    fill(
        make_network(), make_network().state_dict() | {name: STATE["b"]}, torch.float32
    )


def test_misfits_are_listed_by_kind() -> None:
    state = make_network().state_dict()
    del state["0.bias"]
    state["0.weight"] = torch.ones(3, 5)
    state["2.weight"] = torch.ones(1)
    with pytest.raises(CheckpointError) as caught:
        fill(make_network(), state, torch.float32)
    text = str(caught.value)
    assert "1 missing: 0.bias" in text
    assert "1 unexpected: 2.weight" in text
    assert "1 of another shape: 0.weight (3, 5) instead of (3, 2)" in text


def test_long_lists_are_cut_and_counted() -> None:
    state = make_network().state_dict()
    state |= {f"x{index:02}": torch.ones(1) for index in range(13)}
    with pytest.raises(CheckpointError, match=r"13 unexpected: x00.*x09 and 3 more"):
        fill(make_network(), state, torch.float32)
