"""Measure whether cells that divide are noticed, and nothing else is.

    python benchmarks/division.py [DATA ...] [--seeds N [N ...]] [--objects N]
        [--cache DIR]

Without DATA, movies are generated: nine cells of one look, of which three round up and
divide and two pass a neighbour. All are carried forwards from their true masks on the
first frame. An offer of daughters is right if its frame is within three of the first on
which there are two cells. With DATA, as for ``tracking.py``, nothing is known of
divisions: only the offers are counted, per 100 frames of an object.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from division_parts.movie import dividing_cells
from tracking_parts.data import choose_targets, read

from napari_sam_decoder import Movie, Prompt, SamDecoderError, Session, load_sam

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from division_parts.movie import Division

    from napari_sam_decoder import FrameResult
    from napari_sam_decoder.model.sam import Sam

NEAR = 3
"""Frames by which an offer may be off."""
COLUMNS = ("object-frames", "divisions", "offers", "right")
NAME_WIDTH = 22


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a row per movie, and what all have in common."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    add = parser.add_argument
    add("data", type=Path, nargs="*", metavar="DATA", help="folder of a sequence")
    add("--seeds", type=int, nargs="+", default=[1, 2], help="of generated movies")
    add("--objects", type=int, metavar="N", help="the N largest of DATA")
    add("--cache", type=Path, metavar="DIR", help="keep embeddings there")
    options = parser.parse_args(arguments)
    try:
        sam = load_sam()
        print("sequence".ljust(NAME_WIDTH), *(name.rjust(13) for name in COLUMNS))
        total: Counter[str] = Counter()
        if options.data:
            for folder in options.data:
                counts = _count_offers(folder, options.objects, sam, options.cache)
                print(line(folder.resolve().name, counts), flush=True)
                total += counts
        else:
            for seed in options.seeds:
                counts = _count_divisions(seed, sam, options.cache)
                print(line(f"generated {seed}", counts), flush=True)
                total += counts
    except SamDecoderError as error:
        sys.exit(f"error: {error}")
    print(line("all", total))
    print(summary(total, has_truth=not options.data))


def _count_divisions(seed: int, sam: Sam, cache: Path | None) -> Counter[str]:
    movie = dividing_cells(seed)
    first = movie.truth[0]
    prompts = [
        Prompt(one, 0, mask=first == one)
        for one in np.unique(first[first > 0]).tolist()
    ]
    folder = cache and cache / f"gen{seed}.zarr"
    with Session(Movie(movie.frames, axes="TYX"), model=sam, cache=folder) as session:
        results = list(_carried(session, prompts))
    return score(results, movie.divisions)


def _count_offers(
    folder: Path, objects: int | None, sam: Sam, cache: Path | None
) -> Counter[str]:
    clip = read(folder)
    targets = choose_targets(clip.masks, "first", objects)
    prompts = [
        Prompt(one.object_id, one.start, mask=one.truth(one.start)) for one in targets
    ]
    store = cache and cache / f"{clip.name}.zarr"
    with Session(clip.movie, model=sam, cache=store) as session:
        return score(_carried(session, prompts), ())


def _carried(session: Session, prompts: Iterable[Prompt]) -> Iterable[FrameResult]:
    for prompt in prompts:
        session.add_prompt(prompt)
    return session.propagate(direction="forward")


def score(
    results: Iterable[FrameResult], divisions: Sequence[Division]
) -> Counter[str]:
    """Count what was offered, and what of it was right.

    Parameters
    ----------
    results : iterable of FrameResult
        Of a run forwards.
    divisions : sequence of Division
        Those that there are.

    Returns
    -------
    Counter
        By the names of the columns.
    """
    counts = Counter(dict.fromkeys(COLUMNS, 0))
    counts["divisions"] = len(divisions)
    frames = {one.mother: one.frame for one in divisions}
    for result in results:
        for object_id, found in result.objects.items():
            counts["object-frames"] += 1
            if found.daughters is not None:
                counts["offers"] += 1
                true_frame = frames.get(object_id)
                is_right = (
                    true_frame is not None and abs(result.frame - true_frame) <= NEAR
                )
                counts["right"] += is_right
    return counts


def line(name: str, counts: Counter[str]) -> str:
    """One row of the table."""
    numbers = (str(counts[column]).rjust(13) for column in COLUMNS)
    return " ".join([name.ljust(NAME_WIDTH), *numbers])


def summary(counts: Counter[str], *, has_truth: bool) -> str:
    """Recall and precision, or offers per 100 frames of an object."""
    if not has_truth:
        share = 100 * counts["offers"] / max(counts["object-frames"], 1)
        return f"{share:.2f} offers per 100 frames of an object"
    recall = counts["right"] / max(counts["divisions"], 1)
    precision = counts["right"] / max(counts["offers"], 1)
    return f"recall {recall:.2f}, precision {precision:.2f}"


if __name__ == "__main__":
    main()
