from __future__ import annotations

from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from decoder_parts.document_decoder import (
    DocumentConfig,
    DocumentDecoder,
    copy_from_sam,
)
from decoder_parts.prompt_sampling import SamplingOptions, WindowBatch
from decoder_parts.unet_decoder import UnetConfig, UnetDecoder
from decoder_parts.whole_mask_decoding import EarlyWindow, PromptTensors, decode
from decoder_parts.whole_mask_task import SURE, WholeMaskTask, correct
from napari_sam_decoder.metrics import mask_iou
from napari_sam_decoder.training.loop import Schedule, train
from napari_sam_decoder.training.mask_loss import mask_losses
from shipped_head.sam_examples import record_example
from shipped_head.scenes import SyntheticScene

if TYPE_CHECKING:
    from pathlib import Path

    from napari_sam_decoder.model.sam import Sam
    from shipped_head.sam_examples import SamExample

OPTIONS = SamplingOptions(near=10, far=4)
SMALL = replace(DocumentConfig(), depth=1, widths=(8, 8, 4, 4), early_channels=8)
KINDS = ["drawn", "unrated", "unet"]


def make(kind: str) -> DocumentDecoder | UnetDecoder:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        if kind == "unet":
            return UnetDecoder(UnetConfig((8, 8, 8, 8, 8), (8, 4), early_channels=8))
        return DocumentDecoder(replace(SMALL, iou_head=kind != "unrated"))


@pytest.fixture
def task(early_sam: Sam, discs: SamExample) -> WholeMaskTask:
    return WholeMaskTask([discs], early_sam, OPTIONS)


def batch_of(task: WholeMaskTask, seed: int = 0) -> WindowBatch:
    return WindowBatch(*task.batch(np.random.default_rng(seed)))


def first_question(batch: WindowBatch) -> PromptTensors:
    return PromptTensors(batch.grid, batch.positions, batch.kinds)


@pytest.mark.parametrize("kind", KINDS)
def test_every_weight_learns(kind: str, task: WholeMaskTask) -> None:
    network = make(kind)
    task.loss(network, batch_of(task)).backward()
    idle = [
        name
        for name, weights in network.named_parameters()
        if weights.grad is None or not weights.grad.abs().sum() > 0
    ]
    # A bias of keys adds the same to all scores, and nobody else reads the token of
    # ratings that nobody wants.
    expected = ("k_proj.bias", *(("iou_token.weight",) if kind == "unrated" else ()))
    assert all(name.endswith(expected) for name in idle)


def test_the_frozen_network_learns_nothing(task: WholeMaskTask, early_sam: Sam) -> None:
    task.loss(make("drawn"), batch_of(task)).backward()
    assert all(weights.grad is None for weights in early_sam.parameters())


@pytest.mark.parametrize("kind", KINDS)
def test_the_loss_follows_from_weights_and_batch(
    kind: str, task: WholeMaskTask
) -> None:
    first, second = (task.loss(make(kind), batch_of(task)) for _ in range(2))
    assert first.item() == second.item()


