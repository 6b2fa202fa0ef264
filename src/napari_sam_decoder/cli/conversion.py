"""Conversion of typed options to the values that the library takes."""

from __future__ import annotations

import argparse
import gc
import math
import re
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from napari_sam_decoder.errors import OptionError
from napari_sam_decoder.validation import parse_number

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from napari_sam_decoder.jobs import (
        MaskFile,
        MovieOptions,
        Progress,
        ScribbleFile,
    )
    from napari_sam_decoder.jobs.replay import ModelLoader
    from napari_sam_decoder.model.sam import Sam
    from napari_sam_decoder.prompts import PromptSet
    from napari_sam_decoder.propagation import Settings

__all__ = [
    "box",
    "count",
    "frame_index",
    "frame_list",
    "frame_range",
    "lasso",
    "masks",
    "model",
    "model_loader",
    "movie",
    "name",
    "number",
    "number_or_name",
    "object_and_frame",
    "object_id",
    "object_list",
    "path",
    "position",
    "position_of",
    "positive_number",
    "progress",
    "prompts",
    "prompts_from_tables",
    "require_prompts",
    "scribbles",
    "settings",
    "shared_model",
    "tables_of_more_axes",
]

MAX_FRAMES = 10_000_000
"""More than any movie has. Longer lists would not fit in memory."""


def frame_range(text: str) -> tuple[int, int | None]:
    """Read ``A:B``. Either number may be left out."""
    found = re.fullmatch(r"(\d*):(\d*)", text, re.ASCII)
    if found is None:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not A:B with whole numbers, such as 10:20 or 10:"
        )
    return int(found[1] or 0), int(found[2]) if found[2] else None


def name(text: str) -> str:
    """Read the name of a file, a folder or a model, which must not be empty."""
    if not text:
        raise argparse.ArgumentTypeError("is empty; give a name or a path")
    return text


def path(text: str) -> Path:
    """Read a path. It must not be empty, which would mean the current folder."""
    return Path(name(text))


def number(text: str) -> float:
    """Read a finite number."""
    value = parse_number(text)
    if math.isnan(value):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number")
    return value


def positive_number(text: str) -> float:
    """Read a finite number greater than 0."""
    value = number(text)
    if value <= 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not greater than 0")
    return value


def box(text: str) -> tuple[int, tuple[float, float, float, float], int]:
    """Read ``FRAME,ROW,COL,ROW,COL[,ID]``; the id is 1 by default."""
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


def lasso(text: str) -> tuple[int, tuple[tuple[float, float], ...], int]:
    """Read ``FRAME,ROW,COL,ROW,COL,...[,ID]``; the id is 1 by default."""
    first, *rest = text.split(",")
    object_id = rest.pop() if len(rest) % 2 else "1"
    values = [parse_number(part) for part in rest]
    is_whole = all(re.fullmatch(r"\d+", part, re.ASCII) for part in (first, object_id))
    if not is_whole or len(values) < 6 or any(map(math.isnan, values)):
        raise argparse.ArgumentTypeError(
            f"{text!r} is not FRAME and three or more times ROW,COL, perhaps with ,ID "
            "at the end"
        )
    vertices = zip(values[::2], values[1::2], strict=True)
    return int(first), tuple(vertices), int(object_id)


def number_or_name(text: str) -> int | str:
    """Read the number or the name of a channel or series."""
    return int(text) if re.fullmatch(r"\d+", text, re.ASCII) else text


def position(text: str) -> tuple[str, int]:
    """Read ``AXIS=NUMBER``, such as ``z=5``."""
    found = re.fullmatch(r"([A-Za-z]+)=(\d+)", text, re.ASCII)
    if found is None:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not AXIS=NUMBER, such as z=5; numbers count from 0"
        )
    return found[1], int(found[2])


def frame_index(text: str) -> int:
    """Read the number of a frame."""
    if not re.fullmatch(r"\d+", text, re.ASCII):
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a frame; give its number, counted from 0"
        )
    return int(text)


def object_and_frame(text: str) -> tuple[int, int]:
    """Read ``ID:FRAME``."""
    found = re.fullmatch(r"(\d+):(\d+)", text, re.ASCII)
    if found is None:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not ID:FRAME, such as 2:15 for object 2 on frame 15"
        )
    return int(found[1]), int(found[2])


def object_id(text: str) -> int:
    """Read the id of an object."""
    if not re.fullmatch(r"[1-9]\d*", text, re.ASCII):
        raise argparse.ArgumentTypeError(f"{text!r} is not an object id, such as 2")
    return int(text)


