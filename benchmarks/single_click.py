"""How far one click carries: IoU per frame on sequences with ground truth.

    python benchmarks/single_click.py DATA [DATA ...] [--objects N] [--start largest]

DATA holds either ``frames/`` and ``masks/`` in matching order, or ``image.tif`` and
``masks.tif`` as (T or Z, Y, X). Mask values are object ids; 255 reads as 1. An object
is clicked once, at its inmost point: on its first frame, or with ``--start largest``,
as volumes want it, on the one where it is largest. The mask is the one that the
program itself chooses.
"""

from __future__ import annotations

import argparse
from collections import Counter
from pathlib import Path
from time import perf_counter

import numpy as np
from scipy import ndimage

from napari_sam_decoder import Movie, Prompt, Session, load_sam, open_movie
from napari_sam_decoder.scoring import mask_iou

Options = argparse.Namespace


def main() -> None:
    """Print a row per object."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", nargs="+", type=Path)
    parser.add_argument("--objects", type=int, default=2, help="the N largest")
    parser.add_argument("--start", choices=["first", "largest"], default="first")
    parser.add_argument("--cache", type=Path, help="folder for the embeddings")
    parser.add_argument("--frames", action="store_true", help="print IoU per frame")
    options = parser.parse_args()
    sam = load_sam()
    print(
        "sequence click frames  mean  first10  doubtful absent wrong-but-sure  s/frame"
    )
    for folder in options.data:
        movie, masks = read(folder)
        cache = options.cache and options.cache / f"{folder.name}.zarr"
        with Session(movie, model=sam, cache=cache) as session:
            list(session.embed())
            for object_id in largest(masks, options.objects):
                report(folder.name, session, masks == object_id, options)


def read(folder: Path) -> tuple[Movie, np.ndarray]:
    """Read a sequence and its truth in either layout."""
    if (folder / "image.tif").exists():
        source, truth = (
            open_movie(folder / "image.tif"),
            open_movie(folder / "masks.tif"),
        )
    else:
        source, truth = open_movie(folder / "frames"), open_movie(folder / "masks")
    masks = np.stack([truth.data[frame] for frame in range(len(truth.data))])
    masks = masks if masks.ndim == 3 else masks[..., 0]
    masks = np.where(masks == 255, 1, masks) if masks.max() == 255 else masks
    return Movie(source.data, axes=source.axes), masks


def largest(masks: np.ndarray, count: int) -> list[int]:
    """Ids of the objects with the most pixels in the first quarter of the sequence."""
    early = masks[: max(1, len(masks) // 4)] if masks[0].any() else masks
    ids, sizes = np.unique(early[early > 0], return_counts=True)
    return [int(ids[index]) for index in np.argsort(-sizes)[:count]]


def report(name: str, session: Session, truth: np.ndarray, options: Options) -> None:
    """Click once, propagate over the object's life, and print how it went."""
    life = np.flatnonzero(truth.any(axis=(1, 2)))
    areas = truth.sum(axis=(1, 2))
    frame = int(areas.argmax() if options.start == "largest" else life[0])
    depth = ndimage.distance_transform_edt(np.pad(truth[frame], 1))[1:-1, 1:-1]
    row, column = np.unravel_index(int(depth.argmax()), depth.shape)
    for object_id in session.prompts.object_ids:
        session.remove_prompts(object_id)
    session.add_prompt(Prompt(1, frame, [(row, column)]))
    started = perf_counter()
    frames = range(int(life[0]), int(life[-1]) + 1)
    results = {r.frame: r for r in session.propagate(frames)}
    seconds = (perf_counter() - started) / len(frames)
    scores = np.array([mask_iou(results[f].labels == 1, truth[f]) for f in frames])
    verdicts = [results[f].objects[1].verdict.value for f in frames]
    counts = Counter(verdicts)
    fooled = sum(v == "sure" and s < 0.5 for v, s in zip(verdicts, scores, strict=True))
    print(
        f"{name} {frame}@{row},{column} {len(frames)}  {scores.mean():.3f}  "
        f"{scores[:10].mean():.3f}  {counts['doubtful']} {counts['absent']} {fooled}  "
        f"{seconds:.2f}",
        flush=True,
    )
    if options.frames:
        print("   ", " ".join(f"{score:.2f}" for score in scores))


if __name__ == "__main__":
    main()
