"""Show that workers that are killed change nothing in what is embedded.

    python benchmarks/killed_workers.py [DATA] [--frames N] [--every S] [--workers N]
        [--network tiny|bundled] [--size PIXELS] [--precision NAME]

A movie is embedded in this process, then once more as a batch on workers of this
machine. As soon as they have embedded the first frames, one of them is killed every S
seconds, each in its turn, until all frames are embedded. One that has not come back by
then is left alone, as with short intervals none would ever get to work. The batch is
ended before it segments the movie.

Then the two caches are compared, file by file and byte by byte. If anything differs,
the exit code is 1.

DATA is a folder of a sequence, as for ``tracking.py``, of which the first N frames are
taken. By default a movie of noise is made, N square frames of a size. The network is a
tiny random one, for which most of the work is what comes with each frame, or the
bundled one.

Needs Linux or macOS.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from itertools import cycle
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event, Thread
from time import perf_counter
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import tifffile
from speed_parts.tiny import tiny_network
from tracking_parts.data import movie_path

from napari_sam_decoder import (
    BatchJob,
    ClusterError,
    MovieOptions,
    SamDecoderError,
    embed_file,
    load_sam,
    run_batch_on,
)
from napari_sam_decoder.cache.layout import frame_path
from napari_sam_decoder.jobs.batch import MovieStatus, local_workers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from distributed import Client, LocalCluster

    from napari_sam_decoder.model.sam import Sam

T = TypeVar("T")

TINY_SIZE = 64
"""Of the input of the tiny network, in pixels: it takes a few milliseconds."""


@dataclass(frozen=True)
class Run:
    """How the frames of a movie were embedded.

    Attributes
    ----------
    cache : Path
        Folder with the embeddings.
    seconds : float
    kills : int
        Workers that were killed meanwhile.
    """

    cache: Path
    seconds: float
    kills: int = 0


class Killer:
    """Kills the workers of this machine in turn, one every so many seconds.

    Parameters
    ----------
    cluster : LocalCluster
        Whose workers are killed; it starts others in their place.
    every : float
        Seconds between two kills.

    Attributes
    ----------
    kills : int
        So far.
    """

    def __init__(self, cluster: LocalCluster, every: float) -> None:
        self._cluster, self._every = cluster, every
        self.kills = 0

    def until_embedded(
        self, steps: Iterable[T], *, total: int, what: str
    ) -> Iterator[T]:
        """Kill from the first task of a batch of one movie to the last that embeds.

        It is the progress of the batch, which ends before the movie is segmented.
        """
        del what
        is_over = Event()
        thread = Thread(target=self._kill_until, args=(is_over,))
        try:
            for done, step in enumerate(steps, start=1):
                if done == 1:
                    thread.start()
                yield step
                if done == total - 1:
                    return
        finally:
            is_over.set()
            if thread.ident is not None:
                thread.join()

    def _kill_until(self, is_over: Event) -> None:
        for name in cycle(sorted(self._cluster.worker_spec)):
            self._kill(name)
            if is_over.wait(self._every):
                return

    def _kill(self, name: int) -> None:
        known = self._cluster.scheduler_info["workers"].values()
        chosen = self._cluster.workers.get(name)
        is_there = name in {worker["name"] for worker in known}
        if chosen is None or chosen.pid is None or not is_there:
            return
        # It may have gone this moment.
        with suppress(ProcessLookupError):
            os.kill(chosen.pid, signal.SIGKILL)
            self.kills += 1


def main(arguments: Sequence[str] | None = None) -> None:
    """Print what was done, and whether the caches are equal."""
    options = _parser().parse_args(arguments)
    load_model = partial(tiny_network, TINY_SIZE)
    if options.network == "bundled":
        load_model = partial(load_sam, precision=options.precision)
    try:
        with TemporaryDirectory() as folder:
            is_equal = _compare(options, load_model, Path(folder))
    except SamDecoderError as error:
        sys.exit(f"error: {error}")
    sys.exit(not is_equal)


def _compare(
    options: argparse.Namespace, load_model: Callable[[], Sam], folder: Path
) -> bool:
    movie = _movie(options, folder)
    frames = movie.read()[1]
    print(f"frames: {len(frames)}", flush=True)
    serial = embed_here(movie, load_model, folder / "serial.zarr")
    print(f"one process: {serial.seconds:.0f} s", flush=True)
    with local_workers(options.workers) as client:
        killer = Killer(client.cluster, options.every)
        shared = embed_on(client, movie, load_model, folder, killer)
    print(f"{options.workers} workers: {shared.seconds:.0f} s, {shared.kills} kills")
    differing = differences(serial.cache, shared.cache, frames)
    print(f"arrays: {f'{len(differing)} DIFFER' if differing else 'equal'}")
    return not differing


def _movie(options: argparse.Namespace, folder: Path) -> MovieOptions:
    if options.data is None:
        path = folder / "movies" / "noise.tif"
        path.parent.mkdir()
        write_noise(path, options.frames, options.size)
        return MovieOptions(path)
    whole = MovieOptions(movie_path(options.data))
    return replace(whole, stop=min(options.frames, len(whole.read()[0])))


def write_noise(path: Path, frames: int, size: int) -> None:
    """Write a movie of square frames of grey noise, always the same one."""
    rng = np.random.default_rng(0)
    drawn = (rng.integers(0, 256, (size, size), np.uint8) for _ in range(frames))
    tifffile.imwrite(
        path,
        drawn,
        shape=(frames, size, size),
        dtype=np.uint8,
        photometric="minisblack",
        metadata={"axes": "TYX"},
    )


def embed_here(movie: MovieOptions, load_model: Callable[[], Sam], cache: Path) -> Run:
    """Embed a movie in this process."""
    started = perf_counter()
    embed_file(replace(movie, cache=cache), load_model())
    return Run(cache, perf_counter() - started)


def embed_on(
    client: Client,
    movie: MovieOptions,
    load_model: Callable[[], Sam],
    folder: Path,
    killer: Killer,
) -> Run:
    """Embed a movie as a batch on workers that are killed.

    Raises
    ------
    ClusterError
        If workers are lost faster than they get on.
    """
    job = BatchJob(
        replace(movie, path=movie.path.parent, cache=folder / "shared"),
        folder / "results",
        pattern=movie.path.name,
        auto=(0,),
    )
    started = perf_counter()
    result = run_batch_on(client, job, load_model, killer.until_embedded)
    seconds = perf_counter() - started
    for failed in result.with_status(MovieStatus.FAILED):
        raise ClusterError(failed.reason)
    (found,) = result.movies
    return Run(folder / "shared" / f"{found.name}.zarr", seconds, killer.kills)


def differences(expected: Path, found: Path, frames: range) -> list[int]:
    """List the frames whose files in two caches are not the same, byte by byte."""
    return [
        frame
        for frame in frames
        if not _is_same(frame_path(expected, frame), frame_path(found, frame))
    ]


def _is_same(one: Path, other: Path) -> bool:
    is_there = one.exists() and other.exists()
    return is_there and one.read_bytes() == other.read_bytes()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    add = parser.add_argument
    add("data", type=Path, nargs="?", metavar="DATA", help="folder of a sequence")
    add("--frames", type=int, default=500, metavar="N", help="500 by default")
    add("--every", type=float, default=20, metavar="S", help="seconds, 20 by default")
    add("--workers", type=int, default=2, metavar="N", help="2 by default")
    add("--network", choices=("tiny", "bundled"), default="tiny")
    add("--size", type=int, default=64, metavar="PIXELS", help="of frames of noise")
    add("--precision", default="auto", metavar="NAME", help="as for the program")
    return parser


if __name__ == "__main__":
    main()
