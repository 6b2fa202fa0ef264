"""From options as they were typed to what the library takes."""

from __future__ import annotations

import argparse
import math
import re
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from napari_sam_decoder.errors import OptionError
from napari_sam_decoder.validation import parse_number

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Iterable, Iterator, Sequence

    from napari_sam_decoder.jobs import MaskFile, MovieOptions, Progress
    from napari_sam_decoder.model.sam import Sam
    from napari_sam_decoder.prompts import PromptSet
    from napari_sam_decoder.propagation import Settings

__all__ = [
    "box",
    "entry",
    "frame",
    "frames",
    "masks",
    "model",
    "movie",
    "name",
    "number",
    "path",
    "place",
    "progress",
    "prompts",
    "settings",
    "several",
    "steps",
    "table",
]

MOST_FRAMES = 10_000_000
"""More than any movie has; longer lists would not fit in memory."""


def frames(text: str) -> tuple[int, int | None]:
    """Read ``A:B``, of which either may be left out."""
    found = re.fullmatch(r"(\d*):(\d*)", text, re.ASCII)
    if found is None:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not A:B with whole numbers, such as 10:20 or 10:"
        )
    return int(found[1] or 0), int(found[2]) if found[2] else None


def name(text: str) -> str:
    """Read the name of a file, a folder or a model; an empty one is a mistake."""
    if not text:
        raise argparse.ArgumentTypeError("is empty; give a name or a path")
    return text


def path(text: str) -> Path:
    """Read a path; an empty one would be the current folder."""
    return Path(name(text))


def number(text: str) -> float:
    """Read a finite number."""
    value = parse_number(text)
    if math.isnan(value):
        raise argparse.ArgumentTypeError(f"{text!r} is no number")
    return value


def box(text: str) -> tuple[int, tuple[float, float, float, float], int]:
    """Read ``FRAME,ROW,COL,ROW,COL[,ID]``; the object is 1 if it is left out."""
    first, *corners = text.split(",")
    object_id = corners.pop() if len(corners) == 5 else "1"
    values = [parse_number(corner) for corner in corners]
    is_whole = all(re.fullmatch(r"\d+", part, re.ASCII) for part in (first, object_id))
    if not is_whole or len(values) != 4 or any(map(math.isnan, values)):
        raise argparse.ArgumentTypeError(
            f"{text!r} is not FRAME,ROW,COL,ROW,COL or FRAME,ROW,COL,ROW,COL,ID"
        )
    row0, column0, row1, column1 = values
    return int(first), (row0, column0, row1, column1), int(object_id)


def entry(text: str) -> int | str:
    """Read the number or the name of a channel or series."""
    return int(text) if re.fullmatch(r"\d+", text, re.ASCII) else text


def frame(text: str) -> int:
    """Read the number of a frame."""
    if not re.fullmatch(r"\d+", text, re.ASCII):
        raise argparse.ArgumentTypeError(f"{text!r} is no frame; they count from 0")
    return int(text)


def place(text: str) -> tuple[int, int]:
    """Read ``ID:FRAME``."""
    found = re.fullmatch(r"(\d+):(\d+)", text, re.ASCII)
    if found is None:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not ID:FRAME, such as 2:15 for object 2 on frame 15"
        )
    return int(found[1]), int(found[2])


def several(text: str) -> tuple[int, ...]:
    """Read frames such as ``3,17,40:43``, of which the last one is three."""
    found: list[int] = []
    for part in text.split(","):
        if not re.fullmatch(r"\d+(:\d+)?", part, re.ASCII):
            raise argparse.ArgumentTypeError(
                f"{text!r} are no frames, such as 3,17 or 3,40:43"
            )
        first, _, stop = part.partition(":")
        asked = range(int(first), int(stop) if stop else int(first) + 1)
        if not 0 < len(asked) <= MOST_FRAMES:
            raise argparse.ArgumentTypeError(
                f"{part!r} in {text!r} are no frames, such as 3,17 or 3,40:43"
            )
        found += asked
    return tuple(found)


def steps(text: str) -> int:
    """Read a number of steps."""
    if not re.fullmatch(r"[1-9]\d*", text, re.ASCII):
        raise argparse.ArgumentTypeError(f"{text!r} is no number of steps, at least 1")
    return int(text)


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
        np.concatenate([table.signs for table in tables]),
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
    from napari_sam_decoder.weights.registry import load_sam

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
