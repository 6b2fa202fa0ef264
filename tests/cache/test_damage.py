"""How the cache on disk meets damage."""

from __future__ import annotations

import logging
import shutil
from dataclasses import replace

import numpy as np
import pytest
import zarr

from cache_worker import SHAPE, chunk, key_of, noise, rounded
from napari_sam_decoder import file_lock
from napari_sam_decoder.cache import ZarrStore, array_digest, layout
from napari_sam_decoder.errors import CacheCorruptError, CacheMismatchError

DIGEST = array_digest(np.array([1]))
FEATURES = noise(b"features")
ROWS = (12, 32 + 4 * SHAPE[0] + FEATURES.size)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "cache.zarr"


@pytest.fixture
def store(path):
    with ZarrStore.open(path, key_of()) as opened:
        opened.write(0, DIGEST, FEATURES)
        yield opened


def flip_byte(file, position=None):
    content = bytearray(file.read_bytes())
    content[len(content) // 2 if position is None else position] ^= 1
    file.write_bytes(content)


@pytest.mark.parametrize("position", [0, None, -1], ids=["first", "middle", "last"])
def test_a_flipped_byte_is_found(store, position, caplog):
    flip_byte(chunk(store.path), position)
    with caplog.at_level(logging.WARNING, "napari_sam_decoder"):
        assert store.read(0, DIGEST) is None
    assert "frame 0 of" in caplog.text
    assert store.check(0) == "corrupt"


@pytest.mark.parametrize("size", [0, 1, 4, 1000, -1])
def test_a_truncated_chunk_is_found(store, size):
    content = chunk(store.path).read_bytes()
    chunk(store.path).write_bytes(content[:size])
    assert store.read(0, DIGEST) is None
    assert store.check(0) == "corrupt"


@pytest.mark.parametrize("content", [bytes(4), bytes(2000)], ids=["short", "long"])
def test_a_chunk_of_zero_bytes_is_found(store, content):
    chunk(store.path).write_bytes(content)
    assert store.check(0) == "corrupt"


def test_the_file_of_another_frame_serves_for_its_own_pixels_only(store):
    other = array_digest(np.array([2]))
    store.write(1, other, -FEATURES)
    shutil.copy(chunk(store.path, 1), chunk(store.path, 0))
    assert store.read(0, DIGEST) is None
    np.testing.assert_array_equal(store.read(0, other), rounded(-FEATURES))


@pytest.mark.parametrize("content", [b"", bytes(4), bytes(68)])
def test_a_damaged_frame_has_no_pixels(store, content):
    chunk(store.path).write_bytes(content)
    assert store.recorded_digest(0) is None


def test_writing_repairs_a_damaged_frame(store):
    flip_byte(chunk(store.path))
    store.write(0, DIGEST, FEATURES)
    assert store.check(0) == "ok"


class Killed(BaseException):
    pass


class Deadly:
    """An array that ends the process as soon as it is written to."""

    def __setitem__(self, frame, values):
        raise Killed


def test_a_frame_is_what_it_was_until_all_of_it_is_written(store, monkeypatch):
    monkeypatch.setattr(store._records, "_single", Deadly())
    for frame in (0, 1):
        with pytest.raises(Killed):
            store.write(frame, DIGEST, -FEATURES)
    with ZarrStore.open(store.path, key_of()) as reopened:
        assert reopened.present() == {0}
        assert [reopened.check(frame) for frame in (0, 1)] == ["ok", "absent"]
        np.testing.assert_array_equal(reopened.read(0, DIGEST), rounded(FEATURES))


def test_a_cache_replaced_by_one_of_another_job_before_locking_is_refused(store):
    lock = file_lock.FileLock(layout.lock_path(store.path))
    with pytest.raises(CacheMismatchError, match="axes: the cache has TYX"):
        ZarrStore(store.path, replace(key_of(), axes="ZYX"), lock)


@pytest.mark.parametrize("name", ["frames", "packed"])
def test_a_cache_without_an_array_is_corrupt(store, name):
    shutil.rmtree(store.path / name)
    with pytest.raises(CacheCorruptError, match="napari-sam-decoder cache clear"):
        ZarrStore.open(store.path, key_of())


@pytest.mark.parametrize("content", ["", "{}", '{"zarr_format": 3}'])
def test_an_array_without_a_description_is_corrupt(store, content):
    (store.path / "frames" / "zarr.json").write_text(content)
    with pytest.raises(CacheCorruptError, match="damaged"):
        ZarrStore.open(store.path, key_of())


@pytest.mark.parametrize(
    ("name", "shape", "dtype"),
    [
        ("frames", (12, 32), "uint8"),
        ("packed", (12, 32), "uint8"),
        ("packed", ROWS, "uint8"),
        ("frames", ROWS, "int8"),
    ],
)
def test_an_array_of_another_shape_or_type_is_corrupt(store, name, shape, dtype):
    zarr.open_group(store.path).create_array(
        name, shape=shape, dtype=dtype, chunks=(1, *shape[1:]), overwrite=True
    )
    with pytest.raises(CacheCorruptError, match="damaged"):
        ZarrStore.open(store.path, key_of())


def test_a_group_in_place_of_an_array_is_corrupt(store):
    zarr.open_group(store.path).create_group("frames", overwrite=True)
    with pytest.raises(CacheCorruptError, match="damaged"):
        ZarrStore.open(store.path, key_of())


def test_a_cache_that_could_not_be_opened_is_not_held(path):
    ZarrStore.open(path, key_of()).close()
    shutil.rmtree(path / "packed")
    with pytest.raises(CacheCorruptError):
        ZarrStore.open(path, key_of())
    lock = file_lock.FileLock(layout.lock_path(path))
    assert lock.try_exclusive() == "exclusive"
