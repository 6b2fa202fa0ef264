from __future__ import annotations

import logging
import os
from concurrent.futures import ThreadPoolExecutor, wait
from threading import Barrier, Event, current_thread

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from cache_worker import (
    SHAPE,
    CheapEncoder,
    cheap_movie,
    chunk,
    files_of,
    rounded,
)
from napari_sam_decoder.cache import (
    MemoryStore,
    Storage,
    ZarrStore,
    array_digest,
    cache_root,
    clear,
)
from napari_sam_decoder.cache.location import CACHE_LIMIT_VARIABLE, CACHE_ROOT_VARIABLE
from napari_sam_decoder.embedding import (
    Embedder,
    cache_key,
    nearest_first,
    open_store,
)
from napari_sam_decoder.errors import (
    CacheMismatchError,
    ClosedError,
    DecodingError,
    MovieError,
    OptionError,
)
from napari_sam_decoder.frames import Movie, Window
from napari_sam_decoder.model.values import Embedding
from napari_sam_decoder.thread_pool import ThreadPool

FRAMES = 6


@pytest.fixture
def movie():
    return cheap_movie(FRAMES)


@pytest.fixture
def encoder():
    return CheapEncoder()


@pytest.fixture
def path(tmp_path):
    return tmp_path / "cache.zarr"


@pytest.fixture
def open_embedder(movie, encoder, path):
    """Open the cache at ``path`` again, as often as asked, for any movie."""
    opened = []

    def open_(a_movie=movie, cache=path):
        store = open_store(a_movie, encoder, cache)
        opened.append(Embedder(a_movie, encoder, store))
        return opened[-1]

    yield open_
    for embedder in opened:
        embedder.close()


def with_changes(movie, frames):
    pixels = np.stack([movie.raw(frame) for frame in range(len(movie))])
    pixels[list(frames), 3, 3] ^= 1
    return Movie(pixels, contrast=(0, 255))


def computed(steps):
    return [step.frame for step in steps if not step.was_cached]


class TestEmbedder:
    @pytest.fixture(params=["memory", "zarr"])
    def embedder(self, request, open_embedder, path):
        return open_embedder(cache=None if request.param == "memory" else path)

    def test_an_embedding_has_features_and_the_shape_of_the_frame(self, embedder):
        embedding = embedder.get(2)
        assert embedding.features.shape == SHAPE
        assert embedding.features.dtype == np.float32
        assert embedding.frame_shape == (12, 10)

    def test_a_frame_is_computed_once(self, embedder, encoder):
        embedder.get(2)
        embedder.get(2)
        assert encoder.encoded == 1

    def test_fresh_and_kept_embeddings_are_the_same_bits(self, embedder):
        fresh, kept = embedder.get(1).features, embedder.get(1).features
        assert fresh.tobytes() == kept.tobytes()

    def test_features_are_those_of_the_encoder(self, embedder, movie):
        encoded = CheapEncoder().encode(movie.rgb(3)).features
        np.testing.assert_array_equal(embedder.get(3).features, rounded(encoded))

    def test_a_look_reads_the_frame_once(self, embedder, movie, monkeypatch):
        expected, frame = embedder.get(3), movie.rgb(3)
        reads = []
        read = movie.raw
        monkeypatch.setattr(Movie, "raw", lambda _, t: reads.append(t) or read(t))
        embedding, rgb = embedder.get_with_pixels(3)
        np.testing.assert_array_equal(embedding.features, expected.features)
        np.testing.assert_array_equal(rgb, frame)
        assert reads == [3]

    def test_filling_yields_after_each_frame(self, embedder, encoder):
        steps = embedder.fill([4, 1])
        first = next(steps)
        assert (first.frame, first.was_cached, encoder.encoded) == (4, False, 1)
        assert first.seconds > 0
        assert [step.frame for step in steps] == [1]

    def test_filling_can_be_cancelled_and_resumed(self, embedder):
        steps = embedder.fill(range(FRAMES))
        next(steps)
        next(steps)
        steps.close()
        assert computed(embedder.fill(range(FRAMES))) == [2, 3, 4, 5]

    def test_it_knows_which_frames_are_embedded(self, embedder):
        embedder.get(2)
        assert [embedder.is_embedded(frame) for frame in (1, 2)] == [False, True]

    @pytest.mark.parametrize("frame", [-1, FRAMES])
    def test_a_frame_that_is_not_there_is_an_error(self, embedder, frame):
        with pytest.raises(MovieError, match="there is no frame"):
            embedder.get(frame)
        with pytest.raises(MovieError, match="there is no frame"):
            embedder.is_embedded(frame)

    @pytest.mark.parametrize("value", [np.nan, np.inf])
    def test_values_that_are_not_finite_are_refused(self, embedder, encoder, value):
        def encode(frame):
            return Embedding(np.full(SHAPE, value, np.float32), frame.shape[:2])

        encoder.encode = encode
        with pytest.raises(DecodingError, match="frame 0: the embedding has values"):
            embedder.get(0)
        assert not embedder.is_embedded(0)


