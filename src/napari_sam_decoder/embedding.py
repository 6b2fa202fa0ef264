"""The embedding of each frame: read from a store, or computed once and stored there."""

from __future__ import annotations

import logging
import time
from bisect import bisect_left
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Condition, Lock
from typing import TYPE_CHECKING, Protocol

import numpy as np

from napari_sam_decoder.axes import position_name
from napari_sam_decoder.cache import (
    CacheKey,
    EmbeddingStore,
    MemoryStore,
    Storage,
    ZarrStore,
    array_digest,
    cache_root,
    default_location,
    evict_least_recent,
    read_storage,
    size_limit,
)
from napari_sam_decoder.errors import (
    CacheMismatchError,
    ClosedError,
    DecodingError,
    SamDecoderError,
)
from napari_sam_decoder.model.values import Embedding

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Collection, Iterable, Iterator

    from napari_sam_decoder.frames import Movie, Window
    from napari_sam_decoder.thread_pool import ThreadPool

__all__ = [
    "EmbeddedFrame",
    "Embedder",
    "Encoder",
    "cache_key",
    "nearest_first",
    "open_store",
]

_LOG = logging.getLogger(__name__)


class Encoder(Protocol):
    """The part of `Sam` that computes embeddings."""

    @property
    def identity(self) -> str:
        """Name of the network and its weights; differs where results differ."""

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
        Time to read or compute its embedding.
    was_cached : bool
        Whether the store had the embedding already.
    """

    frame: int
    seconds: float
    was_cached: bool

    def __repr__(self) -> str:
        how = "cached" if self.was_cached else "computed"
        return f"EmbeddedFrame({self.frame}, {how} in {self.seconds:.3f} s)"


class Embedder:
    """The embeddings of one movie by one network; safe to use from several threads.

    Parameters
    ----------
    movie : Movie
        Read one frame at a time.
    sam : Encoder
        Usually a `Sam`; called only for frames that the store lacks.
    store : EmbeddingStore
        Opened for this movie and this network, see `open_store`.
    threads : ThreadPool, optional
        Where `fill` embeds several frames side by side; by default one at a time.
    overview : Movie, optional
        What is embedded, and digested, of frames that are large; by default the movie.
        The store belongs to it. Windows are cut out of the movie itself.
    """

    def __init__(
        self,
        movie: Movie,
        sam: Encoder,
        store: EmbeddingStore,
        threads: ThreadPool | None = None,
        overview: Movie | None = None,
    ) -> None:
        self._full = movie
        self._movie = overview or movie
        self._sam = sam
        self._store = store
        self._calls = _ActiveCalls(store.close)
        self._threads = threads
        self._encoding: dict[int, Lock] = {}
        self._windows: dict[Window, Embedder] = {}
        self._windows_lock = Lock()

    def at(self, window: Window) -> Embedder:
        """Return the embedder of a window of the frames; it is closed with this one.

        Raises
        ------
        CacheMismatchError, CacheCorruptError, FormatError
            If its part of the store cannot be opened.
        ClosedError
            If `close` was called.
        """
        with self._windows_lock, self._calls.entered():
            if window not in self._windows:
                self._windows[window] = Embedder(
                    self._full.cut(window),
                    self._sam,
                    self._store.part(window.name),
                    self._threads,
                )
            return self._windows[window]

    def get(self, frame: int) -> Embedding:
        """Return the embedding of a frame; compute and store it if necessary.

        Parameters
        ----------
        frame : int
            0 <= frame < len(movie).

        Returns
        -------
        Embedding
            Features of float32 or float16, as `Quantizer.dequantize` gives them: the
            same bits whether computed or read.

        Raises
        ------
        MovieError
            If there is no such frame.
        DecodingError
            If the network returns values that are not finite or cannot be stored.
        FormatError
            If the store cannot be written.
        ClosedError
            If `close` was called.
        """
        return self._fetch(frame, self._movie.raw(frame))[0]

    def get_with_pixels(self, frame: int) -> tuple[Embedding, np.ndarray]:
        """Return the embedding and the pixels of a frame, reading it once.

        Returns
        -------
        embedding : Embedding
        rgb : (Y, X, 3) array of uint8
            As the network sees it.

        Raises
        ------
        MovieError, DecodingError, FormatError, ClosedError
            As in `get`.
        """
        pixels = self._movie.raw(frame)
        return self._fetch(frame, pixels)[0], self._movie.as_rgb(pixels)

    def fill(self, frames: Iterable[int]) -> Iterator[EmbeddedFrame]:
        """Embed the frames that the store lacks.

        Frames that it has are verified by their checksums, so that afterwards all are
        known to be intact. Each step is complete in itself: close the iterator to
        cancel, and start again to continue. Closing waits for the frames in progress.

        Parameters
        ----------
        frames : iterable of int
            In the order in which they are embedded.

        Yields
        ------
        EmbeddedFrame
            After each frame, in the same order.

        Raises
        ------
        MovieError, DecodingError, FormatError, ClosedError
            As in `get`.
        """
        # Frames are read in order and by one thread: going back by a single frame is
        # slow in a video.
        work = ((frame, self._movie.raw(frame)) for frame in frames)
        if self._threads is None:
            yield from map(self._embed, work)
        else:
            yield from self._threads.imap(self._embed, work)

    def fill_windows(
        self, frames: Iterable[int], windows: Collection[Window]
    ) -> Iterator[EmbeddedFrame]:
        """Embed windows of frames, as `fill` does whole frames.

        Parameters
        ----------
        frames : iterable of int
            In the order in which they are embedded.
        windows : collection of Window
            Of each frame.

        Yields
        ------
        EmbeddedFrame
            After all windows of a frame.
        """
        for frame in frames:
            steps = [
                step for window in windows for step in self.at(window).fill([frame])
            ]
            seconds = sum(step.seconds for step in steps)
            yield EmbeddedFrame(frame, seconds, all(one.was_cached for one in steps))

    def is_embedded(self, frame: int) -> bool:
        """Whether the store has an embedding of a frame with its current pixels.

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

    def recorded(self) -> frozenset[int]:
        """Frames that the store has an embedding of, whatever their pixels are now."""
        return frozenset(self._store.present())

    def close(self, *, wait: bool = True) -> None:
        """Reject further calls, and close the store after the last call in progress.

        Parameters
        ----------
        wait : bool, default True
            Whether to return only then. Otherwise the store stays open, and its folder
            in use, as long as calls are in progress in other threads.
        """
        with self._windows_lock:
            windows = list(self._windows.values())
            self._calls.close(wait=wait)
        for embedder in windows:
            embedder.close(wait=wait)

    def _embed(self, work: tuple[int, np.ndarray]) -> EmbeddedFrame:
        frame, pixels = work
        started = time.perf_counter()
        _, was_cached = self._fetch(frame, pixels)
        return EmbeddedFrame(frame, time.perf_counter() - started, was_cached)

    def _fetch(self, frame: int, pixels: np.ndarray) -> tuple[Embedding, bool]:
        with self._calls.entered():
            digest = array_digest(pixels)
            features = self._store.read(frame, digest)
            was_cached = features is not None
            if features is None:
                features, was_cached = self._compute_once(frame, pixels, digest)
            return Embedding(features, self._movie.frame_shape), was_cached

    def _compute_once(
        self, frame: int, pixels: np.ndarray, digest: bytes
    ) -> tuple[np.ndarray, bool]:
        """Encode a frame, unless another thread just did."""
        with self._encoding.setdefault(frame, Lock()):
            features = self._store.read(frame, digest)
            if features is not None:
                return features, True
            _LOG.debug("embedding frame %d", frame)
            embedding = self._sam.encode(self._movie.as_rgb(pixels))
            try:
                return self._store.write(frame, digest, embedding.features), False
            except DecodingError as error:
                raise DecodingError(f"frame {frame}: {error}") from error


