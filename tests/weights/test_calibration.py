from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch
from torch import nn

from napari_sam_decoder.errors import OptionError
from napari_sam_decoder.model.quantised import (
    InputRange,
    QuantisedConv,
    QuantisedLinear,
    multiplies_int8,
)
from napari_sam_decoder.weights.calibration import find_ranges, write_ranges
from napari_sam_decoder.weights.checkpoints import build_sam
from napari_sam_decoder.weights.registry import load_sam

if TYPE_CHECKING:
    from pathlib import Path

    from napari_sam_decoder.model.sam import Sam


def test_ranges_are_for_their_network_only(tmp_path: Path) -> None:
    path, ranges = tmp_path / "ranges.json", {"layer": InputRange(-0.25, 3.5)}
    write_ranges(path, "vit_t sha256:1", ranges)
    assert find_ranges("vit_t sha256:1", path) == ranges
    assert find_ranges("vit_t sha256:2", path) == {}


def test_the_bundled_network_is_calibrated(mobile_sam: Sam) -> None:
    ranges = find_ranges(mobile_sam.weights)
    for name, given in ranges.items():
        layer = mobile_sam.image_encoder.get_submodule(name)
        assert isinstance(layer, nn.Linear | nn.Conv2d)
        assert given.low <= 0 < given.high
    linear = {
        name
        for name, layer in mobile_sam.image_encoder.named_modules()
        if isinstance(layer, nn.Linear)
    }
    assert linear <= ranges.keys()


@pytest.mark.skipif(
    not multiplies_int8(), reason="the processor does not multiply int8"
)
def test_embeddings_of_int8_are_told_apart(mobile_sam: Sam) -> None:
    sam = load_sam(device="cpu", precision="int8")
    assert sam.weights == mobile_sam.weights
    assert sam.identity == f"{sam.weights} int8"
    assert sam.identity != mobile_sam.identity
    kinds = {type(layer) for layer in sam.image_encoder.modules()}
    assert {QuantisedLinear, QuantisedConv} <= kinds
    assert sam.heads.rater is not None


@pytest.mark.skipif(
    not multiplies_int8(), reason="the processor does not multiply int8"
)
def test_int8_is_refused_for_a_network_that_is_not_calibrated(tmp_path: Path) -> None:
    path = tmp_path / "other.pt"
    torch.save(build_sam("vit_t", identity="other").state_dict(), path)
    with pytest.raises(OptionError, match="bundled model only"):
        load_sam(path, device="cpu", precision="int8")
    assert not load_sam(path, device="cpu").identity.endswith("int8")
