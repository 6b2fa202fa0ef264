"""A finished cache in few files: a movie of 10,000 frames has 157 of them, not 10,000.

While a cache is being filled each frame is a file of its own, since two processes that
write into one shard lose each other's frames. Once all are there, nobody writes any
more, unless pixels of the movie change: such frames get files of their own again.
"""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from napari_sam_decoder.cache import layout
from napari_sam_decoder.cache.lock import FolderLock
from napari_sam_decoder.cache.rows import FrameRows
from napari_sam_decoder.errors import CacheMismatchError
from napari_sam_decoder.failures import explaining

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator

    from napari_sam_decoder.cache.key import CacheKey

__all__ = ["compact"]


def compact(path: str | os.PathLike[str]) -> Iterator[int]:
    """Pack a complete cache into files of 64 frames each.

    It may be stopped and killed at any moment, and goes on where it was when it is
    started again. Other processes can open the cache between two files.

    Parameters
    ----------
    path : path
        Folder of a cache that no process has open.

    Yields
    ------
    int
        Each frame of the movie, in order, once it is packed.

    Raises
    ------
    CacheMismatchError
        If the folder is no cache of this version, lacks frames, or is in use.
    CacheCorruptError
        If a frame or the cache as a whole is damaged. Frames before it are packed.
    FormatError
        If the disk cannot be written.
    """
    folder = Path(path).expanduser().resolve()
    key = layout.read_key(folder)
    layout.require_this_version(folder, key.version)
    _require_complete(folder, key)
    for start in range(0, key.frames, layout.SHARD_FRAMES):
        frames = range(start, min(start + layout.SHARD_FRAMES, key.frames))
        # No frame is lost; it may be compacted again to go on.
        with explaining(f"cannot compact the embedding cache {folder}"):
            _pack_alone(folder, key, frames)
        yield from frames


def _require_complete(folder: Path, key: CacheKey) -> None:
    present = len(layout.recorded_frames(folder, key))
    if present < key.frames:
        raise CacheMismatchError(
            f"the embedding cache {folder} has {present} of {key.frames} frames; only "
            "a complete one can be compacted: embed the rest of the movie first, with "
            "`napari-sam-decoder embed`"
        )


def _pack_alone(folder: Path, key: CacheKey, frames: range) -> None:
    with closing(FolderLock(layout.lock_path(folder))) as lock:
        if lock.try_alone() == "shared":
            raise CacheMismatchError(
                f"the embedding cache {folder} is in use; close the programs that use "
                "it, and compact it again"
            )
        FrameRows(folder, key).pack(frames)