def frame_list(text: str) -> tuple[int, ...]:
    """Read frames such as ``3,17,40:43,0:60:20``.

    ``40:43`` means 40, 41 and 42, and ``0:60:20`` every twentieth of 0 to 59.
    """
    found: list[int] = []
    for part in text.split(","):
        if not re.fullmatch(r"\d+(:\d+(:0*[1-9]\d*)?)?", part, re.ASCII):
            raise argparse.ArgumentTypeError(
                f"{text!r} is not a list of frames, such as 3,17 or 3,40:43"
            )
        first, *rest = map(int, part.split(":"))
        asked = range(first, *rest) if rest else range(first, first + 1)
        if not 0 < len(asked) <= MAX_FRAMES:
            raise argparse.ArgumentTypeError(
                f"{part!r} in {text!r} is not a range of frames, such as 40:43"
            )
        found += asked
    return tuple(found)


def object_list(text: str) -> tuple[int, ...]:
    """Read object ids such as ``2,5,10:20``, where ``10:20`` means 10 to 19."""
    try:
        found = frame_list(text)
    except argparse.ArgumentTypeError:
        found = (0,)
    if 0 in found:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a list of object ids, such as 2,5 or 10:20"
        )
    return found


def count(text: str) -> int:
    """Read how many there are to be of something."""
    if not re.fullmatch(r"[1-9]\d*", text, re.ASCII):
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of 1 or more")
    return int(text)


T = TypeVar("T")


def movie(options: Namespace) -> MovieOptions:
    """Return the options about the movie."""
    from napari_sam_decoder.jobs import MovieOptions

    _require_fit(options.channel, options.contrast)
    start, stop = options.frames
    return MovieOptions(
        path=options.movie,
        axes=options.axes,
        channel=_one_or_all(options.channel),
        series=options.series,
        contrast=_one_or_all([(low, high) for low, high in options.contrast]),
        cache=None if options.cache == "none" else options.cache,
        storage=options.storage,
        start=start,
        stop=stop,
        at=position_of(options),
        each=tuple(getattr(options, "each", ())),
    )


def _require_fit(channels: Sequence[int | str], limits: Sequence[Any]) -> None:
    for channel, count in Counter(channels).items():
        if count > 1:
            raise OptionError(f"--channel is given {count} times for {channel}")
    if len(limits) > 1 and len(limits) != len(channels):
        raise OptionError(
            f"--contrast is given {len(limits)} times, --channel {len(channels)} "
            "times; give limits once, or once for each channel in the same order"
        )


def _one_or_all(given: Sequence[Any]) -> Any:
    """Return None for nothing, a single value, or a tuple of several."""
    if not given:
        return None
    return given[0] if len(given) == 1 else tuple(given)


def position_of(options: Namespace) -> dict[str, int] | None:
    """Return the position along the axes that are not followed.

    Raises
    ------
    OptionError
        If it is given twice for one of them.
    """
    axes = Counter(axis for axis, _ in options.at)
    for axis, count in axes.items():
        if count > 1:
            raise OptionError(f"--at is given {count} times for {axis}; give it once")
    return dict(options.at) or None


def prompts(options: Namespace, leave_out: Sequence[Path] = ()) -> PromptSet:
    """Return the prompts of all points, boxes and lassos.

    Parameters
    ----------
    options : Namespace
        What was typed.
    leave_out : sequence of Path
        Tables of points that are read otherwise.

    Raises
    ------
    OptionError
        If an object has two boxes or lassos on a frame.
    SamDecoderError
        If a table cannot be read.
    """
    from napari_sam_decoder.prompts import Prompt, PromptSet

    shown = (*options.box, *options.lasso)
    places = Counter((object_id, frame) for frame, _, object_id in shown)
    for (object_id, frame), count in places.items():
        if count > 1:
            what = "boxes" if not options.lasso else "boxes or lassos"
            raise OptionError(
                f"object {object_id} has {count} {what} on frame {frame}; give each "
                "object its own id at the end, as in --box FRAME,ROW,COL,ROW,COL,ID"
            )
    boxes = [Prompt(key, frame, box=box) for frame, box, key in options.box]
    lassos = [Prompt(key, frame, lasso=line) for frame, line, key in options.lasso]
    tables = [path for path in options.points if path not in leave_out]
    return PromptSet([*boxes, *lassos, *prompts_from_tables(tables)])


def tables_of_more_axes(options: Namespace) -> tuple[Path, ...]:
    """Return the tables of points that have more axes than a movie.

    Raises
    ------
    OptionError
        If one is given twice.
    SamDecoderError
        If one cannot be read.
    """
    from napari_sam_decoder.formats import MOVIE_COLUMNS, count_axes

    _require_different(options.points)
    return tuple(path for path in options.points if count_axes(path) > MOVIE_COLUMNS)


