"""Train the mask decoder on nuclei, cells and fibres.

    python research/train_cells.py PICTURES WORK -o DECODER.safetensors [--steps N]

PICTURES is filled by ``embed_pictures.py``. Examples and checkpoints are kept in WORK;
an interrupted run is resumed by the same command. WORK/state/curve.csv holds the loss
of each step.
"""

from __future__ import annotations

import sys
from dataclasses import replace

from interactive_parts.cells_training import CellsTraining
from napari_sam_decoder import load_sam
from napari_sam_decoder.errors import SamDecoderError
from training_parts.command_line import parse, training_parser, with_progress_bar


def main() -> None:
    """Train, or resume."""
    options = parse(training_parser(__doc__ or "", "pictures", "work"))
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
            with_progress_bar,
        )
    except SamDecoderError as error:
        sys.exit(f"error: {error}")
    print(options.output)


if __name__ == "__main__":
    main()
