from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from drawn_frame import LABELS, shown_frame

from napari_sam_decoder.errors import CheckpointError
from napari_sam_decoder.interactive.actions import Action, Shown
from napari_sam_decoder.interactive.clues import Clues
from napari_sam_decoder.interactive.focus import Focus
from napari_sam_decoder.model.refinement import RefinementNetwork
from napari_sam_decoder.training.loop import Schedule, train
from napari_sam_decoder.weights.refinement import load_refinement
from refiner_parts.refinement_task import (
    ALONE,
    INSIDE,
    MASK,
    NEARNESS,
    PICTURE,
    TOGETHER,
    Learner,
    RefinementTask,
    read_weights,
    save_weights,
)
from refiner_parts.rollouts import Rollouts, View
from refiner_parts.samples import packed

if TYPE_CHECKING:
    from pathlib import Path

WIDTHS = 8, 8, 8, 8


@pytest.fixture(scope="module")
def shard() -> np.ndarray:
    """Eight samples of discs."""
    found = Rollouts(shown_frame(), LABELS, 0).samples(3, np.random.default_rng(0))
    return packed(found)[:8]


def small_network() -> RefinementNetwork:
    torch.manual_seed(0)
    return RefinementNetwork(WIDTHS)


def test_channels_are_those_of_clues() -> None:
    frame = shown_frame()
    action = Action((40, 40), is_positive=True)
    logits = [np.full((4, 128, 128), value, np.float32) for value in (8, -8)]
    clues = Clues(frame.picture, LABELS == 1, Shown([action]), action, *logits)
    seen = clues.seen(Focus.around((10, 10), 80, frame.shape))
    inside = seen[INSIDE] > 0.99
    assert not inside.all()
    assert not seen[PICTURE][:, seen[INSIDE] == 0].any()
    assert set(np.unique(seen[MASK][0][inside].round())) == {0, 1}
    assert (seen[TOGETHER] > 0.9).all()
    assert (seen[ALONE] < -0.9).all()
    nearest = np.unravel_index(int(seen[NEARNESS].argmax()), seen.shape[1:])
    assert seen[14][nearest] == seen[14].max()


def test_truth_and_mask_are_turned_alike(shard: np.ndarray) -> None:
    known = shard.copy()
    known["clues"][:, MASK] = np.round(known["truth"][:, None] / 255 * 127)
    known["clues"][:, INSIDE] = 127
    task = RefinementTask([known], [1], size=8)
    shown = 0
    for seed in range(4):
        clues, truth, is_near = task.batch(np.random.default_rng(seed))
        for one, wanted in zip(clues[:, MASK][:, 0], truth, strict=True):
            if one.any():
                torch.testing.assert_close(one, wanted, atol=0.01, rtol=0)
                shown += 1
        assert is_near.dtype == torch.bool
    assert shown > 20


def test_a_generator_determines_a_batch(shard: np.ndarray) -> None:
    task = RefinementTask([shard, shard[:0], shard[:4]], [1, 5, 2], size=6)
    first, again = (task.batch(np.random.default_rng(3)) for _ in range(2))
    for one, other in zip(first, again, strict=True):
        torch.testing.assert_close(one, other)
    assert first[0].abs().max() <= 1
    other = task.batch(np.random.default_rng(4))
    assert not torch.equal(first[0], other[0])


def test_what_is_beyond_the_frame_costs_nothing(shard: np.ndarray) -> None:
    task = RefinementTask([shard], [1])
    clues, truth, is_near = task.batch(np.random.default_rng(0))
    clues[:, INSIDE, :40] = 0
    learner = Learner(small_network()).eval()
    with torch.no_grad():
        loss = task.loss(learner, (clues, truth, is_near))
        truth[:, :40] = 1 - truth[:, :40]
        torch.testing.assert_close(task.loss(learner, (clues, truth, is_near)), loss)
        truth[:, 60:] = 1 - truth[:, 60:]
        assert task.loss(learner, (clues, truth, is_near)) != loss


def test_near_to_an_action_errors_cost_more(shard: np.ndarray) -> None:
    near = shard[shard["view"] == View.NEAR][:1]
    clues = torch.from_numpy(near["clues"].astype(np.float32) / 127)
    clues[:, INSIDE] = 1
    truth = torch.from_numpy(near["truth"].astype(np.float32) / 255)

    class Drawn(torch.nn.Module):
        """Is right but for one cell."""

        def __init__(self, cell: tuple[int, ...]) -> None:
            super().__init__()
            self.cell = cell

        def forward(self, clues: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            logits = 8 * (2 * truth - 1)
            logits[0][self.cell] *= -1
            return logits, torch.ones(1)

    nearness = clues[0, NEARNESS] * ((truth[0] - 0.5).abs() == 0.5)
    cells = [
        tuple(np.unravel_index(int(index), nearness.shape))
        for index in (nearness.argmax(), (nearness == 0).float().argmax())
    ]
    task = RefinementTask([shard], [1])
    at, far = (
        task.loss(Drawn(cell), (clues, truth, torch.tensor([True]))) for cell in cells
    )
    assert at > far


def test_a_few_steps_lower_the_loss(shard: np.ndarray, tmp_path: Path) -> None:
    learner, task = Learner(small_network()), RefinementTask([shard], [1], size=4)
    schedule = Schedule(30, rate=5e-3, warm_up=0)
    losses = [step.loss for step in train(learner, task, schedule, tmp_path)]
    assert np.mean(losses[-5:]) < 0.8 * np.mean(losses[:5])
    batch = task.batch(np.random.default_rng(99))
    with torch.no_grad():
        before = task.loss(small_network().eval(), batch)
        assert task.loss(learner.mean.eval(), batch) < before


def test_the_mean_lies_between_weights(shard: np.ndarray, tmp_path: Path) -> None:
    learner, task = Learner(small_network()), RefinementTask([shard], [1], size=2)
    seen = [
        learner.network.head.weight.detach().clone()
        for _ in train(learner, task, Schedule(3, warm_up=0), tmp_path)
    ]
    start = small_network().head.weight.detach()
    first = (1 / 21) * start + (20 / 21) * seen[0]
    expected = (2 / 22) * first + (20 / 22) * seen[1]
    torch.testing.assert_close(learner.mean.head.weight, expected)


def test_a_saved_refiner_is_loaded_by_the_package(
    tmp_path: Path, shard: np.ndarray
) -> None:
    network, path = RefinementNetwork(), tmp_path / "refiner.safetensors"
    with torch.no_grad():
        network(torch.rand(4, *shard["clues"].shape[1:]))
    save_weights(network, path)
    seen = shard["clues"].astype(np.float32) / 127
    with torch.no_grad():
        expected = network.eval()(torch.from_numpy(seen))[0].numpy()
        again = read_weights(path).eval()(torch.from_numpy(seen))[0].numpy()
    np.testing.assert_allclose(again, expected, atol=0.01)
    np.testing.assert_allclose(
        load_refinement(path).refine(seen)[0], expected, atol=0.1
    )


def test_another_file_is_no_refiner(tmp_path: Path) -> None:
    path = tmp_path / "refiner.safetensors"
    path.write_bytes(b"nothing")
    with pytest.raises(CheckpointError, match="train it again"):
        read_weights(path)
