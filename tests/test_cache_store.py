"""What holds for every store, and what holds for the one in memory."""

from __future__ import annotations

import numpy as np
import pytest

from cache_worker import key_of, noise
from napari_sam_decoder.cache import MemoryStore, ZarrStore, array_digest
from napari_sam_decoder.errors import OptionError

RED, BLUE = (array_digest(np.array([value])) for value in (1, 2))
FEATURES = noise(b"features")
BYTES = FEATURES.astype(np.float16).nbytes


@pytest.fixture(params=["memory", "zarr"])
def store(request, tmp_path):
    if request.param == "memory":
        opened = MemoryStore()
    else:
        opened = ZarrStore.open(tmp_path / "cache.zarr", key_of(frames=4))
    yield opened
    opened.close()


class TestEveryStore:
    def test_it_starts_empty(self, store):
        assert store.present() == set()
        assert store.read(0, RED) is None
        assert store.recorded_digest(0) is None

    def test_it_gives_back_what_was_written_as_float16(self, store):
        store.write(2, RED, FEATURES)
        read = store.read(2, RED)
        assert read.dtype == np.float16
        np.testing.assert_array_equal(read, FEATURES.astype(np.float16))

    def test_it_knows_which_frames_it_has(self, store):
        store.write(3, RED, FEATURES)
        store.write(1, BLUE, FEATURES)
        assert store.present() == {1, 3}
        assert store.recorded_digest(1) == BLUE
        assert store.recorded_digest(2) is None

    def test_other_pixels_find_nothing(self, store):
        store.write(0, RED, FEATURES)
        assert store.read(0, BLUE) is None

    def test_a_frame_can_be_overwritten(self, store):
        store.write(0, RED, FEATURES)
        store.write(0, BLUE, -FEATURES)
        assert store.read(0, RED) is None
        np.testing.assert_array_equal(
            store.read(0, BLUE), (-FEATURES).astype(np.float16)
        )

    def test_an_embedding_of_zeros_is_kept(self, store):
        store.write(0, RED, np.zeros_like(FEATURES))
        assert not store.read(0, RED).any()

    def test_what_was_read_may_be_changed(self, store):
        store.write(0, RED, FEATURES)
        store.read(0, RED)[:] = 0
        np.testing.assert_array_equal(store.read(0, RED), FEATURES.astype(np.float16))

    def test_what_was_written_may_be_changed_afterwards(self, store):
        features = FEATURES.astype(np.float16)
        store.write(0, RED, features)
        features[:] = 0
        assert store.read(0, RED).any()

    def test_it_can_be_closed_twice(self, store):
        store.close()
        store.close()


def test_memory_forgets_the_least_recently_used():
    store = MemoryStore(limit_bytes=2 * BYTES)
    store.write(0, RED, FEATURES)
    store.write(1, RED, FEATURES)
    store.read(0, RED)
    store.write(2, RED, FEATURES)
    assert store.present() == {0, 2}


def test_memory_counts_an_overwritten_frame_once():
    store = MemoryStore(limit_bytes=2 * BYTES)
    for digest in (RED, BLUE, RED):
        store.write(0, digest, FEATURES)
    store.write(1, RED, FEATURES)
    assert store.present() == {0, 1}


def test_memory_without_room_keeps_nothing():
    store = MemoryStore(limit_bytes=BYTES - 1)
    store.write(0, RED, FEATURES)
    assert store.present() == set()


def test_memory_refuses_a_negative_limit():
    with pytest.raises(OptionError, match="0 bytes or more, not -1"):
        MemoryStore(limit_bytes=-1)
