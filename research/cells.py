"""Compare decoders on pictures that were held out from their training.

    python research/cells.py PICTURES [--decoder NAME_OR_FILE ...] [--kinds NAME ...]

PICTURES is filled by ``embed_pictures.py``. Prints the mean IoU in percent after 1, 2,
3 and 5 actions of SAM's own iteration, once with a click first and once with a box.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch

from interactive_parts.cells_training import held_out
from interactive_parts.held_out import read_objects, score_actions
from napari_sam_decoder import load_sam

SHOWN = (1, 2, 3, 5)


def main() -> None:
    """Print a line per decoder, kind of pictures and first action."""
    options = _parse()
    if options.threads:
        torch.set_num_threads(options.threads)
    sams = {name: load_sam(decoder=name) for name in options.decoder}
    for kind in options.kinds:
        paths = held_out(options.pictures, kind)[: options.most]
        for box_first in (False, True):
            scores: dict[str, list[list[float]]] = {name: [] for name in sams}
            for path in paths:
                for shown in read_objects(path, options.objects):
                    for name, sam in sams.items():
                        scores[name].append(score_actions(sam, shown, box_first))
            for name, reached in scores.items():
                means = 100 * np.mean(reached, axis=0)
                shares = "  ".join(f"{means[number - 1]:5.1f}" for number in SHOWN)
                first = "box" if box_first else "click"
                print(f"{kind:8} {first:6} {len(reached):4} {shares}  {name}")


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    add = parser.add_argument
    add("pictures", type=Path)
    add("--decoder", nargs="+", default=["sam"], metavar="NAME_OR_FILE")
    add("--kinds", nargs="+", default=["dsbtest", "cells", "fibres", "things"])
    add("--most", type=int, metavar="N", help="pictures of each kind, all by default")
    add("--objects", type=int, default=4, metavar="N", help="on each picture")
    add("--threads", type=int, help="for torch")
    return parser.parse_args()


if __name__ == "__main__":
    main()
