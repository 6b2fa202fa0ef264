"""Train the head that comes with the package: it rates hypotheses and sharpens edges.

    python research/train_sharp.py WORK -o DECODER.safetensors [--drawings FOLDER]
        [--steps N] [--device NAME]

Pictures are generated and kept in WORK with the checkpoints: 1450 pictures take half an
hour, training an hour on two cores. An interrupted run is resumed by the same command.
``--drawings`` is a folder of PNG files with transparent backgrounds; half of the
generated objects then have their shapes. For the head in the package 3000 drawings of
the Open Clip Art library were used, shrunk to 512 pixels a side.
WORK/sharpening/curve.csv holds the loss of each step.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from napari_sam_decoder import load_sam
from napari_sam_decoder.errors import SamDecoderError
from shipped_head.head_training import HeadTraining
from training_parts.command_line import parse, training_parser, with_progress_bar

if TYPE_CHECKING:
    import argparse


def main() -> None:
    """Train, or resume."""
    options = _parse()
    training = HeadTraining(drawings=options.drawings)
    if options.steps:
        schedule = replace(training.sharpening, steps=options.steps)
        training = replace(training, sharpening=schedule)
    sam = load_sam(device=options.device, decoder="sam")
    try:
        training.run(sam, options.work, options.output, with_progress_bar)
    except SamDecoderError as error:
        sys.exit(f"error: {error}")
    print(options.output)


def _parse() -> argparse.Namespace:
    parser = training_parser(__doc__ or "", "work")
    parser.add_argument("--drawings", type=Path)
    parser.add_argument("--device", default="auto")
    return parse(parser)


if __name__ == "__main__":
    main()
