from __future__ import annotations

import copy
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch

from napari_sam_decoder.errors import LabelsError
from napari_sam_decoder.metrics import mask_iou
from napari_sam_decoder.model.values import Embedding, ModelPrompt
from napari_sam_decoder.training.examples import LabelledPicture, embed_example
from napari_sam_decoder.training.finetuning import BatchOptions, Finetuning, PromptBatch
from napari_sam_decoder.training.loop import Schedule, train

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor

    from napari_sam_decoder.model.mask_decoder import MaskDecoder
    from napari_sam_decoder.model.sam import Sam
    from napari_sam_decoder.training.examples import TrainingExample

CLICKS, PRIORS = BatchOptions(prior_share=0.0), BatchOptions(prior_share=1.0)


def rings(rows: int = 90, columns: int = 128) -> LabelledPicture:
    down, across = np.mgrid[:rows, :columns]
    picture = np.full((rows, columns, 3), 60, np.uint8)
    labels = np.zeros((rows, columns), np.uint8)
    for object_id, (row, column) in enumerate([(30, 30), (55, 90)], start=1):
        inside = np.hypot(down - row, across - column) < 20
        picture[inside] = (190, 120, 60)
        labels[inside] = object_id
    return LabelledPicture(picture, labels)


@pytest.fixture(scope="module")
def example(early_sam: Sam) -> TrainingExample:
    return embed_example(rings(), early_sam)


def learner(sam: Sam) -> MaskDecoder:
    return copy.deepcopy(sam.mask_decoder).requires_grad_(True)


def drawn(task: Finetuning, seed: int = 0) -> PromptBatch:
    return task.batch(np.random.default_rng(seed))


@pytest.mark.parametrize("options", [CLICKS, PRIORS])
def test_every_weight_that_has_an_effect_learns(
    early_sam: Sam, example: TrainingExample, options: BatchOptions
) -> None:
    decoder, task = learner(early_sam), Finetuning([example], early_sam, options)
    for seed in range(12):
        task.loss(decoder, drawn(task, seed)).backward()
    still = {
        name
        for name, weights in decoder.named_parameters()
        if weights.grad is None or not weights.grad.any()
    }
    assert {name for name in still if not name.endswith("k_proj.bias")} == set()
    assert not any(weights.grad is not None for weights in early_sam.parameters())


def test_a_batch_is_asked_as_in_use(early_sam: Sam, example: TrainingExample) -> None:
    clicks = drawn(Finetuning([example], early_sam, CLICKS))
    assert clicks.kinds.shape == (4, 2)
    assert not clicks.has_mask.any()
    assert int(clicks.rounds) == 3
    priors = drawn(Finetuning([example], early_sam, PRIORS))
    assert priors.kinds.tolist() == [[1, 2, 3]] * 4
    assert priors.logits.shape == (4, 128, 128)
    assert int(priors.rounds) == 1
    assert priors.shown.tolist() == [90, 128]


def test_the_same_generator_draws_the_same(
    early_sam: Sam, example: TrainingExample
) -> None:
    for options in (CLICKS, PRIORS):
        task = Finetuning([example, example], early_sam, options)
        for first, second in zip(drawn(task), drawn(task), strict=True):
            torch.testing.assert_close(first, second, rtol=0, atol=0)


def test_the_decoder_is_asked_for_the_same_as_in_use(
    early_sam: Sam, example: TrainingExample
) -> None:
    task = Finetuning([example], early_sam, replace(PRIORS, mask_share=1.0))
    prompts = drawn(task)
    with torch.no_grad():
        logits, ratings = task._decoded(early_sam.mask_decoder, prompts)
    embedding = Embedding(prompts.features.numpy(), (90, 128))
    positions = prompts.positions.numpy()
    asked = [ModelPrompt(p[:1], np.array([1]), p[1:].ravel()) for p in positions]
    candidates = early_sam.decode(embedding, asked, [*prompts.logits.numpy()])
    same = candidates.low_res_logits[..., : logits.shape[2], : logits.shape[3]]
    np.testing.assert_allclose(logits, same, atol=1e-4)
    np.testing.assert_allclose(ratings, candidates.iou_predictions, atol=1e-4)


def with_other_truth(prompts: PromptBatch, changed: tuple[slice, slice]) -> PromptBatch:
    truth = prompts.truth.clone()
    truth[:, *changed] ^= True
    return prompts._replace(truth=truth)


def test_only_what_shows_the_picture_counts(
    early_sam: Sam, example: TrainingExample
) -> None:
    task = Finetuning([example], early_sam, PRIORS)
    prompts = drawn(task)
    loss = task.loss(early_sam.mask_decoder, prompts)
    padding = with_other_truth(prompts, (slice(90, None), slice(None)))
    shown = with_other_truth(prompts, (slice(80, 90), slice(None)))
    torch.testing.assert_close(task.loss(early_sam.mask_decoder, padding), loss)
    assert task.loss(early_sam.mask_decoder, shown) != loss


