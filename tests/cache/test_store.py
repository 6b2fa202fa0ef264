"""What holds for every store, and what holds for the one in memory."""

from __future__ import annotations

import numpy as np
import pytest

from cache_worker import SHAPE, key_of, noise, rounded
from napari_sam_decoder.cache import MemoryStore, Quantizer, ZarrStore, array_digest
from napari_sam_decoder.errors import DecodingError, OptionError

RED, BLUE = (array_digest(np.array([value])) for value in (1, 2))
FEATURES = noise(b"features")
PACKING = Quantizer(SHAPE)


@pytest.fixture(params=["memory", "zarr"])
def store(request, tmp_path):
    if request.param == "memory":
        opened = MemoryStore(PACKING)
    else:
        opened = ZarrStore.open(tmp_path / "cache.zarr", key_of(frames=4))
    yield opened
    opened.close()


class TestEveryStore:
    def test_it_starts_empty(self, store):
        assert store.present() == set()
        assert store.read(0, RED) is None
        assert store.recorded_digest(0) is None

    def test_it_gives_back_what_was_written_rounded(self, store):
        written = store.write(2, RED, FEATURES)
        read = store.read(2, RED)
        assert read.dtype == np.float32
        np.testing.assert_array_equal(read, rounded(FEATURES))
        assert written.tobytes() == read.tobytes()

    @pytest.mark.parametrize("value", [np.nan, np.inf])
    def test_it_refuses_what_is_not_finite_and_keeps_what_it_has(self, store, value):
        store.write(0, RED, FEATURES)
        spoilt = FEATURES.copy()
        spoilt[3, 4, 5] = value
        with pytest.raises(DecodingError, match="not finite"):
            store.write(0, BLUE, spoilt)
        assert store.recorded_digest(0) == RED

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
        np.testing.assert_array_equal(store.read(0, BLUE), rounded(-FEATURES))

    def test_an_embedding_of_zeros_is_kept(self, store):
        store.write(0, RED, np.zeros_like(FEATURES))
        assert not store.read(0, RED).any()

    def test_what_was_read_may_be_changed(self, store):
        store.write(0, RED, FEATURES)
        store.read(0, RED)[:] = 0
        np.testing.assert_array_equal(store.read(0, RED), rounded(FEATURES))

    def test_what_was_written_may_be_changed_afterwards(self, store):
        features = FEATURES.copy()
        store.write(0, RED, features)[:] = 0
        features[:] = 0
        assert store.read(0, RED).any()

    def test_it_can_be_closed_twice(self, store):
        store.close()
        store.close()

    def test_parts_of_frames_have_embeddings_of_their_own(self, store):
        part = store.part("512.0.512.512")
        part.write(2, BLUE, FEATURES)
        assert store.present() == set()
        assert part.present() == {2}
        again = store.part("512.0.512.512")
        assert again.read(2, RED) is None
        np.testing.assert_array_equal(again.read(2, BLUE), rounded(FEATURES))
        assert store.part("0.0.512.512").read(2, BLUE) is None
        for one in (part, again):
            one.close()


def test_memory_forgets_the_least_recently_used():
    store = MemoryStore(PACKING, limit_bytes=2 * PACKING.nbytes)
    store.write(0, RED, FEATURES)
    store.write(1, RED, FEATURES)
    store.read(0, RED)
    store.write(2, RED, FEATURES)
    assert store.present() == {0, 2}


def test_memory_counts_an_overwritten_frame_once():
    store = MemoryStore(PACKING, limit_bytes=2 * PACKING.nbytes)
    for digest in (RED, BLUE, RED):
        store.write(0, digest, FEATURES)
    store.write(1, RED, FEATURES)
    assert store.present() == {0, 1}


def test_memory_without_room_keeps_nothing():
    store = MemoryStore(PACKING, limit_bytes=PACKING.nbytes - 1)
    store.write(0, RED, FEATURES)
    assert store.present() == set()


def test_memory_is_shared_with_parts():
    store = MemoryStore(PACKING, limit_bytes=2 * PACKING.nbytes)
    part = store.part("a")
    for frame in range(3):
        part.write(frame, RED, FEATURES)
        store.write(frame, RED, FEATURES)
    assert (store.present(), part.present()) == ({2}, {2})


def test_memory_refuses_a_negative_limit():
    with pytest.raises(OptionError, match="0 bytes or more, not -1"):
        MemoryStore(PACKING, limit_bytes=-1)
