"""How long a process of its own takes to segment a new movie of two frames."""

from __future__ import annotations

import os
import subprocess
import sys
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import tifffile

from speed_parts.report import Row
from speed_parts.textures import Textures
from speed_parts.timing import Effort, alternate, warm_up

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["FRAMES", "PEER", "STEP", "start_rows"]

STEP, PEER, FRAMES = "start", "import_torch", 2
STARTING = Effort(rounds=7, seconds=60)


def start_rows(
    frame_shape: tuple[int, int], precision: str = "auto", effort: Effort = STARTING
) -> Iterator[Row]:
    """Measure the command `segment`, by turns with nothing but the import of torch.

    Parameters
    ----------
    frame_shape : tuple of int
        (rows, columns) of a frame.
    precision : str
        Of ours.
    effort : Effort
        How often.

    Yields
    ------
    Row
        Seconds from the start of a process to its end.
    """
    with TemporaryDirectory() as name:
        folder = Path(name)
        segment = _segmenting(folder, frame_shape, precision)
        calls = {"": segment, PEER: lambda: _run(folder, "-c", "import torch")}
        # The first time, modules are compiled.
        warm_up(calls)
        times = alternate(calls, effort)
    yield Row(STEP, "{}x{}".format(*frame_shape), times[""], PEER, times[PEER])


def _segmenting(
    folder: Path, frame_shape: tuple[int, int], precision: str
) -> Callable[[], None]:
    """Make a movie; return a call that segments it as if it had never been seen."""
    textures = Textures(FRAMES, frame_shape, objects=1)
    movie, points = folder / "movie.tif", folder / "points.csv"
    tifffile.imwrite(movie, textures.draw(), photometric="rgb")
    row, column = textures.centres(0)[0]
    points.write_text(f"index,axis-0,axis-1,axis-2\n0,0,{row},{column}\n")
    command = ["-m", "napari_sam_decoder", "segment", str(movie)]
    options = ["--points", str(points), "--device", "cpu", "--precision", precision]
    numbers = count()

    def segment() -> None:
        place = folder / str(next(numbers))
        cache, labels = place.with_suffix(".zarr"), place.with_suffix(".tif")
        places = ["--cache", str(cache), "-o", str(labels)]
        _run(folder, *command, *options, *places, "--quiet")

    return segment


def _run(folder: Path, *arguments: str) -> None:
    """Run Python with compiled modules, as an installed package has them."""
    environment = {**os.environ, "PYTHONPYCACHEPREFIX": str(folder / "compiled")}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    subprocess.run(
        [sys.executable, *arguments],
        env=environment,
        check=True,
        stdout=subprocess.DEVNULL,
    )
