"""How a cache lies on disk, how it comes into being, and how to tell it from others.

A cache is a zarr group of format 3 with two arrays of bytes, in which a row is all
that is kept of a frame: the digest of its pixels and its embedding as `Packing` gives
it. In ``frames`` (T, N) each row has a file of its own, which is there whole or not at
all, so that processes can write different frames at once. In ``packed`` (T, N) a
file, a shard of zarr, has 64 rows: it is written by `compact` alone, and there are
either all rows of a shard or none. The row in ``frames`` is the newer one. Each ends
in a CRC-32C, so that a flipped bit is found.
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
    "lock_path",
    "open_arrays",
    "packed_frames",
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
"""What is read and written at once when a cache is packed: about 64 MB."""

_MARKER = "napari_sam_decoder_cache"
_HIDDEN_PREFIX = ".napari-sam-decoder."
# Far longer than it takes to write a file or to lay out an empty cache.
_ABANDONED_SECONDS = 3600.0


def frame_path(path: Path, frame: int) -> Path:
    """Return the file that holds one frame, unless it is packed."""
    return path / FRAMES / f"c.{frame}.0"


def shard_path(path: Path, frame: int) -> Path:
    """Return the file that holds one frame and its neighbours, once it is packed."""
    return path / PACKED / f"c.{frame // SHARD_FRAMES}.0"


def lock_path(path: Path) -> Path:
    """Return the lock file of a cache: in an array, where zarr lists no nodes."""
    return path / FRAMES / ".lock"


def stored_key(path: Path) -> dict[str, Any] | None:
    """Read the key from a folder, without zarr; None if it is no cache of ours.

    Raises
    ------
    FormatError
        If the folder may not be read.
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
        If the folder is no cache of ours.
    CacheCorruptError
        If the description is not complete.
    """
    stored = stored_key(path)
    if stored is None:
        raise CacheMismatchError(
            f"{path} is no embedding cache of napari-sam-decoder; check the path"
        )
    try:
        return CacheKey.from_json(stored)
    except (KeyError, ValueError) as error:
        raise corrupt_cache_error(path) from error


def require_current_version(path: Path, version: object) -> None:
    """Refuse a cache that is laid out differently.

    Parameters
    ----------
    path : Path
        Folder of a cache.
    version : object
        What its key says.

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
    """List the frames that are there, by the names of files alone.

    Raises
    ------
    CacheCorruptError
        If a folder of an array is gone.
    """
    loose = _chunks(path, FRAMES) & set(range(key.frames))
    return loose | packed_frames(path, key)


def packed_frames(path: Path, key: CacheKey) -> set[int]:
    """List the frames that are packed, by the names of files alone.

    Raises
    ------
    CacheCorruptError
        If the folder of the array is gone.
    """
    return {
        frame
        for shard in _chunks(path, PACKED)
        for frame in range(
            shard * SHARD_FRAMES, min((shard + 1) * SHARD_FRAMES, key.frames)
        )
    }


def corrupt_cache_error(path: Path) -> CacheCorruptError:
    """Return the error for a cache that cannot mend itself."""
    return CacheCorruptError(
        f"the embedding cache {path} is damaged; remove it with "
        f"`napari-sam-decoder cache clear {path}` and embed again"
    )


def create(path: Path, key: CacheKey) -> None:
    """Lay out an empty cache, whole or not at all.

    Parameters
    ----------
    path : Path
        Absent, an empty folder, or one that holds leftovers. If another process makes
        a cache there meanwhile, that one stays.
    key : CacheKey
        Written into the attributes of the group.

    Raises
    ------
    CacheMismatchError
        If something else is there.
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
    """Open the arrays of frames by themselves and of packed ones.

    Raises
    ------
    CacheCorruptError
        If they are gone, unreadable or of another shape than the key says.
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
    """Name a folder beside the cache that nobody else uses."""
    return path.parent / f"{_HIDDEN_PREFIX}{uuid4().hex}.{purpose}"


def remove_partial_files(path: Path, *, is_alone: bool) -> None:
    """Remove the half-written files that a killed process left behind.

    Parameters
    ----------
    path : Path
        Folder of a cache.
    is_alone : bool
        Whether no other process has the cache open. If that is not known, only files
        that nobody can still be writing go, by their age.
    """
    for folder in (path, path / FRAMES, path / PACKED):
        for partial in folder.glob("*.partial"):
            if is_alone or _is_abandoned(partial):
                with suppress(OSError):
                    partial.unlink()


def remove_abandoned_siblings(folder: Path) -> None:
    """Remove the caches beside a cache that were never finished, or half removed."""
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
    # Neighbours in an embedding are alike in their upper bits, which this collects.
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
            # What is missing reads as the digest of no pixels.
            fill_value=0,
            compressors=[compressor, Crc32cCodec()],
            # Files side by side can be listed at once, folders for each frame not.
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
    """Whether a folder holds rows that a cache lost, and nothing else.

    A row that was on its way while the cache was cleared, perhaps by a program that
    knows no locks, makes the folder anew.
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
        # Another process has just made its cache there.
        trash.rename(path)
    else:
        shutil.rmtree(trash, ignore_errors=True)


def _refuse_foreign(path: Path) -> None:
    is_empty = path.is_dir() and not any(path.iterdir())
    if path.exists() and not (is_empty or holds_leftovers(path)):
        raise CacheMismatchError(
            f"{path} is there already and is no embedding cache; nothing in it was "
            "touched; choose another folder for the cache"
        )


def _array(group: zarr.Group, name: str, shape: tuple[int, int]) -> zarr.Array:
    """Raise here for an array that would otherwise read as something else."""
    import zarr

    array = group.get(name)
    if not isinstance(array, zarr.Array):
        raise ValueError(f"{name} is no array")  # noqa: TRY004 - the file's fault
    shards = (SHARD_FRAMES, shape[1]) if name == PACKED else None
    found = (str(array.dtype), array.shape, array.chunks, array.shards)
    if found != ("uint8", shape, (1, shape[1]), shards):
        raise ValueError(f"{name} is laid out differently")
    # Comparing each chunk with the fill value takes longer than compressing it. Only
    # said of this array: zarr's own setting would count for all that others open.
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
