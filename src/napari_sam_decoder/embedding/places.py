"""Where the embeddings of a movie by a network are kept."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from napari_sam_decoder.cache import (
    CacheKey,
    EmbeddingStore,
    MemoryStore,
    Storage,
    ZarrStore,
    array_digest,
    cache_root,
    default_place,
    make_room,
    size_limit,
    storage_of,
)
from napari_sam_decoder.errors import CacheMismatchError, SamDecoderError

if TYPE_CHECKING:
    import os

    from napari_sam_decoder.embedding.embedder import Encoder
    from napari_sam_decoder.frames import Movie

__all__ = ["cache_key", "open_store"]

_LOG = logging.getLogger(__name__)

_CHECKED_FRAMES = 16


def cache_key(movie: Movie, sam: Encoder, storage: Storage = Storage.INT8) -> CacheKey:
    """Collect what all embeddings of a movie by a network depend on."""
    return CacheKey(
        model=sam.identity,
        contrast=(float(movie.contrast.low), float(movie.contrast.high)),
        frames=len(movie),
        frame_shape=movie.frame_shape,
        dtype=str(movie.dtype),
        axes=movie.axes,
        embedding_shape=sam.embedding_shape,
        storage=storage,
    )


def open_store(
    movie: Movie,
    sam: Encoder,
    cache: str | os.PathLike[str] | None = None,
    storage: str | None = None,
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
    storage : str, optional
        What embeddings are rounded to, a `Storage`. By default int8, or what a cache
        that is there already has.

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
        If the size limit is no number, or there is no such storage.
    """
    there = storage_of(cache) if cache not in (None, "auto") else None
    wanted = Storage.of(storage) if storage else there or Storage.INT8
    key = cache_key(movie, sam, wanted)
    if cache is None:
        return MemoryStore(key.packing)
    place = _own_place(movie, key) if cache == "auto" else Path(cache)
    _LOG.info("embeddings are kept in %s", place)
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