def test_objects_that_are_not_known_are_never_asked_for(early_sam: Sam) -> None:
    both = rings()
    known = replace(both, labels=np.where(both.labels == 2, 2, 0))
    task = Finetuning([embed_example(known, early_sam)], early_sam)
    for seed in range(20):
        prompts = drawn(task, seed)
        assert not prompts.truth[:, :, :55].any()
        assert prompts.truth.any(dim=-1).any(dim=-1).all()


def test_clicks_go_where_the_mask_is_wrong(
    early_sam: Sam, example: TrainingExample
) -> None:
    task = Finetuning([example], early_sam, CLICKS)
    asked: list[tuple[Tensor, Tensor]] = []

    class Watched(type(early_sam.mask_decoder)):  # type: ignore[misc]
        def forward(self, image: Any, positions: Any, tokens: Any) -> Any:
            asked.append((image, tokens))
            return super().forward(image, positions, tokens)

    decoder = learner(early_sam)
    decoder.__class__ = Watched
    task.loss(decoder, drawn(task))
    assert [tokens.shape[1] for _, tokens in asked] == [2, 3, 4]
    # Every other one is handed back what was drawn.
    first, second = asked[0][0], asked[1][0]
    same = [bool(torch.equal(a, b)) for a, b in zip(first, second, strict=True)]
    assert same == [False, True, False, True]


def test_objects_too_small_to_be_seen_are_refused(early_sam: Sam) -> None:
    labels = np.zeros((2000, 2000), np.uint8)
    labels[5, 5] = 1
    speck = LabelledPicture(np.zeros((2000, 2000, 3), np.uint8), labels)
    task = Finetuning([embed_example(speck, early_sam)], early_sam)
    with pytest.raises(LabelsError, match="too small"):
        drawn(task)


def learn(
    sam: Sam, example: TrainingExample, folder: Path, stops: tuple[int, ...]
) -> Any:
    schedule = Schedule(steps=6, rate=1e-3, warm_up=2, decay=0, save_every=2)
    for steps in (*stops, None):
        decoder = learner(sam)
        run = train(decoder, Finetuning([example], sam), schedule, folder)
        losses = [step.loss for step in islice(run, steps)]
        run.close()
    return decoder.state_dict(), losses


def test_a_training_that_was_stopped_gives_the_same(
    early_sam: Sam, example: TrainingExample, tmp_path: Path
) -> None:
    whole, _ = learn(early_sam, example, tmp_path / "whole", ())
    parts, _ = learn(early_sam, example, tmp_path / "parts", (3, 2))
    for name, weights in whole.items():
        torch.testing.assert_close(parts[name], weights, rtol=0, atol=0)


def test_the_loss_falls(
    early_sam: Sam, example: TrainingExample, tmp_path: Path
) -> None:
    decoder, task = learner(early_sam), Finetuning([example], early_sam)
    schedule = Schedule(steps=25, rate=2e-3, warm_up=2, decay=0)
    losses = [step.loss for step in train(decoder, task, schedule, tmp_path)]
    assert np.mean(losses[-5:]) < 0.9 * np.mean(losses[:5])


@pytest.mark.slow
def test_one_picture_teaches_what_is_meant(mobile_sam: Sam, tmp_path: Path) -> None:
    """A left half of each disc is the object, which nobody would guess."""
    whole = rings(240, 320)
    halves = whole.labels.copy()
    for object_id, column in ((1, 30), (2, 90)):
        halves[:, column:][halves[:, column:] == object_id] = 0
    known = replace(whole, labels=halves)
    example = embed_example(known, mobile_sam)
    decoder = learner(mobile_sam)
    before = one_click(mobile_sam, example)
    schedule = Schedule(steps=40, rate=1e-4, warm_up=5, decay=0)
    for _ in train(decoder, Finetuning([example], mobile_sam), schedule, tmp_path):
        pass
    finetuned = copy.deepcopy(mobile_sam)
    finetuned.mask_decoder = decoder.requires_grad_(False)
    assert before < 0.7
    assert one_click(finetuned, example) > max(0.8, before + 0.2)


def one_click(sam: Sam, example: TrainingExample) -> float:
    """Mean IoU of what is rated best after a click in the middle of each object."""
    task = Finetuning([example], sam)
    _, truth = task._drawn(np.random.default_rng(0))
    embedding = Embedding(example.features.astype(np.float32), (240, 320))
    found = []
    for mask in truth:
        row, column = (int(places.mean()) for places in np.nonzero(mask))
        click = np.array([[4 * column + 1.5, 4 * row + 1.5]], np.float32)
        offers = sam.decode(embedding, [ModelPrompt(click, np.array([1]))])
        picked = 1 + int(offers.iou_predictions[0, 1:].argmax())
        found.append(mask_iou(offers.low_res_logits[0, picked] > 0, mask))
    return float(np.mean(found))
