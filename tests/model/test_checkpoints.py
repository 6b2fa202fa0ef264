from __future__ import annotations

import pickle
import warnings
import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from napari_sam_decoder.errors import CheckpointError
from napari_sam_decoder.model.checkpoints import (
    fill,
    infer_architecture,
    read_checkpoint,
)

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
    with pytest.raises(CheckpointError, match="fetch it again"):
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
    with pytest.raises(CheckpointError, match="48 wide"):
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