# What the cache on disk is made for


def test_the_key_says_what_embeddings_depend_on(movie, encoder):
    key = cache_key(movie, encoder)
    assert key.to_json() == {
        "model": "cheap-1",
        "contrast": [0.0, 255.0],
        "frames": FRAMES,
        "frame_shape": [12, 10],
        "dtype": "uint8",
        "axes": "TYX",
        "embedding_shape": list(SHAPE),
        "storage": "int8",
        "version": 2,
    }


def test_a_cache_for_another_contrast_is_refused(movie, open_embedder):
    open_embedder()
    pixels = np.stack([movie.raw(frame) for frame in range(FRAMES)])
    with pytest.raises(CacheMismatchError, match="contrast"):
        open_embedder(Movie(pixels, contrast=(0, 200)))


def test_only_changed_frames_are_computed_again(movie, open_embedder, path, tmp_path):
    list(open_embedder().fill(range(FRAMES)))
    changed = with_changes(movie, [1, 4])
    embedder = open_embedder(changed)
    assert not embedder.is_embedded(1)
    assert computed(embedder.fill(range(FRAMES))) == [1, 4]
    list(open_embedder(changed, tmp_path / "fresh.zarr").fill(range(FRAMES)))
    assert files_of(path) == files_of(tmp_path / "fresh.zarr")


def test_another_movie_is_refused(movie, open_embedder, path):
    list(open_embedder().fill([0, 3]))
    before = files_of(path)
    with pytest.raises(CacheMismatchError, match="all 2 frames compared differ"):
        open_embedder(with_changes(movie, range(FRAMES)))
    assert files_of(path) == before


def test_one_recorded_frame_is_too_little_to_tell_movies_apart(movie, open_embedder):
    open_embedder().get(0)
    embedder = open_embedder(with_changes(movie, [0]))
    assert computed(embedder.fill([0])) == [0]


def test_damaged_frames_are_no_sign_of_another_movie(open_embedder, path):
    list(open_embedder().fill(range(FRAMES)))
    for frame in range(FRAMES):
        chunk(path, frame).write_bytes(b"damaged")
    assert computed(open_embedder().fill(range(FRAMES))) == list(range(FRAMES))


def test_another_movie_is_found_from_sixteen_frames(encoder, path):
    movie = cheap_movie(40)
    with ZarrStore.open(path, cache_key(movie, encoder)) as store:
        for frame in range(40):
            store.write(frame, array_digest(movie.raw(frame)), np.ones(SHAPE))
    other = cheap_movie(40, seed=1)
    looked_at = []
    raw = other.raw
    other.raw = lambda frame: looked_at.append(frame) or raw(frame)
    with pytest.raises(CacheMismatchError, match="all 16 frames"):
        open_store(other, encoder, path)
    assert looked_at[0] == 0
    assert looked_at[-1] == 39
    assert len(set(looked_at)) == 16


def test_a_movie_with_one_frame_left_is_no_other_movie(movie, open_embedder):
    list(open_embedder().fill(range(FRAMES)))
    embedder = open_embedder(with_changes(movie, range(1, FRAMES)))
    assert computed(embedder.fill(range(FRAMES))) == list(range(1, FRAMES))


# Damage, and others at work


def damage(path, frame):
    content = bytearray(chunk(path, frame).read_bytes())
    content[500] ^= 1
    chunk(path, frame).write_bytes(content)


@pytest.mark.parametrize("ask", ["get", "fill"])
def test_a_damaged_frame_is_computed_again(open_embedder, path, ask, caplog):
    list(open_embedder().fill(range(FRAMES)))
    sound = files_of(path)
    damage(path, 2)
    embedder = open_embedder()
    with caplog.at_level(logging.WARNING, "napari_sam_decoder"):
        if ask == "get":
            embedder.get(2)
        else:
            assert computed(embedder.fill(range(FRAMES))) == [2]
    assert "frame 2 of" in caplog.text
    assert files_of(path) == sound


