"""Rows of the cache and of propagation, on a movie that is embedded beforehand."""

from __future__ import annotations

from contextlib import closing
from functools import partial
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import TYPE_CHECKING

from napari_sam_decoder.cache import ZarrStore, array_digest
from napari_sam_decoder.embedding import cache_key
from napari_sam_decoder.errors import CacheCorruptError
from speed_parts.film import Film, Patience
from speed_parts.report import Row
from speed_parts.textures import Textures
from speed_parts.timing import Effort, alternate

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np

    from napari_sam_decoder.model.sam import Sam

__all__ = ["OBJECTS", "movie_rows"]

OBJECTS = {"propagate": 1, "propagate_10": 10}
"""How many objects are carried through the movie together, by step."""

PROPAGATION = Effort(rounds=3, seconds=30, least=1)
WARM_FRAMES = 3

EMBEDDING = Patience(seconds=55, frames=12)
"""On a slow machine the movie becomes shorter."""


def movie_rows(
    sam: Sam, frame_shape: tuple[int, int], frames: int = 40
) -> Iterator[Row]:
    """Measure the cache and propagation.

    Parameters
    ----------
    sam : Sam
        The real network.
    frame_shape : tuple of int
        (rows, columns) of a frame.
    frames : int
        Length of the movie at most.

    Yields
    ------
    Row
        Seconds per frame, without peers.
    """
    size = "{}x{}".format(*frame_shape)
    textures = Textures(frames, frame_shape, max(OBJECTS.values()))
    with (
        TemporaryDirectory() as folder,
        closing(Film(textures, sam, Path(folder) / "embeddings.zarr")) as film,
    ):
        started = perf_counter()
        there = range(film.embed(EMBEDDING))
        yield Row("embed", size, (perf_counter() - started) / len(there))
        written = _copy(film, Path(folder) / "copy.zarr", there)
        yield Row("cache_write", size, median(written))
        yield Row("cache_read", size, median(_read(film, there)))
        yield Row("propagate_new", size, _play_new(textures, sam, there))
        for step, count in OBJECTS.items():
            film.click(count)
            film.play(there[:WARM_FRAMES])
            times = alternate({step: partial(film.play, there)}, PROPAGATION)
            yield Row(step, size, times[step] / len(there))


def _play_new(textures: Textures, sam: Sam, frames: range) -> float:
    """Seconds per frame to carry an object through a movie that is not embedded."""
    with (
        TemporaryDirectory() as folder,
        closing(Film(textures, sam, Path(folder) / "embeddings.zarr")) as film,
    ):
        film.click(1)
        started = perf_counter()
        film.play(frames)
        return (perf_counter() - started) / len(frames)


def _read(film: Film, frames: range) -> Iterator[float]:
    """Seconds to read each embedding, if it is of the pixels that the frame has."""
    key = cache_key(film.movie, film.session.model)
    with closing(ZarrStore.open(film.folder, key)) as store:
        for frame in frames:
            started = perf_counter()
            _require(store.read(frame, array_digest(film.movie.raw(frame))), frame)
            yield perf_counter() - started


def _require(features: np.ndarray | None, frame: int) -> np.ndarray:
    if features is None:
        raise CacheCorruptError(f"frame {frame} was embedded, but is not there")
    return features


def _copy(film: Film, folder: Path, frames: range) -> Iterator[float]:
    """Seconds to write each embedding into a second cache."""
    key = cache_key(film.movie, film.session.model)
    with (
        closing(ZarrStore.open(film.folder, key)) as source,
        closing(ZarrStore.open(folder, key)) as target,
    ):
        for frame in frames:
            digest = array_digest(film.movie.raw(frame))
            features = _require(source.read(frame, digest), frame)
            started = perf_counter()
            target.write(frame, digest, features)
            yield perf_counter() - started
