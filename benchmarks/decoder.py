"""Measure how sharp masks are, and how well they are rated, for clicks on true objects.

    python benchmarks/decoder.py DATA [DATA ...] [--head NAME ...] [--weights FILE]
        [--frames N] [--objects N] [--json FILE]

DATA is as for ``tracking.py``. On so many frames of each, evenly spread, the largest
objects are clicked on at their inmost pixel, and twice more on what is most wrong.
``sam`` is the bundled decoder with bilinear enlargement, ``zoom`` the same with a
second look at each object in a picture of it alone, ``slim`` the decoder that draws
masks sharper and rates them anew, ``sharp`` the same with SAM's own ratings.

IoU, boundary IoU and boundary F within 1, 2 and 4 pixels are in percent, averaged over
objects, then over sequences: of the mask that is rated best after one click, of the
best mask after one click, and after three clicks. ``right`` is how often the one that
is rated best is the best, ``off`` how far its predicted IoU is off, and ``ms``
the median from click to mask on an embedded frame.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from decoder_parts.heads import Head, SamHead, SlimHead, View, ZoomHead
from decoder_parts.interview import Answer, Score, interview
from tracking_parts.data import Clip, read

from napari_sam_decoder import load_sam

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from napari_sam_decoder.model.sam import Sam

Options = argparse.Namespace
HEADS = ("sam", "zoom", "sharp", "slim")
FEWEST_PIXELS = 100
STAGES = ("picked", "best", "last")


def main() -> None:
    """Print a table per sequence and one of all."""
    options = _parse()
    sam = load_sam()
    heads = _make_heads(sam, options)
    answers: dict[str, dict[str, list[Answer]]] = {}
    for folder in options.data:
        clip = read(folder)
        asked = _ask_all(heads, sam, clip, options)
        answers[clip.name] = asked
        print(f"\n{clip.name}: {len(next(iter(asked.values())))} objects")
        _print_table({name: _summary(found) for name, found in asked.items()})
    overall = {
        name: _mean([_summary(a[name]) for a in answers.values()]) for name in heads
    }
    print(f"\nall: {len(answers)} sequences")
    _print_table(overall)
    if options.json:
        sequences = {
            clip: {name: _summary(found) for name, found in asked.items()}
            for clip, asked in answers.items()
        }
        content = {"all": overall, "sequences": sequences}
        options.json.write_text(json.dumps(content, indent=1) + "\n")


def _parse() -> Options:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("data", type=Path, nargs="+")
    parser.add_argument("--head", choices=HEADS, nargs="+", default=None)
    parser.add_argument("--weights", type=Path, help="of the slim decoder")
    parser.add_argument("--frames", type=int, default=6)
    parser.add_argument("--objects", type=int, default=4)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    if options.head is None:
        options.head = HEADS if options.weights else HEADS[:2]
    if {"sharp", "slim"} & set(options.head) and options.weights is None:
        parser.error("the slim decoder needs --weights")
    return options


def _make_heads(sam: Sam, options: Options) -> dict[str, Head]:
    makers = {"sam": SamHead, "zoom": ZoomHead}
    heads: dict[str, Head] = {
        name: makers[name](sam) for name in options.head if name in makers
    }
    if options.weights is not None:
        sharpener = load_sam(decoder=options.weights).sharpener
        for name in options.head:
            if name not in makers:
                heads[name] = SlimHead(sam, sharpener, rates=name == "slim")
    return heads


def _ask_all(
    heads: dict[str, Head], sam: Sam, clip: Clip, options: Options
) -> dict[str, list[Answer]]:
    answers: dict[str, list[Answer]] = {name: [] for name in heads}
    for view, truth in _objects(sam, clip, options):
        for name, head in heads.items():
            answers[name].append(interview(head, view, truth))
    return answers


def _objects(
    sam: Sam, clip: Clip, options: Options
) -> Iterator[tuple[View, np.ndarray]]:
    """Frames from one to the other end, and the largest objects on each."""
    present = np.flatnonzero(clip.masks.any(axis=(1, 2)))
    chosen = np.linspace(0, len(present) - 1, options.frames + 2)[1:-1].round()
    for frame in dict.fromkeys(int(present[int(index)]) for index in chosen):
        masks = clip.masks[frame]
        ids, areas = np.unique(masks[masks > 0], return_counts=True)
        largest = ids[np.argsort(-areas)][: options.objects]
        picture = clip.movie.as_rgb(clip.movie.raw(frame))
        view = View(picture, sam.encode(picture))
        for object_id in largest:
            truth = masks == object_id
            if np.count_nonzero(truth) >= FEWEST_PIXELS:
                yield view, truth


def _summary(answers: Sequence[Answer]) -> dict[str, Any]:
    row: dict[str, Any] = {}
    for stage in STAGES:
        scores: list[Score] = [getattr(answer, stage) for answer in answers]
        row[f"{stage}_iou"] = 100 * _average(score.iou for score in scores)
        row[f"{stage}_biou"] = 100 * _average(score.boundary_iou for score in scores)
        for index, radius in enumerate((1, 2, 4)):
            values = [score.f[index] for score in scores]
            row[f"{stage}_f{radius}"] = 100 * _average(values)
    hits = [answer.picked.iou >= answer.best.iou for answer in answers]
    row["right"] = 100 * _average(hits)
    row["off"] = 100 * _average(
        abs(answer.rated - answer.picked.iou) for answer in answers
    )
    row["ms"] = 1000 * float(np.median([answer.seconds for answer in answers]))
    return row


def _average(values: Any) -> float:
    return float(np.mean(list(values)))


def _mean(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    return {key: _average(row[key] for row in rows) for key in rows[0]}


def _print_table(rows: dict[str, dict[str, Any]]) -> None:
    measures = "iou", "biou", "f1", "f2", "f4"
    print(f"{'':6}" + "".join(f"| {stage:29}" for stage in STAGES) + "|")
    heading = "".join(f"{measure:>6}" for measure in measures)
    print(f"{'':6}" + f"|{heading} " * 3 + f"|{'right':>6}{'off':>6}{'ms':>6}")
    for name, row in rows.items():
        stages = (
            "".join(f"{row[f'{stage}_{measure}']:6.1f}" for measure in measures)
            for stage in STAGES
        )
        rest = f"{row['right']:6.0f}{row['off']:6.1f}{row['ms']:6.0f}"
        print(f"{name:6}|" + " |".join(stages) + f" |{rest}", flush=True)


if __name__ == "__main__":
    main()
