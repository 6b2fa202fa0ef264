from __future__ import annotations

import copy
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from interactive_parts import windowed_finetuning
from interactive_parts.windowed_finetuning import WINDOW, WindowedFinetuning
from napari_sam_decoder.training.examples import TrainingExample
from napari_sam_decoder.training.finetuning import (
    BatchOptions,
    Finetuning,
    PromptBatch,
)
from napari_sam_decoder.weights.registry import load_sam

if TYPE_CHECKING:
    from napari_sam_decoder.model.sam import Sam

SIDE = 1024
TRUTH = np.zeros((2, SIDE, SIDE), bool)
TRUTH[0, 100:300, 200:420] = TRUTH[1, 700:760, 600:900] = True


@pytest.fixture(scope="module")
def sam() -> Sam:
    return load_sam(device="cpu", precision="float32", decoder="sam")


@pytest.fixture(scope="module")
def example() -> TrainingExample:
    """Features that say where they are: the row, then the column."""
    features = np.zeros((256, 64, 64), np.float16)
    features[:2] = np.mgrid[:64, :64]
    return TrainingExample(
        features, np.array([SIDE, SIDE]), np.packbits(TRUTH, axis=-1)
    )


@pytest.fixture(autouse=True)
def only_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(windowed_finetuning, "WHOLE_SHARE", 0)


def test_a_window_shows_the_objects_where_they_are(
    sam: Sam, example: TrainingExample
) -> None:
    task = WindowedFinetuning([example], sam, BatchOptions(prior_share=0))
    low_res = TRUTH[:, 1::4, 1::4]
    for seed in range(8):
        *parts, corner = task.batch(np.random.default_rng(seed))
        prompts = PromptBatch(*parts)
        assert prompts.features.shape == (256, WINDOW, WINDOW)
        row, column = (int(start) for start in prompts.features[:2, 0, 0])
        rows = slice(4 * row, 4 * (row + WINDOW))
        columns = slice(4 * column, 4 * (column + WINDOW))
        for truth in prompts.truth.numpy():
            assert truth.any()
            assert any(np.array_equal(truth, one[rows, columns]) for one in low_res)
        assert (corner >= 0).all()
        assert (corner <= 64 - WINDOW).all()


def test_a_whole_picture_has_the_loss_of_finetuning(
    sam: Sam, example: TrainingExample, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(windowed_finetuning, "WHOLE_SHARE", 1)
    options = BatchOptions(prior_share=0, rounds=2)
    task = WindowedFinetuning([example], sam, options)
    batch = task.batch(np.random.default_rng(1))
    plain = Finetuning([example], sam, options)
    with torch.no_grad():
        found = task.loss(sam.mask_decoder, batch)
        expected = plain.loss(sam.mask_decoder, batch[:-1])
    torch.testing.assert_close(found, expected)


def test_prompts_are_placed_where_the_window_lies(
    sam: Sam, example: TrainingExample
) -> None:
    """Away from the window's cells, the same prompt would mean nothing there."""
    task = WindowedFinetuning([example], sam, BatchOptions(prior_share=0, rounds=1))
    *parts, _ = task.batch(np.random.default_rng(1))
    seen = []

    def listening(image: torch.Tensor, positions: torch.Tensor, tokens: torch.Tensor):
        seen.append((positions, tokens))
        return sam.mask_decoder(image, positions, tokens)

    decoder = copy.copy(sam.mask_decoder)
    decoder.forward = listening
    with torch.no_grad():
        for corner in ([0, 0], [5, 20]):
            task.loss(decoder, (*parts, torch.tensor(corner)))
        every = sam.prompt_encoder.grid_positions().unflatten(0, (64, 64))
        moved = torch.tensor([16.0 * 20, 16.0 * 5])
        tokens = sam.prompt_encoder.embed_tokens(
            PromptBatch(*parts).positions + moved, PromptBatch(*parts).kinds
        )
    torch.testing.assert_close(
        seen[1][0], every[5 : 5 + WINDOW, 20 : 20 + WINDOW].flatten(0, 1)
    )
    torch.testing.assert_close(seen[1][1], tokens)
    assert not torch.allclose(seen[0][1], tokens)
