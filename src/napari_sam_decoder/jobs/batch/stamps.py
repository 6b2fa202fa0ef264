"""Whether a file or folder is still what it was, known without reading it."""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING, Any

from napari_sam_decoder.errors import wrap_read_errors

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["stamp"]


def stamp(path: Path) -> dict[str, Any]:
    """Describe a file, or all files of a folder, by names, sizes and times of change.

    Parameters
    ----------
    path : Path
        Of a movie or of labels. Where it lies does not count.

    Returns
    -------
    dict of str to value
        Plain values: the number of ``files``, their ``bytes``, and a ``digest`` of the
        rest. Equal for the same files; other after any of them was written again.

    Raises
    ------
    FormatError
        If it cannot be read.
    """
    state = hashlib.blake2b(digest_size=16)
    files = size = 0
    with wrap_read_errors(path):
        for name, found in sorted(_files(path)):
            state.update(f"{name}\0{found.st_size}\0{found.st_mtime_ns}\0".encode())
            files += 1
            size += found.st_size
    return {"files": files, "bytes": size, "digest": state.hexdigest()}


def _files(path: Path) -> Iterator[tuple[str, os.stat_result]]:
    if not path.is_dir():
        yield "", path.stat()
        return
    for folder, _, names in os.walk(path):
        for name in names:
            place = os.path.join(folder, name)
            yield os.path.relpath(place, path), os.stat(place)
