"""Hashes of files, by which a checkpoint is told from all others."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from napari_sam_decoder.errors import MissingExtraError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

__all__ = ["choose_hasher", "hash_file"]


def choose_hasher(algorithm: str) -> str | Callable[[], Any]:
    """Return what `hashlib.file_digest` needs to compute a hash.

    Parameters
    ----------
    algorithm : str
        "xxh128", or a name that `hashlib.new` takes.

    Returns
    -------
    str or callable
        The name, or the constructor of a hash object.

    Raises
    ------
    MissingExtraError
        If the algorithm needs the package xxhash, which is not installed.
    """
    if algorithm != "xxh128":
        return algorithm
    try:
        import xxhash
    except ImportError as error:
        raise MissingExtraError(
            "This file's hash needs the package xxhash; install it with "
            "pip install 'napari-sam-decoder[xxhash]'."
        ) from error
    return xxhash.xxh128


def hash_file(path: Path, algorithm: str = "sha256") -> str:
    """Return the hash of a file's bytes.

    Parameters
    ----------
    path : Path
        The file.
    algorithm : str
        "xxh128", or a name that `hashlib.new` takes.

    Returns
    -------
    str
        Hexadecimal digits.

    Raises
    ------
    MissingExtraError
        If the algorithm needs the package xxhash, which is not installed.
    """
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, choose_hasher(algorithm)).hexdigest()
