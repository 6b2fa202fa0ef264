"""How a cache lies on disk, how it comes into being, and how to tell it from others.

A cache is a zarr group of format 3 with two arrays. ``embeddings`` (T, C, H, W) holds
one chunk per frame. ``records`` (T, 64) holds, per frame, the digest of the pixels and
the digest of the embedding; it is written after the embedding, and it alone says that
a frame is present. Both end in a CRC-32C, so that a flipped bit is found. One frame
has one file in each folder, so that processes can write different frames at once.
"""

from __future__ import annotations

import json
import os
import shutil
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import numpy as np

from napari_sam_decoder.cache.key import DIGEST_SIZE, CacheKey
from napari_sam_decoder.errors import (
    CacheCorruptError,
    CacheMismatchError,
    FormatError,
)

if TYPE_CHECKING:
    from pathlib import Path

    import zarr

__all__ = [
    "EMBEDDINGS",
    "RECORDS",
    "create",
    "damaged",
    "hidden_sibling",
    "lock_path",
    "open_arrays",
    "read_key",
    "record_path",
    "recorded_frames",
    "stored_key",
    "sweep_partials",
    "sweep_siblings",
]

EMBEDDINGS = "embeddings"
RECORDS = "records"
_MARKER = "napari_sam_decoder_cache"
_HIDDEN_PREFIX = ".napari-sam-decoder."
# Far longer than it takes to write a file or to lay out an empty cache.
_ABANDONED_SECONDS = 3600.0


def record_path(path: Path, frame: int) -> Path:
    """Return the file that holds the record of one frame."""
    return path / RECORDS / f"c.{frame}.0"


def lock_path(path: Path) -> Path:
    """Return the lock file of a cache: in an array, where zarr lists no nodes."""
    return path / RECORDS / ".lock"


def stored_key(path: Path) -> dict[str, Any] | None:
    """Read the key from a folder, without zarr; None if it is no cache of ours."""
    try:
        document = json.loads((path / "zarr.json").read_bytes())
        key = document["attributes"][_MARKER]
    except (OSError, ValueError, KeyError, TypeError):
        return None
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
    except KeyError as error:
        raise damaged(path) from error


def recorded_frames(path: Path) -> set[int]:
    """List the frames that have a record, by the names of files alone.

    Raises
    ------
    CacheCorruptError
        If the folder of the records is gone.
    """
    try:
        names = os.listdir(path / RECORDS)
    except OSError as error:
        raise damaged(path) from error
    parts = (name.split(".") for name in names)
    return {int(part[1]) for part in parts if len(part) == 3 and _is_chunk(part)}


def damaged(path: Path) -> CacheCorruptError:
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
        Absent or an empty folder. If another process makes a cache there meanwhile,
        that one stays.
    key : CacheKey
        Written into the attributes of the group.

    Raises
    ------
    CacheMismatchError
        If something else is there.
    FormatError
        If the disk cannot be written.
    """
    building = hidden_sibling(path, "building")
    try:
        _refuse_foreign(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        sweep_siblings(path.parent)
        _build(building, key)
        _move_into_place(building, path)
    except OSError as error:
        raise FormatError(
            f"cannot create an embedding cache at {path}: {error}; choose a folder "
            "that can be written, or work without a cache"
        ) from error
    finally:
        shutil.rmtree(building, ignore_errors=True)


def open_arrays(path: Path, key: CacheKey) -> tuple[zarr.Array, zarr.Array]:
    """Open the arrays of embeddings and of records.

    Raises
    ------
    CacheCorruptError
        If they are gone, unreadable or of another shape than the key says.
    """
    import zarr

    try:
        # Comparing each chunk with the fill value takes longer than compressing it.
        with zarr.config.set({"array.write_empty_chunks": True}):
            group = zarr.open_group(path, mode="r+", zarr_format=3)
            shape = (key.frames, *key.embedding_shape)
            return (
                _array(group, EMBEDDINGS, "float16", shape),
                _array(group, RECORDS, "uint8", (key.frames, 2 * DIGEST_SIZE)),
            )
    except (KeyError, ValueError, TypeError, OSError) as error:
        raise damaged(path) from error


def hidden_sibling(path: Path, purpose: str) -> Path:
    """Name a folder beside the cache that nobody else uses."""
    return path.parent / f"{_HIDDEN_PREFIX}{uuid4().hex}.{purpose}"


def sweep_partials(path: Path, *, is_alone: bool) -> None:
    """Remove the half-written files that a killed process left behind.

    Parameters
    ----------
    path : Path
        Folder of a cache.
    is_alone : bool
        Whether no other process has the cache open. If that is not known, only files
        that nobody can still be writing go, by their age.
    """
    for folder in (path, path / EMBEDDINGS, path / RECORDS):
        for partial in folder.glob("*.partial"):
            if is_alone or _is_abandoned(partial):
                with suppress(OSError):
                    partial.unlink()


def sweep_siblings(folder: Path) -> None:
    """Remove the caches beside a cache that were never finished, or half removed."""
    for trash in folder.glob(f"{_HIDDEN_PREFIX}*.trash"):
        shutil.rmtree(trash, ignore_errors=True)
    for building in folder.glob(f"{_HIDDEN_PREFIX}*.building"):
        if _is_abandoned(building):
            shutil.rmtree(building, ignore_errors=True)


def _build(path: Path, key: CacheKey) -> None:
    import zarr
    from zarr.codecs import Crc32cCodec, ZstdCodec

    group = zarr.create_group(path, zarr_format=3, attributes={_MARKER: key.to_json()})
    # What is missing reads as the fill value: as no embedding, and as no record.
    for name, shape, dtype, fill_value, compressors in (
        (EMBEDDINGS, key.embedding_shape, "float16", np.nan, [ZstdCodec(level=1)]),
        (RECORDS, (2 * DIGEST_SIZE,), "uint8", 0, []),
    ):
        group.create_array(
            name,
            shape=(key.frames, *shape),
            chunks=(1, *shape),
            dtype=dtype,
            fill_value=fill_value,
            compressors=[*compressors, Crc32cCodec()],
            # Files side by side can be listed at once, folders for each frame not.
            chunk_key_encoding={"name": "default", "separator": "."},
        )


def _move_into_place(building: Path, path: Path) -> None:
    with suppress(OSError):
        path.rmdir()  # Windows does not rename onto an empty folder.
    try:
        building.rename(path)
    except OSError:
        if stored_key(path) is None:
            raise


def _refuse_foreign(path: Path) -> None:
    is_free = not path.exists() or (path.is_dir() and not any(path.iterdir()))
    if not is_free:
        raise CacheMismatchError(
            f"{path} is there already and is no embedding cache; nothing in it was "
            "touched; choose another folder for the cache"
        )


def _array(
    group: zarr.Group, name: str, dtype: str, shape: tuple[int, ...]
) -> zarr.Array:
    """Raise here for an array that would otherwise read as something else."""
    import zarr

    array = group[name]
    if not isinstance(array, zarr.Array):
        raise TypeError(f"{name} is no array")
    if (str(array.dtype), array.shape) != (dtype, shape) or array.chunks[0] != 1:
        raise ValueError(f"{name} is laid out differently")
    return array


def _is_chunk(parts: list[str]) -> bool:
    return parts[0] == "c" and parts[1].isdigit() and parts[2] == "0"


def _is_abandoned(path: Path) -> bool:
    try:
        return time.time() - path.stat().st_mtime > _ABANDONED_SECONDS
    except OSError:
        return False
