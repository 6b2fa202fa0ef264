"""Train the decoder that draws edges sharper, as it comes with the package.

    python research/train_sharp.py WORK -o DECODER.safetensors [--drawings FOLDER]
        [--steps N] [--device NAME]

All that it learns from is made by the program itself and kept in WORK: 1450 pictures,
which take half an hour, and the states of the training, about an hour on two cores.
Whatever is interrupted goes on from there by the same command. ``--drawings`` names a
folder of PNG files that are transparent around the thing; half of the made-up things
then have their shapes. The Open Clip Art library was used for the decoder that comes
with the package, 3000 drawings shrunk to 512 pixels a side. WORK/sharpening/curve.csv
holds the loss of each step.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from tqdm import tqdm

from napari_sam_decoder import load_sam
from napari_sam_decoder.errors import SamDecoderError
from shipped_head.slim_training import SlimTraining

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

T = TypeVar("T")


def main() -> None:
    """Train, or go on training."""
    options = _parse()
    training = SlimTraining(drawings=options.drawings)
    if options.steps:
        course = replace(training.sharpening, steps=options.steps)
        training = replace(training, sharpening=course)
    sam = load_sam(device=options.device, decoder="sam")
    try:
        training.run(sam, options.work, options.output, _with_a_bar)
    except SamDecoderError as error:
        sys.exit(f"error: {error}")
    print(options.output)


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("work", type=Path)
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--drawings", type=Path)
    parser.add_argument("--steps", type=int)
    parser.add_argument("--device", default="auto")
    return parser.parse_args()


def _with_a_bar(steps: Iterable[T], *, total: int, what: str) -> Iterator[T]:
    yield from tqdm(steps, total=total, desc=what)


if __name__ == "__main__":
    main()
