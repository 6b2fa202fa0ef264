"""Measure how training on a few frames of a movie improves its other frames.

    python benchmarks/finetuning.py DATA [DATA ...] [--fixed N] [--steps N]
        [--also DATA ...] [--json FILE]

DATA is as for ``tracking.py``. The decoder is trained on the truth of N evenly spread
frames (``napari-sam-decoder train --fixed``), and all measures are of other frames,
once with the model's own decoder and once with the trained one:

- IoU after one click and after three, the program's own pick, and the clicks that it
  takes to reach an IoU of 0.8 (7 where six do not do), of every object on some frames;
- of the objects that are there longest in the middle of the movie, carried together
  from their masks on their first frames: J, the corrections for each object until all
  of its frames have a J of 0.7, or until the annotator gives up, and J then.

With ``--also``, the first part for other movies, on which nothing was trained.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np
import tifffile
import torch
from finetuning_parts.carrying import carry
from finetuning_parts.clicks import click_on_all
from finetuning_parts.split import evenly, long_lived
from tracking_parts.data import Clip, read

from napari_sam_decoder import Session, load_sam
from napari_sam_decoder.jobs import MovieOptions, no_progress
from napari_sam_decoder.jobs.train import STEPS, TrainJob, train

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_sam_decoder.model.sam import Sam

Options = argparse.Namespace
Row = dict[str, Any]

HEADINGS = {
    "objects": "objects",
    "one": "1 click",
    "three": "3 clicks",
    "needed": "to 0.8",
    "region": "J",
    "corrections": "corrections",
    "region_after": "J then",
}
PERCENT = {"one", "three", "region", "region_after"}


def main() -> None:
    """Print a table per sequence."""
    options = _parse()
    if options.threads:
        torch.set_num_threads(options.threads)
    rows: list[Row] = []
    for folder in options.data:
        rows += _measure(folder, options)
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1) + "\n")


def _parse() -> Options:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    add = parser.add_argument
    add("data", type=Path, nargs="+", metavar="DATA")
    add("--fixed", type=int, default=5, metavar="N", help="frames to train on")
    add("--steps", type=int, default=STEPS, metavar="N")
    add("--frames", type=int, default=8, metavar="N", help="frames with clicks")
    add(
        "--most", type=int, metavar="N", help="objects on each of these, all by default"
    )
    add("--carried", type=int, default=4, metavar="N", help="objects to carry")
    add("--length", type=int, default=24, metavar="N", help="frames to carry them")
    add("--most-clicks", type=int, default=10, metavar="N", help="for each of them")
    add("--also", type=Path, nargs="+", default=[], metavar="DATA")
    add("--cache", type=Path, metavar="DIR", help="keep embeddings there")
    add("--keep", type=Path, metavar="DIR", help="keep decoders there")
    add("--threads", type=int, metavar="N", help="for torch")
    add("--json", type=Path, metavar="FILE")
    return parser.parse_args()


def _measure(folder: Path, options: Options) -> list[Row]:
    clip = read(folder)
    fixed = evenly(clip, options.fixed)
    print(f"\n{clip.name}: trains on frames {', '.join(map(str, fixed))}")
    with tempfile.TemporaryDirectory() as kept:
        path = (options.keep or Path(kept)) / f"{clip.name}.safetensors"
        seconds = _train(folder, clip, fixed, path, options)
        decoders = {"before": load_sam(decoder="sam"), "after": load_sam(decoder=path)}
    print(f"trained in {seconds:.0f} s")
    print(_line("", "decoder", HEADINGS.values()))
    rows = []
    for name, sam in decoders.items():
        row = {"name": clip.name, "decoder": name, "seconds": seconds}
        row |= _clicked(clip, sam, fixed, options) | _carried(clip, sam, fixed, options)
        rows.append(row)
        _show(row)
    for other in map(read, options.also):
        for name, sam in decoders.items():
            row = {"name": other.name, "decoder": name, "learned": clip.name}
            rows.append(row | _clicked(other, sam, (), options))
            _show(rows[-1])
    return rows


def _train(
    folder: Path, clip: Clip, fixed: Sequence[int], path: Path, options: Options
) -> float:
    """Train as the command does; return the seconds."""
    stack = folder / "image.tif"
    movie = MovieOptions(stack if stack.exists() else folder / "frames", cache=None)
    with tempfile.TemporaryDirectory() as kept:
        labels = Path(kept) / "labels.tif"
        tifffile.imwrite(labels, clip.masks.astype(np.uint16), metadata={"axes": "TYX"})
        job = TrainJob(
            movie, labels, path, tuple(fixed), replace=True, steps=options.steps
        )
        started = perf_counter()
        train(job, load_sam(), no_progress)
        return perf_counter() - started


def _open(clip: Clip, sam: Sam, options: Options) -> Session:
    # The embeddings of both decoders are the same.
    cache = options.cache and options.cache / f"{clip.name}.zarr"
    return Session(clip.movie, model=sam, cache=cache)


def _clicked(clip: Clip, sam: Sam, fixed: Sequence[int], options: Options) -> Row:
    frames = evenly(clip, options.frames, fixed)
    with _open(clip, sam, options) as session:
        found = list(click_on_all(session, clip, frames, options.most))
    return {
        "frames": frames,
        "objects": len(found),
        "one": float(np.mean([clicked.after(1) for clicked in found])),
        "three": float(np.mean([clicked.after(3) for clicked in found])),
        "needed": float(np.mean([clicked.needed for clicked in found])),
    }


def _carried(clip: Clip, sam: Sam, fixed: Sequence[int], options: Options) -> Row:
    targets = long_lived(clip, options.length, options.carried)
    with _open(clip, sam, options) as session:
        found = carry(session, targets, fixed, options.most_clicks)
    return {
        "carried": len(targets),
        "region": found.region,
        "corrections": found.clicks,
        "region_after": found.region_after,
    }


def _show(row: Row) -> None:
    print(
        _line(row["name"], row["decoder"], [_text(row, key) for key in HEADINGS]),
        flush=True,
    )


def _text(row: Row, key: str) -> str:
    value = row.get(key)
    if value is None:
        return "-"
    if key == "objects":
        return str(value)
    return f"{100 * value:.1f}" if key in PERCENT else f"{value:.2f}"


def _line(name: str, decoder: str, texts: Any) -> str:
    cells = (
        text.rjust(max(len(heading), 6))
        for text, heading in zip(texts, HEADINGS.values(), strict=True)
    )
    return f"{name:22} {decoder:8}" + "  ".join(cells)


if __name__ == "__main__":
    main()
