from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from calibration_parts.calibration_pictures import calibration_pictures
from calibration_parts.ranges import best_range, measure_ranges, quantisable
from napari_sam_decoder.model.precision import prepare_for_inference
from napari_sam_decoder.weights.checkpoints import assemble_sam
from shipped_head.photographs import PHOTOGRAPHS

if TYPE_CHECKING:
    from napari_sam_decoder.model.sam import Sam


def test_values_that_are_evenly_spread_are_kept_as_a_whole() -> None:
    found = best_range(torch.linspace(-1, 3, 5000))
    assert (found.low, found.high) == pytest.approx((-1, 3), abs=0.15)


def test_a_single_value_far_away_does_not_make_the_others_coarse() -> None:
    values = torch.cat([torch.linspace(-1, 1, 500_000), torch.tensor([3.0])])
    assert best_range(values).high < 2.5


def test_zero_is_in_every_range() -> None:
    assert best_range(torch.linspace(2, 3, 50)).low == 0


def test_all_layers_but_those_left_alone_are_measured(early_sam: Sam) -> None:
    sam = prepare_for_inference(
        assemble_sam(deepcopy(early_sam.image_encoder), identity="any"), torch.float32
    )
    pictures = [np.full((40, 60, 3), value, np.uint8) for value in (20, 200)]
    ranges = measure_ranges(sam, pictures)
    assert ranges.keys() == quantisable(sam.image_encoder).keys()
    assert "layers.1.blocks.0.mlp.fc1" in ranges
    assert "patch_embed.seq.0" not in ranges
    assert not any("local_conv" in name for name in ranges)
    assert not any(layer._forward_pre_hooks for layer in sam.image_encoder.modules())


def test_pictures_of_all_kinds_follow_the_photographs() -> None:
    pictures = list(calibration_pictures(1))
    assert len(pictures) == len(PHOTOGRAPHS) - 4 + 4
    assert all(one.dtype == np.uint8 and one.shape[2] == 3 for one in pictures)
