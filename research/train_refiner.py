"""Train the refiner that comes with the package: it draws the masks that people show.

    python research/train_refiner.py PICTURES WORK -o REFINER.safetensors
        [--policy FILE] [--steps N]

PICTURES is filled by ``embed_pictures.py``. WORK keeps samples, checkpoints and the
refiners of both stages; an interrupted run is resumed by the same command.
``--policy`` is a refiner to go on with in place of the first stage. WORK/stage1/state
and WORK/stage2/state have the loss of each step, in ``curve.csv``.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import torch
from tqdm import tqdm

from napari_sam_decoder import load_sam
from napari_sam_decoder.errors import SamDecoderError
from refiner_parts.refiner_training import RefinerTraining

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

T = TypeVar("T")


def main() -> None:
    """Train, or resume."""
    options = _parse()
    if options.threads:
        torch.set_num_threads(options.threads)
    training = RefinerTraining()
    if options.steps:
        stages = [
            replace(stage, schedule=replace(stage.schedule, steps=options.steps))
            for stage in training.stages
        ]
        training = replace(training, stages=tuple(stages))
    try:
        training.run(
            load_sam(decoder="sam"),
            options.pictures,
            options.work,
            options.output,
            _with_progress_bar,
            options.policy,
        )
    except SamDecoderError as error:
        sys.exit(f"error: {error}")
    print(options.output)


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("pictures", type=Path)
    parser.add_argument("work", type=Path)
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--policy", type=Path, help="skip the first stage")
    parser.add_argument("--steps", type=int, help="of each stage")
    parser.add_argument("--threads", type=int, help="for torch")
    return parser.parse_args()


def _with_progress_bar(steps: Iterable[T], *, total: int, what: str) -> Iterator[T]:
    yield from tqdm(steps, total=total, desc=what)


if __name__ == "__main__":
    main()
