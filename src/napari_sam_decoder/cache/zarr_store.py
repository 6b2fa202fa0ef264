"""Embeddings in a zarr group on disk, safe against kills and other processes."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Self

import numpy as np

from napari_sam_decoder.cache import layout
from napari_sam_decoder.cache.key import DIGEST_SIZE, CacheKey, array_digest
from napari_sam_decoder.cache.lock import FolderLock
from napari_sam_decoder.cache.store import as_stored
from napari_sam_decoder.errors import CacheMismatchError, FormatError, SamDecoderError

if TYPE_CHECKING:
    import os

    import zarr

__all__ = ["FrameState", "ZarrStore"]

FrameState = Literal["ok", "corrupt", "absent"]

_LOG = logging.getLogger(__name__)


class ZarrStore:
    """Embeddings on disk, one file per frame, and a record of each frame.

    A frame counts as present only by its own record, which is written after the
    embedding and holds its digest. So a process may be killed at any moment, and
    several may write the same cache at once: what does not match its record is taken
    for absent. Make one with `open` or `open_existing`.

    Parameters
    ----------
    path : Path
        Folder of a cache that is there.
    key : CacheKey
        What the cache holds.
    lock : FolderLock
        Shared already; the store lets go of it when closed.

    Raises
    ------
    CacheMismatchError
        If the cache was made for another key.
    CacheCorruptError
        If the arrays are gone, unreadable or of another shape than the key says.
    """

    def __init__(self, path: Path, key: CacheKey, lock: FolderLock) -> None:
        self.path = path
        self.key = key
        self._lock = lock
        try:
            # Only under the lock is it certain that this cache will stay.
            _require_same(path, key)
            self._embeddings, self._records = layout.open_arrays(path, key)
        except SamDecoderError:
            # Whoever handles the error may want to clear the cache at once.
            lock.close()
            raise

    @classmethod
    def open(cls, path: str | os.PathLike[str], key: CacheKey) -> Self:
        """Open the cache of a job; make it if there is none.

        Parameters
        ----------
        path : path
            A cache made for the same key, or an absent or empty folder.
        key : CacheKey
            What the embeddings of this job depend on.

        Raises
        ------
        CacheMismatchError
            If the cache was made for another key, or the folder is no cache.
        CacheCorruptError
            If the cache is damaged as a whole.
        FormatError
            If the disk cannot be written.
        """
        folder = _absolute(path)
        while True:
            if layout.stored_key(folder) is None:
                layout.create(folder, key)
            lock = _hold(folder)
            if lock is not None:
                return cls(folder, key, lock)

    @classmethod
    def open_existing(cls, path: str | os.PathLike[str]) -> Self:
        """Open a cache for whatever job it was made.

        Parameters
        ----------
        path : path
            Folder of a cache.

        Raises
        ------
        CacheMismatchError
            If the folder is no cache.
        CacheCorruptError
            If the cache is damaged as a whole.
        FormatError
            If the folder cannot be read.
        """
        folder = _absolute(path)
        while True:
            key = layout.read_key(folder)
            lock = _hold(folder)
            if lock is not None:
                return cls(folder, key, lock)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def read(self, frame: int, digest: bytes) -> np.ndarray | None:
        """See `EmbeddingStore.read`; damage is logged."""
        record = _load(self._records, frame)
        if record is not None and _pixels_digest(record) != digest:
            return None
        features = None if record is None else self._matching(frame, record)
        if features is None:
            _LOG.warning(
                "frame %d of %s is damaged and counts as absent", frame, self.path
            )
        return features

    def write(self, frame: int, digest: bytes, features: np.ndarray) -> None:
        """See `EmbeddingStore.write`.

        Raises
        ------
        CacheMismatchError
            If the features have another shape than the cache was made for.
        FormatError
            If the disk cannot be written.
        """
        features = as_stored(features)
        if features.shape != self.key.embedding_shape:
            raise CacheMismatchError(
                f"an embedding of shape {features.shape} does not fit the cache "
                f"{self.path} of {self.key.embedding_shape}; choose another folder"
            )
        record = np.frombuffer(digest + array_digest(features), np.uint8)
        try:
            self._erase_record(frame)
            self._embeddings[frame] = features
            self._records[frame] = record
        except OSError as error:
            raise FormatError(
                f"cannot write frame {frame} to the embedding cache {self.path}: "
                f"{error}; make room or choose another folder; frames written before "
                "are kept"
            ) from error

    def recorded_digest(self, frame: int) -> bytes | None:
        """See `EmbeddingStore.recorded_digest`."""
        record = _load(self._records, frame)
        return None if record is None or not record.any() else _pixels_digest(record)

    def present(self) -> set[int]:
        """See `EmbeddingStore.present`."""
        return layout.recorded_frames(self.path) & set(range(self.key.frames))

    def check(self, frame: int) -> FrameState:
        """Read a frame through its checksums and compare it with its record.

        Parameters
        ----------
        frame : int
            Frame of the movie, from 0.

        Returns
        -------
        {"ok", "corrupt", "absent"}
            "absent" if the frame has no record.
        """
        record = _load(self._records, frame)
        if record is None:
            return "corrupt"
        if not record.any():
            return "absent"
        return "corrupt" if self._matching(frame, record) is None else "ok"

    def close(self) -> None:
        """Let other processes clear the cache; nothing is left to be written."""
        self._lock.close()

    def _matching(self, frame: int, record: np.ndarray) -> np.ndarray | None:
        features = _load(self._embeddings, frame)
        if features is None or array_digest(features) != record[DIGEST_SIZE:].tobytes():
            return None
        return features

    def _erase_record(self, frame: int) -> None:
        """Keep an old record from standing beside a new embedding if we are killed."""
        layout.record_path(self.path, frame).unlink(missing_ok=True)


def _absolute(path: str | os.PathLike[str]) -> Path:
    return Path(path).expanduser().resolve()


def _hold(path: Path) -> FolderLock | None:
    """Share the lock of a cache and tidy up; None if the cache went away meanwhile."""
    try:
        lock = FolderLock(layout.lock_path(path))
    except FileNotFoundError:
        if layout.stored_key(path) is None:
            return None
        raise layout.damaged(path) from None
    except OSError as error:
        raise FormatError(
            f"cannot open the embedding cache {path}: {error}; choose another folder"
        ) from error
    occupancy = lock.try_alone()
    if occupancy != "shared":
        layout.sweep_partials(path, is_alone=occupancy == "alone")
    if not lock.share():
        lock.close()
        return None
    lock.touch()
    return lock


def _require_same(path: Path, key: CacheKey) -> None:
    differences = key.differences(layout.stored_key(path) or {})
    if differences:
        raise CacheMismatchError(
            f"the embedding cache {path} was made for another job:\n  "
            + "\n  ".join(differences)
            + "\nchoose another folder, or remove the cache with "
            f"`napari-sam-decoder cache clear {path}`"
        )


def _load(array: zarr.Array, frame: int) -> np.ndarray | None:
    """Read one chunk; None if it fails its checksum or cannot be read."""
    try:
        return np.asarray(array[frame])
    except (ValueError, RuntimeError, OSError):
        return None


def _pixels_digest(record: np.ndarray) -> bytes:
    return record[:DIGEST_SIZE].tobytes()
