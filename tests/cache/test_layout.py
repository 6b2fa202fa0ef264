"""How a cache comes into being, on which disks, and what is swept on opening."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import portalocker
import pytest

from cache_worker import NoLocks, key_of, noise
from napari_sam_decoder import file_lock
from napari_sam_decoder.cache import ZarrStore, array_digest, clear, layout
from napari_sam_decoder.errors import CacheMismatchError, FormatError

WORKER = Path(__file__).parents[1] / "cache_worker.py"
DIGEST = array_digest(np.array([1]))
FEATURES = noise(b"features")
OVER_AN_HOUR = 4000


@pytest.fixture
def path(tmp_path):
    return tmp_path / "cache.zarr"


@pytest.fixture
def store(path):
    with ZarrStore.open(path, key_of()) as opened:
        opened.write(0, DIGEST, FEATURES)
        yield opened


@contextmanager
def held_by_another_process(path):
    process = subprocess.Popen(
        [sys.executable, WORKER, path],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout.readline() == "ready\n"
        yield process
    finally:
        process.communicate()


def make_old(file):
    old = file.stat().st_mtime - OVER_AN_HOUR
    os.utime(file, (old, old))


def test_an_empty_folder_becomes_the_cache(path):
    path.mkdir()
    ZarrStore.open(path, key_of()).close()
    assert layout.stored_key(path) == key_of().to_json()


LEFTOVERS = (
    "frames/c.3.0",
    "frames/c.4.0.a1b2.partial",
    "packed/c.0.0",
    "frames/.lock",
)


@pytest.fixture(params=LEFTOVERS)
def leftover(request, path):
    """What a writer leaves that was under way while the cache was cleared."""
    file = path / request.param
    file.parent.mkdir(parents=True)
    file.write_bytes(b"late")
    return file


def test_records_that_a_cleared_cache_lost_do_not_block_its_place(leftover, path):
    with ZarrStore.open(path, key_of()) as store:
        assert store.present() == set()
    assert os.listdir(path.parent) == [path.name]


def test_records_that_a_cleared_cache_lost_can_be_cleared(leftover, path):
    clear(path)
    assert os.listdir(path.parent) == []


@pytest.mark.parametrize(
    "name", ["frames/notes.txt", "frames/c.3.0/mine", "notes.txt", "packed/c.1.x"]
)
def test_files_of_others_among_them_do(path, name):
    for file in (path / "frames" / "c.0.0", path / name):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"mine")
    with pytest.raises(CacheMismatchError, match="exists already"):
        ZarrStore.open(path, key_of())
    with pytest.raises(CacheMismatchError, match="nothing was removed"):
        clear(path)
    assert (path / name).exists()
    assert (path / "frames" / "c.0.0").exists()


def test_missing_folders_above_are_made(path):
    ZarrStore.open(path / "deep" / "down", key_of()).close()
    assert layout.stored_key(path / "deep" / "down") is not None


def test_a_home_folder_is_spelled_out(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    with ZarrStore.open("~/cache.zarr", key_of()) as opened:
        assert opened.path == tmp_path.resolve() / "cache.zarr"


def test_a_cache_that_another_process_made_meanwhile_is_opened(path, monkeypatch):
    build = layout._build

    def build_as_the_second(building, key):
        monkeypatch.setattr(layout, "_build", build)
        with ZarrStore.open(path, key) as first:
            first.write(0, DIGEST, FEATURES)
        build(building, key)

    monkeypatch.setattr(layout, "_build", build_as_the_second)
    with ZarrStore.open(path, key_of()) as second:
        assert second.check(0) == "ok"
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


def test_other_files_that_appeared_meanwhile_are_left_alone(path, monkeypatch):
    build = layout._build

    def build_late(building, key):
        path.mkdir()
        (path / "thesis.txt").write_text("results")
        build(building, key)

    monkeypatch.setattr(layout, "_build", build_late)
    with pytest.raises(FormatError, match=r"cannot create"):
        ZarrStore.open(path, key_of())
    assert [file.name for file in path.iterdir()] == ["thesis.txt"]
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


def test_a_cache_cleared_between_finding_and_locking_is_made_again(path, monkeypatch):
    ZarrStore.open(path, key_of()).close()
    share, cleared = file_lock.FileLock.share, []

    def share_after_a_clear(lock):
        if not cleared:
            cleared.append(path.rename(path.with_name("gone")))
        return share(lock)

    monkeypatch.setattr(file_lock.FileLock, "share", share_after_a_clear)
    with ZarrStore.open(path, key_of()) as opened:
        opened.write(0, DIGEST, FEATURES)
    assert layout.recorded_frames(path, key_of()) == {0}


def test_a_cache_cleared_between_finding_and_opening_is_made_again(path, monkeypatch):
    ZarrStore.open(path, key_of()).close()
    stored_key, cleared = layout.stored_key, []

    def key_of_what_is_cleared(folder):
        key = stored_key(folder)
        if not cleared:
            cleared.append(path.rename(path.with_name("gone")))
        return key

    monkeypatch.setattr(layout, "stored_key", key_of_what_is_cleared)
    with ZarrStore.open(path, key_of()) as opened:
        assert opened.present() == set()
    assert cleared


def test_nothing_is_left_beside_a_new_cache(store, path):
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


def test_unfinished_caches_are_swept_when_they_are_old(path):
    old, young = (layout.temporary_sibling(path, "building") for _ in range(2))
    old.mkdir()
    young.mkdir()
    make_old(old)
    ZarrStore.open(path, key_of()).close()
    assert not old.exists()
    assert young.exists()


# Disks that cannot be written


def test_a_place_that_cannot_be_made_is_a_format_error(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(
        FormatError, match=r"cannot create .*; choose another name or folder"
    ):
        ZarrStore.open(tmp_path / "file" / "cache.zarr", key_of())


def test_a_lock_that_cannot_be_opened_is_a_format_error(store):
    lock_path = layout.lock_path(store.path)
    lock_path.unlink()
    lock_path.symlink_to(lock_path)
    with pytest.raises(FormatError, match=r"cannot open .*; check the path"):
        ZarrStore.open(store.path, key_of())


def test_a_full_disk_is_a_format_error_and_costs_one_frame(store):
    resource = pytest.importorskip("resource")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, limits[1]))
    try:
        with pytest.raises(
            FormatError, match="free some disk space or choose another place"
        ):
            store.write(1, DIGEST, FEATURES)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert store.check(0) == "ok"
    assert store.check(1) == "absent"


# Left-over partial files


@pytest.fixture
def partial(path):
    ZarrStore.open(path, key_of()).close()
    left_over = path / "frames" / "c.3.0.abc.partial"
    left_over.write_bytes(b"half")
    return left_over


def test_partials_are_swept_by_one_who_is_alone(partial, path):
    ZarrStore.open(path, key_of()).close()
    assert not partial.exists()


def test_partials_stay_while_another_process_has_the_cache_open(path):
    ZarrStore.open(path, key_of()).close()
    with held_by_another_process(path):
        partial = path / "frames" / "c.3.0.abc.partial"
        partial.write_bytes(b"half")
        make_old(partial)
        ZarrStore.open(path, key_of()).close()
        assert partial.exists()
    ZarrStore.open(path, key_of()).close()
    assert not partial.exists()


def test_the_lock_of_a_killed_process_is_free(path):
    ZarrStore.open(path, key_of()).close()
    with held_by_another_process(path) as process:
        lock = file_lock.FileLock(layout.lock_path(path))
        assert lock.try_exclusive() == "in use"
        process.kill()
        process.wait()
        assert lock.try_exclusive() == "exclusive"
    lock.close()


def test_without_locks_only_old_partials_are_swept(partial, path, monkeypatch):
    monkeypatch.setattr(portalocker.portalocker, "LOCKER", NoLocks())
    ZarrStore.open(path, key_of()).close()
    assert partial.exists()
    make_old(partial)
    ZarrStore.open(path, key_of()).close()
    assert not partial.exists()
