"""Packing a complete cache into few files, and what can come between."""

from __future__ import annotations

import errno

import numpy as np
import pytest
import zarr

from cache_worker import chunk, key_of, noise, rounded
from napari_sam_decoder import cache
from napari_sam_decoder.cache import ZarrStore, array_digest, layout
from napari_sam_decoder.cache import lock as lock_module
from napari_sam_decoder.cache.rows import FrameRows
from napari_sam_decoder.errors import (
    CacheCorruptError,
    CacheMismatchError,
    FormatError,
)

FRAMES = 10
NEW = array_digest(np.array([-1]))

needs_locks = pytest.mark.skipif(
    not lock_module.HAS_LOCKS, reason="this system has no flock"
)


def digest(frame):
    return array_digest(np.array([frame]))


def features(frame):
    return noise(digest(frame))


@pytest.fixture(autouse=True)
def small_shards(monkeypatch):
    monkeypatch.setattr(layout, "SHARD_FRAMES", 4)


@pytest.fixture
def path(tmp_path):
    with ZarrStore.open(tmp_path / "cache.zarr", key_of(FRAMES)) as store:
        for frame in range(FRAMES):
            store.write(frame, digest(frame), features(frame))
        return store.path


def compact(path):
    return list(cache.compact(path))


def assert_sound(path, changed=()):
    """Every frame reads as it was written, or as the change of it."""
    with ZarrStore.open(path, key_of(FRAMES)) as store:
        assert store.present() == set(range(FRAMES))
        for frame in range(FRAMES):
            assert store.check(frame) == "ok"
            is_changed = frame in changed
            wanted = -features(frame) if is_changed else features(frame)
            read = store.read(frame, NEW if is_changed else digest(frame))
            np.testing.assert_array_equal(read, rounded(wanted))


def files(path, array):
    return sorted(file.name for file in (path / array).glob("c.*"))


def change(path, frame):
    with ZarrStore.open(path, key_of(FRAMES)) as store:
        store.write(frame, NEW, -features(frame))


def test_frames_move_into_a_few_files(path):
    assert compact(path) == list(range(FRAMES))
    assert files(path, "frames") == []
    assert files(path, "packed") == ["c.0.0", "c.1.0", "c.2.0"]
    assert_sound(path)


def test_packed_frames_are_rows_of_a_zarr_array(path):
    before = zarr.open_group(path, mode="r")["frames"][:]
    compact(path)
    packed = zarr.open_group(path, mode="r")["packed"]
    assert packed.shards == (4, before.shape[1])
    np.testing.assert_array_equal(packed[:], before)


def test_a_shard_without_one_of_its_rows_lacks_that_frame_alone(path):
    compact(path)
    with zarr.config.set({"array.write_empty_chunks": False}):
        zarr.open_group(path)["packed"][5] = 0
    states = [found.state for found in cache.verify(path)]
    assert states == ["ok"] * 5 + ["corrupt"] + ["ok"] * 4


@pytest.mark.parametrize("size", [0, 10, -1])
def test_a_truncated_shard_is_found(path, size):
    compact(path)
    shard = layout.shard_path(path, 0)
    shard.write_bytes(shard.read_bytes()[:size])
    states = [found.state for found in cache.verify(path)]
    assert states == ["corrupt"] * 4 + ["ok"] * 6


def test_a_description_says_what_is_packed(path):
    assert cache.describe(path).packed == 0
    compact(path)
    info = cache.describe(path)
    assert (info.present, info.packed) == (FRAMES, FRAMES)


def test_a_packed_cache_takes_no_more_room(path):
    before = cache.describe(path).bytes
    compact(path)
    assert cache.describe(path).bytes <= before + 1000


def test_compacting_again_does_nothing(path):
    compact(path)
    before = {file: file.stat().st_mtime_ns for file in (path / "packed").iterdir()}
    assert compact(path) == list(range(FRAMES))
    after = {file: file.stat().st_mtime_ns for file in (path / "packed").iterdir()}
    assert after == before


def test_a_frame_whose_pixels_changed_is_a_file_again_and_wins(path):
    compact(path)
    change(path, 5)
    assert files(path, "frames") == ["c.5.0"]
    assert_sound(path, changed=[5])
    with ZarrStore.open(path, key_of(FRAMES)) as store:
        assert store.recorded_digest(5) == NEW
        # What is packed still serves if the pixels are as they were.
        np.testing.assert_array_equal(store.read(5, digest(5)), rounded(features(5)))


