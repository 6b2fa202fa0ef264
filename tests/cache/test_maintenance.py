"""Listing, describing, verifying and clearing caches, and where they go."""

from __future__ import annotations

import errno
import os
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import portalocker
import pytest
import zarr

from cache_worker import NoLocks, chunk, key_of, noise, rounded
from napari_sam_decoder import cache
from napari_sam_decoder.cache import ZarrStore, array_digest, layout
from napari_sam_decoder.cache.location import CACHE_LIMIT_VARIABLE, CACHE_ROOT_VARIABLE
from napari_sam_decoder.cache.zarr_store import FrameRecords
from napari_sam_decoder.errors import (
    CacheCorruptError,
    CacheMismatchError,
    FormatError,
    OptionError,
)

FRAMES = 10
NEW = array_digest(np.array([-1]))


def digest(frame):
    return array_digest(np.array([frame]))


def features(frame):
    return noise(digest(frame))


@pytest.fixture(autouse=True)
def small_shards(monkeypatch):
    monkeypatch.setattr(layout, "SHARD_FRAMES", 4)


@pytest.fixture
def full_cache(tmp_path):
    with ZarrStore.open(tmp_path / "cache.zarr", key_of(FRAMES)) as store:
        for frame in range(FRAMES):
            store.write(frame, digest(frame), features(frame))
        return store.path


def compact(full_cache):
    return list(cache.compact(full_cache))


def assert_sound(full_cache, changed=()):
    """Every frame reads as it was written, or as the change of it."""
    with ZarrStore.open(full_cache, key_of(FRAMES)) as store:
        assert store.present() == set(range(FRAMES))
        for frame in range(FRAMES):
            assert store.check(frame) == "ok"
            is_changed = frame in changed
            wanted = -features(frame) if is_changed else features(frame)
            read = store.read(frame, NEW if is_changed else digest(frame))
            np.testing.assert_array_equal(read, rounded(wanted))


def files(full_cache, array):
    return sorted(file.name for file in (full_cache / array).glob("c.*"))


def change(full_cache, frame):
    with ZarrStore.open(full_cache, key_of(FRAMES)) as store:
        store.write(frame, NEW, -features(frame))


def test_frames_move_into_a_few_files(full_cache):
    assert compact(full_cache) == list(range(FRAMES))
    assert files(full_cache, "frames") == []
    assert files(full_cache, "packed") == ["c.0.0", "c.1.0", "c.2.0"]
    assert_sound(full_cache)


def test_packed_frames_are_records_of_a_zarr_array(full_cache):
    before = zarr.open_group(full_cache, mode="r")["frames"][:]
    compact(full_cache)
    packed = zarr.open_group(full_cache, mode="r")["packed"]
    assert packed.shards == (4, before.shape[1])
    np.testing.assert_array_equal(packed[:], before)


def test_a_shard_without_one_of_its_records_lacks_that_frame_alone(full_cache):
    compact(full_cache)
    with zarr.config.set({"array.write_empty_chunks": False}):
        zarr.open_group(full_cache)["packed"][5] = 0
    states = [found.state for found in cache.verify(full_cache)]
    assert states == ["ok"] * 5 + ["corrupt"] + ["ok"] * 4


@pytest.mark.parametrize("size", [0, 10, -1])
def test_a_truncated_shard_is_found(full_cache, size):
    compact(full_cache)
    shard = layout.shard_path(full_cache, 0)
    shard.write_bytes(shard.read_bytes()[:size])
    states = [found.state for found in cache.verify(full_cache)]
    assert states == ["corrupt"] * 4 + ["ok"] * 6


def test_a_description_says_what_is_packed(full_cache):
    assert cache.describe(full_cache).packed == 0
    compact(full_cache)
    info = cache.describe(full_cache)
    assert (info.present, info.packed) == (FRAMES, FRAMES)


def test_a_packed_cache_takes_no_more_room(full_cache):
    before = cache.describe(full_cache).bytes
    compact(full_cache)
    assert cache.describe(full_cache).bytes <= before + 1000


def test_compacting_again_does_nothing(full_cache):
    compact(full_cache)
    before = {
        file: file.stat().st_mtime_ns for file in (full_cache / "packed").iterdir()
    }
    assert compact(full_cache) == list(range(FRAMES))
    after = {
        file: file.stat().st_mtime_ns for file in (full_cache / "packed").iterdir()
    }
    assert after == before


def test_a_frame_whose_pixels_changed_is_a_file_again_and_wins(full_cache):
    compact(full_cache)
    change(full_cache, 5)
    assert files(full_cache, "frames") == ["c.5.0"]
    assert_sound(full_cache, changed=[5])
    with ZarrStore.open(full_cache, key_of(FRAMES)) as store:
        assert store.recorded_digest(5) == NEW
        # What is packed still serves if the pixels are as they were.
        np.testing.assert_array_equal(store.read(5, digest(5)), rounded(features(5)))


