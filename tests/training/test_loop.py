from __future__ import annotations

import csv
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from napari_sam_decoder.errors import CheckpointError
from napari_sam_decoder.training.loop import Schedule, TrainingStep, train

if TYPE_CHECKING:
    from pathlib import Path

SCHEDULE = Schedule(steps=30, rate=0.05, warm_up=3, save_every=7, seed=4)


class Line:
    """Learn that y = 3 x - 1, from noisy examples."""

    def batch(self, rng: np.random.Generator) -> tuple[Tensor, ...]:
        x = torch.from_numpy(rng.standard_normal((16, 1)).astype(np.float32))
        noise = torch.from_numpy(rng.normal(0, 0.1, (16, 1)).astype(np.float32))
        return x, 3 * x - 1 + noise

    def loss(self, network: nn.Module, batch: tuple[Tensor, ...]) -> Tensor:
        x, y = batch
        return (network(x) - y).square().mean()


def fresh() -> nn.Linear:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return nn.Linear(1, 1)


def learn(
    folder: Path, steps: int | None = None, schedule: Schedule = SCHEDULE
) -> nn.Linear:
    """Take so many steps, all by default, and be stopped."""
    network = fresh()
    run = train(network, Line(), schedule, folder)
    list(islice(run, steps))
    run.close()
    return network


def losses(folder: Path) -> list[tuple[int, float]]:
    with (folder / "curve.csv").open() as stream:
        return [
            (int(row["step"]), float(row["loss"])) for row in csv.DictReader(stream)
        ]


def test_what_is_taught_is_learned(tmp_path: Path) -> None:
    network = learn(tmp_path, schedule=Schedule(steps=300, rate=0.1, warm_up=5))
    assert network.weight.item() == pytest.approx(3, abs=0.1)
    assert network.bias.item() == pytest.approx(-1, abs=0.1)


@pytest.mark.parametrize("stops", [(3,), (7,), (12, 5, 9), (29,)])
def test_a_resumed_run_gives_the_same_weights(
    tmp_path: Path, stops: tuple[int, ...]
) -> None:
    whole = learn(tmp_path / "whole")
    for steps in stops:
        learn(tmp_path / "parts", steps)
    resumed = learn(tmp_path / "parts")
    torch.testing.assert_close(resumed.weight, whole.weight, rtol=0, atol=0)
    torch.testing.assert_close(resumed.bias, whole.bias, rtol=0, atol=0)
    assert losses(tmp_path / "parts") == losses(tmp_path / "whole")
    assert [step for step, _ in losses(tmp_path / "whole")] == list(range(30))


def test_a_finished_run_has_nothing_to_do(tmp_path: Path) -> None:
    done = learn(tmp_path)
    network = fresh()
    assert list(train(network, Line(), SCHEDULE, tmp_path)) == []
    torch.testing.assert_close(network.weight, done.weight)


def test_steps_are_told_one_by_one(tmp_path: Path) -> None:
    steps = list(train(fresh(), Line(), SCHEDULE, tmp_path))
    assert [step.number for step in steps] == list(range(30))
    assert all(isinstance(step, TrainingStep) and step.loss >= 0 for step in steps)


def test_the_rate_rises_and_falls() -> None:
    rates = [SCHEDULE.rate_at(step) for step in range(30)]
    top = rates.index(max(rates))
    assert 0 < top < 5
    assert rates[top:] == sorted(rates[top:], reverse=True)
    assert rates[-1] < 0.05 * max(rates)


def test_what_needs_no_gradient_stays(tmp_path: Path) -> None:
    network = fresh()
    network.bias.requires_grad_(False)
    before = network.bias.clone()
    list(train(network, Line(), SCHEDULE, tmp_path))
    torch.testing.assert_close(network.bias, before)


def test_a_checkpoint_of_another_schedule_is_refused(tmp_path: Path) -> None:
    learn(tmp_path, 10)
    with pytest.raises(CheckpointError, match="choose another folder"):
        learn(tmp_path, schedule=Schedule(steps=31))


def test_a_checkpoint_of_another_network_is_refused(tmp_path: Path) -> None:
    learn(tmp_path, 10)
    with pytest.raises(CheckpointError, match="another network"):
        list(train(nn.Linear(1, 2), Line(), SCHEDULE, tmp_path))


def test_a_state_that_was_cut_off_leaves_the_one_before(tmp_path: Path) -> None:
    learn(tmp_path, 14)
    (tmp_path / ".state.pt.partial").write_bytes(b"half of a state")
    assert learn(tmp_path).weight.item() == learn(tmp_path / "whole").weight.item()
