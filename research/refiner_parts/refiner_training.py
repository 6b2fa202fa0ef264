"""The whole training of the shipped refiner, which can be interrupted and resumed."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch

from napari_sam_decoder.atomic_files import atomic_write
from napari_sam_decoder.errors import FormatError, wrap_write_errors
from napari_sam_decoder.model.precision import choose_precision
from napari_sam_decoder.model.refinement import RefinementNetwork
from napari_sam_decoder.training.loop import Schedule, train
from napari_sam_decoder.weights.refinement import load_refinement
from refiner_parts.refinement_task import (
    Learner,
    RefinementTask,
    read_weights,
    save_weights,
)
from refiner_parts.samples import Shards, read_shard

if TYPE_CHECKING:
    from pathlib import Path

    from napari_sam_decoder.interactive import Decoder
    from napari_sam_decoder.jobs.outputs import Progress

__all__ = ["KINDS", "RefinerTraining", "Stage"]

KINDS = ("dsb", "things", "cells", "fibres")
"""Of pictures that are learned from; "dsbtest" is for measuring."""


@dataclass(frozen=True)
class Stage:
    """Samples, and how long they are learned from.

    Attributes
    ----------
    shards : int
        Of about 250 samples.
    schedule : Schedule
        Steps and learning rate.
    own_share : float
        0..1: share of the corrections in the samples that the refiner of the stage
        before makes, not the truth.
    """

    shards: int
    schedule: Schedule
    own_share: float


def _stages() -> tuple[Stage, ...]:
    first, second = (
        Schedule(steps, rate=2e-3, warm_up=100, decay=0.01) for steps in (1300, 7100)
    )
    return Stage(25, first, own_share=0), Stage(74, second, own_share=0.65)


@dataclass(frozen=True)
class RefinerTraining:
    """Everything on which the weights depend, beside the pictures.

    Attributes
    ----------
    stages : tuple of Stage
        Each goes on with the weights of the one before and also uses its samples, the
        first ones less often.
    seed : int
        Determines all samples and the weights in the beginning.
    """

    stages: tuple[Stage, ...] = field(default_factory=_stages)
    seed: int = 0

    def run(
        self,
        decoder: Decoder,
        pictures: Path,
        work: Path,
        target: Path,
        progress: Progress,
        policy: Path | None = None,
    ) -> None:
        """Train a refiner, or resume, and write it.

        Parameters
        ----------
        decoder : Decoder
            The network that embedded the pictures.
        pictures : Path
            A folder that `embed_pictures` has filled.
        work : Path
            For samples, checkpoints and the refiner of each stage; what is there is not
            done again.
        target : Path
            The file to write.
        progress : Progress
            Shows shards and steps.
        policy : Path, optional
            A refiner to go on with; the first stage is then left out.

        Raises
        ------
        SamDecoderError
            If there are no pictures, or a folder is corrupt or belongs to another
            training.
        """
        paths = [path for kind in KINDS for path in sorted(pictures.glob(f"{kind}-*"))]
        if not paths:
            raise FormatError(
                f"{pictures} has no pictures; fill it with embed_pictures.py"
            )
        newest = policy or self._beginning(work)
        shards: list[Path] = []
        weights: list[float] = []
        first = 0 if policy is None else 1
        for number, stage in list(enumerate(self.stages))[first:]:
            folder = work / f"stage{number + 1}"
            drawn = Shards(paths, stage.shards, stage.own_share, (self.seed, number))
            written = drawn.write(folder / "samples", decoder, load_refinement(newest))
            shards += progress(written, total=stage.shards, what="shards")
            weights += [number + 1.0] * stage.shards
            task = RefinementTask([read_shard(path) for path in shards], weights)
            newest = _trained(newest, task, stage.schedule, folder, progress)
        _copy(newest, target)

    def _beginning(self, work: Path) -> Path:
        """Write an untrained network, always the same one."""
        work.mkdir(parents=True, exist_ok=True)
        path = work / "untrained.safetensors"
        with torch.random.fork_rng():
            torch.manual_seed(self.seed)
            save_weights(RefinementNetwork(), path)
        return path


def _trained(
    start: Path,
    task: RefinementTask,
    schedule: Schedule,
    folder: Path,
    progress: Progress,
) -> Path:
    """Train from the weights of a file; return the file of the result."""
    path = folder / "refiner.safetensors"
    if not path.exists():
        learner = Learner(read_weights(start))
        dtype = choose_precision("auto", torch.device("cpu")).dtype
        steps = train(learner, task, schedule, folder / "state", dtype=dtype)
        for _ in progress(steps, total=schedule.steps, what="training"):
            pass
        save_weights(learner.mean, path)
    return path


def _copy(source: Path, target: Path) -> None:
    with wrap_write_errors(target), atomic_write(target) as partial:
        shutil.copyfile(source, partial)
