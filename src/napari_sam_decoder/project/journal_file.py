"""A file that grows by whole lines and survives faults of the disk."""

from __future__ import annotations

import logging
import os
import zlib
from contextlib import suppress
from typing import TYPE_CHECKING

from napari_sam_decoder.atomic_files import atomic_write
from napari_sam_decoder.errors import ProjectError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from io import FileIO
    from pathlib import Path

__all__ = ["JournalFile"]

_LOG = logging.getLogger(__name__)
_BLOCK = 2**20


class JournalFile:
    """Lines that are appended to a file, and kept in memory until they are on the disk.

    After a fault, the file is cut back to its last whole line before anything else is
    written, and all lines that may be lost are written again.

    Parameters
    ----------
    path : Path
        An existing file.
    end : int
        Its length in bytes without what may follow its last whole line, which is cut
        off.

    Raises
    ------
    OSError
        If it cannot be opened for writing.
    """

    def __init__(self, path: Path, end: int) -> None:
        self._path = path
        self._file: FileIO = path.open("r+b", buffering=0)
        self._synced_end = end
        self._synced_checksum = _checksum(self._file, end)
        self._lines: list[bytes] = []
        self._written = 0
        self._end = end
        self._is_ragged = True

    @property
    def is_flushed(self) -> bool:
        """Whether the file has all lines."""
        return self._written == len(self._lines)

    @property
    def is_synced(self) -> bool:
        """Whether it has them even if the machine loses its power now."""
        return not self._lines

    def append(self, line: bytes) -> None:
        """Take a line, to be written by `flush`."""
        self._lines.append(line)

    def flush(self) -> None:
        """Write all lines that are not in the file yet.

        Raises
        ------
        OSError, ProjectError
            If that fails; it can be tried again.
        """
        self._find_file()
        if self._is_ragged:
            self._file.truncate(self._end)
            self._is_ragged = False
        while not self.is_flushed:
            self._write(self._lines[self._written])
            self._written += 1

    def content(self) -> bytes:
        """Return all lines, also those that could not be written.

        They come from the file that was opened, whatever has its name now.

        Raises
        ------
        OSError, ProjectError
            If it cannot be read any more, or has been changed.
        """
        synced = b"".join(_blocks(self._file, self._synced_end))
        if zlib.crc32(synced) != self._synced_checksum:
            raise ProjectError(
                f"{self._path} was changed by another program, so that what was saved "
                "before is lost; save the labels as a file"
            )
        return synced + b"".join(self._lines)

    def sync(self) -> None:
        """Wait until the disk has all that was written.

        Raises
        ------
        OSError
            If it does not take it; the next `flush` writes it again.
        """
        try:
            os.fsync(self._file.fileno())
        except OSError:
            self._start_over()
            raise
        for line in self._lines[: self._written]:
            self._synced_checksum = zlib.crc32(line, self._synced_checksum)
        del self._lines[: self._written]
        self._written, self._synced_end = 0, self._end

    def close(self) -> None:
        """Close the file; lines that are not written are lost."""
        # All that matters has been synced; network disks may still complain.
        with suppress(OSError):
            self._file.close()

    def _write(self, line: bytes) -> None:
        self._is_ragged = True
        self._file.seek(self._end)
        rest = memoryview(line)
        while rest:
            rest = rest[self._file.write(rest) :]
        self._is_ragged = False
        self._end += len(line)

    def _start_over(self) -> None:
        """Write all again that the disk may not have."""
        self._end, self._written, self._is_ragged = self._synced_end, 0, True

    def _find_file(self) -> None:
        """Make sure that the open file is the one that has the name."""
        try:
            named = self._path.stat()
        except FileNotFoundError:
            if not self._restore():
                raise
            return
        if not os.path.samestat(named, os.fstat(self._file.fileno())):
            self._reopen()

    def _restore(self) -> bool:
        """Write a file again that was deleted or moved while it was open.

        False if its disk is away, too.
        """
        if _checksum(self._file, self._synced_end) != self._synced_checksum:
            return False
        _LOG.warning("%s was deleted or moved; it is written again", self._path)
        content = b"".join(_blocks(self._file, self._synced_end))
        with atomic_write(self._path) as partial:
            partial.write_bytes(content)
        self._reopen()
        return True

    def _reopen(self) -> None:
        """Go on in the file of that name, as after a disk was away for a while."""
        found: FileIO = self._path.open("r+b", buffering=0)
        if _checksum(found, self._synced_end) != self._synced_checksum:
            found.close()
            raise ProjectError(
                f"changes are not saved: {self._path} was replaced by another file; "
                "move that one away, or save the project under another name"
            )
        self._file.close()
        self._file = found
        self._start_over()


def _checksum(file: FileIO, end: int) -> int:
    """Return the CRC-32 of the beginning of a file."""
    checksum = 0
    for block in _blocks(file, end):
        checksum = zlib.crc32(block, checksum)
    return checksum


def _blocks(file: FileIO, end: int) -> Iterator[bytes]:
    """Read the beginning of a file."""
    file.seek(0)
    while end > 0 and (block := file.read(min(end, _BLOCK))):
        yield block
        end -= len(block)
