"""From options as they were typed to what the library takes."""

from __future__ import annotations

import sys
from collections import Counter
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from napari_sam_decoder.errors import OptionError

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from napari_sam_decoder.jobs import MaskFile, MovieOptions, Progress
    from napari_sam_decoder.model.sam import Sam
    from napari_sam_decoder.prompts import PromptSet
    from napari_sam_decoder.propagation import Settings

__all__ = ["masks", "model", "movie", "progress", "prompts", "settings", "table"]

T = TypeVar("T")


def movie(options: Namespace) -> MovieOptions:
    """Gather what was said about the movie."""
    from napari_sam_decoder.jobs import MovieOptions

    start, stop = options.frames
    return MovieOptions(
        path=options.movie,
        axes=options.axes,
        channel=options.channel,
        series=options.series,
        contrast=tuple(options.contrast) if options.contrast else None,
        cache=None if options.cache == "none" else options.cache,
        storage=options.storage,
        start=start,
        stop=stop,
    )


def prompts(options: Namespace) -> PromptSet:
    """Join points and boxes.

    Raises
    ------
    OptionError
        If there are neither, and no masks, or if an object has two boxes on a frame.
    SamDecoderError
        If a table cannot be read.
    """
    from napari_sam_decoder.prompts import Prompt, PromptSet

    if not (options.points or options.box or options.masks):
        raise OptionError("say where the objects are: give --points, --box or --masks")
    places = Counter((object_id, frame) for frame, _, object_id in options.box)
    for (object_id, frame), count in places.items():
        if count > 1:
            raise OptionError(
                f"object {object_id} has {count} boxes on frame {frame}; give each "
                "object an ID of its own, as in --box FRAME,ROW,COL,ROW,COL,ID"
            )
    boxes = [Prompt(key, frame, box=box) for frame, box, key in options.box]
    return PromptSet([*boxes, *table(options.points)])


def table(paths: Sequence[Path]) -> PromptSet:
    """Read tables of points as if they were one.

    Raises
    ------
    OptionError
        If one is named twice.
    SamDecoderError
        If one cannot be read, or they contradict each other.
    """
    from napari_sam_decoder.formats import read_points
    from napari_sam_decoder.prompts import PromptSet, prompts_from_points

    if not paths:
        return PromptSet()
    _require_different(paths)
    tables = [read_points(path) for path in paths]
    return prompts_from_points(
        np.concatenate([table.frames for table in tables]),
        np.concatenate([table.positions for table in tables]),
        np.concatenate([table.labels for table in tables]),
        np.concatenate([table.object_ids for table in tables]),
        np.concatenate([table.hypotheses for table in tables]),
    )


def masks(options: Namespace) -> tuple[MaskFile, ...]:
    """Say in which files objects are painted.

    Raises
    ------
    OptionError
        If there are frames, but not one for each file, or if a file is named twice.
    """
    from napari_sam_decoder.jobs import MaskFile

    paths, frames = options.masks, options.masks_frame
    if frames and not paths:
        raise OptionError("--masks-frame says where --masks belongs; give both")
    if frames and len(frames) != len(paths):
        raise OptionError(
            f"--masks-frame says where --masks belongs; give it once for each of the "
            f"{len(paths)}, in the same order, not {len(frames)} times"
        )
    _require_different(paths)
    return tuple(map(MaskFile, paths, frames or [None] * len(paths)))


def _require_different(paths: Iterable[Path]) -> None:
    places = Counter(path.expanduser().absolute() for path in paths)
    for place, count in places.items():
        if count > 1:
            raise OptionError(f"{place} is named {count} times; name it once")


def settings(options: Namespace) -> Settings:
    """Change the settings as asked."""
    from napari_sam_decoder.propagation import Settings

    if options.stabilise is None:
        return Settings()
    return Settings(stabilise=options.stabilise)


def model(options: Namespace) -> Sam:
    """Load the network."""
    from napari_sam_decoder.model.registry import load_sam

    return load_sam(
        options.model,
        device=options.device,
        precision=options.precision,
        decoder=options.decoder,
    )


def progress(options: Namespace) -> Progress:
    """Show a bar, or nothing."""
    from napari_sam_decoder.jobs import silently

    return silently if options.quiet else _with_a_bar


def _with_a_bar(steps: Iterable[T], *, total: int, what: str) -> Iterator[T]:
    from tqdm import tqdm

    yield from tqdm(steps, total=total, desc=what, unit="step", file=sys.stderr)
