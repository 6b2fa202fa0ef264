"""Embeddings in a zarr group on disk, safe against kills and other processes."""

from __future__ import annotations

import errno
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np

from napari_sam_decoder.cache import layout
from napari_sam_decoder.cache.key import DIGEST_SIZE, CacheKey
from napari_sam_decoder.cache.lock import FolderLock
from napari_sam_decoder.errors import (
    CacheCorruptError,
    CacheMismatchError,
    FormatError,
    SamDecoderError,
    is_corruption,
    wrap_os_errors,
)

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator, Mapping

    import zarr

    from napari_sam_decoder.cache.quantization import Quantizer

__all__ = ["FrameRecords", "FrameState", "ZarrStore"]

FrameState = Literal["ok", "corrupt", "absent"]

_LOG = logging.getLogger(__name__)


class FrameRecords:
    """The rows of a cache, wherever they are; see `layout` for where they can be.

    Parameters
    ----------
    path : Path
        Folder of a cache that is there.
    key : CacheKey
        What the cache holds.

    Raises
    ------
    CacheCorruptError
        If the arrays are gone, unreadable or of another shape than the key says.
    """

    def __init__(self, path: Path, key: CacheKey) -> None:
        self._path = path
        self._loose, self._packed = layout.open_arrays(path, key)

    def all_of(self, frame: int) -> Iterator[np.ndarray | None]:
        """Yield what there is of a frame, the newest first.

        Yields
        ------
        (N,) array of uint8, or None
            None for a row that fails its checksum.
        """
        for array, file in (
            (self._loose, layout.frame_path(self._path, frame)),
            (self._packed, layout.shard_path(self._path, frame)),
        ):
            # A missing file reads as zeros, so only the file itself tells.
            if self._exists(file):
                row = self._read(array, frame)
                # Another process may have packed the frame meanwhile.
                if row is not None or self._exists(file):
                    yield row

    def sound(self, frame: int) -> np.ndarray | None:
        """Return the newest row of a frame that can be read, if any."""
        return next((row for row in self.all_of(frame) if row is not None), None)

    def write(self, frame: int, row: np.ndarray) -> None:
        """Put a row into a file of its own.

        Raises
        ------
        OSError
            If the disk cannot be written.
        """
        self._loose[frame] = row

    def pack_shard(self, frames: range) -> None:
        """Move the rows of one shard into it; those that are there are kept.

        Each step leaves every frame readable: the shard appears whole, and only then
        do the files go that it replaces.

        Parameters
        ----------
        frames : range
            All frames of the shard.

        Raises
        ------
        CacheCorruptError
            If one of them is missing or damaged.
        OSError
            If the disk cannot be written.
        """
        files = [layout.frame_path(self._path, frame) for frame in frames]
        loose = [file for file in files if file.exists()]
        if not loose:
            return
        rows = np.stack([self._required(frame) for frame in frames])
        self._packed[frames.start : frames.stop] = rows
        for file in loose:
            file.unlink(missing_ok=True)

    def _required(self, frame: int) -> np.ndarray:
        row = self.sound(frame)
        if row is None:
            raise CacheCorruptError(
                f"frame {frame} of the embedding cache {self._path} is missing or "
                "damaged; embed the movie again with `napari-sam-decoder embed`, which "
                "computes what is not sound, and then compact the cache"
            )
        return row

    def _exists(self, file: Path) -> bool:
        with wrap_os_errors(f"cannot read the embedding cache {self._path}"):
            return file.exists()

    def _read(self, array: zarr.Array, frame: int) -> np.ndarray | None:
        try:
            row = np.asarray(array[frame])
        except OSError as error:
            # A file that is too short, or in a bad place of the disk.
            if error.errno in (errno.EINVAL, errno.EIO):
                return None
            with wrap_os_errors(f"cannot read the embedding cache {self._path}"):
                raise
        except Exception as error:
            if not is_corruption(error):
                raise
            return None
        return row if row[:DIGEST_SIZE].any() else None


