from __future__ import annotations

import errno
import os

import portalocker
import pytest

from cache_worker import NoLocks
from napari_sam_decoder import file_lock
from napari_sam_decoder.file_lock import FileLock, held_alone


@pytest.fixture
def path(tmp_path):
    return tmp_path / ".lock"


def test_the_only_holder_is_alone(path):
    assert FileLock(path).try_exclusive() == "exclusive"


def test_holders_share_and_none_is_alone(path):
    first, second = FileLock(path), FileLock(path)
    assert first.share()
    assert second.share()
    assert second.try_exclusive() == "in use"


def test_the_lock_is_free_after_closing_twice(path):
    first, second = FileLock(path), FileLock(path)
    first.share()
    first.close()
    first.close()
    assert second.try_exclusive() == "exclusive"


def test_one_who_was_alone_can_share(path):
    first, second = FileLock(path), FileLock(path)
    first.try_exclusive()
    first.share()
    assert second.share()


@pytest.mark.skipif(os.name == "nt", reason="Windows keeps open files")
def test_a_lock_on_a_file_that_went_away_is_not_shared(path):
    lock = FileLock(path)
    path.unlink()
    assert not lock.share()


@pytest.mark.skipif(os.name == "nt", reason="Windows keeps open files")
def test_a_lock_on_a_file_that_was_replaced_is_not_shared(path):
    lock = FileLock(path)
    path.unlink()
    FileLock(path).close()
    assert not lock.share()


def test_without_locks_nothing_is_known(path, monkeypatch):
    monkeypatch.setattr(portalocker.portalocker, "LOCKER", NoLocks())
    lock = FileLock(path)
    assert lock.try_exclusive() == "unknown"
    assert lock.share()


@pytest.mark.skipif(os.name == "nt", reason="Windows has no flock")
def test_a_file_system_without_locks_keeps_nobody_from_working(path, monkeypatch):
    def no_locks(descriptor, operation):
        raise OSError(errno.ENOLCK, "no locks available")

    monkeypatch.setattr(portalocker.portalocker, "LOCKER", no_locks)
    lock = FileLock(path)
    assert lock.try_exclusive() == "unknown"
    assert lock.share()


def test_touching_notes_the_time(path):
    lock = FileLock(path)
    os.utime(path, (0, 0))
    lock.touch()
    assert path.stat().st_mtime > 0


@pytest.mark.skipif(os.name == "nt", reason="Windows keeps open files")
def test_touching_what_is_gone_does_no_harm(path):
    lock = FileLock(path)
    path.unlink()
    lock.touch()
    assert not path.exists()


def test_a_lock_file_is_opened_for_reading_where_it_cannot_be_written(
    path, monkeypatch
):
    path.touch()
    _forbid_writing(monkeypatch)
    assert FileLock(path).share()


def test_a_lock_file_that_cannot_be_made_is_an_error(path, monkeypatch):
    _forbid_writing(monkeypatch)
    with pytest.raises(OSError, match="read-only file system"):
        FileLock(path)


def _forbid_writing(monkeypatch):
    """Stand in for a read-only disk: as root no permission bit is one."""
    os_open = os.open

    def read_only(path, flags, *mode):
        if flags & os.O_CREAT:
            raise OSError(errno.EROFS, "read-only file system")
        return os_open(path, flags, *mode)

    monkeypatch.setattr(file_lock.os, "open", read_only)


def test_one_of_two_is_alone_and_the_file_is_gone_afterwards(path):
    with held_alone(path) as first, held_alone(path) as second:
        assert (first, second) == (True, False)
    assert not path.exists()
    path.touch()  # as a killed process leaves it
    with held_alone(path) as third:
        assert third
    assert not path.exists()


def test_a_file_that_was_removed_in_between_is_no_lock(path, monkeypatch):
    opened = file_lock._open
    earlier = []

    def open_before_it_is_removed(path):
        found = opened(path)
        if not earlier:
            earlier.append(path)
            path.unlink()
        return found

    monkeypatch.setattr(file_lock, "_open", open_before_it_is_removed)
    with held_alone(path) as first, held_alone(path) as second:
        assert (first, second) == (True, False)
