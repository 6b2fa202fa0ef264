"""Rows that show how the cost grows with the frames and with the objects.

The network is a tiny random one, so that what grows is the program's own work. Its
masks mean nothing.
"""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import TYPE_CHECKING

from speed_parts.film import Film
from speed_parts.report import Row
from speed_parts.textures import Textures
from speed_parts.tiny import tiny_network

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["FRAMES", "OBJECTS", "frame_rows", "growth", "object_rows"]

FRAMES = 100, 1000, 10_000
OBJECTS = 1, 4, 16, 64

FRAME_SHAPE = 240, 320
CLIP_FRAMES = 40
FEW_OBJECTS, FEW_FRAMES = 4, 12
WARM_FRAMES = 3


def frame_rows(counts: Sequence[int] = FRAMES) -> Iterator[Row]:
    """Seconds per frame in movies of so many frames: embed, keep and carry four discs.

    The cache is on disk, 0.14 MB a frame, and is removed at the end.
    """
    for count in counts:
        seconds = _timed(count, FEW_OBJECTS, is_embedded=False)
        yield Row("scale_frames", f"frames={count}", seconds)


def object_rows(counts: Sequence[int] = OBJECTS) -> Iterator[Row]:
    """Seconds per frame to carry so many discs; frames are embedded beforehand."""
    for count in counts:
        seconds = _timed(FEW_FRAMES, count, is_embedded=True)
        yield Row("scale_objects", f"objects={count}", seconds)


def growth(rows: Sequence[Row]) -> str:
    """How the seconds per frame of the last row relate to those of the first."""
    first, last = rows[0], rows[-1]
    return (
        f"{first.step}: a frame takes {last.ours_s / first.ours_s:.2f} x as long with "
        f"{last.size} as with {first.size}"
    )


def _timed(frames: int, objects: int, *, is_embedded: bool) -> float:
    textures = Textures(CLIP_FRAMES, FRAME_SHAPE, objects)
    with (
        TemporaryDirectory() as folder,
        closing(Film(textures, tiny_network(), Path(folder), frames)) as film,
    ):
        film.click(objects)
        film.play(range(min(WARM_FRAMES, frames)))
        if is_embedded:
            film.embed()
        started = perf_counter()
        film.play()
        return (perf_counter() - started) / frames
