from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from napari_sam_decoder.errors import CheckpointError
from napari_sam_decoder.model.heads import HiresConfig, HiresDecoder
from napari_sam_decoder.weights import catalogue, trained_decoders
from napari_sam_decoder.weights.catalogue import MODELS
from napari_sam_decoder.weights.checkpoints import hash_file, read_checkpoint
from napari_sam_decoder.weights.registry import load_sam
from napari_sam_decoder.weights.trained_decoders import (
    DecoderMetadata,
    TrainedDecoder,
    load_decoder,
    read_metadata,
    save_decoder,
)

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor

    from napari_sam_decoder.model.sam import Sam

SMALL = HiresConfig(widths=(8, 8, 4, 4), early_channels=4, channels=16)
ABOUT = DecoderMetadata("vit_t sha256:0", "cells of mine")


def assert_rounded(loaded: Tensor, saved: Tensor) -> None:
    assert loaded.dtype == torch.float32
    torch.testing.assert_close(loaded, saved.half().float(), rtol=0, atol=0)


def test_a_decoder_is_loaded_as_it_was_saved(tmp_path: Path) -> None:
    decoder, path = HiresDecoder(SMALL), tmp_path / "a.safetensors"
    save_decoder(TrainedDecoder(ABOUT, decoder), path)
    assert read_metadata(path) == ABOUT
    loaded = load_decoder(path)
    assert loaded.metadata == ABOUT
    assert loaded.finetuned is None
    assert loaded.hires is not None
    assert loaded.hires.config == SMALL
    assert not loaded.hires.training
    for name, weights in loaded.hires.state_dict().items():
        assert_rounded(weights, decoder.state_dict()[name])
    assert [path.name for path in tmp_path.iterdir()] == ["a.safetensors"]


def test_what_takes_the_place_of_sams_decoder_is_kept_beside(tmp_path: Path) -> None:
    finetuned, path = {"norm.weight": torch.rand(5)}, tmp_path / "a.safetensors"
    save_decoder(TrainedDecoder(ABOUT, finetuned=finetuned), path)
    loaded = load_decoder(path)
    assert loaded.hires is None
    assert loaded.finetuned is not None
    assert list(loaded.finetuned) == ["norm.weight"]
    assert_rounded(loaded.finetuned["norm.weight"], finetuned["norm.weight"])
    save_decoder(TrainedDecoder(ABOUT, HiresDecoder(SMALL), finetuned), path)
    both = load_decoder(path)
    assert both.hires is not None
    assert both.finetuned is not None


def test_the_slim_one_adds_less_than_eight_megabytes(tmp_path: Path) -> None:
    save_decoder(
        TrainedDecoder(ABOUT, HiresDecoder(HiresConfig())), tmp_path / "a.safetensors"
    )
    assert (tmp_path / "a.safetensors").stat().st_size < 8e6


def test_what_is_no_trained_decoder_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    with pytest.raises(CheckpointError, match=r"cannot read .*check the path"):
        load_decoder(path)
    path.write_bytes(b"nothing")
    with pytest.raises(CheckpointError, match=r"it is corrupt.*training has written"):
        load_decoder(path)
    save_file({"weight": torch.zeros(1)}, path)
    with pytest.raises(CheckpointError, match="not a trained decoder"):
        read_metadata(path)


@pytest.mark.parametrize(
    "noted",
    [
        {},
        {"network": "n"},
        {"network": "n", "trained_on": "t", "config": "no JSON"},
        {"network": "n", "trained_on": "t", "config": "[]"},
        {"network": "n", "trained_on": "t", "config": '{"widths": [1], "odd": 2}'},
    ],
)
def test_what_says_too_little_of_itself_is_refused(
    tmp_path: Path, noted: dict[str, str]
) -> None:
    path = tmp_path / "a.safetensors"
    metadata = {"format": "napari-sam-decoder decoder 1", **noted}
    save_file({"weight": torch.zeros(1)}, path, metadata)
    with pytest.raises(CheckpointError, match="not a trained decoder"):
        load_decoder(path)


def test_weights_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    decoder = HiresDecoder(SMALL)
    decoder.config = replace(SMALL, widths=(96, 64, 32, 16))
    save_decoder(TrainedDecoder(ABOUT, decoder), tmp_path / "a.safetensors")
    with pytest.raises(CheckpointError, match="does not fit"):
        load_decoder(tmp_path / "a.safetensors")


BUNDLED = catalogue.local_path(MODELS["mobile_sam"])
PLAIN = HiresConfig(widths=(8, 8, 4, 4))


def test_a_trained_decoder_takes_the_place_of_its_parts(
    mobile_sam: Sam, tmp_path: Path
) -> None:
    finetuned = mobile_sam.mask_decoder.state_dict()
    finetuned["iou_token.weight"] = torch.full((1, 256), 0.5)
    path = tmp_path / "mine.safetensors"
    about = DecoderMetadata(mobile_sam.weights, "cells of mine")
    save_decoder(TrainedDecoder(about, HiresDecoder(PLAIN), finetuned), path)
    sam = load_sam(device="cpu", precision="float32", decoder=path)
    assert sam.mask_decoder.iou_token.weight.eq(0.5).all()
    assert sam.heads.sharpener is not None
    # Its ratings would be made of the tokens of the decoder that has been replaced.
    assert sam.heads.rater is None
    assert sam.decoder == f"mine.safetensors sha256:{hash_file(path)}"
    # What is cached for one decoder serves for another.
    assert sam.identity == mobile_sam.identity
    assert not mobile_sam.mask_decoder.state_dict()["iou_token.weight"].eq(0.5).any()


