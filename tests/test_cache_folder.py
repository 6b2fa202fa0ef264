"""Listing, describing, verifying and clearing caches, and where they go."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import zarr

from cache_worker import chunk, key_of, noise
from napari_sam_decoder import cache
from napari_sam_decoder.cache import ZarrStore, array_digest, layout
from napari_sam_decoder.cache import lock as lock_module
from napari_sam_decoder.cache.places import CACHE_LIMIT_VARIABLE, CACHE_ROOT_VARIABLE
from napari_sam_decoder.errors import (
    CacheCorruptError,
    CacheMismatchError,
    FormatError,
    OptionError,
)

DIGEST = array_digest(np.array([1]))
FEATURES = noise(b"features")

needs_locks = pytest.mark.skipif(
    not lock_module.HAS_LOCKS, reason="this system has no flock"
)


def make_cache(path, frames=(0, 2), used=None):
    with ZarrStore.open(path, key_of(frames=4)) as store:
        for frame in frames:
            store.write(frame, DIGEST, FEATURES)
    if used is not None:
        os.utime(layout.lock_path(path), (used, used))
    return path


@pytest.fixture
def path(tmp_path):
    return make_cache(tmp_path / "cache.zarr")


def make_foreign(folder):
    zarr.create_group(folder, zarr_format=3)
    return folder


# Describing


def test_a_description_says_what_is_there(path):
    os.utime(layout.lock_path(path), (1e9, 1e9))
    info = cache.describe(path)
    assert info.path == path.resolve()
    assert info.key == key_of(frames=4)
    assert info.present == 2
    assert info.bytes == sum(f.stat().st_size for f in path.rglob("*") if f.is_file())
    assert info.last_used.timestamp() == 1e9


def test_describing_needs_no_lock_file(path):
    layout.lock_path(path).unlink()
    os.utime(path / "zarr.json", (1e9, 1e9))
    assert cache.describe(path).last_used.timestamp() == 1e9


def test_opening_counts_as_use(path):
    os.utime(layout.lock_path(path), (1e9, 1e9))
    ZarrStore.open(path, key_of(frames=4)).close()
    assert cache.describe(path).last_used.timestamp() > 1e9


def test_what_is_no_cache_is_not_described(tmp_path):
    with pytest.raises(CacheMismatchError, match="no embedding cache"):
        cache.describe(make_foreign(tmp_path / "labels.zarr"))


def test_a_cache_without_its_frames_is_not_described(path):
    shutil.rmtree(path / "frames")
    with pytest.raises(CacheCorruptError, match="damaged"):
        cache.describe(path)


def test_the_list_has_the_sound_caches_the_oldest_first(tmp_path):
    make_cache(tmp_path / "new.zarr", used=3e9)
    make_cache(tmp_path / "old.zarr", used=1e9)
    shutil.rmtree(make_cache(tmp_path / "damaged.zarr") / "frames")
    make_foreign(tmp_path / "labels.zarr")
    (tmp_path / "notes.txt").touch()
    names = [info.path.name for info in cache.list_caches(tmp_path)]
    assert names == ["old.zarr", "new.zarr"]


def test_the_list_of_a_folder_that_is_not_there_is_empty(tmp_path):
    assert cache.list_caches(tmp_path / "nowhere") == []


def make_version_1(path):
    """A cache as the first version of this package laid it out."""
    key = key_of(frames=4).to_json() | {"version": 1}
    del key["storage"]
    group = zarr.create_group(
        path, zarr_format=3, attributes={"napari_sam_decoder_cache": key}
    )
    for name in ("embeddings", "records"):
        group.create_array(name, shape=(4, 8), chunks=(1, 8), dtype="uint8")[:] = 1
    return path


def test_a_cache_of_version_1_is_listed_and_makes_room(tmp_path):
    make_version_1(tmp_path / "old.zarr")
    (info,) = cache.list_caches(tmp_path)
    assert not info.is_readable
    assert info.bytes > 0
    with pytest.raises(CacheMismatchError, match="by another version"):
        ZarrStore.open(tmp_path / "old.zarr", key_of(frames=4))
    cache.make_room(tmp_path, 0)
    assert list(tmp_path.iterdir()) == []


def test_the_storage_of_a_cache_can_be_asked(path, tmp_path):
    assert cache.storage_of(path) is cache.Storage.INT8
    assert cache.storage_of(tmp_path / "nowhere") is None


# Verifying


def test_verifying_tells_sound_corrupt_and_absent_frames(path):
    content = bytearray(chunk(path, 2).read_bytes())
    content[100] ^= 1
    chunk(path, 2).write_bytes(content)
    states = [(found.frame, found.state) for found in cache.verify(path)]
    assert states == [(0, "ok"), (1, "absent"), (2, "corrupt"), (3, "absent")]


def test_verifying_what_is_no_cache_is_an_error(tmp_path):
    with pytest.raises(CacheMismatchError, match="no embedding cache"):
        next(cache.verify(tmp_path))


@needs_locks
def test_verifying_keeps_the_cache_in_use_until_it_is_closed(path):
    checks = cache.verify(path)
    next(checks)
    with pytest.raises(CacheMismatchError, match="in use"):
        cache.clear(path)
    checks.close()
    cache.clear(path)
    assert not path.exists()


# Clearing


def test_clearing_removes_the_cache_and_nothing_else(path):
    neighbour = make_cache(path.with_name("neighbour.zarr"))
    cache.clear(path)
    assert [entry.name for entry in path.parent.iterdir()] == [neighbour.name]


@pytest.mark.parametrize("lost", ["frames", "packed"])
def test_a_damaged_cache_can_be_cleared(path, lost):
    shutil.rmtree(path / lost)
    cache.clear(path)
    assert list(path.parent.iterdir()) == []


@pytest.mark.parametrize("make", [make_foreign, Path.mkdir, Path.touch])
def test_what_is_no_cache_is_not_cleared(tmp_path, make):
    foreign = tmp_path / "results"
    make(foreign)
    with pytest.raises(CacheMismatchError, match="nothing was removed"):
        cache.clear(foreign)
    assert foreign.exists()


def test_a_cache_with_files_of_the_user_is_not_cleared(path):
    (path / "thesis.txt").write_text("results")
    with pytest.raises(CacheMismatchError, match=r"not the cache's: thesis\.txt"):
        cache.clear(path)
    assert cache.describe(path).present == 2


@needs_locks
def test_a_cache_in_use_is_not_cleared(path):
    with ZarrStore.open(path, key_of(frames=4)) as store:
        with pytest.raises(CacheMismatchError, match="in use"):
            cache.clear(path)
        assert store.check(0) == "ok"


def test_without_locks_a_cache_can_be_cleared(path, monkeypatch):
    monkeypatch.setattr(lock_module, "HAS_LOCKS", False)
    cache.clear(path)
    assert list(path.parent.iterdir()) == []


def test_a_cache_that_cannot_be_moved_is_a_format_error(path):
    lock_path = layout.lock_path(path)
    lock_path.unlink()
    lock_path.symlink_to(lock_path)
    with pytest.raises(FormatError, match="cannot remove"):
        cache.clear(path)
    assert path.exists()


def test_a_removal_that_was_interrupted_is_finished_later(path):
    trash = layout.unique_sibling(path, "trash")
    path.rename(trash)
    make_cache(path)
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


# Places


def test_the_root_follows_the_environment(tmp_path, monkeypatch):
    monkeypatch.setenv(CACHE_ROOT_VARIABLE, str(tmp_path))
    assert cache.cache_root() == tmp_path.resolve() / "embeddings"


def test_the_root_is_in_the_cache_folder_of_the_user(monkeypatch):
    monkeypatch.delenv(CACHE_ROOT_VARIABLE, raising=False)
    root = cache.cache_root()
    assert root.is_absolute()
    assert root.name == "embeddings"
    assert "napari-sam-decoder" in root.parts


def test_a_job_has_one_place(tmp_path, monkeypatch):
    monkeypatch.setenv(CACHE_ROOT_VARIABLE, str(tmp_path))
    place = cache.default_place(key_of(), [DIGEST])
    assert place == cache.default_place(key_of(), [DIGEST])
    assert place.parent == cache.cache_root()
    assert place.suffix == ".zarr"


def test_other_jobs_and_other_pixels_have_other_places():
    places = {
        cache.default_place(key_of(), [DIGEST]),
        cache.default_place(replace(key_of(), contrast=(0.0, 1.0)), [DIGEST]),
        cache.default_place(key_of(), [array_digest(np.array([2]))]),
    }
    assert len(places) == 3


@pytest.mark.parametrize(
    ("text", "limit"), [("", 20 * 10**9), ("0.5", 5 * 10**8), ("0", 0)]
)
def test_the_limit_follows_the_environment(monkeypatch, text, limit):
    monkeypatch.setenv(CACHE_LIMIT_VARIABLE, text)
    assert cache.size_limit() == limit


@pytest.mark.parametrize("text", ["plenty", "-1", "nan", "inf"])
def test_a_limit_that_is_no_number_is_refused(monkeypatch, text):
    monkeypatch.setenv(CACHE_LIMIT_VARIABLE, text)
    with pytest.raises(OptionError, match="number of GB"):
        cache.size_limit()


@pytest.fixture
def three(tmp_path):
    names = ("old.zarr", "middle.zarr", "new.zarr")
    for used, name in enumerate(names, start=1):
        make_cache(tmp_path / name, used=used * 1e9)
    return tmp_path


def names_in(root):
    return [info.path.name for info in cache.list_caches(root)]


def test_nothing_is_removed_under_the_limit(three):
    total = sum(info.bytes for info in cache.list_caches(three))
    cache.make_room(three, total)
    assert names_in(three) == ["old.zarr", "middle.zarr", "new.zarr"]


def test_the_least_recently_used_go_first(three):
    total = sum(info.bytes for info in cache.list_caches(three))
    cache.make_room(three, total - 1)
    assert names_in(three) == ["middle.zarr", "new.zarr"]
    cache.make_room(three, 1)
    assert names_in(three) == []


@needs_locks
def test_a_cache_in_use_stays_whatever_the_limit(three):
    with ZarrStore.open(three / "old.zarr", key_of(frames=4)):
        cache.make_room(three, 0)
        assert names_in(three) == ["old.zarr"]
