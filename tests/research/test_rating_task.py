from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from napari_sam_decoder.model.heads import HiresConfig, HiresDecoder
from napari_sam_decoder.training.loop import Schedule, train
from shipped_head.rating_task import RatingTask
from shipped_head.sam_examples import SamExample

if TYPE_CHECKING:
    from pathlib import Path


def example(seed: int, prompts: int = 40) -> SamExample:
    """The second hypothesis is good where the IoU token begins above 0."""
    rng = np.random.default_rng(seed)
    tokens = np.zeros((prompts, 5, 256), np.float16)
    tokens[..., :4] = rng.standard_normal((prompts, 5, 4))
    good = tokens[:, 0, 0] > 0
    ious = np.stack([np.full(prompts, 0.5), np.where(good, 0.9, 0.1), 1 - good], axis=1)
    empty = np.zeros(0)
    return SamExample(
        *(empty, empty, empty, empty, empty, empty),
        tokens=tokens,
        ious=ious.astype(np.float32),
    )


def test_batches_are_drawn_from_all_examples() -> None:
    task = RatingTask([example(0, 3), example(1, 5)])
    tokens, ious = task.batch(np.random.default_rng(0))
    assert tokens.shape == (64, 5, 256)
    assert ious.shape == (64, 3)
    assert len(np.unique(tokens[:, 0, 0])) == 8


def test_what_the_tokens_say_is_learned(tmp_path: Path) -> None:
    torch.manual_seed(0)
    config = HiresConfig(widths=(4, 4, 4, 4), early_channels=2)
    decoder = HiresDecoder(config)
    task = RatingTask([example(seed) for seed in range(40)])
    losses = [
        step.loss for step in train(decoder, task, Schedule(200, warm_up=10), tmp_path)
    ]
    assert losses[-1] < 0.25 * losses[0]
    known = example(99)
    with torch.inference_mode():
        rated = decoder.iou_prediction_head(
            torch.from_numpy(known.tokens.astype(np.float32))
        )
    right = (rated.argmax(dim=1).numpy() == known.ious.argmax(axis=1)).mean()
    assert right > 0.85
