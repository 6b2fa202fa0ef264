from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
import torch
from safetensors.torch import save_file

from napari_sam_decoder.errors import CheckpointError
from napari_sam_decoder.model import catalogue, decoders
from napari_sam_decoder.model.catalogue import MODELS
from napari_sam_decoder.model.checkpoints import read_checkpoint
from napari_sam_decoder.model.decoder_file import (
    AboutDecoder,
    TrainedDecoder,
    save_decoder,
)
from napari_sam_decoder.model.hashing import hash_file
from napari_sam_decoder.model.hires_decoder import DRAWN, SLIM, HiresDecoder
from napari_sam_decoder.model.registry import load_sam

if TYPE_CHECKING:
    from pathlib import Path

    from napari_sam_decoder.model.sam import Sam

BUNDLED = catalogue.local_path(MODELS["mobile_sam"])
SMALL = replace(SLIM, widths=(8, 8, 4, 4))


def test_a_trained_decoder_takes_the_place_of_its_parts(
    mobile_sam: Sam, tmp_path: Path
) -> None:
    tuned = mobile_sam.mask_decoder.state_dict()
    tuned["iou_token.weight"] = torch.full((1, 256), 0.5)
    path = tmp_path / "mine.safetensors"
    about = AboutDecoder(mobile_sam.weights, "cells of mine")
    save_decoder(TrainedDecoder(about, HiresDecoder(SMALL), tuned), path)
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
    about = AboutDecoder("vit_b sha256:12", "cells of somebody")
    save_decoder(TrainedDecoder(about, HiresDecoder(SMALL)), path)
    with pytest.raises(CheckpointError, match="trained for the model vit_b"):
        load_sam(decoder=path)


def test_a_decoder_that_draws_for_itself_is_refused(
    mobile_sam: Sam, tmp_path: Path
) -> None:
    path = tmp_path / "drawn.safetensors"
    drawn = HiresDecoder(replace(DRAWN, depth=1, widths=(8, 8, 4, 4)))
    about = AboutDecoder(mobile_sam.weights, "")
    save_decoder(TrainedDecoder(about, drawn), path)
    with pytest.raises(CheckpointError, match="sharpens masks"):
        load_sam(decoder=path)


def test_a_decoder_that_is_not_there_is_named() -> None:
    with pytest.raises(CheckpointError, match="no decoder 'nowhere'"):
        load_sam(decoder="nowhere")


def test_the_packaged_decoder_fits_the_packaged_model() -> None:
    sam = load_sam(device="cpu", precision="float32", decoder="sharp")
    assert sam.heads.sharpener is not None
    assert sam.heads.rater is not None
    assert sam.decoder.startswith("sharp sha256:")


@pytest.mark.parametrize("decoder", ["auto", "rated"])
def test_the_packaged_model_is_rated_anew_unless_told_otherwise(decoder: str) -> None:
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
    monkeypatch.setattr(decoders, "DECODERS", {"rated": gone})
    assert decoders.choose_decoder("auto", mobile_sam.weights) is None
    with pytest.raises(CheckpointError, match="no decoder 'rated'"):
        decoders.choose_decoder("rated", mobile_sam.weights)


def test_a_decoder_that_was_tuned_alone_has_no_heads(
    mobile_sam: Sam, tmp_path: Path
) -> None:
    path = tmp_path / "mine.safetensors"
    about = AboutDecoder(mobile_sam.weights, "cells of mine")
    tuned = mobile_sam.mask_decoder.state_dict()
    save_decoder(TrainedDecoder(about, None, tuned), path)
    sam = load_sam(device="cpu", precision="float32", decoder=path)
    assert sam.heads.rater is None
    assert sam.heads.sharpener is None
