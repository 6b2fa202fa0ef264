from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
import torch
from safetensors.torch import save_file

from napari_sam_decoder.errors import CheckpointError
from napari_sam_decoder.model.hires_decoder import (
    DRAWN,
    SLIM,
    HiresConfig,
    HiresDecoder,
)
from napari_sam_decoder.model.hires_file import load_hires, read_hires, save_hires

if TYPE_CHECKING:
    from pathlib import Path

SMALL = replace(SLIM, widths=(8, 8, 4, 4), early_channels=4, channels=16)


@pytest.mark.parametrize("config", [SMALL, replace(SMALL, depth=1, iou_head=False)])
def test_a_decoder_is_loaded_as_it_was_saved(
    tmp_path: Path, config: HiresConfig
) -> None:
    decoder = HiresDecoder(config)
    save_hires(decoder, tmp_path / "a.safetensors", "cells of mine")
    about = read_hires(tmp_path / "a.safetensors")
    assert about.config == config
    assert about.trained_on == "cells of mine"
    loaded = load_hires(tmp_path / "a.safetensors")
    assert not loaded.training
    for name, weights in loaded.state_dict().items():
        assert weights.dtype == torch.float32
        rounded = decoder.state_dict()[name].half().float()
        torch.testing.assert_close(weights, rounded, rtol=0, atol=0)
    assert [path.name for path in tmp_path.iterdir()] == ["a.safetensors"]


def test_the_drawing_may_be_in_another_number_type(tmp_path: Path) -> None:
    save_hires(HiresDecoder(SMALL), tmp_path / "a.safetensors", "")
    loaded = load_hires(tmp_path / "a.safetensors", torch.bfloat16)
    assert loaded.drawing.masks.weight.dtype == torch.bfloat16
    assert loaded.iou_prediction_head is not None
    assert loaded.iou_prediction_head.scores.weight.dtype == torch.float32


def test_the_slim_one_adds_less_than_eight_megabytes(tmp_path: Path) -> None:
    save_hires(HiresDecoder(SLIM), tmp_path / "a.safetensors", "nothing")
    assert (tmp_path / "a.safetensors").stat().st_size < 8e6


def test_what_is_no_trained_decoder_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    with pytest.raises(CheckpointError, match="cannot be read"):
        load_hires(path)
    path.write_bytes(b"nothing")
    with pytest.raises(CheckpointError, match="cannot be read"):
        load_hires(path)
    save_file({"weight": torch.zeros(1)}, path)
    with pytest.raises(CheckpointError, match="not a trained decoder"):
        load_hires(path)


def test_weights_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    decoder = HiresDecoder(SMALL)
    decoder.config = replace(SMALL, widths=DRAWN.widths)
    save_hires(decoder, tmp_path / "a.safetensors", "")
    with pytest.raises(CheckpointError, match="does not fit"):
        load_hires(tmp_path / "a.safetensors")