class _ActiveCalls:
    """Counts the calls in progress in all threads, and acts after the last one.

    Parameters
    ----------
    at_end : callable
        Called once, when no further calls are allowed and none is in progress.
    """

    def __init__(self, at_end: Callable[[], None]) -> None:
        self._at_end = at_end
        self._changed = Condition()
        self._active = 0
        self._is_closed = False
        self._is_over = False

    @contextmanager
    def entered(self) -> Iterator[None]:
        """Count a call as in progress within the context.

        Raises
        ------
        ClosedError
            If no further calls are allowed.
        """
        with self._changed:
            if self._is_closed:
                raise ClosedError("this session is closed; open another one")
            self._active += 1
        try:
            yield
        finally:
            with self._changed:
                self._active -= 1
                self._end_after_last()

    def close(self, *, wait: bool) -> None:
        """Allow no further calls."""
        with self._changed:
            self._is_closed = True
            self._end_after_last()
            if wait:
                self._changed.wait_for(lambda: self._is_over)

    def _end_after_last(self) -> None:
        if self._is_closed and not self._active and not self._is_over:
            self._at_end()
            self._is_over = True
            self._changed.notify_all()


def nearest_first(frames: Iterable[int], focus: Callable[[], int]) -> Iterator[int]:
    """Yield frames in order of their distance from the frame in view.

    Parameters
    ----------
    frames : iterable of int
        Each is yielded once.
    focus : callable
        Called before each step; returns the frame that is in view at that moment.

    Yields
    ------
    int
        The remaining frame that is nearest to the focus; of two the later one.
    """
    waiting = sorted(set(frames))
    while waiting:
        centre = focus()
        place = bisect_left(waiting, centre)
        is_last = place == len(waiting)
        if is_last or (
            place > 0 and centre - waiting[place - 1] < waiting[place] - centre
        ):
            place -= 1
        yield waiting.pop(place)


