"""From options as they were typed to what the library takes."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, TypeVar

from napari_sam_decoder.errors import OptionError

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Iterable, Iterator
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
        If there are neither, and no masks.
    SamDecoderError
        If the table cannot be read.
    """
    from napari_sam_decoder.prompts import Prompt, PromptSet

    if not (options.points or options.box or options.masks):
        raise OptionError("say where the objects are: give --points, --box or --masks")
    boxes = [Prompt(key, frame, box=box) for frame, box, key in options.box]
    return PromptSet([*boxes, *table(options.points)])


def table(path: Path | None) -> PromptSet:
    """Read a table of points; none without a path.

    Raises
    ------
    SamDecoderError
        If it cannot be read.
    """
    from napari_sam_decoder.formats import read_points
    from napari_sam_decoder.prompts import PromptSet, prompts_from_points

    if path is None:
        return PromptSet()
    points = read_points(path)
    return prompts_from_points(
        points.frames,
        points.positions,
        points.labels,
        points.object_ids,
        points.hypotheses,
    )


def masks(options: Namespace) -> MaskFile | None:
    """Say in which file objects are painted.

    Raises
    ------
    OptionError
        If a frame is given without a file.
    """
    from napari_sam_decoder.jobs import MaskFile

    if options.masks is None:
        if options.masks_frame is not None:
            raise OptionError("--masks-frame says where --masks belongs; give both")
        return None
    return MaskFile(options.masks, options.masks_frame)


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
