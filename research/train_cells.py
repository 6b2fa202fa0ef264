"""Train the mask decoder on nuclei, cells and fibres.

    python research/train_cells.py PICTURES WORK -o DECODER.safetensors [--steps N]

PICTURES is filled by ``embed_pictures.py``. Examples and checkpoints are kept in WORK;
an interrupted run is resumed by the same command. WORK/state/curve.csv holds the loss
of each step.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import torch
from tqdm import tqdm

from interactive_parts.cells_training import CellsTraining
from napari_sam_decoder import load_sam
from napari_sam_decoder.errors import SamDecoderError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

T = TypeVar("T")


def main() -> None:
    """Train, or resume."""
    options = _parse()
    if options.threads:
        torch.set_num_threads(options.threads)
    training = CellsTraining()
    if options.steps:
        schedule = replace(training.schedule, steps=options.steps)
        training = replace(training, schedule=schedule)
    try:
        training.run(
            load_sam(decoder="sam"),
            options.pictures,
            options.work,
            options.output,
            _with_progress_bar,
        )
    except SamDecoderError as error:
        sys.exit(f"error: {error}")
    print(options.output)


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("pictures", type=Path)
    parser.add_argument("work", type=Path)
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--steps", type=int)
    parser.add_argument("--threads", type=int, help="for torch")
    return parser.parse_args()


def _with_progress_bar(steps: Iterable[T], *, total: int, what: str) -> Iterator[T]:
    yield from tqdm(steps, total=total, desc=what)


if __name__ == "__main__":
    main()