def test_compacting_again_takes_changes_along(full_cache):
    compact(full_cache)
    change(full_cache, 5)
    change(full_cache, 9)
    compact(full_cache)
    assert files(full_cache, "frames") == []
    assert_sound(full_cache, changed=[5, 9])


def test_it_can_be_stopped_and_resumed(full_cache):
    steps = cache.compact(full_cache)
    assert [next(steps) for _ in range(5)] == [0, 1, 2, 3, 4]
    steps.close()
    assert files(full_cache, "packed") == ["c.0.0", "c.1.0"]
    assert_sound(full_cache)
    assert compact(full_cache) == list(range(FRAMES))
    assert_sound(full_cache)


class Killed(BaseException):
    pass


def dies(*_args, **_kwargs):
    raise Killed


class Deadly:
    """An array that ends the process as soon as it is written to."""

    def __init__(self, array):
        self._array = array

    def __getitem__(self, frame):
        return self._array[frame]

    __setitem__ = dies


def die_before_the_shard_is_written(monkeypatch):
    open_arrays = layout.open_arrays

    def opened(full_cache, key):
        loose, packed = open_arrays(full_cache, key)
        return loose, Deadly(packed)

    monkeypatch.setattr(layout, "open_arrays", opened)


def die_before_files_are_removed(monkeypatch):
    monkeypatch.setattr("pathlib.Path.unlink", dies)


@pytest.mark.parametrize(
    "die", [die_before_the_shard_is_written, die_before_files_are_removed]
)
@pytest.mark.parametrize("is_second", [False, True], ids=["first", "again"])
def test_a_kill_costs_nothing(full_cache, die, is_second):
    if is_second:
        compact(full_cache)
        change(full_cache, 2)
    changed = [2] if is_second else []
    with pytest.MonkeyPatch.context() as patch:
        die(patch)
        with pytest.raises(Killed):
            compact(full_cache)
    assert_sound(full_cache, changed)
    compact(full_cache)
    assert files(full_cache, "frames") == []
    assert_sound(full_cache, changed)


def test_an_incomplete_cache_is_refused_and_left_alone(full_cache):
    chunk(full_cache, 7).unlink()
    with pytest.raises(CacheMismatchError, match=r"9 of 10 frames.*embed the rest"):
        compact(full_cache)
    assert files(full_cache, "packed") == []


def test_a_damaged_frame_is_named_and_nothing_is_lost(full_cache):
    chunk(full_cache, 6).write_bytes(b"damaged")
    with pytest.raises(CacheCorruptError, match=r"frame 6 .*napari-sam-decoder embed"):
        compact(full_cache)
    with ZarrStore.open(full_cache, key_of(FRAMES)) as store:
        states = [store.check(frame) for frame in range(FRAMES)]
        assert states == ["ok"] * 6 + ["corrupt"] + ["ok"] * 3
        store.write(6, digest(6), features(6))
    compact(full_cache)
    assert_sound(full_cache)


def test_damage_to_a_shard_costs_its_frame_alone(full_cache):
    compact(full_cache)
    shard = layout.shard_path(full_cache, 0)
    content = bytearray(shard.read_bytes())
    content[1000] ^= 1
    shard.write_bytes(content)
    states = [found.state for found in cache.verify(full_cache)]
    assert states == ["corrupt"] + ["ok"] * (FRAMES - 1)
    with ZarrStore.open(full_cache, key_of(FRAMES)) as store:
        assert store.read(0, digest(0)) is None
        store.write(0, digest(0), features(0))
        np.testing.assert_array_equal(store.read(0, digest(0)), rounded(features(0)))
    compact(full_cache)
    assert_sound(full_cache)


def test_a_cache_in_use_is_refused(full_cache):
    with (
        ZarrStore.open(full_cache, key_of(FRAMES)),
        pytest.raises(CacheMismatchError, match="in use"),
    ):
        compact(full_cache)
    assert files(full_cache, "packed") == []


def test_others_can_come_in_between_two_files(full_cache):
    steps = cache.compact(full_cache)
    next(steps)
    with ZarrStore.open(full_cache, key_of(FRAMES)), pytest.raises(CacheMismatchError):
        list(steps)
    assert_sound(full_cache)


def test_without_locks_it_works_too(full_cache, monkeypatch):
    monkeypatch.setattr(portalocker.portalocker, "LOCKER", NoLocks())
    compact(full_cache)
    assert_sound(full_cache)


def test_a_full_disk_is_a_format_error_and_costs_nothing(full_cache, monkeypatch):
    def full(*_args):
        raise OSError(errno.ENOSPC, "no space left on device")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(FrameRecords, "pack_shard", full)
        with pytest.raises(
            FormatError, match=r"cannot compact .*; free some disk space"
        ):
            compact(full_cache)
    assert_sound(full_cache)


