"""The layout of a cache on disk: creating it, recognising it and opening its arrays.

A cache is a zarr group of format 3 with two arrays of bytes. A row of either is the
record of a frame: the digest of its pixels, then its embedding as `Quantizer` rounds
it. In ``frames`` (T, N) each record is a file of its own, written whole or not at all,
so that processes can write different frames at once. In ``packed`` (T, N) a file, which
is a shard of zarr, holds 64 records. Only `compact` writes those, all records of a
shard at once. Where a frame has both, the record in ``frames`` is the newer one. Each
record ends in a CRC-32C, so that a flipped bit is detected.

Where windows of the frames are embedded as well, each window has such a group of its
own inside, ``part.NAME``. Records there have the digest of the window's pixels.
"""

from __future__ import annotations

import json
import os
import shutil
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from napari_sam_decoder.cache.key import DIGEST_SIZE, FORMAT_VERSION, CacheKey
from napari_sam_decoder.cache.quantization import Storage
from napari_sam_decoder.errors import (
    CacheCorruptError,
    CacheMismatchError,
    FormatError,
    SamDecoderError,
    is_corruption,
    wrap_os_errors,
)

if TYPE_CHECKING:
    from pathlib import Path

    import zarr

__all__ = [
    "FRAMES",
    "PACKED",
    "SHARD_FRAMES",
    "corrupt_cache_error",
    "create",
    "frame_path",
    "holds_leftovers",
    "is_own_name",
    "lock_path",
    "open_arrays",
    "packed_frames",
    "part_names",
    "part_path",
    "read_key",
    "recorded_frames",
    "remove_abandoned_siblings",
    "remove_partial_files",
    "require_current_version",
    "shard_path",
    "stored_key",
    "temporary_sibling",
]

FRAMES = "frames"
PACKED = "packed"
SHARD_FRAMES = 64
"""Frames read and written at once when a cache is packed: about 64 MB."""

_MARKER = "napari_sam_decoder_cache"
_HIDDEN_PREFIX = ".napari-sam-decoder."
_PART_PREFIX = "part."
# Far longer than it takes to write a file or to create an empty cache.
_ABANDONED_SECONDS = 3600.0


def frame_path(path: Path, frame: int) -> Path:
    """Return the file of one frame that is not packed."""
    return path / FRAMES / f"c.{frame}.0"


def shard_path(path: Path, frame: int) -> Path:
    """Return the file of a packed frame and its neighbours."""
    return path / PACKED / f"c.{frame // SHARD_FRAMES}.0"


def lock_path(path: Path) -> Path:
    """Return the lock file of a cache; it is in an array, where zarr lists no nodes."""
    return path / FRAMES / ".lock"


def part_path(path: Path, name: str) -> Path:
    """Return the folder of the cache of a part of each frame: a group in the group."""
    return path / f"{_PART_PREFIX}{name}"


def part_names(path: Path) -> list[str]:
    """List the parts of frames that have a cache of their own in a cache."""
    return sorted(
        folder.name.removeprefix(_PART_PREFIX)
        for folder in path.glob(f"{_PART_PREFIX}*")
        if folder.is_dir()
    )


def is_own_name(name: str) -> bool:
    """Whether a cache may hold a file or folder of a name, beside its arrays."""
    return name.startswith((_PART_PREFIX, _HIDDEN_PREFIX))


def stored_key(path: Path) -> dict[str, Any] | None:
    """Read the key of a cache without zarr; None if the folder is not a cache of ours.

    Raises
    ------
    FormatError
        If the folder cannot be read.
    """
    try:
        with wrap_os_errors(f"cannot open the embedding cache {path}"):
            document = json.loads((path / "zarr.json").read_bytes())
    except ValueError:
        return None
    except FormatError as error:
        if isinstance(error.__cause__, FileNotFoundError | NotADirectoryError):
            return None
        raise
    attributes = document.get("attributes") if isinstance(document, dict) else None
    key = attributes.get(_MARKER) if isinstance(attributes, dict) else None
    return key if isinstance(key, dict) else None


def read_key(path: Path) -> CacheKey:
    """Read the key of a cache.

    Raises
    ------
    CacheMismatchError
        If the folder is not a cache of ours.
    CacheCorruptError
        If the key is incomplete.
    """
    stored = stored_key(path)
    if stored is None:
        raise CacheMismatchError(
            f"{path} is not an embedding cache of napari-sam-decoder; check the path"
        )
    try:
        return CacheKey.from_json(stored)
    except (KeyError, ValueError) as error:
        raise corrupt_cache_error(path) from error


