from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
import torch
from safetensors.torch import save_file

from napari_sam_decoder.errors import CheckpointError
from napari_sam_decoder.model.decoder_file import (
    AboutDecoder,
    TrainedDecoder,
    load_decoder,
    read_about,
    save_decoder,
)
from napari_sam_decoder.model.hires_decoder import (
    DRAWN,
    SLIM,
    HiresConfig,
    HiresDecoder,
)

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor

SMALL = replace(SLIM, widths=(8, 8, 4, 4), early_channels=4, channels=16)
ABOUT = AboutDecoder("vit_t sha256:0", "cells of mine")


def assert_rounded(loaded: Tensor, saved: Tensor) -> None:
    assert loaded.dtype == torch.float32
    torch.testing.assert_close(loaded, saved.half().float(), rtol=0, atol=0)


@pytest.mark.parametrize("config", [SMALL, replace(SMALL, depth=1, iou_head=False)])
def test_a_decoder_is_loaded_as_it_was_saved(
    tmp_path: Path, config: HiresConfig
) -> None:
    decoder, path = HiresDecoder(config), tmp_path / "a.safetensors"
    save_decoder(TrainedDecoder(ABOUT, decoder), path)
    assert read_about(path) == ABOUT
    loaded = load_decoder(path)
    assert loaded.about == ABOUT
    assert loaded.tuned is None
    assert loaded.hires is not None
    assert loaded.hires.config == config
    assert not loaded.hires.training
    for name, weights in loaded.hires.state_dict().items():
        assert_rounded(weights, decoder.state_dict()[name])
    assert [path.name for path in tmp_path.iterdir()] == ["a.safetensors"]


def test_what_takes_the_place_of_sams_decoder_is_kept_beside(tmp_path: Path) -> None:
    tuned, path = {"norm.weight": torch.rand(5)}, tmp_path / "a.safetensors"
    save_decoder(TrainedDecoder(ABOUT, tuned=tuned), path)
    loaded = load_decoder(path)
    assert loaded.hires is None
    assert loaded.tuned is not None
    assert list(loaded.tuned) == ["norm.weight"]
    assert_rounded(loaded.tuned["norm.weight"], tuned["norm.weight"])
    save_decoder(TrainedDecoder(ABOUT, HiresDecoder(SMALL), tuned), path)
    both = load_decoder(path)
    assert both.hires is not None
    assert both.tuned is not None


def test_the_slim_one_adds_less_than_eight_megabytes(tmp_path: Path) -> None:
    save_decoder(TrainedDecoder(ABOUT, HiresDecoder(SLIM)), tmp_path / "a.safetensors")
    assert (tmp_path / "a.safetensors").stat().st_size < 8e6


def test_what_is_no_trained_decoder_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    with pytest.raises(CheckpointError, match=r"cannot read .*check the path"):
        load_decoder(path)
    path.write_bytes(b"nothing")
    with pytest.raises(CheckpointError, match=r"it is damaged.*training has written"):
        load_decoder(path)
    save_file({"weight": torch.zeros(1)}, path)
    with pytest.raises(CheckpointError, match="not a trained decoder"):
        read_about(path)


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
    decoder.config = replace(SMALL, widths=DRAWN.widths)
    save_decoder(TrainedDecoder(ABOUT, decoder), tmp_path / "a.safetensors")
    with pytest.raises(CheckpointError, match="does not fit"):
        load_decoder(tmp_path / "a.safetensors")