def test_what_is_no_cache_is_refused(tmp_path):
    with pytest.raises(CacheMismatchError, match="not an embedding cache"):
        compact(tmp_path)


def test_a_packed_cache_can_be_cleared(full_cache):
    compact(full_cache)
    cache.clear(full_cache)
    assert not full_cache.exists()


DIGEST = array_digest(np.array([1]))
FEATURES = noise(b"features")


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
    with pytest.raises(CacheMismatchError, match="not an embedding cache"):
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
    cache.evict_least_recent(tmp_path, 0)
    assert list(tmp_path.iterdir()) == []


def test_the_storage_of_a_cache_can_be_asked(path, tmp_path):
    assert cache.read_storage(path) is cache.Storage.INT8
    assert cache.read_storage(tmp_path / "nowhere") is None


# Verifying
def test_verifying_tells_sound_corrupt_and_absent_frames(path):
    content = bytearray(chunk(path, 2).read_bytes())
    content[100] ^= 1
    chunk(path, 2).write_bytes(content)
    states = [(found.frame, found.state) for found in cache.verify(path)]
    assert states == [(0, "ok"), (1, "absent"), (2, "corrupt"), (3, "absent")]


def test_verifying_what_is_no_cache_is_an_error(tmp_path):
    with pytest.raises(CacheMismatchError, match="not an embedding cache"):
        next(cache.verify(tmp_path))


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
    with pytest.raises(CacheMismatchError, match=r"not part of the cache: thesis\.txt"):
        cache.clear(path)
    assert cache.describe(path).present == 2


def test_a_cache_in_use_is_not_cleared(path):
    with ZarrStore.open(path, key_of(frames=4)) as store:
        with pytest.raises(CacheMismatchError, match="in use"):
            cache.clear(path)
        assert store.check(0) == "ok"


def test_without_locks_a_cache_can_be_cleared(path, monkeypatch):
    monkeypatch.setattr(portalocker.portalocker, "LOCKER", NoLocks())
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
    trash = layout.temporary_sibling(path, "trash")
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
    place = cache.default_location(key_of(), [DIGEST])
    assert place == cache.default_location(key_of(), [DIGEST])
    assert place.parent == cache.cache_root()
    assert place.suffix == ".zarr"


def test_other_jobs_and_other_pixels_have_other_places():
    places = {
        cache.default_location(key_of(), [DIGEST]),
        cache.default_location(replace(key_of(), contrast=(0.0, 1.0)), [DIGEST]),
        cache.default_location(key_of(), [array_digest(np.array([2]))]),
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
    cache.evict_least_recent(three, total)
    assert names_in(three) == ["old.zarr", "middle.zarr", "new.zarr"]


def test_the_least_recently_used_go_first(three):
    total = sum(info.bytes for info in cache.list_caches(three))
    cache.evict_least_recent(three, total - 1)
    assert names_in(three) == ["middle.zarr", "new.zarr"]
    cache.evict_least_recent(three, 1)
    assert names_in(three) == []


def test_a_cache_in_use_stays_whatever_the_limit(three):
    with ZarrStore.open(three / "old.zarr", key_of(frames=4)):
        cache.evict_least_recent(three, 0)
        assert names_in(three) == ["old.zarr"]


@pytest.fixture
def cache_with_windows(full_cache):
    with ZarrStore.open_existing(full_cache) as store:
        for name, frames in (("0.0.8.8", (1, 3)), ("4.0.8.8", (5,))):
            with store.part(name) as part:
                for frame in frames:
                    part.write(frame, digest(frame), features(frame))
    return full_cache


def test_a_description_counts_the_frames_of_windows(cache_with_windows, full_cache):
    info = cache.describe(cache_with_windows)
    assert info.present == FRAMES
    assert info.parts == {"0.0.8.8": 2, "4.0.8.8": 1}


def test_windows_are_verified_as_well(cache_with_windows):
    part = layout.part_path(cache_with_windows, "0.0.8.8")
    damage = layout.frame_path(part, 3)
    damage.write_bytes(damage.read_bytes()[:-5])
    checks = list(cache.verify(cache_with_windows))
    assert len(checks) == FRAMES + 3
    (bad,) = [check for check in checks if check.state != "ok"]
    assert (bad.frame, bad.state, bad.part) == (3, "corrupt", "0.0.8.8")


def test_a_cache_is_cleared_and_packed_with_its_windows(cache_with_windows):
    list(cache.compact(cache_with_windows))
    with (
        ZarrStore.open_existing(cache_with_windows) as store,
        store.part("4.0.8.8") as part,
    ):
        assert part.read(5, digest(5)) is not None
    cache.clear(cache_with_windows)
    assert not cache_with_windows.exists()


def test_a_window_that_was_never_finished_is_no_obstacle(cache_with_windows):
    (cache_with_windows / ".napari-sam-decoder.0.building").mkdir()
    cache.clear(cache_with_windows)
    assert not cache_with_windows.exists()