def require_current_version(path: Path, version: object) -> None:
    """Reject a cache of another layout.

    Parameters
    ----------
    path : Path
        Folder of a cache.
    version : object
        As stored in its key.

    Raises
    ------
    CacheMismatchError
        If another version of this package made it.
    """
    if version != FORMAT_VERSION:
        raise CacheMismatchError(
            f"the embedding cache {path} was made by another version of "
            "napari-sam-decoder; choose another folder, or remove the cache with "
            f"`napari-sam-decoder cache clear {path}`"
        )


def recorded_frames(path: Path, key: CacheKey) -> set[int]:
    """List the frames that have a record, by the names of files alone.

    Raises
    ------
    CacheCorruptError
        If the folder of an array is missing.
    """
    loose = _chunks(path, FRAMES) & set(range(key.frames))
    return loose | packed_frames(path, key)


def packed_frames(path: Path, key: CacheKey) -> set[int]:
    """List the frames that are packed, by the names of files alone.

    Raises
    ------
    CacheCorruptError
        If the folder of the array is missing.
    """
    return {
        frame
        for shard in _chunks(path, PACKED)
        for frame in range(
            shard * SHARD_FRAMES, min((shard + 1) * SHARD_FRAMES, key.frames)
        )
    }


def corrupt_cache_error(path: Path) -> CacheCorruptError:
    """Return the error for a cache that cannot repair itself."""
    return CacheCorruptError(
        f"the embedding cache {path} is damaged; remove it with "
        f"`napari-sam-decoder cache clear {path}` and embed again"
    )


def create(path: Path, key: CacheKey) -> None:
    """Create an empty cache, whole or not at all.

    Parameters
    ----------
    path : Path
        Missing, an empty folder, or one that holds leftovers. If another process
        creates a cache there in the meantime, that one stays.
    key : CacheKey
        Stored in the attributes of the group.

    Raises
    ------
    CacheMismatchError
        If something else is in the way.
    FormatError
        If the disk cannot be written.
    """
    building = temporary_sibling(path, "building")
    try:
        with wrap_os_errors(f"cannot create an embedding cache at {path}"):
            _refuse_foreign(path)
            path.parent.mkdir(parents=True, exist_ok=True)
            remove_abandoned_siblings(path.parent)
            _build(building, key)
            _move_into_place(building, path)
    finally:
        shutil.rmtree(building, ignore_errors=True)


def open_arrays(path: Path, key: CacheKey) -> tuple[zarr.Array, zarr.Array]:
    """Open the arrays of single and of packed frames.

    Raises
    ------
    CacheCorruptError
        If they are missing, unreadable or of another shape than the key says.
    """
    import zarr

    shape = (key.frames, DIGEST_SIZE + key.quantizer.nbytes)
    try:
        with wrap_os_errors(f"cannot open the embedding cache {path}"):
            group = zarr.open_group(path, mode="r+", zarr_format=3)
            return _array(group, FRAMES, shape), _array(group, PACKED, shape)
    except SamDecoderError:
        raise
    except Exception as error:
        if not is_corruption(error):
            raise
        raise corrupt_cache_error(path) from error


def temporary_sibling(path: Path, purpose: str) -> Path:
    """Return a hidden, unused path beside the cache."""
    return path.parent / f"{_HIDDEN_PREFIX}{uuid4().hex}.{purpose}"


def remove_partial_files(path: Path, *, is_alone: bool) -> None:
    """Remove the unfinished files that killed processes left behind.

    Parameters
    ----------
    path : Path
        Folder of a cache.
    is_alone : bool
        Whether no other process has the cache open. If that is not known, only files
        go that are too old to be still in writing.
    """
    for folder in (path, path / FRAMES, path / PACKED):
        for partial in folder.glob("*.partial"):
            if is_alone or _is_abandoned(partial):
                with suppress(OSError):
                    partial.unlink()


def remove_abandoned_siblings(folder: Path) -> None:
    """Remove caches in a folder that were never finished, or only half removed."""
    for trash in folder.glob(f"{_HIDDEN_PREFIX}*.trash"):
        shutil.rmtree(trash, ignore_errors=True)
    for building in folder.glob(f"{_HIDDEN_PREFIX}*.building"):
        if _is_abandoned(building):
            shutil.rmtree(building, ignore_errors=True)


