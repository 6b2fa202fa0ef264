"""Embeddings in a zarr group on disk, safe from kills and shared by processes."""

from __future__ import annotations

import errno
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np

from napari_sam_decoder.cache import layout
from napari_sam_decoder.cache.key import DIGEST_SIZE, CacheKey
from napari_sam_decoder.errors import (
    CacheCorruptError,
    CacheMismatchError,
    FormatError,
    SamDecoderError,
    is_corruption,
    wrap_os_errors,
)
from napari_sam_decoder.file_lock import FileLock

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator, Mapping

    import zarr

    from napari_sam_decoder.cache.quantization import Quantizer

__all__ = ["FrameRecords", "FrameState", "ZarrStore"]

FrameState = Literal["ok", "corrupt", "absent"]

_LOG = logging.getLogger(__name__)


class FrameRecords:
    """The records of a cache, single or packed; see `layout`.

    Parameters
    ----------
    path : Path
        Folder of an existing cache.
    key : CacheKey
        What the cache holds.

    Raises
    ------
    CacheCorruptError
        If the arrays are missing, unreadable or of another shape than the key says.
    """

    def __init__(self, path: Path, key: CacheKey) -> None:
        self._path = path
        self._single, self._packed = layout.open_arrays(path, key)

    def all_of(self, frame: int) -> Iterator[np.ndarray | None]:
        """Yield all records of a frame, the newest first.

        Yields
        ------
        (N,) array of uint8, or None
            None for a damaged record.
        """
        for array, file in (
            (self._single, layout.frame_path(self._path, frame)),
            (self._packed, layout.shard_path(self._path, frame)),
        ):
            # A missing file reads as zeros, so only the file itself tells.
            if self._exists(file):
                record = self._read(array, frame)
                # Another process may have packed the frame meanwhile.
                if record is not None or self._exists(file):
                    yield record

    def newest(self, frame: int) -> np.ndarray | None:
        """Return the newest intact record of a frame, if any."""
        return next(
            (record for record in self.all_of(frame) if record is not None), None
        )

    def write(self, frame: int, record: np.ndarray) -> None:
        """Write the record of a frame into a file of its own.

        Raises
        ------
        OSError
            If the disk cannot be written.
        """
        self._single[frame] = record

    def pack_shard(self, frames: range) -> None:
        """Move records into their shard.

        Every frame stays readable: the shard is written whole, and only then are the
        files removed that it replaces.

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
        single = [file for file in files if file.exists()]
        if not single:
            return
        records = np.stack([self._required(frame) for frame in frames])
        self._packed[frames.start : frames.stop] = records
        for file in single:
            file.unlink(missing_ok=True)

    def _required(self, frame: int) -> np.ndarray:
        record = self.newest(frame)
        if record is None:
            raise CacheCorruptError(
                f"frame {frame} of the embedding cache {self._path} is missing or "
                "damaged; run `napari-sam-decoder embed` again, which computes what is "
                "missing, and then compact the cache"
            )
        return record

    def _exists(self, file: Path) -> bool:
        with wrap_os_errors(f"cannot read the embedding cache {self._path}"):
            return file.exists()

    def _read(self, array: zarr.Array, frame: int) -> np.ndarray | None:
        try:
            record = np.asarray(array[frame])
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
        return record if record[:DIGEST_SIZE].any() else None


class ZarrStore:
    """Embeddings on disk, each with the digest of its pixels.

    A frame is one file, which is written whole or not at all. A process can therefore
    be killed at any moment, and several can write to the same cache at once. Whatever
    is damaged, or of other pixels, counts as absent. Create with `open` or
    `open_existing`.

    Parameters
    ----------
    path : Path
        Folder of an existing cache.
    key : CacheKey
        What the cache holds.
    lock : FileLock
        Already shared; released when the store is closed.

    Raises
    ------
    CacheMismatchError
        If the cache was created for another key.
    CacheCorruptError
        If the arrays are missing, unreadable or of another shape than the key says.
    """

    def __init__(self, path: Path, key: CacheKey, lock: FileLock) -> None:
        self.path = path
        self.key = key
        self._lock = lock
        try:
            # Without the lock another process could remove or replace the cache.
            _require_same(path, key, layout.stored_key(path) or {})
            self._records = FrameRecords(path, key)
        except SamDecoderError:
            # The caller may want to clear the cache at once.
            lock.close()
            raise

    @classmethod
    def open(cls, path: str | os.PathLike[str], key: CacheKey) -> Self:
        """Open the cache of a job; create it if there is none.

        Parameters
        ----------
        path : path
            A cache created for the same key, or a missing or empty folder.
        key : CacheKey
            What the embeddings of the job depend on.

        Raises
        ------
        CacheMismatchError
            If the cache was created for another key, or the folder is not a cache.
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
        """Open a cache, whatever job it was created for.

        Parameters
        ----------
        path : path
            Folder of a cache.

        Raises
        ------
        CacheMismatchError
            If the folder is not a cache, or one of another version of this package.
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
        for record in self._records.all_of(frame):
            if record is None:
                _LOG.warning("frame %d of %s is damaged", frame, self.path)
            elif _pixels_digest(record) == digest:
                return self._quantizer.dequantize(record[DIGEST_SIZE:])
        return None

    def write(self, frame: int, digest: bytes, features: np.ndarray) -> np.ndarray:
        """See `EmbeddingStore.write`.

        Raises
        ------
        CacheMismatchError
            If the features do not have the shape of the cache.
        FormatError
            If the disk cannot be written.
        """
        if features.shape != self.key.embedding_shape:
            raise CacheMismatchError(
                f"an embedding of shape {features.shape} does not fit the cache "
                f"{self.path} of {self.key.embedding_shape}; choose another folder"
            )
        quantized = self._quantizer.quantize(features)
        record = np.concatenate([np.frombuffer(digest, np.uint8), quantized])
        with wrap_os_errors(f"cannot write frame {frame} to the cache {self.path}"):
            self._records.write(frame, record)
        return self._quantizer.dequantize(quantized)

    def recorded_digest(self, frame: int) -> bytes | None:
        """See `EmbeddingStore.recorded_digest`."""
        record = self._records.newest(frame)
        return None if record is None else _pixels_digest(record)

    def present(self) -> set[int]:
        """See `EmbeddingStore.present`."""
        return layout.recorded_frames(self.path, self.key)

    def part(self, name: str) -> ZarrStore:
        """See `EmbeddingStore.part`.

        Raises
        ------
        CacheMismatchError, CacheCorruptError, FormatError
            As in `open`.
        """
        return ZarrStore.open(layout.part_path(self.path, name), self.key)

    def check(self, frame: int) -> FrameState:
        """Read a frame through its checksums.

        Parameters
        ----------
        frame : int
            Frame of the movie, from 0.

        Returns
        -------
        {"ok", "corrupt", "absent"}
            "corrupt" if any record of the frame is damaged.
        """
        records = list(self._records.all_of(frame))
        if not records:
            return "absent"
        return "corrupt" if any(record is None for record in records) else "ok"

    def close(self) -> None:
        """Release the lock, so that other processes can remove the cache."""
        self._lock.close()

    @property
    def _quantizer(self) -> Quantizer:
        return self.key.quantizer


def _absolute(path: str | os.PathLike[str]) -> Path:
    return Path(path).expanduser().resolve()


def _hold(path: Path) -> FileLock | None:
    """Lock a cache and tidy it up; None if it was removed in the meantime."""
    try:
        with wrap_os_errors(f"cannot open the embedding cache {path}"):
            lock = FileLock(layout.lock_path(path))
    except FormatError as error:
        if not isinstance(error.__cause__, FileNotFoundError):
            raise
        if layout.stored_key(path) is None:
            return None
        raise layout.corrupt_cache_error(path) from None
    exclusivity = lock.try_exclusive()
    if exclusivity != "in use":
        layout.remove_partial_files(path, is_alone=exclusivity == "exclusive")
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
            f"the embedding cache {path} was created for another job:\n  "
            + "\n  ".join(differences)
            + f"\n{_remedy(key, stored)}choose another folder, or remove the cache "
            f"with `napari-sam-decoder cache clear {path}`"
        )


def _remedy(key: CacheKey, stored: Mapping[str, Any]) -> str:
    """What makes a job agree with a cache, if that is the number type alone."""
    model = str(stored.get("model"))
    if key.differences({**stored, "model": key.model}):
        return ""
    weights, _, number = model.rpartition(" ")
    is_same = bool(weights) and weights == key.model.rpartition(" ")[0]
    return f"compute in the precision {number!r}, " if is_same else ""


def _pixels_digest(record: np.ndarray) -> bytes:
    return record[:DIGEST_SIZE].tobytes()
