"""Small objects in large frames: seen in windows, as a whole, or in tiles.

    python benchmarks/large_frames.py DATA [DATA ...] [--pictures DIR]

Each sequence is rescaled until its median object is ``--object`` pixels wide, and its
copies, turned in all ways, fill a frame of ``--side`` pixels. Neighbouring bands drift
against each other. ``small`` is the same tile as a movie of its own, as large as it can
be seen; ``windows`` is the program, ``whole`` sees the frame as a whole, and ``tiles``
embeds everything, in tiles of 384 pixels with 64 around them.

Of nine objects near each other (``near``), and of nine that are spread (``apart``): IoU
after a click, of the best hypothesis, and after a box; J and F (boundaries within 2
pixels) on the frames after the first, from the true masks; embeddings per frame;
seconds and memory.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from large_frames_parts.methods import METHODS, Score, measure
from large_frames_parts.mosaics import Mosaic
from large_frames_parts.scenes import Scene, pictures_as_tiles, sequence_as_tile

from napari_sam_decoder import Settings, load_sam

if TYPE_CHECKING:
    from collections.abc import Iterator

COLUMNS = "click", "best", "box", "J", "F", "embedded", "s", "MB"


def main() -> None:
    """Print a row per scene and method."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    add = parser.add_argument
    add("data", nargs="*", type=Path, metavar="DATA", help="folder of a sequence")
    add("--pictures", type=Path, metavar="DIR", help="pictures with NAME_labels.png")
    add("--side", type=int, default=2048, help="of the large frame")
    add("--object", type=float, default=30.0, help="side of the median object")
    add("--frames", type=int, default=30)
    add("--objects", type=int, default=9)
    add("--smallest", type=int, nargs="+", default=[512], help="sides of windows")
    add("--method", nargs="+", choices=METHODS, default=list(METHODS))
    options = parser.parse_args()
    sam = load_sam()
    print(f"{'scene':32}{'method':13}" + "".join(f"{name:>10}" for name in COLUMNS))
    for scene in scenes(options):
        for method in options.method:
            for smallest in options.smallest if method == "windows" else [512]:
                score = measure(method, scene, sam, Settings(smallest_window=smallest))
                name = f"{method} {smallest}" if method == "windows" else method
                print(f"{scene.name:32}{name:13}{_cells(score)}", flush=True)


def _cells(score: Score) -> str:
    shares = score.click, score.best, score.box, score.region, score.edge
    cells = "".join(f"{100 * value:10.1f}" for value in shares)
    memory = "" if score.megabytes is None else f"{score.megabytes:10.0f}"
    return f"{cells}{score.embedded:10.1f}{score.seconds:10.3f}{memory}"


def scenes(options: argparse.Namespace) -> Iterator[Scene]:
    """Make the mosaics, one after the other."""
    stocks = {
        folder.name: lambda folder=folder: sequence_as_tile(
            folder, options.frames, options.object
        )
        for folder in options.data
    }
    if options.pictures:
        stocks["pictures"] = lambda: pictures_as_tiles(
            options.pictures, options.frames, options.object, count=24
        )
    for name, tiles in stocks.items():
        mosaic = Mosaic(tiles(), options.side, options.frames)
        yield Scene.near(f"{name} near", mosaic, options.objects)
        yield Scene.apart(f"{name} apart", mosaic, options.objects)


if __name__ == "__main__":
    main()
