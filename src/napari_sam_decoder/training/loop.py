"""The training loop: a run that was interrupted and resumed gives the same weights."""

from __future__ import annotations

import csv
import math
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import torch

from napari_sam_decoder.atomic_files import atomic_write
from napari_sam_decoder.errors import (
    CheckpointError,
    OptionError,
    wrap_read_errors,
    wrap_write_errors,
)
from napari_sam_decoder.validation import as_finite_number, as_integer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from torch import Tensor, nn

__all__ = ["Schedule", "Task", "TrainingStep", "train"]

_LARGEST_GRADIENT = 1.0
"""Norm to which gradients are clipped."""

_LAST_RATE = 0.01
"""Share of the learning rate that is left at the end."""


class Task(Protocol):
    """Batches, and the loss of a network on them."""

    def batch(self, rng: np.random.Generator, /) -> tuple[Tensor, ...]:
        """Draw a batch; generators in the same state give the same batch."""

    def loss(self, network: Any, batch: tuple[Tensor, ...], /) -> Tensor:
        """Return the loss of a network on a batch, a scalar."""


@dataclass(frozen=True)
class Schedule:
    """Number of steps, and the learning rate over them.

    Attributes
    ----------
    steps : int
        In all, over all runs.
    rate : float
        Highest learning rate of AdamW; it rises linearly, then falls as a cosine.
    warm_up : int
        Steps over which it rises.
    decay : float
        Weight decay.
    seed : int
        Determines all batches.
    save_every : int
        Steps between checkpoints.

    Raises
    ------
    OptionError
        If a value is not such a number.
    """

    steps: int
    rate: float = 2e-3
    warm_up: int = 100
    decay: float = 1e-4
    seed: int = 0
    save_every: int = 200

    def __post_init__(self) -> None:
        for name in ("steps", "save_every"):
            _require_from(1, as_integer(getattr(self, name), name, OptionError), name)
        for name in ("warm_up", "seed"):
            _require_from(0, as_integer(getattr(self, name), name, OptionError), name)
        for name in ("rate", "decay"):
            _require_from(
                0, as_finite_number(getattr(self, name), name, OptionError), name
            )

    def rate_at(self, step: int) -> float:
        """Return the learning rate of a step, counted from 0."""
        rising = min(1.0, (step + 1) / max(self.warm_up, 1))
        falling = 0.5 * (1 + math.cos(math.pi * step / self.steps))
        return self.rate * rising * max(falling, _LAST_RATE)


def _require_from(least: int, value: float, name: str) -> None:
    if value < least:
        raise OptionError(f"{name} must be {least} or more, not {value}")


@dataclass(frozen=True)
class TrainingStep:
    """What `train` reports after each step.

    Attributes
    ----------
    number : int
        From 0.
    loss : float
        On the batch of this step.
    seconds : float
        Since the run began.
    """

    number: int
    loss: float
    seconds: float