def test_a_decoder_fits_all_number_types(mobile_sam: Sam) -> None:
    assert mobile_sam.weights == load_sam(precision="bfloat16").weights
    assert mobile_sam.weights.endswith(hash_file(BUNDLED))


def test_a_decoder_of_another_network_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.safetensors"
    about = DecoderMetadata("vit_b sha256:12", "cells of somebody")
    save_decoder(TrainedDecoder(about, HiresDecoder(PLAIN)), path)
    with pytest.raises(CheckpointError, match="trained for the model vit_b"):
        load_sam(decoder=path)


@pytest.mark.parametrize(
    "changed", [{"depth": 1}, {"masks": 1}, {"skips": False}, {"pixels": False}]
)
def test_a_decoder_that_is_built_otherwise_is_refused(
    tmp_path: Path, changed: dict[str, int]
) -> None:
    path = tmp_path / "other.safetensors"
    save_decoder(TrainedDecoder(ABOUT, HiresDecoder(SMALL)), path)
    with safe_open(path, "pt") as content:
        header = content.metadata()
    header["config"] = json.dumps(json.loads(header["config"]) | changed)
    save_file(load_file(path), path, header)
    with pytest.raises(CheckpointError, match="of this version"):
        load_decoder(path)


def test_files_say_how_the_decoder_is_built(tmp_path: Path) -> None:
    """Other versions read these fields."""
    path = tmp_path / "a.safetensors"
    save_decoder(TrainedDecoder(ABOUT, HiresDecoder(SMALL)), path)
    with safe_open(path, "pt") as content:
        config = json.loads(content.metadata()["config"])
    assert config == {
        "depth": 0,
        "masks": 3,
        "widths": [8, 8, 4, 4],
        "skips": True,
        "iou_head": True,
        "channels": 16,
        "early_channels": 4,
        "pixels": True,
    }


def test_a_decoder_that_is_not_there_is_named() -> None:
    with pytest.raises(CheckpointError, match="no decoder 'nowhere'"):
        load_sam(decoder="nowhere")


def test_the_packaged_decoder_fits_the_packaged_model() -> None:
    sam = load_sam(device="cpu", precision="float32", decoder="sharp")
    assert sam.heads.sharpener is not None
    assert sam.heads.rater is not None
    assert sam.decoder.startswith("sharp sha256:")


def test_the_decoder_for_cells_takes_the_place_of_sams(mobile_sam: Sam) -> None:
    sam = load_sam(device="cpu", precision="float32", decoder="cells")
    assert sam.decoder.startswith("cells sha256:")
    assert (sam.heads.rater, sam.heads.sharpener) == (None, None)
    own, tuned = (one.mask_decoder.state_dict() for one in (mobile_sam, sam))
    assert own.keys() == tuned.keys()
    assert any(not torch.equal(own[name], tuned[name]) for name in own)


@pytest.mark.parametrize("decoder", ["auto", "rated"])
def test_the_packaged_model_is_rated_again_unless_told_otherwise(decoder: str) -> None:
    sam = load_sam(device="cpu", precision="float32", decoder=decoder)
    assert sam.heads.sharpener is None
    assert sam.heads.rater is not None
    assert sam.decoder.startswith("rated sha256:")
    plain = load_sam(device="cpu", precision="float32", decoder="sam")
    assert plain.heads.rater is None
    assert plain.decoder == "sam"


def test_other_models_rate_for_themselves(tmp_path: Path) -> None:
    state = dict(read_checkpoint(BUNDLED))
    state["mask_decoder.iou_token.weight"] = torch.zeros(1, 256)
    path = tmp_path / "another.safetensors"
    save_file(state, path)
    sam = load_sam(path, device="cpu", precision="float32")
    assert sam.decoder == "sam"
    assert sam.heads.rater is None
    with pytest.raises(CheckpointError, match="trained for the model"):
        load_sam(path, device="cpu", precision="float32", decoder="rated")


def test_without_the_packaged_file_the_model_rates_for_itself(
    monkeypatch: pytest.MonkeyPatch, mobile_sam: Sam, tmp_path: Path
) -> None:
    gone = replace(
        catalogue.DECODERS["rated"], packaged=str(tmp_path / "gone.safetensors")
    )
    monkeypatch.setattr(trained_decoders, "DECODERS", {"rated": gone})
    assert trained_decoders.choose_decoder("auto", mobile_sam.weights) is None
    with pytest.raises(CheckpointError, match="no decoder 'rated'"):
        trained_decoders.choose_decoder("rated", mobile_sam.weights)


def test_a_decoder_that_was_tuned_alone_has_no_heads(
    mobile_sam: Sam, tmp_path: Path
) -> None:
    path = tmp_path / "mine.safetensors"
    about = DecoderMetadata(mobile_sam.weights, "cells of mine")
    finetuned = mobile_sam.mask_decoder.state_dict()
    save_decoder(TrainedDecoder(about, None, finetuned), path)
    sam = load_sam(device="cpu", precision="float32", decoder=path)
    assert sam.heads.rater is None
    assert sam.heads.sharpener is None
