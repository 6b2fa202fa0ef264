"""All that a cache keeps of a frame, as one row of bytes in the files of the cache.

Files are written through zarr and read past it, by the same codecs: the detours that
zarr makes through its threads would take more than half the time of a read.
"""

from __future__ import annotations

import errno
import os
from contextlib import suppress
from typing import TYPE_CHECKING

import numpy as np

from napari_sam_decoder.cache import layout
from napari_sam_decoder.cache.key import DIGEST_SIZE
from napari_sam_decoder.errors import CacheCorruptError
from napari_sam_decoder.failures import explaining

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from napari_sam_decoder.cache.key import CacheKey

__all__ = ["FrameRows"]

_CHECKSUM_SIZE = 4
_ENTRY_SIZE = 16
"""Offset and length of a row in a shard, of 8 bytes each."""


class FrameRows:
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
        loose = layout.frame_path(self._path, frame)
        shard = layout.shard_path(self._path, frame)
        for file, read in (
            (loose, _whole_file),
            (shard, lambda file: _part_of_shard(file, frame)),
        ):
            # Another process may pack the frame meanwhile.
            with suppress(FileNotFoundError):
                yield self._row(file, read)

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

    def pack(self, frames: range) -> None:
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

    def _row(self, file: Path, read: Callable[[Path], bytes]) -> np.ndarray | None:
        try:
            row = _decoded(read(file))
        except FileNotFoundError:
            raise
        except (ValueError, RuntimeError):
            return None
        except OSError as error:
            # A file that is too short, or on a bad place of the disk.
            if error.errno in (errno.EINVAL, errno.EIO):
                return None
            with explaining(f"cannot read the embedding cache {self._path}"):
                raise
        is_row = row.shape == self._loose.shape[1:] and row[:DIGEST_SIZE].any()
        return row if is_row else None


def _whole_file(file: Path) -> bytes:
    return file.read_bytes()


def _part_of_shard(file: Path, frame: int) -> bytes:
    """Read one row of a shard, which ends in an index of where its rows are.

    Raises
    ------
    OSError, RuntimeError, ValueError
        If the shard is too short, its index is damaged or it lacks the row.
    """
    index_size = layout.SHARD_FRAMES * _ENTRY_SIZE + _CHECKSUM_SIZE
    with file.open("rb") as shard:
        shard.seek(-index_size, os.SEEK_END)
        index = np.frombuffer(_verified(shard.read()), "<u8").reshape(-1, 2)
        offset, size = (int(entry) for entry in index[frame % layout.SHARD_FRAMES])
        # What is not there has the largest of all numbers as its offset.
        if offset + size > shard.tell():
            raise ValueError("the shard lacks the row")
        shard.seek(offset)
        return shard.read(size)


def _decoded(content: bytes) -> np.ndarray:
    from numcodecs import Blosc

    return np.frombuffer(Blosc().decode(_verified(content)), np.uint8)


def _verified(content: bytes) -> np.ndarray:
    """Strip the checksum at the end.

    Raises
    ------
    RuntimeError, ValueError
        If it does not fit.
    """
    from numcodecs import get_codec

    checksum = get_codec({"id": "crc32c", "location": "end"})
    return np.asarray(checksum.decode(content))
