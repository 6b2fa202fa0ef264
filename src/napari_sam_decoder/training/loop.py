"""The loop of every training: the same weights, however often it is interrupted."""

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

__all__ = ["Course", "Step", "Task", "train"]

_STEEPEST = 1.0
_LEAST_RATE = 0.01
"""Share of the learning rate that is left at the end."""


class Task(Protocol):
    """What is to be learned."""

    def batch(self, rng: np.random.Generator, /) -> tuple[Tensor, ...]:
        """Draw examples; the same from generators in the same state."""

    def loss(self, network: Any, batch: tuple[Tensor, ...], /) -> Tensor:
        """Say how far a network is off, as one number."""


@dataclass(frozen=True)
class Course:
    """How long and how fast is learned.

    Attributes
    ----------
    steps : int
        Batches in all, however many runs they take.
    rate : float
        Highest learning rate of AdamW; it rises at first, and falls as a cosine.
    warm_up : int
        Steps in which it rises.
    decay : float
        Weight decay.
    seed : int
        All batches follow from it.
    save_every : int
        Steps between two states on disk.

    Raises
    ------
    OptionError
        If one of them is no such number.
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
        """Learning rate of a step, from 0."""
        rising = min(1.0, (step + 1) / max(self.warm_up, 1))
        falling = 0.5 * (1 + math.cos(math.pi * step / self.steps))
        return self.rate * rising * max(falling, _LEAST_RATE)


def _require_from(least: int, value: float, name: str) -> None:
    if value < least:
        raise OptionError(f"{name} must be {least} or more, not {value}")


@dataclass(frozen=True)
class Step:
    """What `train` says after each step.

    Attributes
    ----------
    number : int
        From 0.
    loss : float
    seconds : float
        Since the run began.
    """

    number: int
    loss: float
    seconds: float


def train(
    network: nn.Module,
    task: Task,
    course: Course,
    folder: Path,
    *,
    dtype: torch.dtype = torch.float32,
) -> Iterator[Step]:
    """Teach a network, and go on from where an earlier run was stopped.

    Parameters
    ----------
    network : nn.Module
        In float32; only what requires gradients is taught.
    task : Task
        What it is taught.
    course : Course
        How long.
    folder : Path
        Where the state is kept, as ``state.pt``, and the losses, as ``curve.csv``.
        Made if it is not there.
    dtype : torch.dtype
        Number type in which products and convolutions are computed.

    Yields
    ------
    Step
        After each step. Close the iterator to stop; what was learned since the last
        state on disk is learned again by the next run.

    Raises
    ------
    CheckpointError
        If the state in the folder is of another course or network.

    Notes
    -----
    The generator of a step's batch follows from the seed and the number of the step, so
    a run that is resumed gives the same weights as one that never stopped.
    """
    folder.mkdir(parents=True, exist_ok=True)
    learned = [tensor for tensor in network.parameters() if tensor.requires_grad]
    optimiser = torch.optim.AdamW(learned, lr=course.rate, weight_decay=course.decay)
    state = _State(network, optimiser, course, folder / "state.pt")
    first = state.resume()
    curve = _Curve(folder / "curve.csv", first)
    started = time.perf_counter()
    device = next(network.parameters()).device
    for number, batch in _batches(task, course, first):
        for group in optimiser.param_groups:
            group["lr"] = course.rate_at(number)
        with torch.autocast(device.type, dtype, enabled=dtype != torch.float32):
            loss = task.loss(network, tuple(part.to(device) for part in batch))
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(learned, _STEEPEST)
        optimiser.step()
        step = Step(number, float(loss.detach()), time.perf_counter() - started)
        curve.note(step)
        if (number + 1) % course.save_every == 0 or number + 1 == course.steps:
            curve.write()
            state.save(number + 1)
        yield step


def _batches(
    task: Task, course: Course, first: int
) -> Iterator[tuple[int, tuple[Tensor, ...]]]:
    """Draw each batch while the network learns from the one before."""

    def draw(step: int) -> tuple[Tensor, ...]:
        return task.batch(np.random.default_rng([course.seed, step]))

    if first >= course.steps:
        return
    with ThreadPoolExecutor(1) as hand:
        coming = hand.submit(draw, first)
        for number in range(first, course.steps):
            batch = coming.result()
            if number + 1 < course.steps:
                coming = hand.submit(draw, number + 1)
            yield number, batch


class _State:
    """What a training has come to, on disk."""

    def __init__(
        self,
        network: nn.Module,
        optimiser: torch.optim.Optimizer,
        course: Course,
        path: Path,
    ) -> None:
        self._network = network
        self._optimiser = optimiser
        self._course = course
        self._path = path

    def resume(self) -> int:
        """Take up the state on disk, if there is one; return the first step to do."""
        if not self._path.exists():
            return 0
        with wrap_read_errors(self._path, CheckpointError, "delete it, and begin anew"):
            found = torch.load(self._path, weights_only=True)
        if found["course"] != repr(self._course):
            raise CheckpointError(
                f"{self._path} is of another training, {found['course']}, and this "
                f"one is {self._course!r}; name another folder, or go on as it began"
            )
        try:
            self._network.load_state_dict(found["network"])
        except RuntimeError as error:
            raise CheckpointError(
                f"{self._path} is of a training of another network; name another folder"
            ) from error
        self._optimiser.load_state_dict(found["optimiser"])
        return int(found["step"])

    def save(self, step: int) -> None:
        """Write the state; it appears whole or not at all."""
        content = {
            "course": repr(self._course),
            "network": self._network.state_dict(),
            "optimiser": self._optimiser.state_dict(),
            "step": step,
        }
        with wrap_write_errors(self._path), atomic_write(self._path) as partial:
            torch.save(content, partial)


class _Curve:
    """The losses of all runs, as a table."""

    def __init__(self, path: Path, first: int) -> None:
        self._path = path
        self._new: list[Step] = []
        if first == 0:
            self._path.write_text("step,loss,seconds\n")

    def note(self, step: Step) -> None:
        self._new.append(step)

    def write(self) -> None:
        """Add what is new to the file."""
        with self._path.open("a", newline="") as stream:
            writer = csv.writer(stream)
            for step in self._new:
                writer.writerow(
                    [step.number, f"{step.loss:.6f}", f"{step.seconds:.3f}"]
                )
        self._new.clear()
