"""A hold on a cache folder that other processes can see and that dies with us."""

from __future__ import annotations

import os
import weakref
from contextlib import suppress
from typing import TYPE_CHECKING, Literal

try:
    import fcntl
except ImportError:  # Windows
    HAS_LOCKS = False
else:
    HAS_LOCKS = True

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["FolderLock", "Occupancy"]

Occupancy = Literal["alone", "shared", "unknown"]


class FolderLock:
    """An advisory lock on a file, shared by all who have the folder open.

    The kernel lets go of it when the process ends, however it ends, so a lock that
    is held means a process that lives.

    Parameters
    ----------
    path : Path
        The lock file; made if it is not there.

    Raises
    ------
    OSError
        If the file can neither be made nor read.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor = _open(path)
        self._close = weakref.finalize(self, os.close, self._descriptor)

    def try_alone(self) -> Occupancy:
        """Take the lock for this process only, if no other has the folder open.

        Returns
        -------
        {"alone", "shared", "unknown"}
            "alone" if it was taken, "shared" if another process holds it, "unknown"
            where the system or the file system has no such locks.
        """
        if not HAS_LOCKS:
            return "unknown"
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return "shared"
        except OSError:
            return "unknown"
        return "alone"

    def share(self) -> bool:
        """Hold the lock together with others; False if the folder went away.

        Another process may have cleared the folder between our opening the file and
        locking it: then what we hold is no longer the file under that name.
        """
        if HAS_LOCKS:
            # A file system without locks must not keep anyone from working.
            with suppress(OSError):
                fcntl.flock(self._descriptor, fcntl.LOCK_SH)
        return self._is_current()

    def touch(self) -> None:
        """Note the time of use, where the disk can be written."""
        with suppress(OSError):
            os.utime(self._path)

    def close(self) -> None:
        """Let go; doing so twice does no harm."""
        self._close()

    def _is_current(self) -> bool:
        try:
            named = self._path.stat()
        except OSError:
            return False
        return os.path.samestat(named, os.fstat(self._descriptor))


def _open(path: Path) -> int:
    """Open for writing if we may: NFS wants that for a lock held alone."""
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    except OSError as error:
        try:
            return os.open(path, os.O_RDONLY)
        except FileNotFoundError:
            # Why it could not be made tells more than that it is not there.
            raise error from None
