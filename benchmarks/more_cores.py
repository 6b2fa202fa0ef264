"""How fast a movie is embedded on more cores than there are, by simulation.

    python benchmarks/more_cores.py [--cores 1 2 4 8 16] [--side-by-side 1 2 4 8]
        [--precision NAME] [--json OUT]

What a frame of 480 x 854 costs is measured here: reading, encoding with one thread and
with two, and writing. From that follow the seconds per frame for each number of cores
and of frames side by side (the program has four at most), as its own schedule puts them
beside each other. The encoder gets faster with threads by Amdahl's law; that many cores
wait for the same memory is left out. Where there are as many cores, the movie is
embedded for real, too. The machine should do nothing else.
"""

from __future__ import annotations

import argparse
import json
from contextlib import closing
from dataclasses import asdict, dataclass
from functools import partial
from itertools import product
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import TYPE_CHECKING

import torch
from speed_parts.machine import describe
from speed_parts.schedule import FrameCost, seconds_per_frame
from speed_parts.textures import Textures
from speed_parts.timing import Effort, alternate, warm_up

from napari_sam_decoder import Movie, load_sam
from napari_sam_decoder.embedding import Embedder, open_store
from napari_sam_decoder.thread_pool import ThreadPool

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from napari_sam_decoder.model.sam import Sam

SHAPE = 480, 854
FRAMES = 24
EFFORT = Effort(rounds=9, seconds=60)


@dataclass(frozen=True)
class Row:
    """Seconds per frame with some cores and frames side by side.

    Attributes
    ----------
    cores, side_by_side : int
    simulated_s : float
    measured_s : float or None
        None where the machine has fewer cores.
    """

    cores: int
    side_by_side: int
    simulated_s: float
    measured_s: float | None

    def __str__(self) -> str:
        measured = "-" if self.measured_s is None else f"{1000 * self.measured_s:.0f}"
        simulated = f"{1000 * self.simulated_s:15.0f}"
        return f"{self.cores:6}{self.side_by_side:14}{simulated}{measured:>14}"


def main(arguments: Sequence[str] | None = None) -> None:
    """Print what a frame costs, and a row per number of cores."""
    options = _parser().parse_args(arguments)
    sam = load_sam(device="cpu", precision=options.precision)
    movie = Movie(Textures(FRAMES, SHAPE, 4).draw(), contrast=(0, 255))
    machine = describe(sam)
    cost = measure_cost(movie, sam)
    print(
        f"{machine['cpu']}, {machine['precision']}: reading {1000 * cost.read:.1f} ms, "
        f"encoding {1000 * cost.one:.0f} with one thread and {1000 * cost.two:.0f} "
        f"with two, writing {1000 * cost.write:.1f}"
    )
    print(f"{'cores':>6}{'side by side':>14}{'simulated, ms':>15}{'measured, ms':>14}")
    rows = []
    for row in rows_of(movie, sam, cost, product(options.cores, options.side_by_side)):
        print(row, flush=True)
        rows.append(asdict(row))
    if options.json:
        found = {"machine": machine, "cost": asdict(cost), "rows": rows}
        options.json.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")


def rows_of(
    movie: Movie, sam: Sam, cost: FrameCost, ways: Iterable[tuple[int, int]]
) -> Iterator[Row]:
    """Simulate numbers of cores and of frames side by side; measure where possible."""
    cores_here = torch.get_num_threads()
    for cores, count in ways:
        if count > cores:
            continue
        is_here = cores <= cores_here
        real = embed_for_real(movie, sam, cores, count) if is_here else None
        yield Row(cores, count, seconds_per_frame(cost, cores, count), real)


def measure_cost(movie: Movie, sam: Sam) -> FrameCost:
    """Measure what a frame costs on this machine, in medians."""
    picture = movie.rgb(0)

    def encode(threads: int) -> None:
        torch.set_num_threads(threads)
        sam.encode(picture)

    before = torch.get_num_threads()
    calls: dict[str, Callable[[], object]] = {
        "one": partial(encode, 1),
        "two": partial(encode, 2),
    }
    try:
        warm_up(calls)
        times = alternate(calls, EFFORT)
    finally:
        torch.set_num_threads(before)
    read, write = _kept(movie, sam)
    return FrameCost(read, times["one"], times["two"], write)


def _kept(movie: Movie, sam: Sam) -> tuple[float, float]:
    """Seconds to read a frame, and to write its embedding into a cache."""
    features = sam.encode(movie.rgb(0)).features
    reading, writing = [], []
    with (
        TemporaryDirectory() as folder,
        closing(open_store(movie, sam, Path(folder) / "cache.zarr")) as store,
    ):
        for frame in range(len(movie)):
            started = perf_counter()
            movie.raw(frame)
            read = perf_counter()
            store.write(frame, frame.to_bytes(32, "big"), features)
            reading.append(read - started)
            writing.append(perf_counter() - read)
    return median(reading), median(writing)


def embed_for_real(movie: Movie, sam: Sam, cores: int, side_by_side: int) -> float:
    """Seconds per frame to embed the movie, with some of the cores of this machine."""
    before = torch.get_num_threads()
    torch.set_num_threads(cores)
    try:
        with (
            TemporaryDirectory() as folder,
            closing(
                Embedder(
                    movie,
                    sam,
                    open_store(movie, sam, Path(folder) / "cache.zarr"),
                    ThreadPool(side_by_side),
                )
            ) as embedder,
        ):
            started = perf_counter()
            for _ in embedder.fill(range(len(movie))):
                pass
            return (perf_counter() - started) / len(movie)
    finally:
        torch.set_num_threads(before)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    add = parser.add_argument
    add("--cores", type=int, nargs="+", default=[1, 2, 4, 8, 16])
    add("--side-by-side", type=int, nargs="+", default=[1, 2, 4, 8], help="frames")
    add("--precision", default="auto", metavar="NAME", help="as for segment")
    add("--json", type=Path, metavar="OUT", help="file for all figures")
    return parser


if __name__ == "__main__":
    main()