def test_a_frame_that_another_has_just_recorded_is_not_computed(open_embedder):
    first, second = (open_embedder().fill(range(FRAMES)) for _ in range(2))
    for mine, theirs in zip(first, second, strict=True):
        assert not mine.was_cached
        assert theirs.was_cached


# Where the store is


def test_without_a_cache_embeddings_stay_in_memory(movie, encoder):
    assert isinstance(open_store(movie, encoder), MemoryStore)


def test_a_value_out_of_the_range_of_float16_is_refused(movie, encoder):
    encoder.encode = lambda frame: Embedding(np.full(SHAPE, 1e6), frame.shape[:2])
    store = open_store(movie, encoder, storage="float16")
    with pytest.raises(DecodingError, match="frame 0: the embedding has values"):
        Embedder(movie, encoder, store).get(0)


def test_a_store_can_keep_float16(movie, encoder, path):
    for cache in (None, path):
        embedder = Embedder(
            movie, encoder, open_store(movie, encoder, cache, "float16")
        )
        encoded = CheapEncoder().encode(movie.rgb(3)).features
        features = embedder.get(3).features
        np.testing.assert_array_equal(features, encoded.astype(np.float16))
        embedder.close()


def test_a_cache_stays_as_it_is_unless_another_storage_is_asked_for(
    movie, encoder, path
):
    open_store(movie, encoder, path, "float16").close()
    with open_store(movie, encoder, path) as store:
        assert store.key.storage is Storage.FLOAT16
    with pytest.raises(CacheMismatchError, match="storage: the cache has float16"):
        open_store(movie, encoder, path, "int8")


def test_a_storage_that_is_none_is_refused(movie, encoder):
    with pytest.raises(OptionError, match="'int4'; choose one of int8, float16"):
        open_store(movie, encoder, storage="int4")


def test_a_path_may_be_a_string(movie, encoder, path):
    store = open_store(movie, encoder, str(path))
    assert store.path == path.resolve()
    store.close()


@pytest.fixture
def root(tmp_path, monkeypatch):
    monkeypatch.setenv(CACHE_ROOT_VARIABLE, str(tmp_path / "root"))
    monkeypatch.delenv(CACHE_LIMIT_VARIABLE, raising=False)
    return cache_root()


def test_auto_finds_the_place_of_a_movie_again(movie, open_embedder, root):
    list(open_embedder(cache="auto").fill(range(FRAMES)))
    again = open_embedder(cheap_movie(FRAMES), "auto")
    assert computed(again.fill(range(FRAMES))) == []
    assert len(list(root.iterdir())) == 1


def test_auto_gives_another_movie_another_place(movie, open_embedder, root):
    for seed in range(2):
        open_embedder(cheap_movie(FRAMES, seed), "auto")
    assert len(list(root.iterdir())) == 2


def test_auto_makes_room_for_a_new_movie_only(open_embedder, root, monkeypatch):
    first, second = (cheap_movie(FRAMES, seed) for seed in range(2))
    open_embedder(first, "auto").close()
    (old,) = root.iterdir()
    monkeypatch.setenv(CACHE_LIMIT_VARIABLE, "0")
    open_embedder(first, "auto").close()
    assert old.exists()
    open_embedder(second, "auto")
    assert not old.exists()
    assert len(list(root.iterdir())) == 1


def test_the_nearest_frame_comes_first_wherever_one_looks():
    looked_at = iter([2, 2, 0, 5, 5, 5])
    order = list(nearest_first(range(6), lambda: next(looked_at)))
    assert order == [2, 3, 0, 5, 4, 1]


@given(st.sets(st.integers(0, 30)), st.lists(st.integers(-3, 33), min_size=31))
def test_frames_come_by_their_distance_the_later_one_first(frames, looked_at):
    order = nearest_first(frames, iter(looked_at).__next__)
    for centre, frame in zip(looked_at, order, strict=False):
        assert frame == min(frames, key=lambda one: (abs(one - centre), -one))
        frames = frames - {frame}
    assert not frames


def test_two_threads_encode_a_frame_once(open_embedder, encoder):
    embedder = open_embedder()
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(embedder.get, [1] * 8))
    assert encoder.encoded == 1
    for answer in answers[1:]:
        np.testing.assert_array_equal(answer.features, answers[0].features)


