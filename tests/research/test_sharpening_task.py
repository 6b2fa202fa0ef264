from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from napari_sam_decoder.metrics import mask_iou
from napari_sam_decoder.model.heads import REACH, HiresConfig, HiresDecoder, Sharpener
from napari_sam_decoder.model.values import EncodedWindow
from napari_sam_decoder.training.loop import Schedule, train
from shipped_head.sam_examples import SamExample, record_example
from shipped_head.scenes import SyntheticScene
from shipped_head.sharpening_task import SharpeningTask

if TYPE_CHECKING:
    from pathlib import Path

    from napari_sam_decoder.model.sam import Sam

ROWS, COLUMNS = 300, 512


def example() -> SamExample:
    """A disc; the embedding counts cells."""
    rows, columns = np.mgrid[:ROWS, :COLUMNS]
    truth = np.hypot(rows - 150, columns - 300) < 90
    low_rows, low_columns = np.mgrid[:128, :128]
    distance = np.hypot(4 * low_rows + 1.5 - 150, 4 * low_columns + 1.5 - 300)
    cells = np.stack(np.mgrid[:32, :32])
    return SamExample(
        features=np.concatenate([cells, np.zeros((254, 32, 32))]).astype(np.float16),
        picture=np.zeros((ROWS, COLUMNS, 3), np.uint8),
        shown=np.array([ROWS, COLUMNS]),
        truth=np.packbits(truth, axis=-1)[None],
        logits=((90 - distance) / 4)[None].astype(np.float16),
        objects=np.array([0]),
        tokens=np.zeros((0, 5, 256), np.float16),
        ious=np.zeros((0, 3), np.float32),
    )


class Glass:
    """Looks closely, and sees which pixel and which low-res pixel each place is."""

    def encode_window(
        self, frame: np.ndarray, cells: tuple[slice, slice]
    ) -> EncodedWindow:
        fine, early = (
            np.stack(
                np.mgrid[tuple(slice(k * c.start, k * c.stop) for c in cells)]
            ).astype(np.float32)
            for k in (16, 4)
        )
        return EncodedWindow(np.concatenate([fine, fine[:1]]), early)


def test_the_parts_of_a_window_show_the_same_place() -> None:
    batch = SharpeningTask([example()], Glass()).batch(np.random.default_rng(0))
    grid, early, pixels, logits, truth, counts = batch
    assert grid.shape == (15, 256, 10, 10)
    assert early.shape == (15, 2, 40, 40)
    assert pixels.shape == (15, 3, 160, 160)
    assert logits.shape == (15, 1, 40, 40)
    assert truth.shape == counts.shape == (15, 1, 160, 160)
    for index in range(15):
        row, column = (int(place[0, 0]) for place in grid[index, :2])
        assert early[index, :, 0, 0].tolist() == [4 * row, 4 * column]
        assert pixels[index, :2, 0, 0].tolist() == [16 * row, 16 * column]
        # Sampled at the middle of low-res pixels, the truth is where logits are > 0.
        middle = truth[index, 0, 1::4, 1::4] > 0.5
        assert (middle == (logits[index, 0] > 0)).float().mean() > 0.97


def test_windows_have_a_piece_of_the_edge_in_them() -> None:
    for seed in range(5):
        batch = SharpeningTask([example()], Glass()).batch(np.random.default_rng(seed))
        for counts in batch[-1]:
            assert counts.any()


def test_where_the_true_edge_is_far_nothing_counts() -> None:
    far = example().logits.copy()
    far[0, :, :75] = -8  # Half of the disc is missing.
    task = SharpeningTask([replace(example(), logits=far)], Glass())
    for _, _, pixels, _, _, counts in [task.batch(np.random.default_rng(0))]:
        rows, columns = pixels[:, 0], pixels[:, 1]
        distance = torch.hypot(rows - 150, columns - 300) - 90
        assert counts.any()
        assert distance[counts[:, 0] > 0].abs().max() < 4 * (REACH + 1) * 2**0.5


def test_what_lies_beyond_the_picture_does_not_count() -> None:
    flat = replace(example(), shown=np.array([160, COLUMNS]))
    flat = replace(flat, truth=flat.truth[:, :160])
    for seed in range(5):
        grid, *_, counts = SharpeningTask([flat], Glass()).batch(
            np.random.default_rng(seed)
        )
        for cells, window in zip(grid, counts, strict=True):
            beyond = max(0, 160 - 16 * int(cells[0, 0, 0]))
            assert not window[0, beyond:].any()


def test_a_batch_follows_from_its_generator() -> None:
    first, second = (
        SharpeningTask([example()], Glass()).batch(np.random.default_rng(3))
        for _ in range(2)
    )
    for part, same in zip(first, second, strict=True):
        torch.testing.assert_close(part, same)


def test_the_loss_is_that_of_the_logits_until_something_is_learned() -> None:
    config = HiresConfig(widths=(8, 8, 4, 4), early_channels=2)
    task = SharpeningTask([example()], Glass())
    batch = task.batch(np.random.default_rng(0))
    with torch.inference_mode():
        good = task.loss(HiresDecoder(config), batch)
        upside_down = (*batch[:3], -batch[3], *batch[4:])
        bad = task.loss(HiresDecoder(config), upside_down)
    assert 0 < good < 0.3
    assert bad > 2 * good


@pytest.mark.parametrize("seed", [0, 1])
def test_no_counted_pixel_is_no_loss(seed: int) -> None:
    config = HiresConfig(widths=(8, 8, 4, 4), early_channels=2)
    task = SharpeningTask([example()], Glass())
    *rest, counts = task.batch(np.random.default_rng(seed))
    loss = task.loss(HiresDecoder(config), (*rest, torch.zeros_like(counts)))
    assert loss.item() == 0


@pytest.mark.slow
def test_one_picture_can_be_learned_by_heart(mobile_sam: Sam, tmp_path: Path) -> None:
    rows, columns = np.mgrid[:480, :640]
    angles = np.arctan2(rows - 240, columns - 320)
    flower = np.hypot(rows - 240, columns - 320) < 100 + 7 * np.sin(30 * angles)
    noise = np.random.default_rng(0).normal(0, 6, (480, 640, 3))
    picture = (np.where(flower, 170, 60)[..., None] + noise).clip(0, 255)
    scene = SyntheticScene(picture.astype(np.uint8), flower[None])
    example = record_example(scene, mobile_sam, np.random.default_rng(0))
    assert example is not None
    torch.manual_seed(0)
    decoder = HiresDecoder(HiresConfig())
    schedule = Schedule(steps=60, rate=4e-3, warm_up=10)
    losses = [
        step.loss
        for step in train(
            decoder, SharpeningTask([example], mobile_sam, 1), schedule, tmp_path
        )
    ]
    assert np.mean(losses[-5:]) < 0.6 * np.mean(losses[:5])
    embedding = mobile_sam.encode(scene.picture)
    before = mobile_sam.enlarge(example.logits[0], (480, 640)).mask((480, 640))
    sharpener = Sharpener(decoder, mobile_sam.encode_window)
    logits = example.logits[0].astype(np.float32)
    found = sharpener.sharpen(scene.picture, embedding, logits)
    after = mask_iou(found.mask((480, 640)), flower)
    assert mask_iou(before, flower) < 0.975
    assert after > 0.98
