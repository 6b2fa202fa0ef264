"""Measure how well objects are carried through movies and volumes with known truth.

    python benchmarks/tracking.py DATA [DATA ...] --init mask|click1|click3|box
        [--method NAME ...] [--start first|largest] [--objects N] [--corrections]
        [--protocol clicks|box|scribble|mask] [--fix N] [--decoder NAME|FILE]
        [--precision NAME] [--stabilise SHARE] [--folds]

DATA holds either ``frames/`` and ``masks/`` in matching order, or ``image.tif`` and
``masks.tif`` as (T or Z, Y, X). Mask values are object ids; 255 reads as 1. Each
object runs over its own first to last frame. All methods use the same weights and
embeddings; ``full`` is the program itself, which carries all objects together, and
the others are baselines, each object by itself. ``views`` is for grey volumes: the
program along all three axes, the second and third seeded from what the first is sure
of, and what two of them agree on; its seconds count the embeddings of these two.

J, F (boundaries within 0.008 of the diagonal) and their mean J&F are those of DAVIS, in
percent, averaged over frames, then objects, then sequences. The prompted frame is left
out, and in movies the last one. Flicker is how many percent of IoU neighbouring masks
lack against the truth. AUC says whether confidence tells frames of J below 70, "lost
told" how many of those of J below 50 are doubtful or absent, "good doubted" how many of
J from 70 are; absent P and R how right the verdict "absent" is, in volumes also on six
slices beyond each end of an object, of which the first two may be either. Seconds are
per frame, for all objects together. In each round of corrections one click is made on
every object, into the largest thing that is wrong on its worst frame. With
``--protocol`` it is a scribble along that; or a box around the object where it is lost
(J below 0.5), and clicks elsewhere and once it has a box on the frame; or its true
mask. ``--fix N`` stands for N rounds of true masks, with a score after each. With
``--start largest`` Dice is scored after each number of rounds as well.

``--folds`` prints the means of each half as well (A and B of the natural videos, C and
D of the rest): what is chosen on one half is reported on the other.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

import torch
from tracking_parts.annotator import Annotator
from tracking_parts.data import Clip, Target, choose_targets, read
from tracking_parts.folds import mean_rows
from tracking_parts.methods import METHODS, USUAL, Run, propagate, whole_range
from tracking_parts.prompting import CORRECTIONS, INITS
from tracking_parts.report import Table, means, write_json
from tracking_parts.scorecard import Scorecard, accuracy, joint_score, reliability

from napari_sam_decoder import Prompt, SamDecoderError, Session, Settings, load_sam

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from napari_sam_decoder.model.sam import Sam

ROUNDS = (0, 1, 3, 5, 10)

Options = argparse.Namespace
Row = dict[str, Any]


@dataclass(frozen=True, eq=False)
class Trial:
    """A sequence whose objects have been pointed at.

    Attributes
    ----------
    session : Session
    targets : list of Target
    prompts : list of Prompt
        One per target.
    """

    session: Session
    targets: list[Target]
    prompts: list[Prompt]


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a row per sequence and method, and the means."""
    options = parser(__doc__ or "").parse_args(arguments)
    if options.fix:
        options.corrections, options.protocol = True, "mask"
        options.rounds = range(options.fix + 1)
    apply_threads(options)
    try:
        _report(options)
    except SamDecoderError as error:
        sys.exit(f"error: {error}")


def apply_threads(options: Options) -> None:
    """Give torch as many threads as was asked for."""
    if options.threads:
        torch.set_num_threads(options.threads)


def _report(options: Options) -> None:
    sam = load_sam(decoder=options.decoder, precision=options.precision)
    table = Table(left_out(options), options.rounds if options.corrections else ())
    print(table.heading(), flush=True)
    rows: list[Row] = []
    for folder in options.data:
        for row in measure(read(folder), sam, options):
            print(table.line(row), flush=True)
            rows.append(row)
    for row in mean_rows(rows, means, folds=options.folds):
        print(table.line(row))
    if options.json:
        write_json(options.json, rows)


def measure(clip: Clip, sam: Sam, options: Options) -> Iterator[Row]:
    """Yield a row per method; none if there is no object to follow."""
    targets = choose_targets(clip.masks, options.start, options.objects)
    if not targets:
        print(f"{clip.name}: no object is there for long enough")
        return
    cache = options.cache and options.cache / f"{clip.name}.zarr"
    settings = Settings(stabilise=options.stabilise)
    with Session(clip.movie, model=sam, cache=cache, settings=settings) as session:
        seconds = _embed(session, whole_range(targets))
        prompts = [INITS[options.init](session, target) for target in targets]
        trial = Trial(session, targets, prompts)
        for method in options.method:
            yield {
                "name": clip.name,
                "method": method,
                "init": options.init,
                "objects": len(targets),
                "seconds_embed": seconds,
                **_scores(trial, method, options),
            }