_CHECKED_FRAMES = 16


def cache_key(movie: Movie, sam: Encoder, storage: Storage = Storage.INT8) -> CacheKey:
    """Build the key of the embeddings of a movie by a network."""
    return CacheKey(
        model=sam.identity,
        contrast=(float(movie.contrast.low), float(movie.contrast.high)),
        frames=len(movie),
        frame_shape=movie.frame_shape,
        dtype=str(movie.dtype),
        axes=movie.axes,
        embedding_shape=sam.embedding_shape,
        storage=storage,
        position=position_name(movie.position),
    )


def open_store(
    movie: Movie,
    sam: Encoder,
    cache: str | os.PathLike[str] | None = None,
    storage: str | None = None,
) -> EmbeddingStore:
    """Open the store of the embeddings of a movie.

    Parameters
    ----------
    movie : Movie
        Its contrast is part of the key of the cache.
    sam : Encoder
        Usually a `Sam`.
    cache : path or "auto", optional
        Folder of a cache, created if it is missing or empty. "auto" gives each movie a
        folder in the user's cache folder, see `cache_root`; the least recently used
        caches there are removed to free space, see `size_limit`. By default embeddings
        are kept in memory.
    storage : str, optional
        Number type to which embeddings are rounded, see `Storage`. By default that of
        an existing cache, else int8.

    Raises
    ------
    CacheMismatchError
        If the cache was created for other settings, another model or another movie, or
        the folder is not a cache.
    CacheCorruptError
        If the cache is damaged as a whole.
    FormatError
        If the disk cannot be written.
    OptionError
        If the size limit is not a number, or the storage is unknown.
    """
    there = read_storage(cache) if cache not in (None, "auto") else None
    wanted = Storage.of(storage) if storage else there or Storage.INT8
    key = cache_key(movie, sam, wanted)
    if cache is None:
        return MemoryStore(key.quantizer)
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
    place = default_location(key, [array_digest(movie.raw(frame)) for frame in telling])
    if not place.exists():
        evict_least_recent(cache_root(), size_limit())
    return place


def _require_same_movie(movie: Movie, store: ZarrStore) -> None:
    """Reject a cache if none of the frames compared has the pixels of this movie.

    Some frames may have changed; if all did, it is another movie. A single recorded
    frame is too little to tell.
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
            f"the embedding cache {store.path} was created for another movie: the "
            f"pixels of all {len(recorded)} frames compared differ; choose another "
            f"folder, or remove the cache with `napari-sam-decoder cache clear "
            f"{store.path}`"
        )


def _spread(frames: list[int]) -> list[int]:
    """Choose up to 16 entries, evenly spaced, including the first and the last."""
    picks = np.linspace(0, len(frames) - 1, min(len(frames), _CHECKED_FRAMES))
    return [frames[int(pick)] for pick in picks]
