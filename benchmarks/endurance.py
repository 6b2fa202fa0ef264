"""Show that a run through a long movie takes no more memory than one through a short.

    python benchmarks/endurance.py [--frames T] [--objects K] [--every N] [--json OUT]

By default 2000 frames and 5 objects: textured discs go round on a textured background.
The frames are drawn as they are read, each object gets one click on the first of them,
and labels are thrown away once they are compared with the truth, so that nothing but
the program itself could fill the memory. Embeddings are kept in a temporary folder. The
network is an ideal one, which tells the discs by their grey levels: the real one takes
many times longer, and its memory does not depend on the length of the movie.

There is a row every N frames, by default every tenth of the movie. Peak MB is the
largest resident memory of the process up to then. Seconds per frame and mean IoU are
those since the row before; a lost object counts as 0, and the seconds include drawing,
embedding and comparing. The growth at the end is that of the peak after the first
tenth of the movie, when all that is needed once has been loaded. Memory is bounded if
it stays at a few MB whatever the length.

Only runs from one prompted frame are shown. Between two prompts of an object its masks
are kept, some KB each, until the run from the second one comes past.

Needs Linux or macOS.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import TYPE_CHECKING, cast

import numpy as np
from endurance_parts.discs import MOST_OBJECTS, Discs
from endurance_parts.ideal import WHOLE, IdealNetwork

from napari_sam_decoder import Movie, Prompt, Session
from napari_sam_decoder.metrics import mask_iou

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from napari_sam_decoder.model.sam import Sam

BYTES_PER_UNIT = 1 if sys.platform == "darwin" else 1024
"""Of resident memory, as the system counts it."""


@dataclass(frozen=True)
class Row:
    """What was measured after a number of frames.

    Attributes
    ----------
    frames : int
        Done so far.
    peak_mb : float
        Peak of the resident memory, in 10^6 bytes.
    seconds_per_frame, iou : float
        Means since the row before.
    """

    frames: int
    peak_mb: float
    seconds_per_frame: float
    iou: float


def peak_mb() -> float:
    """Largest resident memory of this process so far, in 10^6 bytes."""
    import resource  # Windows has none, but can do all else here.

    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return used * BYTES_PER_UNIT / 1e6


def measure(movie: Discs, breaks: Sequence[int]) -> Iterator[Row]:
    """Follow all discs through the movie; yield a row after these numbers of frames."""
    started, scores = perf_counter(), []
    for done, score in enumerate(_scores(movie), start=1):
        scores.append(score)
        if done in breaks:
            seconds = (perf_counter() - started) / len(scores)
            yield Row(done, peak_mb(), seconds, float(np.mean(scores)))
            started, scores = perf_counter(), []


def _scores(movie: Discs) -> Iterator[float]:
    """Mean IoU of the objects, frame by frame."""
    # Session names the class of the network, but uses only what the ideal one has too.
    model = cast("Sam", IdealNetwork())
    # Stretched contrast would shift the bands.
    seen = Movie(movie, contrast=(0, 255))
    with (
        TemporaryDirectory() as folder,
        Session(seen, model=model, cache=Path(folder) / "embeddings.zarr") as session,
    ):
        for object_id, centre in zip(movie.object_ids, movie.centres(0), strict=True):
            session.add_prompt(Prompt(object_id, 0, [tuple(centre)], hypothesis=WHOLE))
        for result in session.propagate():
            truth = movie.truth(result.frame)
            ious = [
                mask_iou(truth == key, result.labels == key) for key in movie.object_ids
            ]
            yield float(np.mean(ious))


def breaks_of(frames: int, every: int) -> list[int]:
    """Frame counts at which to measure: after a tenth, and at regular intervals."""
    return sorted({_tenth(frames), *range(every, frames, every), frames})


def summary(rows: Sequence[Row]) -> dict[str, float]:
    """Means over the movie, and by how much the peak grew after its first tenth."""
    last = rows[-1]
    weights = np.diff([0, *(row.frames for row in rows)])
    start = next(row for row in rows if row.frames == _tenth(last.frames))
    seconds = [row.seconds_per_frame for row in rows]
    return {
        "seconds_per_frame": float(np.average(seconds, weights=weights)),
        "iou": float(np.average([row.iou for row in rows], weights=weights)),
        "growth_mb": last.peak_mb - start.peak_mb,
    }


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a row every so many frames, and the growth of the memory."""
    options = _parser().parse_args(arguments)
    every = options.every or _tenth(options.frames)
    rows = []
    print(f"{'frames':>8}{'peak MB':>10}{'s/frame':>10}{'mean IoU':>10}")
    movie = Discs(options.frames, options.objects)
    for row in measure(movie, breaks_of(options.frames, every)):
        rows.append(row)
        print(
            f"{row.frames:8}{row.peak_mb:10.1f}{row.seconds_per_frame:10.3f}"
            f"{row.iou:10.3f}",
            flush=True,
        )
    total = summary(rows)
    print(
        f"{options.objects} objects, {total['seconds_per_frame']:.3f} s per frame, "
        f"mean IoU {total['iou']:.3f}; the peak grew by {total['growth_mb']:.1f} MB "
        "between 10 % and 100 % of the frames"
    )
    if options.json:
        content = {
            "objects": options.objects,
            "rows": [asdict(row) for row in rows],
            **total,
        }
        options.json.write_text(json.dumps(content, indent=2) + "\n")


def _tenth(frames: int) -> int:
    return max(1, frames // 10)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    add = parser.add_argument
    add("--frames", type=_positive, default=2000, metavar="T", help="2000 by default")
    add(
        "--objects",
        type=int,
        choices=range(1, 1 + MOST_OBJECTS),
        default=5,
        help="5 by default",
    )
    add("--every", type=_positive, metavar="N", help="frames between two rows")
    add("--json", type=Path, metavar="OUT", help="file for all figures")
    return parser


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number above 0")
    return int(text)


if __name__ == "__main__":
    main()
