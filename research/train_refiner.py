"""Train the refiner that comes with the package: it draws the masks that people show.

    python research/train_refiner.py PICTURES WORK -o REFINER.safetensors
        [--policy FILE] [--steps N]

PICTURES is filled by ``embed_pictures.py``. WORK keeps samples, checkpoints and the
refiners of both stages; an interrupted run is resumed by the same command.
``--policy`` is a refiner to go on with in place of the first stage. WORK/stage1/state
and WORK/stage2/state have the loss of each step, in ``curve.csv``.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from napari_sam_decoder import load_sam
from napari_sam_decoder.errors import SamDecoderError
from refiner_parts.refiner_training import RefinerTraining
from training_parts.command_line import parse, training_parser, with_progress_bar

if TYPE_CHECKING:
    import argparse


def main() -> None:
    """Train, or resume."""
    options = _parse()
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
            with_progress_bar,
            options.policy,
        )
    except SamDecoderError as error:
        sys.exit(f"error: {error}")
    print(options.output)


def _parse() -> argparse.Namespace:
    parser = training_parser(__doc__ or "", "pictures", "work")
    parser.add_argument("--policy", type=Path, help="skip the first stage")
    return parse(parser)


if __name__ == "__main__":
    main()
