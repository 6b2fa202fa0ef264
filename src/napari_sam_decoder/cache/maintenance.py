"""Caches as folders: list, verify, pack and delete them."""

from __future__ import annotations

import logging
import os
import shutil
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from napari_sam_decoder.cache import layout
from napari_sam_decoder.cache.key import FORMAT_VERSION
from napari_sam_decoder.cache.zarr_store import FrameRecords, FrameState, ZarrStore
from napari_sam_decoder.errors import (
    CacheCorruptError,
    CacheMismatchError,
    FormatError,
    wrap_os_errors,
)
from napari_sam_decoder.file_lock import FileLock

if TYPE_CHECKING:
    from collections.abc import Iterator

    from napari_sam_decoder.cache.key import CacheKey
    from napari_sam_decoder.cache.quantization import Storage

__all__ = [
    "CacheInfo",
    "FrameCheck",
    "clear",
    "compact",
    "describe",
    "list_caches",
    "read_storage",
    "verify",
]


def compact(path: str | os.PathLike[str]) -> Iterator[int]:
    """Pack a complete cache into files of 64 frames each.

    It can be interrupted or killed at any moment, and continues when started again.
    Other processes can open the cache between two files.

    Parameters
    ----------
    path : path
        Folder of a cache that no process has open.

    Yields
    ------
    int
        Each frame of the movie, in order, after it was packed.

    Raises
    ------
    CacheMismatchError
        If the folder is not a cache of this version, lacks frames, or is in use.
    CacheCorruptError
        If a frame or the cache as a whole is damaged. Frames before it are packed.
    FormatError
        If the disk cannot be written.
    """
    folder = Path(path).expanduser().resolve()
    key = layout.read_key(folder)
    layout.require_current_version(folder, key.version)
    _require_complete(folder, key)
    for start in range(0, key.frames, layout.SHARD_FRAMES):
        frames = range(start, min(start + layout.SHARD_FRAMES, key.frames))
        # No frame is lost, and compacting again continues.
        with wrap_os_errors(f"cannot compact the embedding cache {folder}"):
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
    with closing(FileLock(layout.lock_path(folder))) as lock:
        if lock.try_exclusive() == "in use":
            raise CacheMismatchError(
                f"the embedding cache {folder} is in use; close the programs that use "
                "it, and compact it again"
            )
        FrameRecords(folder, key).pack_shard(frames)


_LOG = logging.getLogger(__name__)
_NAMES_OF_VERSION_1 = {"embeddings", "records"}
_OWN_NAMES = {
    "zarr.json",
    layout.FRAMES,
    layout.PACKED,
    ".DS_Store",
    *_NAMES_OF_VERSION_1,
}


@dataclass(frozen=True)
class CacheInfo:
    """What is known of a cache without reading its embeddings.

    Attributes
    ----------
    path : Path
        Folder of the cache.
    key : CacheKey
        The model and the movie that it was created for.
    is_readable : bool
        Whether it has the layout of this version of the package.
    present : int
        Number of embedded frames, of ``key.frames``; 0 if it is not readable.
    parts : dict of str to int
        Number of frames of each window that was embedded as well, by its name.
    packed : int
        How many of them are packed, see `compact`.
    bytes : int
        Size on disk.
    last_used : datetime
        When it was last opened, in UTC.
    """

    path: Path
    key: CacheKey
    is_readable: bool
    present: int
    parts: dict[str, int]
    packed: int
    bytes: int
    last_used: datetime


@dataclass(frozen=True)
class FrameCheck:
    """The result of `verify` for one frame.

    Attributes
    ----------
    frame : int
        Frame of the movie, from 0.
    state : {"ok", "corrupt", "absent"}
        "corrupt" frames are recomputed when they are needed next.
    part : str
        Name of the window; empty for the whole frame.
    """

    frame: int
    state: FrameState
    part: str = ""


def describe(path: str | os.PathLike[str]) -> CacheInfo:
    """Describe what a cache holds.

    Parameters
    ----------
    path : path
        Folder of a cache.

    Raises
    ------
    CacheMismatchError
        If the folder is not a cache.
    CacheCorruptError
        If the cache is damaged as a whole.
    """
    folder = Path(path).expanduser().resolve()
    key = layout.read_key(folder)
    is_readable = key.version == FORMAT_VERSION
    return CacheInfo(
        path=folder,
        key=key,
        is_readable=is_readable,
        present=len(layout.recorded_frames(folder, key)) if is_readable else 0,
        parts=_parts(folder) if is_readable else {},
        packed=len(layout.packed_frames(folder, key)) if is_readable else 0,
        bytes=_size_of(folder),
        last_used=_last_used(folder),
    )