def test_compacting_again_takes_changes_along(path):
    compact(path)
    change(path, 5)
    change(path, 9)
    compact(path)
    assert files(path, "frames") == []
    assert_sound(path, changed=[5, 9])


def test_it_can_be_stopped_and_resumed(path):
    steps = cache.compact(path)
    assert [next(steps) for _ in range(5)] == [0, 1, 2, 3, 4]
    steps.close()
    assert files(path, "packed") == ["c.0.0", "c.1.0"]
    assert_sound(path)
    assert compact(path) == list(range(FRAMES))
    assert_sound(path)


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

    def opened(path, key):
        loose, packed = open_arrays(path, key)
        return loose, Deadly(packed)

    monkeypatch.setattr(layout, "open_arrays", opened)


def die_before_files_are_removed(monkeypatch):
    monkeypatch.setattr("pathlib.Path.unlink", dies)


@pytest.mark.parametrize(
    "die", [die_before_the_shard_is_written, die_before_files_are_removed]
)
@pytest.mark.parametrize("is_second", [False, True], ids=["first", "again"])
def test_a_kill_costs_nothing(path, die, is_second):
    if is_second:
        compact(path)
        change(path, 2)
    changed = [2] if is_second else []
    with pytest.MonkeyPatch.context() as patch:
        die(patch)
        with pytest.raises(Killed):
            compact(path)
    assert_sound(path, changed)
    compact(path)
    assert files(path, "frames") == []
    assert_sound(path, changed)


def test_an_incomplete_cache_is_refused_and_left_alone(path):
    chunk(path, 7).unlink()
    with pytest.raises(CacheMismatchError, match=r"9 of 10 frames.*embed the rest"):
        compact(path)
    assert files(path, "packed") == []


def test_a_damaged_frame_is_named_and_nothing_is_lost(path):
    chunk(path, 6).write_bytes(b"damaged")
    with pytest.raises(CacheCorruptError, match=r"frame 6 .*napari-sam-decoder embed"):
        compact(path)
    with ZarrStore.open(path, key_of(FRAMES)) as store:
        states = [store.check(frame) for frame in range(FRAMES)]
        assert states == ["ok"] * 6 + ["corrupt"] + ["ok"] * 3
        store.write(6, digest(6), features(6))
    compact(path)
    assert_sound(path)


def test_damage_to_a_shard_costs_its_frame_alone(path):
    compact(path)
    shard = layout.shard_path(path, 0)
    content = bytearray(shard.read_bytes())
    content[1000] ^= 1
    shard.write_bytes(content)
    states = [found.state for found in cache.verify(path)]
    assert states == ["corrupt"] + ["ok"] * (FRAMES - 1)
    with ZarrStore.open(path, key_of(FRAMES)) as store:
        assert store.read(0, digest(0)) is None
        store.write(0, digest(0), features(0))
        np.testing.assert_array_equal(store.read(0, digest(0)), rounded(features(0)))
    compact(path)
    assert_sound(path)


@needs_locks
def test_a_cache_in_use_is_refused(path):
    with (
        ZarrStore.open(path, key_of(FRAMES)),
        pytest.raises(CacheMismatchError, match="in use"),
    ):
        compact(path)
    assert files(path, "packed") == []


@needs_locks
def test_others_can_come_in_between_two_files(path):
    steps = cache.compact(path)
    next(steps)
    with ZarrStore.open(path, key_of(FRAMES)), pytest.raises(CacheMismatchError):
        list(steps)
    assert_sound(path)


def test_without_locks_it_works_too(path, monkeypatch):
    monkeypatch.setattr(lock_module, "HAS_LOCKS", False)
    compact(path)
    assert_sound(path)


def test_a_full_disk_is_a_format_error_and_costs_nothing(path, monkeypatch):
    def full(*_args):
        raise OSError(errno.ENOSPC, "no space left on device")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(FrameRows, "pack", full)
        with pytest.raises(
            FormatError, match=r"cannot compact .*; free some disk space"
        ):
            compact(path)
    assert_sound(path)


def test_what_is_no_cache_is_refused(tmp_path):
    with pytest.raises(CacheMismatchError, match="no embedding cache"):
        compact(tmp_path)


def test_a_packed_cache_can_be_cleared(path):
    compact(path)
    cache.clear(path)
    assert not path.exists()
