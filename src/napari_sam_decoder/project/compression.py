"""Compressed bytes from a file that somebody else may have made."""

from __future__ import annotations

import zlib

from napari_sam_decoder.errors import ProjectError

__all__ = ["decompress_bounded"]


def decompress_bounded(content: bytes, limit: int) -> bytes:
    """Decompress bytes, but never to more than a limit.

    Parameters
    ----------
    content : bytes
        Compressed by zlib; a few of them may stand for gigabytes.
    limit : int
        The most bytes that they can stand for.

    Raises
    ------
    ProjectError
        If they are damaged or stand for more.
    """
    stream = zlib.decompressobj()
    try:
        # Zero would mean no limit.
        unpacked = stream.decompress(content, max(limit, 1))
    except zlib.error as error:
        raise _damaged() from error
    if not stream.eof or len(unpacked) > limit:
        raise _damaged()
    return unpacked


def _damaged() -> ProjectError:
    return ProjectError(
        "compressed data in the project file is damaged; restore the file from a backup"
    )