@pytest.fixture
def wide_embedder(movie, encoder, path):
    """One with two threads."""
    usual = torch.get_num_threads()
    torch.set_num_threads(2)
    store = open_store(movie, encoder, path)
    yield Embedder(movie, encoder, store, ThreadPool(2))
    store.close()
    torch.set_num_threads(usual)


def test_threads_embed_side_by_side_what_one_alone_would(
    wide_embedder, open_embedder, encoder, monkeypatch, path, tmp_path
):
    both, encode = Barrier(2, timeout=10), encoder.encode

    def encode_together(frame):
        both.wait()
        return encode(frame)

    monkeypatch.setattr(encoder, "encode", encode_together)
    steps = list(wide_embedder.fill(range(FRAMES)))
    assert [step.frame for step in steps] == list(range(FRAMES))
    monkeypatch.setattr(encoder, "encode", encode)
    list(open_embedder(cache=tmp_path / "alone.zarr").fill(range(FRAMES)))
    assert files_of(path) == files_of(tmp_path / "alone.zarr")


def test_threads_get_frames_that_are_read_in_order_by_one_thread(
    wide_embedder, monkeypatch
):
    reads, raw = [], Movie.raw
    monkeypatch.setattr(
        Movie,
        "raw",
        lambda self, t: reads.append((t, current_thread())) or raw(self, t),
    )
    list(wide_embedder.fill(range(FRAMES)))
    assert reads == [(frame, current_thread()) for frame in range(FRAMES)]


def test_recorded_frames_are_known_without_their_pixels(open_embedder):
    embedder = open_embedder()
    list(embedder.fill([4, 1]))
    assert embedder.recorded() == {1, 4}


class GatedEncoder(CheapEncoder):
    """Says when it has begun, and goes on when it may."""

    def __init__(self):
        super().__init__()
        self.has_begun, self.may_go_on = Event(), Event()

    def encode(self, frame):
        self.has_begun.set()
        assert self.may_go_on.wait(20)
        return super().encode(frame)


@pytest.fixture
def gated(movie, path):
    """An embedder that is embedding a frame in another thread."""
    encoder = GatedEncoder()
    embedder = Embedder(movie, encoder, open_store(movie, encoder, path))
    with ThreadPoolExecutor(1) as other:
        step = other.submit(embedder.get, 0)
        assert encoder.has_begun.wait(20)
        yield embedder, encoder, step
        encoder.may_go_on.set()


class TestClosing:
    def test_a_cache_is_in_use_until_the_last_step_has_ended(self, gated, path):
        embedder, encoder, step = gated
        embedder.close(wait=False)
        with pytest.raises(CacheMismatchError, match="in use"):
            clear(path)
        encoder.may_go_on.set()
        step.result()
        clear(path)
        assert os.listdir(path.parent) == []

    def test_it_waits_for_steps_of_other_threads(self, gated, path):
        embedder, encoder, step = gated
        with ThreadPoolExecutor(1) as another:
            closing = another.submit(embedder.close)
            assert not wait([closing], 0.1).done
            encoder.may_go_on.set()
            closing.result(20)
        assert step.done()
        clear(path)

    def test_no_step_begins_after_it(self, gated):
        embedder = gated[0]
        embedder.close(wait=False)
        for work in (lambda: embedder.get(1), lambda: list(embedder.fill([1]))):
            with pytest.raises(ClosedError, match="open another"):
                work()

    def test_twice_does_no_harm(self, open_embedder):
        embedder = open_embedder()
        embedder.close()
        embedder.close()


WINDOW = Window(2, 1, 6, 8)


def test_a_window_is_embedded_by_itself_and_once(movie, encoder, path):
    for _ in range(2):
        embedder = Embedder(movie, encoder, open_store(movie, encoder, path))
        near = embedder.at(WINDOW)
        embedding, pixels = near.get_with_pixels(3)
        np.testing.assert_array_equal(pixels, movie.rgb(3)[WINDOW.place])
        assert embedding.frame_shape == WINDOW.shape
        assert (near.recorded(), embedder.recorded()) == ({3}, frozenset())
        assert embedder.at(WINDOW) is near
        embedder.close()
    assert encoder.encoded == 1


def test_windows_are_closed_with_the_whole(movie, encoder, path):
    embedder = Embedder(movie, encoder, open_store(movie, encoder, path))
    near = embedder.at(WINDOW)
    embedder.close()
    with pytest.raises(ClosedError):
        near.get(0)
    with pytest.raises(ClosedError):
        embedder.at(WINDOW)
    clear(path)
