"""What single options look like as text."""

from __future__ import annotations

import argparse
import re

__all__ = ["box", "frame", "frames", "place", "several", "steps"]


def frames(text: str) -> tuple[int, int | None]:
    """Read ``A:B``, of which either may be left out."""
    start, separator, stop = text.partition(":")
    if not separator:
        raise argparse.ArgumentTypeError(f"{text!r} is not A:B, such as 10:20 or 10:")
    try:
        return int(start or 0), int(stop) if stop else None
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not A:B with whole numbers, such as 10:20"
        ) from None


def box(text: str) -> tuple[int, tuple[float, float, float, float], int]:
    """Read ``FRAME,ROW,COL,ROW,COL[,ID]``; the object is 1 if it is left out."""
    parts = text.split(",")
    try:
        row0, column0, row1, column1 = map(float, parts[1:5])
        frame, object_id = int(parts[0]), int(parts[5]) if len(parts) > 5 else 1
    except ValueError:
        parts = []
    if len(parts) not in (5, 6):
        raise argparse.ArgumentTypeError(
            f"{text!r} is not FRAME,ROW,COL,ROW,COL or FRAME,ROW,COL,ROW,COL,ID"
        )
    return frame, (row0, column0, row1, column1), object_id


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
        found += range(int(first), int(stop) if stop else int(first) + 1)
    if not found:
        raise argparse.ArgumentTypeError(f"{text!r} holds no frame")
    return tuple(found)


def steps(text: str) -> int:
    """Read a number of steps."""
    if not re.fullmatch(r"[1-9]\d*", text, re.ASCII):
        raise argparse.ArgumentTypeError(f"{text!r} is no number of steps, at least 1")
    return int(text)