def test_the_best_hypothesis_of_each_round_counts(
    task: WholeMaskTask, early_sam: Sam, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch, network = batch_of(task), make("unrated")
    monkeypatch.setattr("decoder_parts.whole_mask_task.ROUNDS", 1)
    answer = decode(network, early_sam.prompt_encoder, first_question(batch))
    drawn = [answer.draw(window).flatten(2) for window in batch.windows]
    losses = mask_losses(torch.cat(drawn, dim=2), batch.truth)
    expected = losses.min(dim=1).values.mean()
    torch.testing.assert_close(task.loss(network, batch), expected)


def test_ratings_learn_from_what_was_drawn(task: WholeMaskTask) -> None:
    network = make("drawn")
    with torch.no_grad():
        scores = network.iou_prediction_head.scores
        scores.weight.zero_()
        network.drawing.masks.weight.zero_()
        network.drawing.masks.bias.fill_(5)  # Everything is taken for the object.
    batch = batch_of(task)
    share = batch.truth.mean(dim=1)
    with torch.no_grad():
        scores.bias.copy_(torch.logit(share.mean()).expand(3))
        near = task.loss(network, batch)
        scores.bias.fill_(9)
        far = task.loss(network, batch)
    expected = ((1 - share) ** 2).mean() - (share.mean() - share).square().mean()
    assert (far - near).item() == pytest.approx(expected.item(), rel=1e-2)


@pytest.mark.parametrize("is_rated", [True, False])
def test_the_next_prompt_lies_in_what_is_wrong(
    task: WholeMaskTask, is_rated: bool
) -> None:
    noise = torch.Generator().manual_seed(0)
    for seed in range(4):
        batch = batch_of(task, seed)
        drawn = [
            torch.nn.functional.interpolate(
                torch.randn(4, 3, side, side, generator=noise), scale_factor=16
            )
            for side in (10, 4)
        ]
        ratings = torch.tensor([[0.1, 0.8, 0.3]]).expand(4, 3) if is_rated else None
        asked = correct(first_question(batch), batch, ratings, drawn)
        assert asked.positions.shape == (4, 3, 2)
        assert torch.equal(asked.positions[:, :2], batch.positions)
        for index in range(4):
            x, y = (asked.positions[index, -1] / 4).long().tolist()
            wanted = batch.low_res[index, 0, y, x]
            assert (asked.logits[index, 0, y, x] > 0) != wanted
            assert asked.kinds[index, -1] == int(wanted)


def test_what_is_fed_back_is_the_mean_of_what_was_picked(task: WholeMaskTask) -> None:
    batch = batch_of(task)
    noise = torch.Generator().manual_seed(0)
    drawn = [torch.randn(4, 3, 16 * n, 16 * n, generator=noise) for n in (10, 4)]
    ratings = torch.tensor([[0.1, 0.2, 0.3]]).expand(4, 3)
    logits = correct(first_question(batch), batch, ratings, drawn).logits
    far = EarlyWindow(batch.far_corners, batch.far_early).crop(logits, 4)
    blocks = drawn[1][:, 2].reshape(4, 16, 4, 16, 4).mean(dim=(2, 4))
    torch.testing.assert_close(far[:, 0], blocks)
    known = torch.zeros_like(logits)
    for window in batch.windows:
        for one, (row, column) in zip(known, 4 * window.corners, strict=True):
            side = window.early.shape[-1]
            one[:, row : row + side, column : column + side] = 1
    elsewhere = known == 0
    expected = torch.where(batch.low_res, SURE, -SURE)
    assert torch.equal(logits[elsewhere], expected[elsewhere])
    assert not logits.requires_grad


@pytest.mark.parametrize("kind", ["drawn", "unet"])
def test_a_resumed_training_gives_the_same_weights(
    kind: str, task: WholeMaskTask, tmp_path: Path
) -> None:
    schedule = Schedule(steps=5, rate=1e-3, warm_up=1, save_every=2)

    def learn(folder: Path, steps: int | None = None) -> dict[str, torch.Tensor]:
        network = make(kind)
        run = train(network, task, schedule, folder, dtype=torch.bfloat16)
        list(islice(run, steps))
        run.close()
        return network.state_dict()

    whole = learn(tmp_path / "whole")
    learn(tmp_path / "parts", 3)
    for name, weights in learn(tmp_path / "parts").items():
        assert torch.equal(weights, whole[name]), name


@pytest.mark.slow
def test_one_picture_can_be_learned_by_heart(mobile_sam: Sam, tmp_path: Path) -> None:
    rows, columns = np.mgrid[:480, :640]
    angles = np.arctan2(rows - 200, columns - 260)
    flower = np.hypot(rows - 200, columns - 260) < 55 + 8 * np.sin(7 * angles)
    noise = np.random.default_rng(0).normal(0, 6, (480, 640, 3))
    picture = (np.where(flower, 170, 60)[..., None] + noise).clip(0, 255)
    scene = SyntheticScene(picture.astype(np.uint8), flower[None])
    example = record_example(scene, mobile_sam, np.random.default_rng(0))
    assert example is not None
    torch.manual_seed(0)
    decoder = DocumentDecoder(replace(DocumentConfig(), widths=(64, 48, 32, 16)))
    copy_from_sam(decoder, mobile_sam.mask_decoder)
    task = WholeMaskTask([example], mobile_sam, SamplingOptions(1, 2, near=16, far=6))
    schedule = Schedule(steps=60, rate=2e-3, warm_up=10)
    for _ in train(decoder, task, schedule, tmp_path, dtype=torch.bfloat16):
        pass
    detail = mobile_sam.encode_window(example.picture, (slice(0, 48), slice(0, 64)))
    features = torch.from_numpy(example.features.astype(np.float32))[None]
    click = torch.tensor([[[415.5, 319.5], [0, 0]]])
    with torch.inference_mode():
        asked = PromptTensors(features, click, torch.tensor([[1, -1]]))
        answer = decode(decoder, mobile_sam.prompt_encoder, asked)
        window = EarlyWindow(
            torch.zeros(1, 2).long(), torch.from_numpy(detail.early)[None]
        )
        drawn = answer.draw(window)[0]
    picked = drawn[answer.ratings[0].argmax()].numpy() > 0
    iou = mask_iou(picked[: example.shown[0]], example.mask(0))
    assert iou >= 0.98
    assert answer.ratings.max().item() == pytest.approx(iou, abs=0.1)