def require_prompts(options: Namespace) -> None:
    """Refuse to segment without any prompt.

    Raises
    ------
    OptionError
        If there is none.
    """
    outlines, scribbles = (options.box, options.lasso), options.scribbles
    shown = options.points or any(outlines) or scribbles or options.masks
    if not (shown or options.auto):
        raise OptionError(
            "there is no prompt; give --points, --box, --lasso, --scribbles or "
            "--masks, or --auto to look for objects"
        )


def scribbles(options: Namespace) -> tuple[ScribbleFile, ...]:
    """Return the files with scribbles, first those over objects.

    Raises
    ------
    OptionError
        If a frame is given without files, or a file twice.
    """
    from napari_sam_decoder.jobs import ScribbleFile

    positive, negative = options.scribbles, options.negative_scribbles
    frame = options.scribbles_frame
    if frame is not None and not (positive or negative):
        raise OptionError("--scribbles-frame needs --scribbles; give both")
    _require_different([*positive, *negative])
    return (
        *(ScribbleFile(path, True, frame) for path in positive),
        *(ScribbleFile(path, False, frame) for path in negative),
    )


def prompts_from_tables(paths: Sequence[Path]) -> PromptSet:
    """Read tables of points as if they were one.

    Raises
    ------
    OptionError
        If one is given twice.
    SamDecoderError
        If one cannot be read, or they contradict each other.
    """
    from napari_sam_decoder.prompts import PromptSet, read_points

    _require_different(paths)
    return read_points(*paths) if paths else PromptSet()


def masks(options: Namespace) -> tuple[MaskFile, ...]:
    """Return the files with painted objects.

    Raises
    ------
    OptionError
        If the number of frames differs from that of files, or a file is given twice.
    """
    from napari_sam_decoder.jobs import MaskFile

    paths, frames = options.masks, options.masks_frame
    if frames and not paths:
        raise OptionError("--masks-frame needs --masks; give both")
    if frames and len(frames) != len(paths):
        raise OptionError(
            f"--masks-frame is given {len(frames)} times, --masks {len(paths)} times; "
            "give one frame for each file, in the same order"
        )
    _require_different(paths)
    return tuple(map(MaskFile, paths, frames or [None] * len(paths)))


def _require_different(paths: Iterable[Path]) -> None:
    places = Counter(path.expanduser().absolute() for path in paths)
    for place, count in places.items():
        if count > 1:
            raise OptionError(f"{place} is given {count} times; give it once")


def settings(options: Namespace) -> Settings:
    """Return the settings of propagation."""
    from napari_sam_decoder.propagation import Settings

    asked = {name: getattr(options, name) for name in ("stabilise", "smallest_window")}
    return Settings(**{name: one for name, one in asked.items() if one is not None})


def model(options: Namespace) -> Sam:
    """Load the network; that of a project, unless another one is asked for."""
    from napari_sam_decoder.jobs import stored_model

    names = options.model, options.decoder
    project = getattr(options, "project", None)
    if project is not None and project.exists():
        names = stored_model(project) or names
    return model_loader(options)(
        names[0], decoder=names[1], precision=options.precision
    )


def shared_model(options: Namespace) -> Callable[[], Sam]:
    """Return a function that loads the network, the same on all machines.

    The number type is settled here: "auto" may be another one elsewhere.
    """
    from functools import partial

    load_sam = _import_loader()
    precision = options.precision
    if precision == "auto":
        precision = str(model(options).dtype).removeprefix("torch.")
    return partial(
        load_sam,
        options.model,
        device=options.device,
        precision=precision,
        decoder=options.decoder,
    )


def model_loader(options: Namespace) -> ModelLoader:
    """Return a function that loads a network, with what was asked for on top."""
    load_sam = _import_loader()
    given: frozenset[str] = getattr(options, "given", frozenset())

    def load(model: str, *, decoder: str, precision: str) -> Sam:
        return load_sam(
            options.model if "model" in given else model,
            device=options.device,
            precision=options.precision if "precision" in given else precision,
            decoder=options.decoder if "decoder" in given else decoder,
        )

    return load


def _import_loader() -> Callable[..., Sam]:
    """Import `load_sam`, and with it torch.

    Its modules make 200,000 objects that stay. To look for garbage among them again and
    again meanwhile would take a tenth of the time.
    """
    is_collecting = gc.isenabled()
    gc.disable()
    try:
        from napari_sam_decoder.weights.registry import load_sam
    finally:
        if is_collecting:
            gc.enable()
    return load_sam


def progress(options: Namespace) -> Progress:
    """Return a function that shows a progress bar, or nothing."""
    from napari_sam_decoder.jobs import no_progress

    return no_progress if options.quiet else _with_bar


def _with_bar(steps: Iterable[T], *, total: int, what: str) -> Iterator[T]:
    from tqdm import tqdm

    yield from tqdm(steps, total=total, desc=what, unit="step", file=sys.stderr)
