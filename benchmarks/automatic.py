"""Measure how well the objects of a frame are found without being shown.

    python benchmarks/automatic.py DATA [DATA ...] [--frames N] [--decoder NAME|FILE]
        [--precision NAME] [--methods NAME [NAME ...]] [--pictures N]
    python benchmarks/automatic.py DATA [DATA ...] --through N [--every K]

SEG is that of the Cell Tracking Challenge, over N frames spread through each sequence:
the IoU of each true object with the mask that covers more than half of it, 0 without
one, averaged over objects. Precision is the share of found objects of which a true one
is matched. DATA is a folder of a sequence, as for ``tracking.py``, or a folder of
pictures NAME.png with NAME_labels.png, of which those whose names begin with 0, 1 or 2
are taken, since nothing was trained on them.

With ``--through``, objects are followed through the first N frames, and SEG, DET and
TRA are those of py-ctcmetrics (the extra ``measures``), without parent edges.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from automatic_parts.carrying import carry, track_by_overlap
from automatic_parts.challenge import measure
from automatic_parts.methods import METHODS
from PIL import Image
from tracking_parts.data import movie_path, read

from napari_sam_decoder import SamDecoderError, Session, load_sam

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from napari_sam_decoder.model.sam import Sam

COLUMNS = ("SEG", "precision", "true", "found", "seconds")
CARRIED_COLUMNS = ("SEG", "DET", "TRA", "true", "found", "seconds")


class Score(NamedTuple):
    """What was found on one or several frames.

    Attributes
    ----------
    ious : list of float
        Of each true object, 0 where it was not found.
    found, matched : int
        Objects that were found, and those of them that are true ones.
    """

    ious: list[float]
    found: int
    matched: int

    def __add__(self, other: object) -> Score:
        """Join the frames of two scores."""
        assert isinstance(other, Score)
        return Score(
            self.ious + other.ious,
            self.found + other.found,
            self.matched + other.matched,
        )


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a row per sequence and method."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    add = parser.add_argument
    add("data", type=Path, nargs="+", metavar="DATA", help="folder of a sequence")
    add("--frames", type=int, default=3, metavar="N", help="of each sequence")
    add("--pictures", type=int, default=12, metavar="N", help="of a folder of those")
    add("--decoder", default="auto", metavar="NAME|FILE", help="as for the program")
    add("--precision", default="auto", metavar="NAME", help="as for the program")
    add("--through", type=int, metavar="N", help="follow through the first N frames")
    add("--every", type=int, default=10, metavar="K", help="look for objects there")
    add("--methods", nargs="+", choices=METHODS, default=list(METHODS))
    options = parser.parse_args(arguments)
    try:
        sam = load_sam(decoder=options.decoder, precision=options.precision)
        if options.through:
            _print_carried(options, sam)
        else:
            _print_found(options, sam)
    except SamDecoderError as error:
        sys.exit(f"error: {error}")


def _print_found(options: argparse.Namespace, sam: Sam) -> None:
    print(_row("sequence", "method", COLUMNS))
    for folder in options.data:
        frames = list(_frames_of(folder, options.frames, options.pictures))
        for method in options.methods:
            start = perf_counter()
            score = _measure(frames, method, sam)
            seconds = (perf_counter() - start) / len(frames)
            print(line(folder.resolve().name, method, score, seconds), flush=True)


def _print_carried(options: argparse.Namespace, sam: Sam) -> None:
    print(_row("sequence", "method", CARRIED_COLUMNS))
    for folder in options.data:
        clip = read(folder)
        frames = min(options.through, len(clip.movie))
        truth = clip.masks[:frames]
        for method in options.methods:
            start = perf_counter()
            if method == "ours":
                labels = carry(movie_path(folder), sam, frames, options.every)
            else:
                labels = track_by_overlap(clip.movie, sam, frames, method)
            seconds = (perf_counter() - start) / frames
            counts = (len(np.unique(one[one > 0])) for one in (truth, labels))
            values = (
                *(f"{one:.3f}" for one in measure(labels, truth)),
                *map(str, counts),
                f"{seconds:.1f}",
            )
            print(_row(clip.name, method, values), flush=True)


def _frames_of(
    folder: Path, frames: int, pictures: int
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield pictures with their true labels."""
    labelled = sorted(folder.glob("[012]*_labels.png"))
    every = max(1, len(labelled) // max(pictures, 1))
    for path in labelled[::every][:pictures]:
        picture = Image.open(path.with_name(path.name.replace("_labels", "")))
        yield np.asarray(picture.convert("RGB")), np.asarray(Image.open(path))
    if not labelled:
        clip = read(folder)
        for frame in np.linspace(0, len(clip.movie) - 1, frames).astype(int).tolist():
            yield clip.movie.rgb(frame), np.asarray(clip.masks[frame])


def _measure(
    frames: Sequence[tuple[np.ndarray, np.ndarray]], method: str, sam: Sam
) -> Score:
    total = Score([], 0, 0)
    for picture, truth in frames:
        with Session(picture[None], model=sam, cache=None) as session:
            total += score(METHODS[method](session, 0), truth)
    return total


def score(found: np.ndarray, truth: np.ndarray) -> Score:
    """Compare (Y, X) labels with the truth."""
    ious, matched = [], set()
    for object_id in np.unique(truth[truth > 0]).tolist():
        mask = truth == object_id
        inside = np.bincount(found[mask])
        inside[0] = 0
        number = int(inside.argmax())
        is_match = inside[number] > mask.sum() / 2
        union = np.count_nonzero(mask | (found == number))
        ious.append(float(inside[number] / union) if is_match else 0.0)
        if is_match:
            matched.add(number)
    return Score(ious, len(np.unique(found[found > 0])), len(matched))


def line(name: str, method: str, score: Score, seconds: float) -> str:
    """Return a row of the table."""
    values = (
        f"{np.mean(score.ious):.3f}",
        f"{score.matched / max(score.found, 1):.3f}",
        f"{len(score.ious)}",
        f"{score.found}",
        f"{seconds:.1f}",
    )
    return _row(name, method, values)


def _row(name: str, method: str, values: Sequence[str]) -> str:
    cells = (value.rjust(9) for value in values)
    return " ".join([name.ljust(24), method.ljust(6), *cells])


if __name__ == "__main__":
    main()
