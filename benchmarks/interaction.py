"""Measure how far a person gets on single frames with each further action.

    python benchmarks/interaction.py DATA [DATA ...] --protocol clicks|box|loose-box|
        scribble [--method NAME ...] [--objects N] [--frames N]
        [--decoder NAME|FILE] [--precision NAME] [--folds]

DATA is as for ``tracking.py``. A simulated person who knows the truth shows each object
of some frames, by itself. The first action shows the object, and of the masks that are
offered for it (three for a click, at most four otherwise) the person picks the best by
the truth. Each further action is made in the largest connected error of the mask that
is shown then, until nothing is wrong, or ten actions are made.

- ``clicks``: the pixel deepest inside the object, then inside the errors; positive
  where the object is missing, negative where the mask is too large.
- ``box``: a tight box, then such clicks. ``loose-box``: each side is off by up to a
  tenth of the box's height or width, always by the same.
- ``scribble``: a line three pixels wide along the middle of the object, then of the
  errors; half as long as the longest path in their skeletons.

All methods use the same weights and embeddings. ``sam`` is SAM's own way: all prompts
so far with the last logits as mask prompt, and of the four masks that which SAM itself
rates highest; a scribble counts as three points. ``ours`` is the program itself. The
others are the program without one of its parts.

IoU is in percent after so many actions. "to 0.80" is the mean number of actions until
the IoU was as high, where never counts as 11. "Worse" is the percentage of the actions
after the first that lowered the IoU by more than 0.02. Milliseconds are the median per
action on an embedded frame. Means are over objects, then sequences; ``--folds`` is as
for ``tracking.py``.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from interaction_parts.attempt import attempt
from interaction_parts.methods import METHODS
from interaction_parts.objects import evenly_spaced, objects_on
from interaction_parts.person import PROTOCOLS, Person
from interaction_parts.report import heading, line, means, scores, write_json
from tracking import apply_threads, positive, shared_parser
from tracking_parts.data import Clip, read
from tracking_parts.folds import mean_rows

from napari_sam_decoder import SamDecoderError, Session, load_sam

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Sequence

    from napari_sam_decoder import Sam

    Options = argparse.Namespace
    Row = dict[str, Any]


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a row per sequence and method, and the means."""
    options = _parser().parse_args(arguments)
    apply_threads(options)
    try:
        _report(options)
    except SamDecoderError as error:
        sys.exit(f"error: {error}")


def _report(options: Options) -> None:
    sam = load_sam(decoder=options.decoder, precision=options.precision)
    print(heading(), flush=True)
    rows: list[Row] = []
    for folder in options.data:
        for row in _measure(read(folder), sam, options):
            print(line(row), flush=True)
            rows.append(row)
    for row in mean_rows(rows, means, folds=options.folds):
        print(line(row))
    if options.json:
        write_json(options.json, rows)


def _measure(clip: Clip, sam: Sam, options: Options) -> Iterator[Row]:
    """Yield a row per method; none if no frame shows an object."""
    targets = [
        target
        for frame in evenly_spaced(len(clip.movie), options.frames)
        for target in objects_on(clip.masks, frame, options.objects)
    ]
    if not targets:
        print(f"{clip.name}: no object is large enough on these frames")
        return
    people = [Person(target, options.protocol) for target in targets]
    cache = options.cache and options.cache / f"{clip.name}.zarr"
    with Session(clip.movie, model=sam, cache=cache) as session:
        for _ in session.embed([target.start for target in targets]):
            pass
        for name in options.method:
            method = METHODS[name](session)
            yield {
                "name": clip.name,
                "method": name,
                "protocol": options.protocol,
                **scores([attempt(method, person) for person in people]),
            }


def _parser() -> argparse.ArgumentParser:
    parser = shared_parser(__doc__ or "")
    add = parser.add_argument
    add("--protocol", choices=PROTOCOLS, required=True, help="what the person does")
    add(
        "--method",
        nargs="+",
        choices=METHODS,
        default=["sam", "ours"],
        metavar="NAME",
        help=f"sam and ours by default; of {', '.join(METHODS)}",
    )
    add(
        "--objects",
        type=positive,
        metavar="N",
        help="the first N on each frame, all by default",
    )
    add(
        "--frames",
        type=positive,
        default=4,
        metavar="N",
        help="evenly spaced, 4 by default",
    )
    return parser


if __name__ == "__main__":
    main()
