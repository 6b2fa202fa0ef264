"""The embedding of each frame: read from a store, or computed once and kept there."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np

from napari_sam_decoder.cache import (
    CacheKey,
    EmbeddingStore,
    MemoryStore,
    ZarrStore,
    array_digest,
    as_stored,
    cache_root,
    default_place,
    make_room,
    size_limit,
)
from napari_sam_decoder.errors import CacheMismatchError, DecodingError, SamDecoderError
from napari_sam_decoder.model.values import Embedding

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Iterator

    from napari_sam_decoder.frames import Movie

__all__ = ["EmbeddedFrame", "Embedder", "Encoder", "cache_key", "open_store"]

_CHECKED_FRAMES = 16


class Encoder(Protocol):
    """The part of `Sam` that makes embeddings."""

    @property
    def identity(self) -> str:
        """Name of the network and its weights, other for other results."""

    @property
    def embedding_shape(self) -> tuple[int, int, int]:
        """(channels, rows, columns) of an embedding."""

    def encode(self, frame: np.ndarray, /) -> Embedding:
        """Embed one (Y, X, 3) uint8 frame."""


@dataclass(frozen=True)
class EmbeddedFrame:
    """One step of `Embedder.fill`.

    Attributes
    ----------
    frame : int
        Frame of the movie, from 0.
    seconds : float
        Time that it took to read or to compute its embedding.
    was_cached : bool
        Whether the store had it already.
    """

    frame: int
    seconds: float
    was_cached: bool


class Embedder:
    """The embeddings of one movie by one network.

    Parameters
    ----------
    movie : Movie
        Read one frame at a time.
    sam : Encoder
        Usually a `Sam`; asked only for frames that the store lacks.
    store : EmbeddingStore
        Made for this movie and this network, see `open_store`.
    """

    def __init__(self, movie: Movie, sam: Encoder, store: EmbeddingStore) -> None:
        self._movie = movie
        self._sam = sam
        self._store = store

    def get(self, frame: int) -> Embedding:
        """Return the embedding of a frame; compute and keep it if need be.

        Parameters
        ----------
        frame : int
            0 <= frame < len(movie).

        Returns
        -------
        Embedding
            Features of float16, the same bits whether computed or read.

        Raises
        ------
        MovieError
            If there is no such frame.
        DecodingError
            If the network gives values that are not finite in float16.
        FormatError
            If the store cannot be written.
        """
        return self._fetch(frame)[0]

    def fill(self, frames: Iterable[int]) -> Iterator[EmbeddedFrame]:
        """Embed the frames that the store lacks.

        Frames that it has are read through their checksums, so that afterwards all
        are known to be sound. Each step is complete in itself: close the iterator to
        cancel, and start again to go on.

        Parameters
        ----------
        frames : iterable of int
            In the order of the work.

        Yields
        ------
        EmbeddedFrame
            After each frame.

        Raises
        ------
        MovieError, DecodingError, FormatError
            As `get` does.
        """
        for frame in frames:
            started = time.perf_counter()
            _, was_cached = self._fetch(frame)
            yield EmbeddedFrame(frame, time.perf_counter() - started, was_cached)

    def is_embedded(self, frame: int) -> bool:
        """Whether the store has a record of a frame with the pixels of now.

        Parameters
        ----------
        frame : int
            0 <= frame < len(movie).

        Raises
        ------
        MovieError
            If there is no such frame.
        """
        digest = array_digest(self._movie.raw(frame))
        return self._store.recorded_digest(frame) == digest

    def close(self) -> None:
        """Close the store."""
        self._store.close()

    def _fetch(self, frame: int) -> tuple[Embedding, bool]:
        digest = array_digest(self._movie.raw(frame))
        features = self._store.read(frame, digest)
        was_cached = features is not None
        if features is None:
            features = self._compute(frame)
            self._store.write(frame, digest, features)
        return Embedding(features, self._movie.frame_shape), was_cached

    def _compute(self, frame: int) -> np.ndarray:
        features = as_stored(self._sam.encode(self._movie.rgb(frame)).features)
        if not np.isfinite(features).all():
            raise DecodingError(
                f"the embedding of frame {frame} has values that are not finite; "
                "compute in float32, or check the checkpoint"
            )
        return features


def cache_key(movie: Movie, sam: Encoder) -> CacheKey:
    """Collect what all embeddings of a movie by a network depend on."""
    return CacheKey(
        model=sam.identity,
        contrast=(float(movie.contrast.low), float(movie.contrast.high)),
        frames=len(movie),
        frame_shape=movie.frame_shape,
        dtype=str(movie.dtype),
        axes=movie.axes,
        embedding_shape=sam.embedding_shape,
    )


def open_store(
    movie: Movie, sam: Encoder, cache: str | os.PathLike[str] | None = None
) -> EmbeddingStore:
    """Open the place where the embeddings of a movie are kept.

    Parameters
    ----------
    movie : Movie
        Its contrast must be settled: it is part of what the cache is made for.
    sam : Encoder
        Usually a `Sam`.
    cache : path or "auto", optional
        Folder of a cache, made if it is absent or empty. "auto" gives each movie a
        place of its own in the user's cache folder, see `cache_root`, and makes room
        there first by removing the least recently used caches, see `size_limit`.
        By default embeddings stay in memory.

    Raises
    ------
    CacheMismatchError
        If the cache was made for other settings, another model or another movie, or
        the folder is no cache.
    CacheCorruptError
        If the cache is damaged as a whole.
    FormatError
        If the disk cannot be written.
    OptionError
        If the size limit is no number.
    """
    if cache is None:
        return MemoryStore()
    key = cache_key(movie, sam)
    place = _own_place(movie, key) if cache == "auto" else Path(cache)
    store = ZarrStore.open(place, key)
    try:
        _require_same_movie(movie, store)
    except SamDecoderError:
        store.close()
        raise
    return store


def _own_place(movie: Movie, key: CacheKey) -> Path:
    telling = (0, len(movie) // 2, len(movie) - 1)
    place = default_place(key, [array_digest(movie.raw(frame)) for frame in telling])
    if not place.exists():
        make_room(cache_root(), size_limit())
    return place


def _require_same_movie(movie: Movie, store: ZarrStore) -> None:
    """Refuse a cache of which no frame looked at has the pixels of this movie.

    Some frames may have changed; that all did is the sign of another movie. One
    recorded frame alone is too little to tell.
    """
    recorded = {
        frame: digest
        for frame in _spread(sorted(store.present()))
        if (digest := store.recorded_digest(frame)) is not None
    }
    is_same = any(
        array_digest(movie.raw(frame)) == digest for frame, digest in recorded.items()
    )
    if len(recorded) >= 2 and not is_same:
        raise CacheMismatchError(
            f"the embedding cache {store.path} was made for another movie: the pixels "
            f"of all {len(recorded)} frames looked at differ; choose another folder, "
            f"or remove the cache with `napari-sam-decoder cache clear {store.path}`"
        )


def _spread(frames: list[int]) -> list[int]:
    """Pick up to 16 entries at even distances, the first and the last among them."""
    picks = np.linspace(0, len(frames) - 1, min(len(frames), _CHECKED_FRAMES))
    return [frames[int(pick)] for pick in picks]