def train(
    network: nn.Module,
    task: Task,
    schedule: Schedule,
    folder: Path,
    *,
    dtype: torch.dtype = torch.float32,
) -> Iterator[TrainingStep]:
    """Train a network, or resume an earlier run that was stopped.

    Parameters
    ----------
    network : nn.Module
        In float32; only parameters that require gradients are trained.
    task : Task
        Gives batches and losses.
    schedule : Schedule
        Steps and learning rate.
    folder : Path
        For the checkpoint ``state.pt`` and the losses ``curve.csv``; created if
        missing.
    dtype : torch.dtype
        Number type of products and convolutions (autocast).

    Yields
    ------
    TrainingStep
        After each step. Close the iterator to stop; the next run repeats the steps
        since the last checkpoint.

    Raises
    ------
    CheckpointError
        If the checkpoint in the folder is corrupt, or of another schedule or network.

    Notes
    -----
    The batch of a step depends on the seed and the number of the step only, so a
    resumed run gives the same weights as one that was never stopped.
    """
    folder.mkdir(parents=True, exist_ok=True)
    trained = [tensor for tensor in network.parameters() if tensor.requires_grad]
    optimiser = torch.optim.AdamW(
        trained, lr=schedule.rate, weight_decay=schedule.decay
    )
    checkpoint = _Checkpoint(network, optimiser, schedule, folder / "state.pt")
    first = checkpoint.resume()
    curve = _Curve(folder / "curve.csv", first)
    started = time.perf_counter()
    device = next(network.parameters()).device
    for number, batch in _batches(task, schedule, first):
        for group in optimiser.param_groups:
            group["lr"] = schedule.rate_at(number)
        with torch.autocast(device.type, dtype, enabled=dtype != torch.float32):
            loss = task.loss(network, tuple(part.to(device) for part in batch))
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(trained, _LARGEST_GRADIENT)
        optimiser.step()
        step = TrainingStep(number, float(loss.detach()), time.perf_counter() - started)
        curve.note(step)
        if (number + 1) % schedule.save_every == 0 or number + 1 == schedule.steps:
            curve.write()
            checkpoint.save(number + 1)
        yield step


def _batches(
    task: Task, schedule: Schedule, first: int
) -> Iterator[tuple[int, tuple[Tensor, ...]]]:
    """Draw each batch while the network is trained on the one before."""

    def draw(step: int) -> tuple[Tensor, ...]:
        return task.batch(np.random.default_rng([schedule.seed, step]))

    if first >= schedule.steps:
        return
    with ThreadPoolExecutor(1) as pool:
        upcoming = pool.submit(draw, first)
        for number in range(first, schedule.steps):
            batch = upcoming.result()
            if number + 1 < schedule.steps:
                upcoming = pool.submit(draw, number + 1)
            yield number, batch


class _Checkpoint:
    """Weights, optimiser state and step on disk."""

    def __init__(
        self,
        network: nn.Module,
        optimiser: torch.optim.Optimizer,
        schedule: Schedule,
        path: Path,
    ) -> None:
        self._network = network
        self._optimiser = optimiser
        self._schedule = schedule
        self._path = path

    def resume(self) -> int:
        """Restore the checkpoint, if there is one; return the next step."""
        if not self._path.exists():
            return 0
        with wrap_read_errors(self._path, CheckpointError, "delete it to start over"):
            found = torch.load(self._path, weights_only=True)
        if found.get("schedule") != repr(self._schedule):
            raise CheckpointError(
                f"{self._path} belongs to another training, {found.get('schedule')}, "
                f"and this one is {self._schedule!r}; choose another folder, or resume "
                "with the same settings"
            )
        try:
            self._network.load_state_dict(found["network"])
        except RuntimeError as error:
            raise CheckpointError(
                f"{self._path} belongs to another network; choose another folder"
            ) from error
        self._optimiser.load_state_dict(found["optimiser"])
        return int(found["step"])

    def save(self, step: int) -> None:
        """Write the checkpoint; it appears whole or not at all."""
        content = {
            "schedule": repr(self._schedule),
            "network": self._network.state_dict(),
            "optimiser": self._optimiser.state_dict(),
            "step": step,
        }
        with wrap_write_errors(self._path), atomic_write(self._path) as partial:
            torch.save(content, partial)


class _Curve:
    """The losses of all runs, as a CSV file."""

    def __init__(self, path: Path, first: int) -> None:
        self._path = path
        self._pending: list[TrainingStep] = []
        if first == 0:
            self._path.write_text("step,loss,seconds\n")

    def note(self, step: TrainingStep) -> None:
        self._pending.append(step)

    def write(self) -> None:
        """Append the losses noted since the last call."""
        with self._path.open("a", newline="") as stream:
            writer = csv.writer(stream)
            for step in self._pending:
                writer.writerow(
                    [step.number, f"{step.loss:.6f}", f"{step.seconds:.3f}"]
                )
        self._pending.clear()
