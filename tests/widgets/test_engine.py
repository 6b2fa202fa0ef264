from __future__ import annotations

import threading
from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("qtpy.QtCore", exc_type=ImportError)

from made_up import SHAPE, preview_of, view_of
from qtpy.QtCore import QObject

from napari_sam_decoder.prompts import Prompt
from napari_sam_decoder.session import Session
from napari_sam_decoder.widgets import engine as engine_module
from napari_sam_decoder.widgets.background import Opening, looking
from napari_sam_decoder.widgets.engine import Engine
from napari_sam_decoder.widgets.layers import ids_in
from napari_sam_decoder.widgets.options import ModelOptions

pytestmark = pytest.mark.gui

PROMPT = Prompt(1, 0, points=[(5, 6)])
OTHER = Prompt(1, 0, points=[(7, 8)])
COLOURS = {1: np.ones(4)}
FRAME = np.zeros((*SHAPE[1:], 3), np.uint8)


class Gate:
    """Holds a thread up until it is opened."""

    def __init__(self):
        self._reached, self._opened = threading.Event(), threading.Event()

    @property
    def is_reached(self):
        return self._reached.is_set()

    def open(self):
        self._opened.set()

    def hold(self):
        self._reached.set()
        self._opened.wait(20)

    def steps(self, *values):
        """Steps that are held up before the first."""
        self.hold()
        yield from values


class StageSession:
    """Answers prompts from nowhere; at a gate if it has one."""

    def __init__(self, gate=None):
        self.movie = SimpleNamespace(rgb=lambda frame: FRAME)
        self.is_closed = False
        self._gate = gate

    def preview_together(self, prompts, known):
        if self._gate is not None:
            self._gate.hold()
        return tuple(preview_of(prompt).preview for prompt in prompts)

    def close(self):
        self.is_closed = True


@pytest.fixture
def owner(qapp):
    return QObject()


@pytest.fixture
def engine(owner):
    engine = Engine(owner)
    yield engine
    engine.close()


SIGNALS = ("opened", "embedded", "previewed", "propagated")


def listen(engine):
    """Note what an engine says."""
    heard = []
    for name in SIGNALS:
        signal = getattr(engine, name)
        signal.connect(lambda value, name=name: heard.append((name, value)))
    engine.ended.connect(lambda kind, error: heard.append(("ended", kind, error)))
    return heard


@pytest.fixture
def heard(engine):
    return listen(engine)


@pytest.fixture
def gate():
    gate = Gate()
    yield gate
    gate.open()


def prompts_in(heard):
    """Prompts of previews that came with their pictures."""
    shown = [news[1] for news in heard if news[0] == "previewed"]
    return [one.preview.prompt for one in shown if one.thumbnails]


def ends_in(heard):
    return [news[1] for news in heard if news[0] == "ended"]


def test_a_session_is_opened(engine, heard, qtbot, monkeypatch, tiny_sam):
    monkeypatch.setattr(
        "napari_sam_decoder.model.registry.load_sam", lambda *_, **__: tiny_sam
    )
    engine.open(Opening(view_of(), ModelOptions(cache=None)))
    assert engine.is_busy("opening")
    qtbot.waitUntil(lambda: len(heard) == 2)
    (_, session), end = heard
    assert isinstance(session, Session)
    assert session.labels_shape == SHAPE
    assert end == ("ended", "opening", None)
    assert not engine.is_busy("opening")


def test_prompts_are_shown_one_by_one(engine, heard, qtbot):
    engine.preview(StageSession(), (PROMPT, OTHER), (), COLOURS)
    assert engine.is_busy("preview")
    qtbot.waitUntil(lambda: ends_in(heard) == ["preview"])
    assert prompts_in(heard) == [PROMPT, OTHER]
    assert not engine.is_busy("preview")


def test_a_second_preview_replaces_the_first(engine, heard, gate, qtbot):
    engine.preview(StageSession(gate), (PROMPT,), (), COLOURS)
    qtbot.waitUntil(lambda: gate.is_reached)
    engine.preview(StageSession(), (OTHER,), (), COLOURS)
    gate.open()
    qtbot.waitUntil(lambda: bool(ends_in(heard)))
    assert prompts_in(heard) == [OTHER]
    assert ends_in(heard) == ["preview"]
    assert not engine.is_busy("preview")


def test_steps_of_a_run_arrive_in_order(engine, heard, qtbot):
    engine.run(iter("abc"))
    assert engine.is_busy("run")
    qtbot.waitUntil(lambda: bool(ends_in(heard)))
    assert heard == [*(("propagated", step) for step in "abc"), ("ended", "run", None)]