def _embed(session: Session, frames: range) -> float | None:
    """Seconds per frame; None if some of them were in the cache."""
    started = perf_counter()
    is_new = [not step.was_cached for step in session.embed(frames)]
    return (perf_counter() - started) / len(is_new) if all(is_new) else None


def _scores(trial: Trial, method: str, options: Options) -> Row:
    run = METHODS[method](trial.session, trial.targets, trial.prompts)
    cards = _cards(trial, run)
    scores: Row = {
        **accuracy(cards),
        **reliability(cards, run.results),
        "seconds_propagate": run.seconds,
        "JF_auto": None,
        "corrections": None,
        "corrections_dice": None,
        "recomputed": None,
    }
    if run.results and options.corrections:
        annotator = Annotator(trial.session, run.results, cards, options.protocol)
        corrections = annotator.work(options.rounds)
        scores["corrections"] = corrections.scores
        scores["corrections_dice"] = corrections.dice
        scores["recomputed"] = corrections.recomputed
    if run.results and options.init == "click1":
        scores["JF_auto"] = _automatic_score(trial, scores["JF"])
    return scores


def _automatic_score(trial: Trial, picked: float | None) -> float | None:
    """J&F of the program's own picks instead of the user's."""
    prompts = [replace(prompt, hypothesis=None) for prompt in trial.prompts]
    chosen = [trial.session.preview(prompt).chosen.number for prompt in prompts]
    if chosen == [prompt.hypothesis for prompt in trial.prompts]:
        return picked
    run = propagate(trial.session, trial.targets, prompts)
    return joint_score(_cards(trial, run))


def _cards(trial: Trial, run: Run) -> list[Scorecard]:
    return [Scorecard(target, run.mask_at) for target in trial.targets]


def left_out(options: Options) -> list[str]:
    """Name the measures that no row can have."""
    movies_lack = [] if options.start == "largest" else ["dice"]
    return movies_lack + ([] if options.init == "click1" else ["JF_auto"])


def parser(description: str) -> argparse.ArgumentParser:
    """Options of this benchmark, and of others that follow the same objects."""
    parser = shared_parser(description)
    add = parser.add_argument
    add("--init", choices=INITS, required=True, help="how objects are pointed at")
    add(
        "--method",
        nargs="+",
        choices=METHODS,
        default=list(USUAL),
        metavar="NAME",
        help=f"some of {', '.join(METHODS)}; all but views by default",
    )
    add(
        "--start",
        choices=["first", "largest"],
        default="first",
        help="prompt each object on its first frame, or where it is largest",
    )
    add("--objects", type=positive, metavar="N", help="the N largest, all by default")
    add("--corrections", action="store_true", help="simulate an annotator; slow")
    add(
        "--rounds",
        type=_count,
        nargs="+",
        default=list(ROUNDS),
        metavar="N",
        help="numbers of corrections after which to score",
    )
    add(
        "--protocol",
        choices=CORRECTIONS,
        default="clicks",
        help="how the annotator corrects, by clicks by default",
    )
    add(
        "--fix",
        type=positive,
        metavar="N",
        help="as --corrections --protocol mask, with scores after 0 to N rounds",
    )
    add("--stabilise", type=float, default=0, metavar="SHARE", help="as for segment")
    return parser


def shared_parser(description: str) -> argparse.ArgumentParser:
    """Options of all benchmarks that run on such data."""
    parser = argparse.ArgumentParser(description=description.splitlines()[0])
    add = parser.add_argument
    add("data", nargs="+", type=Path, metavar="DATA", help="folder of a sequence")
    add("--decoder", default="auto", metavar="NAME|FILE", help="as for the program")
    add("--precision", default="auto", metavar="NAME", help="as for the program")
    add("--cache", type=Path, metavar="DIR", help="keep embeddings there")
    add("--threads", type=positive, metavar="N", help="for torch")
    add("--json", type=Path, metavar="OUT", help="file for all scores")
    add("--folds", action="store_true", help="print the means of each half as well")
    return parser


def _count(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number")
    return int(text)


def positive(text: str) -> int:
    """Read an option that is a whole number from 1."""
    if not _count(text):
        raise argparse.ArgumentTypeError("at least 1 is needed")
    return int(text)


if __name__ == "__main__":
    main()
