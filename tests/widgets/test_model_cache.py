from __future__ import annotations

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("napari.layers")

import torch
from made_up import view_of
from napari.layers import Image

from napari_sam_decoder.errors import CheckpointError
from napari_sam_decoder.prompts import Prompt
from napari_sam_decoder.session import Session
from napari_sam_decoder.widgets import model_cache
from napari_sam_decoder.widgets.colours import object_colours
from napari_sam_decoder.widgets.layers import MovieView, scan_labels
from napari_sam_decoder.widgets.model_cache import (
    ModelCache,
    SessionRequest,
    computing,
    leave_a_core,
    show_prompts,
)
from napari_sam_decoder.widgets.movie_state import ModelOptions

IN_MEMORY = ModelOptions(cache=None)
NOISE = np.random.default_rng(0).integers(0, 255, (3, 32, 40)).astype(np.uint8)


@pytest.fixture(autouse=True)
def kept_threads():
    """Leave torch as it was for the other tests."""
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def view():
    return MovieView.of(Image(NOISE))


class Loader:
    """Stands in for `load_sam`."""

    def __init__(self, sam):
        self.sam = sam
        self.error = None
        self.asked = []

    def __call__(self, model, *, device, precision, decoder):
        self.asked.append((model, device, precision, decoder))
        if self.error is not None:
            raise self.error
        return self.sam


@pytest.fixture
def loader(tiny_sam, monkeypatch):
    loader = Loader(tiny_sam)
    monkeypatch.setattr("napari_sam_decoder.weights.registry.load_sam", loader)
    return loader


def open_once(models, opening):
    (session,) = models.open_session(opening)
    return session


def test_an_opening_serves_for_the_same_movie_and_options(view):
    opening = SessionRequest(view, IN_MEMORY)
    assert opening.is_same_as(
        SessionRequest(MovieView.of(view.layer), ModelOptions(cache=None))
    )
    assert not opening.is_same_as(None)
    assert not opening.is_same_as(SessionRequest(view, ModelOptions(device="cpu")))
    assert not opening.is_same_as(
        SessionRequest(MovieView.of(view.layer, 1), IN_MEMORY)
    )
    assert not opening.is_same_as(SessionRequest(MovieView.of(Image(NOISE)), IN_MEMORY))


def test_a_session_is_opened_as_asked(view, loader, tmp_path):
    options = ModelOptions("some", "cpu", (3.0, 9.0), tmp_path / "embeddings.zarr")
    session = open_once(ModelCache(), SessionRequest(view, options))
    assert loader.asked == [("some", "cpu", "auto", "auto")]
    assert session.model is loader.sam
    assert session.labels_shape == NOISE.shape
    assert (session.movie.contrast.low, session.movie.contrast.high) == (3, 9)
    assert (tmp_path / "embeddings.zarr").is_dir()
    session.close()


def test_the_movie_is_what_the_view_shows(view, loader):
    sideways = MovieView.of(view.layer, 2)
    session = open_once(ModelCache(), SessionRequest(sideways, IN_MEMORY))
    assert session.labels_shape == (40, 3, 32)
    np.testing.assert_array_equal(session.movie.raw(7), NOISE[:, :, 7])


def test_a_network_is_loaded_once(view, loader):
    models = ModelCache()
    for contrast in (None, (0.0, 9.0), None):
        open_once(models, SessionRequest(view, replace(IN_MEMORY, contrast=contrast)))
    assert len(loader.asked) == 1


@pytest.mark.parametrize(
    "change",
    [
        {"model": "other"},
        {"device": "cpu"},
        {"precision": "float32"},
        {"decoder": "sharp"},
    ],
)
def test_another_network_or_device_is_loaded(view, loader, change):
    models = ModelCache()
    open_once(models, SessionRequest(view, IN_MEMORY))
    open_once(models, SessionRequest(view, replace(IN_MEMORY, **change)))
    assert len(loader.asked) == 2


def test_a_network_that_could_not_be_loaded_is_tried_again(view, loader):
    models = ModelCache()
    loader.error = CheckpointError("no such file")
    with pytest.raises(CheckpointError, match="no such file"):
        open_once(models, SessionRequest(view, IN_MEMORY))
    loader.error = None
    assert open_once(models, SessionRequest(view, IN_MEMORY)).model is loader.sam


@pytest.fixture
def session(tiny_sam):
    return Session(NOISE, model=tiny_sam)


