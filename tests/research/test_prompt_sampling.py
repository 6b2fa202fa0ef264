from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from decoder_parts.prompt_sampling import PromptSampler, SamplingOptions, WindowBatch

if TYPE_CHECKING:
    from napari_sam_decoder.model.sam import Sam
    from shipped_head.sam_examples import SamExample

OPTIONS = SamplingOptions(near=10, far=4)


def draw(
    sam: Sam, example: SamExample, seed: int = 0, options: SamplingOptions = OPTIONS
) -> WindowBatch:
    return PromptSampler([example], sam, options).batch(np.random.default_rng(seed))


def test_a_batch_has_all_that_is_promised(early_sam: Sam, discs: SamExample) -> None:
    batch = draw(early_sam, discs)
    assert batch.grid.shape == (4, 256, 32, 32)
    assert batch.positions.shape == (4, 2, 2)
    assert batch.kinds.shape == (4, 2)
    assert batch.low_res.shape == (4, 1, 128, 128)
    assert batch.near_early.shape == (4, 8, 40, 40)
    assert batch.near_truth.shape == (4, 160, 160)
    assert batch.far_early.shape == (4, 8, 16, 16)
    assert batch.far_truth.shape == (4, 64, 64)
    assert batch.truth.shape == (4, 160 * 160 + 64 * 64)
    assert batch.low_res.dtype == torch.bool


@pytest.mark.parametrize("seed", range(6))
def test_windows_show_the_truth_where_they_are(
    early_sam: Sam, discs: SamExample, seed: int
) -> None:
    batch = draw(early_sam, discs, seed)
    for window, truth in zip(
        batch.windows, (batch.near_truth, batch.far_truth), strict=True
    ):
        wide = batch.low_res.repeat_interleave(4, -2).repeat_interleave(4, -1)
        expected = window.crop(wide.float(), 16)[:, 0]
        assert (expected != truth).float().mean() < 0.03
        for index, (row, column) in enumerate(window.corners.tolist()):
            side = window.early.shape[-1] // 4
            cells = slice(row, row + side), slice(column, column + side)
            early = early_sam.encode_window(discs.picture, cells).early
            np.testing.assert_array_equal(window.early[index], early)


@pytest.mark.parametrize("seed", range(6))
def test_an_object_is_whole_in_its_window_if_it_fits(
    early_sam: Sam, discs: SamExample, seed: int
) -> None:
    batch = draw(early_sam, discs, seed)
    for lowered, near in zip(batch.low_res, batch.near_truth, strict=True):
        assert near.sum() == pytest.approx(16 * float(lowered.sum()), rel=0.05)


@pytest.mark.parametrize("seed", range(6))
def test_of_what_does_not_fit_the_part_that_is_pointed_at_is_seen(
    early_sam: Sam, discs: SamExample, seed: int
) -> None:
    batch = draw(early_sam, discs, seed, replace(OPTIONS, near=3))
    middles = torch.where(
        (batch.kinds[:, :1] == 2),
        batch.positions.mean(dim=1),
        batch.positions[:, 0],
    )
    offsets = middles.flip(1) // 16 - batch.near_corners
    assert ((offsets >= 0) & (offsets < 3)).all()


def test_prompts_are_clicks_on_the_object_and_boxes(
    early_sam: Sam, discs: SamExample
) -> None:
    kinds = set()
    for seed in range(6):
        batch = draw(early_sam, discs, seed)
        for positions, labels, lowered in zip(
            batch.positions, batch.kinds.tolist(), batch.low_res, strict=True
        ):
            kinds.add(tuple(labels))
            x, y = (positions[0] if labels[0] == 1 else positions.mean(dim=0)).tolist()
            assert lowered[0, int(y) // 4, int(x) // 4]
    assert kinds == {(1, -1), (2, 3)}


def test_windows_anywhere_lie_in_the_picture(early_sam: Sam, discs: SamExample) -> None:
    rows, columns = -(-discs.shown // 16)
    for seed in range(6):
        corners = draw(early_sam, discs, seed).far_corners
        assert corners.min() >= 0
        assert (corners + 4 <= torch.tensor([rows, columns])).all()


def test_a_batch_follows_from_its_generator(early_sam: Sam, discs: SamExample) -> None:
    for part, same in zip(
        draw(early_sam, discs, 3), draw(early_sam, discs, 3), strict=True
    ):
        assert torch.equal(part, same)


def test_what_is_too_small_to_be_seen_is_not_asked_for(
    early_sam: Sam, discs: SamExample
) -> None:
    truth = discs.truth.copy()
    truth[1] = 0
    for seed in range(4):
        lowered = draw(early_sam, replace(discs, truth=truth), seed).low_res
        assert lowered.flatten(1).any(dim=1).all()
