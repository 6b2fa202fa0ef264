"""How the cache on disk meets damage."""

from __future__ import annotations

import logging
import shutil
from dataclasses import replace

import numpy as np
import pytest
import zarr

from cache_worker import SHAPE, key_of, noise
from napari_sam_decoder.cache import ZarrStore, array_digest, layout
from napari_sam_decoder.cache import lock as lock_module
from napari_sam_decoder.errors import CacheCorruptError, CacheMismatchError

DIGEST = array_digest(np.array([1]))
FEATURES = noise(b"features")

needs_locks = pytest.mark.skipif(
    not lock_module.HAS_LOCKS, reason="this system has no flock"
)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "cache.zarr"


@pytest.fixture
def store(path):
    with ZarrStore.open(path, key_of()) as opened:
        opened.write(0, DIGEST, FEATURES)
        yield opened


def chunk(path, frame=0):
    return path / "embeddings" / f"c.{frame}.0.0.0"


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


def test_a_missing_chunk_is_no_embedding_of_zeros(store):
    chunk(store.path).unlink()
    assert store.read(0, DIGEST) is None
    assert store.check(0) == "corrupt"


def test_an_intact_chunk_of_another_frame_is_found(store):
    store.write(1, DIGEST, -FEATURES)
    shutil.copy(chunk(store.path, 1), chunk(store.path, 0))
    assert store.read(0, DIGEST) is None
    assert store.check(0) == "corrupt"


@pytest.mark.parametrize("content", [b"", bytes(4), bytes(68)])
def test_a_damaged_record_is_found(store, content, caplog):
    layout.record_path(store.path, 0).write_bytes(content)
    with caplog.at_level(logging.WARNING, "napari_sam_decoder"):
        assert store.read(0, DIGEST) is None
    assert "damaged" in caplog.text
    assert store.recorded_digest(0) is None
    assert store.check(0) == "corrupt"


def test_writing_mends_a_damaged_frame(store):
    flip_byte(chunk(store.path))
    flip_byte(layout.record_path(store.path, 0))
    store.write(0, DIGEST, FEATURES)
    assert store.check(0) == "ok"


class Killed(BaseException):
    pass


class Deadly:
    """An array that ends the process as soon as it is written to."""

    def __setitem__(self, frame, values):
        raise Killed


@pytest.mark.parametrize("array", ["_embeddings", "_records"])
def test_a_frame_is_absent_until_all_of_it_is_written(store, monkeypatch, array):
    monkeypatch.setattr(store, array, Deadly())
    for frame in (0, 1):
        with pytest.raises(Killed):
            store.write(frame, DIGEST, -FEATURES)
    with ZarrStore.open(store.path, key_of()) as reopened:
        assert reopened.present() == set()
        assert [reopened.check(frame) for frame in (0, 1)] == ["absent", "absent"]


def test_a_cache_replaced_by_one_of_another_job_before_locking_is_refused(store):
    lock = lock_module.FolderLock(layout.lock_path(store.path))
    with pytest.raises(CacheMismatchError, match="axes: the cache has TYX"):
        ZarrStore(store.path, replace(key_of(), axes="ZYX"), lock)


@pytest.mark.parametrize("name", ["embeddings", "records"])
def test_a_cache_without_an_array_is_corrupt(store, name):
    shutil.rmtree(store.path / name)
    with pytest.raises(CacheCorruptError, match="napari-sam-decoder cache clear"):
        ZarrStore.open(store.path, key_of())


@pytest.mark.parametrize("content", ["", "{}", '{"zarr_format": 3}'])
def test_an_array_without_a_description_is_corrupt(store, content):
    (store.path / "embeddings" / "zarr.json").write_text(content)
    with pytest.raises(CacheCorruptError, match="damaged"):
        ZarrStore.open(store.path, key_of())


@pytest.mark.parametrize(
    ("name", "shape", "dtype"),
    [
        ("records", (12, 32), "uint8"),
        ("embeddings", (12, 16, 8, 8), "float16"),
        ("embeddings", (12, *SHAPE), "float32"),
    ],
)
def test_an_array_of_another_shape_or_type_is_corrupt(store, name, shape, dtype):
    zarr.open_group(store.path).create_array(
        name, shape=shape, dtype=dtype, chunks=(1, *shape[1:]), overwrite=True
    )
    with pytest.raises(CacheCorruptError, match="damaged"):
        ZarrStore.open(store.path, key_of())


def test_a_group_in_place_of_an_array_is_corrupt(store):
    zarr.open_group(store.path).create_group("embeddings", overwrite=True)
    with pytest.raises(CacheCorruptError, match="damaged"):
        ZarrStore.open(store.path, key_of())


@needs_locks
def test_a_cache_that_could_not_be_opened_is_not_held(path):
    ZarrStore.open(path, key_of()).close()
    shutil.rmtree(path / "embeddings")
    with pytest.raises(CacheCorruptError):
        ZarrStore.open(path, key_of())
    lock = lock_module.FolderLock(layout.lock_path(path))
    assert lock.try_alone() == "alone"