class ZarrStore:
    """Embeddings on disk, each with the digest of the pixels that it is of.

    A frame is one file, which appears whole or not at all. So a process may be killed
    at any moment, and several may write the same cache at once: what is damaged, or of
    other pixels, is taken for absent. Make one with `open` or `open_existing`.

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
            _require_same(path, key, layout.stored_key(path) or {})
            self._rows = FrameRecords(path, key)
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
            stored = layout.stored_key(folder)
            if stored is None:
                layout.create(folder, key)
            else:
                _require_same(folder, key, stored)
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
            If the folder is no cache, or one of another version of this package.
        CacheCorruptError
            If the cache is damaged as a whole.
        FormatError
            If the folder cannot be read.
        """
        folder = _absolute(path)
        while True:
            key = layout.read_key(folder)
            layout.require_current_version(folder, key.version)
            lock = _hold(folder)
            if lock is not None:
                return cls(folder, key, lock)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def read(self, frame: int, digest: bytes) -> np.ndarray | None:
        """See `EmbeddingStore.read`; damage is logged."""
        for row in self._rows.all_of(frame):
            if row is None:
                _LOG.warning("frame %d of %s is damaged", frame, self.path)
            elif _pixels_digest(row) == digest:
                return self._quantizer.dequantize(row[DIGEST_SIZE:])
        return None

    def write(self, frame: int, digest: bytes, features: np.ndarray) -> np.ndarray:
        """See `EmbeddingStore.write`.

        Raises
        ------
        CacheMismatchError
            If the features have another shape than the cache was made for.
        FormatError
            If the disk cannot be written.
        """
        if features.shape != self.key.embedding_shape:
            raise CacheMismatchError(
                f"an embedding of shape {features.shape} does not fit the cache "
                f"{self.path} of {self.key.embedding_shape}; choose another folder"
            )
        packed = self._quantizer.quantize(features)
        row = np.concatenate([np.frombuffer(digest, np.uint8), packed])
        with wrap_os_errors(f"cannot write frame {frame} to the cache {self.path}"):
            self._rows.write(frame, row)
        return self._quantizer.dequantize(packed)

    def recorded_digest(self, frame: int) -> bytes | None:
        """See `EmbeddingStore.recorded_digest`."""
        row = self._rows.sound(frame)
        return None if row is None else _pixels_digest(row)

    def present(self) -> set[int]:
        """See `EmbeddingStore.present`."""
        return layout.recorded_frames(self.path, self.key)

    def check(self, frame: int) -> FrameState:
        """Read a frame through its checksums.

        Parameters
        ----------
        frame : int
            Frame of the movie, from 0.

        Returns
        -------
        {"ok", "corrupt", "absent"}
            "corrupt" if some of what there is of a frame is damaged.
        """
        rows = list(self._rows.all_of(frame))
        if not rows:
            return "absent"
        return "corrupt" if any(row is None for row in rows) else "ok"

    def close(self) -> None:
        """Let other processes clear the cache; nothing is left to be written."""
        self._lock.close()

    @property
    def _quantizer(self) -> Quantizer:
        return self.key.quantizer


def _absolute(path: str | os.PathLike[str]) -> Path:
    return Path(path).expanduser().resolve()


def _hold(path: Path) -> FolderLock | None:
    """Share the lock of a cache and tidy up; None if the cache went away meanwhile."""
    try:
        with wrap_os_errors(f"cannot open the embedding cache {path}"):
            lock = FolderLock(layout.lock_path(path))
    except FormatError as error:
        if not isinstance(error.__cause__, FileNotFoundError):
            raise
        if layout.stored_key(path) is None:
            return None
        raise layout.corrupt_cache_error(path) from None
    occupancy = lock.try_alone()
    if occupancy != "shared":
        layout.remove_partial_files(path, is_alone=occupancy == "alone")
    if not lock.share():
        lock.close()
        return None
    lock.touch()
    return lock


def _require_same(path: Path, key: CacheKey, stored: Mapping[str, Any]) -> None:
    layout.require_current_version(path, stored.get("version"))
    differences = key.differences(stored)
    if differences:
        raise CacheMismatchError(
            f"the embedding cache {path} was made for another job:\n  "
            + "\n  ".join(differences)
            + "\nchoose another folder, or remove the cache with "
            f"`napari-sam-decoder cache clear {path}`"
        )


def _pixels_digest(row: np.ndarray) -> bytes:
    return row[:DIGEST_SIZE].tobytes()