def test_each_prompt_is_decoded_and_drawn(session):
    prompts = (Prompt(1, 0, points=[(5, 6)]), Prompt(4, 0, points=[(20, 30)]))
    shown = list(show_prompts(session, prompts, (), object_colours((1, 4))))
    assert [one.preview.prompt for one in shown[:2]] == list(prompts)
    for first, one in zip(shown[:2], shown[2:], strict=True):
        assert (first.preview, first.thumbnails) == (one.preview, ())
        assert [offer.number for offer in one.preview.hypotheses] == [1, 2, 3]
        assert [picture.shape for picture in one.thumbnails] == [(96, 96, 3)] * 3


def test_what_was_decoded_and_drawn_is_used_again(session, monkeypatch):
    first, second = Prompt(1, 0, points=[(5, 6)]), Prompt(4, 0, points=[(20, 30)])
    colours = object_colours((1, 4))
    *_, known = show_prompts(session, (first,), (), colours)
    asked, decode = [], session.model.decode

    def count(embedding, prompts, *rest):
        asked.append(len(prompts))
        return decode(embedding, prompts, *rest)

    monkeypatch.setattr(session.model, "decode", count)
    old, new, drawn = show_prompts(session, (first, second), (known,), colours)
    # The new one; both only if they would not come apart.
    assert asked[0] == 1
    assert old.thumbnails is known.thumbnails
    assert (new.thumbnails, drawn.preview) == ((), new.preview)
    assert old.together == {first, second}


def test_pictures_are_drawn_in_the_colour_of_the_object(session):
    drawn = []
    for colour in ((1, 0, 0, 1), (0, 0, 1, 1)):
        steps = show_prompts(
            session,
            (Prompt(1, 0, points=[(5, 6)]),),
            (),
            {1: np.array(colour, float), 2: np.zeros(4)},
        )
        next(steps)
        drawn.append(np.stack(next(steps).thumbnails).astype(int))
    difference = drawn[0] - drawn[1]
    assert difference[..., 0].max() > 0 > difference[..., 2].min()


def test_steps_are_passed_on():
    assert list(computing(iter("abc"))) == ["a", "b", "c"]


def test_steps_that_are_not_taken_are_closed():
    closed = []

    def steps():
        try:
            yield from range(3)
        finally:
            closed.append(True)

    taken = computing(steps())
    assert next(taken) == 0
    taken.close()
    assert closed == [True]


def test_ids_are_found():
    data = np.zeros((3, 4, 5), np.uint16)
    data[1, 2], data[2, 0, 0] = 7, 9
    seen = []
    view = view_of(data.shape)
    search = scan_labels(view, data, lambda at, _: seen.append(at))
    *waiting, found = search
    assert waiting == [None] * 3
    assert found.ids == {7, 9}
    assert seen == [(0,), (1,), (2,)]


def threads_after(work, usual=8):
    """How many threads torch uses on a thread that works."""
    counted = []

    def run():
        torch.set_num_threads(usual)
        work()
        counted.append(torch.get_num_threads())

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    return counted[0]


@pytest.mark.parametrize(("cores", "threads"), [(4, 3), (3, 2), (1, 1), (None, 1)])
def test_one_core_is_left_to_the_window(monkeypatch, cores, threads):
    monkeypatch.setattr(os, "cpu_count", lambda: cores)
    assert threads_after(leave_a_core) == threads


def test_a_user_who_lets_torch_use_fewer_is_obeyed(monkeypatch):
    monkeypatch.setattr(os, "cpu_count", lambda: 9)
    assert threads_after(leave_a_core, usual=2) == 2


def test_leaving_a_core_is_of_no_concern_to_other_threads(monkeypatch):
    monkeypatch.setattr(os, "cpu_count", lambda: 4)
    torch.set_num_threads(5)
    thread = threading.Thread(target=leave_a_core)
    thread.start()
    thread.join()
    assert torch.get_num_threads() == 5
    assert ThreadPoolExecutor(1).submit(torch.get_num_threads).result() == 5


def test_no_thread_that_computes_sets_the_environment(monkeypatch):
    before = dict(os.environ)
    leave_a_core()
    assert dict(os.environ) == before


@pytest.mark.usefixtures("loader")
def test_every_thread_that_computes_leaves_a_core(monkeypatch, view, session):
    monkeypatch.setattr(model_cache.os, "cpu_count", lambda: 3)
    prompts = (Prompt(1, 0, points=[(5, 6)]),)
    opening = SessionRequest(view, IN_MEMORY)
    for steps in (
        lambda: ModelCache().open_session(opening),
        lambda: show_prompts(session, prompts, (), object_colours((1,))),
        lambda: computing(session.embed()),
    ):
        assert threads_after(lambda steps=steps: next(steps())) == 2
