"""Locks on files and folders: visible to other processes, and gone with their own."""

from __future__ import annotations

import os
import weakref
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["Exclusivity", "FileLock", "held_alone"]

Exclusivity = Literal["exclusive", "in use", "unknown"]


class FileLock:
    """An advisory lock, held by one or shared by all who have something open.

    The operating system releases it when the process ends, however it ends. A lock
    that is held therefore means a process that is alive.

    Parameters
    ----------
    path : Path
        The lock file; created if it does not exist.

    Raises
    ------
    OSError
        If the file can neither be created nor read.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor = _open(path)
        self._close = weakref.finalize(self, os.close, self._descriptor)

    def try_exclusive(self) -> Exclusivity:
        """Take the lock for this process alone, without waiting.

        Returns
        -------
        {"exclusive", "in use", "unknown"}
            "exclusive" if it was taken, "in use" if there is another holder, "unknown"
            where the file system has no such locks.
        """
        import portalocker
        from portalocker import LockFlags

        try:
            portalocker.lock(
                self._descriptor, LockFlags.EXCLUSIVE | LockFlags.NON_BLOCKING
            )
        except portalocker.AlreadyLocked:
            return "in use"
        except portalocker.LockException:
            return "unknown"
        return "exclusive"

    def share(self) -> bool:
        """Hold the lock together with others; False if its file was removed.

        Another process may have removed the file between our opening it and locking
        it. What we hold is then no longer the file of that name.
        """
        import portalocker

        # A file system without locks must not keep anyone from working.
        with suppress(portalocker.LockException):
            # Windows cannot turn an exclusive lock into a shared one.
            portalocker.unlock(self._descriptor)
            portalocker.lock(self._descriptor, portalocker.LockFlags.SHARED)
        return self.is_current

    def touch(self) -> None:
        """Record the time of use, unless the disk is read-only."""
        with suppress(OSError):
            os.utime(self._path)

    def close(self) -> None:
        """Release the lock; closing it again has no effect."""
        self._close()

    @property
    def is_current(self) -> bool:
        """Whether the file of that name is still the one that was opened."""
        try:
            named = self._path.stat()
        except OSError:
            return False
        return os.path.samestat(named, os.fstat(self._descriptor))


@contextmanager
def held_alone(path: Path) -> Iterator[bool]:
    """Hold a lock alone for a while, without waiting; its file is gone afterwards.

    Parameters
    ----------
    path : Path
        The lock file; created if it does not exist.

    Yields
    ------
    bool
        False if there is another holder.

    Raises
    ------
    OSError
        If the file can neither be created nor read.
    """
    lock = FileLock(path)
    while is_alone := lock.try_exclusive() != "in use":
        if lock.is_current:
            break
        # Its last holder removed the file after we had opened it.
        lock.close()
        lock = FileLock(path)
    try:
        yield is_alone
    finally:
        if is_alone:
            # Windows keeps a file that is open.
            with suppress(OSError):
                path.unlink()
        lock.close()


def _open(path: Path) -> int:
    """Open for writing if possible: NFS requires that for an exclusive lock."""
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    except OSError as error:
        try:
            return os.open(path, os.O_RDONLY)
        except FileNotFoundError:
            # Why it could not be created says more than that it is not there.
            raise error from None
