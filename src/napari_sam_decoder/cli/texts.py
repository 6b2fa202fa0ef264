"""What single options look like as text."""

from __future__ import annotations

import argparse
import math
import re
from pathlib import Path

from napari_sam_decoder.arguments import read_number

__all__ = [
    "box",
    "entry",
    "frame",
    "frames",
    "name",
    "number",
    "path",
    "place",
    "several",
    "steps",
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
    value = read_number(text)
    if math.isnan(value):
        raise argparse.ArgumentTypeError(f"{text!r} is no number")
    return value


def box(text: str) -> tuple[int, tuple[float, float, float, float], int]:
    """Read ``FRAME,ROW,COL,ROW,COL[,ID]``; the object is 1 if it is left out."""
    first, *corners = text.split(",")
    object_id = corners.pop() if len(corners) == 5 else "1"
    values = [read_number(corner) for corner in corners]
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