def _build(path: Path, key: CacheKey) -> None:
    import zarr
    from zarr.codecs import BloscCodec, Crc32cCodec

    group = zarr.create_group(path, zarr_format=3, attributes={_MARKER: key.to_json()})
    size = DIGEST_SIZE + key.quantizer.nbytes
    # Neighbours in an embedding share their upper bits, which bitshuffle puts together.
    # Larger blocks are faster to read, smaller ones compress less.
    compressor = BloscCodec(
        cname="zstd",
        clevel=1,
        shuffle="bitshuffle",
        typesize=1 if key.storage is Storage.INT8 else 2,
        blocksize=2**18,
    )
    for name, shards in ((FRAMES, None), (PACKED, (SHARD_FRAMES, size))):
        group.create_array(
            name,
            shape=(key.frames, size),
            chunks=(1, size),
            shards=shards,
            dtype="uint8",
            # A missing record reads as zeros, which are the digest of no pixels.
            fill_value=0,
            compressors=[compressor, Crc32cCodec()],
            # One folder of files is listed at once, a folder per frame is not.
            chunk_key_encoding={"name": "default", "separator": "."},
        )


def _move_into_place(building: Path, path: Path) -> None:
    if holds_leftovers(path):
        _set_leftovers_aside(path)
    with suppress(OSError):
        path.rmdir()  # Windows does not rename onto an empty folder.
    try:
        building.rename(path)
    except OSError:
        if stored_key(path) is None:
            raise


def holds_leftovers(path: Path) -> bool:
    """Whether a folder holds nothing but records left over from a removed cache.

    A record that was being written while the cache was cleared creates the folder
    again, for instance where the file system has no locks.
    """
    folders = list(path.iterdir()) if path.is_dir() else []
    return bool(folders) and all(
        folder.name in (FRAMES, PACKED)
        and folder.is_dir()
        and all(map(_is_leftover, folder.iterdir()))
        for folder in folders
    )


def _is_leftover(file: Path) -> bool:
    is_row = _is_chunk(file.name.split("."))
    return file.is_file() and (
        is_row or file.name.endswith(".partial") or file.name == ".lock"
    )


def _set_leftovers_aside(path: Path) -> None:
    trash = temporary_sibling(path, "trash")
    path.rename(trash)
    if stored_key(trash) is not None:
        # Another process has just created its cache there.
        trash.rename(path)
    else:
        shutil.rmtree(trash, ignore_errors=True)


def _refuse_foreign(path: Path) -> None:
    is_empty = path.is_dir() and not any(path.iterdir())
    if path.exists() and not (is_empty or holds_leftovers(path)):
        raise CacheMismatchError(
            f"{path} exists already and is not an embedding cache; nothing in it was "
            "changed; choose another folder for the cache"
        )


def _array(group: zarr.Group, name: str, shape: tuple[int, int]) -> zarr.Array:
    """Open an array; raise `ValueError` if its layout is not that of a cache."""
    import zarr

    array = group.get(name)
    if not isinstance(array, zarr.Array):
        raise ValueError(f"{name} is not an array")  # noqa: TRY004 - the file's fault
    shards = (SHARD_FRAMES, shape[1]) if name == PACKED else None
    found = (str(array.dtype), array.shape, array.chunks, array.shards)
    if found != ("uint8", shape, (1, shape[1]), shards):
        raise ValueError(f"{name} is laid out differently")
    # Comparing each chunk with the fill value takes longer than compressing it. This is
    # set for this array alone, since zarr's own setting applies to the whole process.
    config = {"write_empty_chunks": True}
    return zarr.Array(
        zarr.AsyncArray(array.metadata, array.store_path, config)  # type: ignore[call-overload]
    )


def _chunks(path: Path, name: str) -> set[int]:
    try:
        with wrap_os_errors(f"cannot open the embedding cache {path}"):
            names = os.listdir(path / name)
    except FormatError as error:
        if isinstance(error.__cause__, FileNotFoundError | NotADirectoryError):
            raise corrupt_cache_error(path) from error
        raise
    parts = (name.split(".") for name in names)
    return {int(part[1]) for part in parts if _is_chunk(part)}


def _is_chunk(parts: list[str]) -> bool:
    is_long_enough = len(parts) == 3 and parts[1].isdigit()
    return is_long_enough and (parts[0], parts[2]) == ("c", "0")


def _is_abandoned(path: Path) -> bool:
    try:
        return time.time() - path.stat().st_mtime > _ABANDONED_SECONDS
    except OSError:
        return False