def _parts(folder: Path) -> dict[str, int]:
    parts = {name: layout.part_path(folder, name) for name in layout.part_names(folder)}
    return {
        name: len(layout.recorded_frames(part, layout.read_key(part)))
        for name, part in parts.items()
        if layout.stored_key(part) is not None
    }


def read_storage(path: str | os.PathLike[str]) -> Storage | None:
    """Return the number type of the embeddings in a cache; None if there is none."""
    try:
        return layout.read_key(Path(path).expanduser().resolve()).storage
    except (CacheMismatchError, CacheCorruptError):
        return None  # Opening it says what is wrong.


def list_caches(root: str | os.PathLike[str]) -> list[CacheInfo]:
    """Describe the caches in a folder, the least recently used first.

    Parameters
    ----------
    root : path
        Folder whose direct children are listed. Anything but an intact cache is left
        out.
    """
    folder = Path(root).expanduser()
    found = []
    for child in folder.iterdir() if folder.is_dir() else ():
        try:
            found.append(describe(child))
        except (CacheMismatchError, CacheCorruptError, FormatError) as error:
            _LOG.info("left out of the list: %s", error)
    return sorted(found, key=lambda info: info.last_used)


def verify(path: str | os.PathLike[str]) -> Iterator[FrameCheck]:
    """Read every frame of a cache through its checksums.

    Parameters
    ----------
    path : path
        Folder of a cache. It counts as in use until the iteration ends.

    Yields
    ------
    FrameCheck
        One for each frame of the movie, in order, then one for each frame of each
        window that has a record.

    Raises
    ------
    CacheMismatchError
        If the folder is not a cache.
    CacheCorruptError
        If the cache is damaged as a whole.
    FormatError
        If the folder cannot be read.
    """
    with closing(ZarrStore.open_existing(path)) as store:
        for frame in range(store.key.frames):
            yield FrameCheck(frame, store.check(frame))
        for name in layout.part_names(store.path):
            with closing(store.part(name)) as part:
                for frame in sorted(part.present()):
                    yield FrameCheck(frame, part.check(frame), name)


def clear(path: str | os.PathLike[str]) -> None:
    """Remove a cache from the disk.

    Parameters
    ----------
    path : path
        Folder of a cache. The path is free at once, even if the removal of the files
        is interrupted.

    Raises
    ------
    CacheMismatchError
        If the folder is not a cache, holds other files, or is in use.
    FormatError
        If it cannot be removed.
    """
    folder = Path(path).expanduser().resolve()
    _require_own(folder)
    trash = layout.temporary_sibling(folder, "trash")
    with wrap_os_errors(f"cannot remove the embedding cache {folder}"):
        _set_aside(folder, trash)
    shutil.rmtree(trash, ignore_errors=True)
    layout.remove_abandoned_siblings(folder.parent)


def _set_aside(folder: Path, trash: Path) -> None:
    """Rename a cache while no other process can open it."""
    # A damaged cache may lack the folder of its lock file.
    (folder / layout.FRAMES).mkdir(exist_ok=True)
    with closing(FileLock(layout.lock_path(folder))) as lock:
        exclusivity = lock.try_exclusive()
        if exclusivity == "in use":
            raise CacheMismatchError(
                f"the embedding cache {folder} is in use; close the programs that use "
                "it first"
            )
        if exclusivity == "unknown" or os.name == "nt":
            # Windows does not move a folder with an open file, ours or another's.
            lock.close()
        folder.rename(trash)


def _require_own(folder: Path) -> None:
    if layout.stored_key(folder) is None and not layout.holds_leftovers(folder):
        raise CacheMismatchError(
            f"{folder} is not an embedding cache of napari-sam-decoder; nothing was "
            "removed"
        )
    foreign = sorted(
        name
        for name in os.listdir(folder)
        if name not in _OWN_NAMES and not layout.is_own_name(name)
    )
    if foreign:
        raise CacheMismatchError(
            f"{folder} holds files that are not part of the cache: "
            f"{', '.join(foreign)}; move them elsewhere; nothing was removed"
        )


def _size_of(folder: Path) -> int:
    total = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            with suppress(OSError):  # Another process may have replaced it.
                total += (Path(parent) / name).stat().st_size
    return total


def _last_used(folder: Path) -> datetime:
    for path in (layout.lock_path(folder), folder / "zarr.json"):
        with suppress(OSError):
            return datetime.fromtimestamp(path.stat().st_mtime, UTC)
    return datetime.fromtimestamp(0, UTC)