def test_embedded_frames_arrive_in_order(engine, heard, qtbot):
    engine.embed(iter("ab"))
    assert engine.is_busy("embedding")
    qtbot.waitUntil(lambda: bool(ends_in(heard)))
    assert heard == [
        ("embedded", "a"),
        ("embedded", "b"),
        ("ended", "embedding", None),
    ]


def test_ids_are_found(engine, heard, qtbot):
    labels = np.array([[0, 4], [9, 4]])
    found = []
    for _ in range(2):
        search = partial(looking, partial(ids_in, labels))
        engine.look(search, found.append, lambda error: found.append(("end", error)))
    assert engine.is_looking
    qtbot.waitUntil(lambda: not engine.is_looking)
    assert found == [None, {4, 9}, ("end", None)] * 2
    assert heard == []


def test_an_error_ends_a_job_and_is_told(engine, heard, qtbot):
    def fails():
        yield "first"
        raise RuntimeError("torch says no")

    engine.run(fails())
    qtbot.waitUntil(lambda: bool(ends_in(heard)))
    first, (_, kind, error) = heard
    assert first == ("propagated", "first")
    assert kind == "run"
    assert str(error) == "torch says no"
    assert not engine.is_busy("run")


def test_a_click_does_not_wait_for_a_run(engine, heard, gate, qtbot):
    engine.run(gate.steps("late"))
    qtbot.waitUntil(lambda: gate.is_reached)
    engine.preview(StageSession(), (PROMPT,), (), COLOURS)
    qtbot.waitUntil(lambda: ends_in(heard) == ["preview"])
    assert engine.is_busy("run")


def test_a_run_and_embedding_take_turns(engine, heard, gate, qtbot):
    engine.embed(gate.steps("frame"))
    qtbot.waitUntil(lambda: gate.is_reached)
    engine.run(iter(["result"]))
    gate.open()
    qtbot.waitUntil(lambda: ends_in(heard) == ["embedding", "run"])


def test_nothing_is_heard_of_a_stopped_run(engine, heard, gate, qtbot):
    closed = []

    def steps():
        try:
            yield from gate.steps("late")
        finally:
            closed.append(True)

    engine.run(steps())
    qtbot.waitUntil(lambda: gate.is_reached)
    engine.stop("run")
    assert not engine.is_busy("run")
    gate.open()
    engine.run(iter(["next"]))
    qtbot.waitUntil(lambda: bool(ends_in(heard)))
    assert heard == [("propagated", "next"), ("ended", "run", None)]
    assert closed == [True]


def test_nothing_is_heard_of_an_error_after_a_stop(engine, heard, gate, qtbot):
    def fails():
        gate.hold()
        raise RuntimeError("torch says no")
        yield

    engine.run(fails())
    qtbot.waitUntil(lambda: gate.is_reached)
    engine.stop("run")
    gate.open()
    engine.run(iter(["next"]))
    qtbot.waitUntil(lambda: bool(ends_in(heard)))
    assert heard == [("propagated", "next"), ("ended", "run", None)]


def test_stopping_one_kind_leaves_the_others(engine, heard, qtbot):
    engine.run(iter("a"))
    for kind in ("preview", "embedding", "opening"):
        engine.stop(kind)
    qtbot.waitUntil(lambda: ends_in(heard) == ["run"])
    assert heard[0] == ("propagated", "a")


def test_a_session_is_closed_after_the_run_that_needs_it(engine, gate, qtbot):
    session = StageSession()
    still_open = []

    def steps():
        gate.hold()
        still_open.append(not session.is_closed)
        yield "result"

    engine.run(steps())
    qtbot.waitUntil(lambda: gate.is_reached)
    engine.retire(session)
    gate.open()
    qtbot.waitUntil(lambda: session.is_closed)
    assert still_open == [True]


def is_working():
    return any(thread.name == "napari-sam-decoder" for thread in threading.enumerate())


def test_a_closed_engine_says_nothing_more(owner, gate, qtbot, qapp):
    engine = Engine(owner)
    heard = listen(engine)
    engine.run(gate.steps("late"))
    engine.preview(StageSession(gate), (PROMPT,), (), COLOURS)
    qtbot.waitUntil(lambda: gate.is_reached)
    engine.close()
    gate.open()
    qtbot.waitUntil(lambda: not is_working())
    qapp.processEvents()
    assert heard == []
    assert not any(map(engine.is_busy, ("run", "preview")))


def test_each_job_computes_as_background_work(engine, heard, qtbot, monkeypatch):
    """So that torch leaves a core to the window."""
    computed = []

    def noting(steps):
        computed.append(threading.current_thread() is not threading.main_thread())
        yield from steps

    monkeypatch.setattr(engine_module, "computing", noting)
    engine.run(iter("a"))
    engine.embed(iter("b"))
    qtbot.waitUntil(lambda: sorted(ends_in(heard)) == ["embedding", "run"])
    assert computed == [True, True]
