from __future__ import annotations

import pytest

pytest.importorskip("qtpy.QtCore", exc_type=ImportError)

pytest.importorskip("qtpy.QtCore")

import subprocess
import sys
import threading
import weakref
from functools import partial
from threading import current_thread, main_thread
from types import SimpleNamespace

import numpy as np
from made_up import SHAPE, preview_of, view_of
from qtpy.QtCore import QObject, QTimer

from napari_sam_decoder.errors import CheckpointError
from napari_sam_decoder.frames import Movie
from napari_sam_decoder.prompts import Prompt
from napari_sam_decoder.session import Session
from napari_sam_decoder.widgets import job_queue as job_queue_module
from napari_sam_decoder.widgets.job_queue import Job, JobQueue, JobThread, wait_until
from napari_sam_decoder.widgets.layers import ids_in
from napari_sam_decoder.widgets.model_cache import ModelCache, SessionRequest
from napari_sam_decoder.widgets.movie_state import ModelOptions

pytestmark = [pytest.mark.gui, pytest.mark.usefixtures("qapp")]


def test_the_window_lives_meanwhile():
    events = []
    QTimer.singleShot(0, lambda: events.append("click"))
    assert wait_until(lambda: events == ["click"], timeout=20)


def test_what_is_done_already_is_done():
    assert wait_until(lambda: True, timeout=20)


def test_waiting_has_an_end():
    assert not wait_until(lambda: False, timeout=0.05)


def test_what_gets_done_at_the_last_moment_counts():
    answers = iter([True])
    assert wait_until(lambda: next(answers, True), timeout=0)


def test_one_may_wait_while_another_waits():
    inner = []
    QTimer.singleShot(0, lambda: inner.append(wait_until(lambda: True, timeout=20)))
    assert wait_until(lambda: inner == [True], timeout=20)


class Listener:
    def __init__(self):
        self.values, self.ends = [], []

    def job(self, steps):
        return Job(steps, self.values.append, self.ends.append)


@pytest.fixture
def listener():
    return Listener()


@pytest.fixture
def thread(qapp):
    thread = JobThread()
    yield thread
    thread.close()


def count_to(number):
    yield from range(number)


def test_steps_arrive_in_order_and_the_end_comes_last(thread, listener, qtbot):
    threads = []

    def steps():
        threads.append(threading.current_thread())
        yield from (1, 2, 3)

    thread.start(listener.job(steps))
    qtbot.waitUntil(lambda: listener.ends == [None])
    assert listener.values == [1, 2, 3]
    assert threads != [threading.main_thread()]


def test_jobs_come_one_after_the_other(thread, listener, qtbot):
    for _ in range(3):
        thread.start(listener.job(lambda: count_to(2)))
    qtbot.waitUntil(lambda: len(listener.ends) == 3)
    assert listener.values == [0, 1, 0, 1, 0, 1]


@pytest.mark.parametrize(("interval", "times"), [(3600, 1), (0, 2)])
def test_memory_is_given_back_now_and_then(
    interval, times, listener, qtbot, qapp, monkeypatch
):
    given = []
    monkeypatch.setattr(job_queue_module, "GIVE_BACK_EVERY_S", interval)
    monkeypatch.setattr(
        job_queue_module, "give_back_memory", lambda: given.append(True)
    )
    thread = JobThread(gives_back_memory=True)
    for number in (1, 2):
        before = set(threading.enumerate())
        thread.start(listener.job(lambda: count_to(2)))
        qtbot.waitUntil(lambda ends=number: len(listener.ends) == ends)
        for worker in set(threading.enumerate()) - before:
            worker.join()
    assert len(given) == times
    thread.close()


def test_what_is_waited_for_is_heard_at_once(thread, listener):
    job = listener.job(lambda: count_to(1))
    thread.start(job)
    thread.wait_for_step(job, 20)
    assert listener.values == [0]


def test_the_window_does_not_wait_longer_than_it_is_told(thread, listener, qtbot):
    released = threading.Event()

    def late():
        released.wait(20)
        yield 1

    job = listener.job(late)
    thread.start(job)
    thread.wait_for_step(job, 0.01)
    assert listener.values == []
    released.set()
    qtbot.waitUntil(lambda: listener.ends == [None])
    assert listener.values == [1]


@pytest.mark.parametrize("kind", [RuntimeError, ValueError, MemoryError])
def test_every_error_is_heard_of(thread, listener, qtbot, kind):
    def fails():
        yield 1
        raise kind("torch says no")

    thread.start(listener.job(fails))
    qtbot.waitUntil(lambda: len(listener.ends) == 1)
    assert isinstance(listener.ends[0], kind)
    assert listener.values == [1]


def test_a_stopped_job_is_closed_and_says_nothing_more(thread, listener, qtbot):
    taken, released = threading.Event(), threading.Event()
    cleaned = []

    def steps():
        try:
            yield "first"
            taken.set()
            released.wait(10)
            yield "late"
        finally:
            cleaned.append(threading.current_thread() is not threading.main_thread())

    job = listener.job(steps)
    thread.start(job)
    qtbot.waitUntil(lambda: taken.is_set() and listener.values == ["first"])
    job.stop()
    released.set()
    qtbot.waitUntil(lambda: listener.ends == [None])
    assert listener.values == ["first"]
    assert cleaned == [True]


def test_a_job_stopped_while_waiting_never_begins(thread, listener, qtbot):
    released = threading.Event()

    def waits():
        released.wait(10)
        yield "done"

    never = Listener()
    begun = []
    waiting = never.job(lambda: begun.append(1) or count_to(1))
    thread.start(listener.job(waits))
    thread.start(waiting)
    waiting.stop()
    released.set()
    qtbot.waitUntil(lambda: never.ends == [None])
    assert not begun
    assert not never.values
    assert listener.values == ["done"]


def test_a_closed_lane_reports_nothing_and_goes_away(qapp, listener, qtbot):
    taken, released = threading.Event(), threading.Event()

    def steps():
        taken.set()
        released.wait(10)
        yield "late"

    thread = JobThread()
    gone = []
    thread.destroyed.connect(lambda: gone.append(True))
    thread.start(listener.job(steps))
    qtbot.waitUntil(taken.is_set)
    thread.close()
    released.set()
    qtbot.waitUntil(lambda: bool(gone))
    assert not listener.values
    assert not listener.ends


@pytest.mark.parametrize("end", ["stop", "close"])
@pytest.mark.parametrize("has_come", [True, False])
def test_what_nobody_takes_is_dropped(end, has_come, listener, qtbot, qapp):
    thread, gate, dropped = JobThread(), threading.Event(), []

    def steps():
        gate.wait(20)
        yield 1

    job = Job(steps, listener.values.append, listener.ends.append, dropped.append)
    thread.start(job)
    if has_come:
        gate.set()
        assert job.wait_for_report(20)
    job.stop() if end == "stop" else thread.close()
    gate.set()
    qtbot.waitUntil(lambda: dropped == [1])
    assert listener.values == []
    if end == "stop":
        qtbot.waitUntil(lambda: listener.ends == [None])
        thread.close()


def test_an_idle_lane_goes_away_when_closed(qapp, qtbot):
    thread = JobThread()
    gone = []
    thread.destroyed.connect(lambda: gone.append(True))
    thread.close()
    qtbot.waitUntil(lambda: bool(gone))


def test_a_finished_job_is_let_go(thread, qtbot):
    listener = Listener()
    job = listener.job(lambda: count_to(1))
    alive = weakref.ref(job)
    thread.start(job)
    del job
    qtbot.waitUntil(lambda: listener.ends == [None])
    qtbot.waitUntil(lambda: alive() is None)


def test_python_can_exit_while_a_job_runs():
    program = """
import itertools, threading
from qtpy.QtCore import QCoreApplication
from napari_sam_decoder.widgets.job_queue import Job, JobThread
app = QCoreApplication([])
thread = JobThread()
def endless():
    for number in itertools.count():
        threading.Event().wait(0.001)
        yield number
        if number == 3:
            app.quit()
thread.start(Job(endless, lambda value: None, lambda error: None))
app.exec_() if hasattr(app, "exec_") else app.exec()
print("bye")
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, timeout=60, check=False
    )
    assert done.stdout.strip() == b"bye", done.stderr
    assert done.returncode == 0


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
        self.movie = Movie(FRAME[None], axes="TYXC", contrast=(0, 255))
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
def job_queue(owner):
    job_queue = JobQueue(owner)
    yield job_queue
    job_queue.close()


SIGNALS = ("opened", "embedded", "previewed", "propagated")


def listen(job_queue):
    """Note what an engine says."""
    heard = []
    for name in SIGNALS:
        signal = getattr(job_queue, name)
        signal.connect(lambda value, name=name: heard.append((name, value)))
    job_queue.ended.connect(lambda kind, error: heard.append(("ended", kind, error)))
    return heard


@pytest.fixture
def heard(job_queue):
    return listen(job_queue)


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


def test_a_session_is_opened(job_queue, heard, qtbot, monkeypatch, tiny_sam):
    monkeypatch.setattr(
        "napari_sam_decoder.weights.registry.load_sam", lambda *_, **__: tiny_sam
    )
    job_queue.open(SessionRequest(view_of(), ModelOptions(cache=None)))
    assert job_queue.is_busy("opening")
    qtbot.waitUntil(lambda: len(heard) == 2)
    (_, session), end = heard
    assert isinstance(session, Session)
    assert session.labels_shape == SHAPE
    assert end == ("ended", "opening", None)
    assert not job_queue.is_busy("opening")


def test_a_session_that_opens_too_late_is_closed(
    job_queue, heard, gate, qtbot, monkeypatch
):
    closed = []
    session = SimpleNamespace(close=lambda *, wait: closed.append(wait))
    monkeypatch.setattr(ModelCache, "open_session", lambda *_: gate.steps(session))
    job_queue.open(SessionRequest(view_of(), ModelOptions(cache=None)))
    qtbot.waitUntil(lambda: gate.is_reached)
    job_queue.stop("opening")
    gate.open()
    qtbot.waitUntil(lambda: closed == [False])
    assert heard == []


def test_a_network_loaded_ahead_is_not_loaded_again(
    job_queue, heard, qtbot, monkeypatch, tiny_sam
):
    loads, prepared = [], []

    def load_sam(*_, **__):
        loads.append(current_thread())
        return tiny_sam

    monkeypatch.setattr("napari_sam_decoder.weights.registry.load_sam", load_sam)
    monkeypatch.setattr(tiny_sam, "prepare", prepared.append)
    options = ModelOptions(cache=None)
    job_queue.load_ahead(options, (480, 854))
    qtbot.waitUntil(lambda: prepared == [(480, 854)])
    job_queue.open(SessionRequest(view_of(), options))
    qtbot.waitUntil(lambda: len(heard) == 2)
    assert len(loads) == 1
    assert loads[0] is not main_thread()


def test_an_error_of_loading_ahead_is_left_to_the_opening(
    job_queue, heard, qtbot, tmp_path
):
    options = ModelOptions(model=tmp_path / "missing.pt", cache=None)
    job_queue.load_ahead(options, (480, 854))
    job_queue.open(SessionRequest(view_of(), options))
    qtbot.waitUntil(lambda: len(heard) == 1)
    ((_, kind, error),) = heard
    assert kind == "opening"
    assert isinstance(error, CheckpointError)


def test_prompts_are_shown_one_by_one(job_queue, heard, qtbot):
    job_queue.preview(StageSession(), (PROMPT, OTHER), (), COLOURS)
    assert job_queue.is_busy("preview")
    qtbot.waitUntil(lambda: ends_in(heard) == ["preview"])
    assert prompts_in(heard) == [PROMPT, OTHER]
    assert not job_queue.is_busy("preview")


def test_a_second_preview_replaces_the_first(job_queue, heard, gate, qtbot):
    job_queue.preview(StageSession(gate), (PROMPT,), (), COLOURS)
    qtbot.waitUntil(lambda: gate.is_reached)
    job_queue.preview(StageSession(), (OTHER,), (), COLOURS)
    gate.open()
    qtbot.waitUntil(lambda: bool(ends_in(heard)))
    assert prompts_in(heard) == [OTHER]
    assert ends_in(heard) == ["preview"]
    assert not job_queue.is_busy("preview")


def test_steps_of_a_run_arrive_in_order(job_queue, heard, qtbot):
    job_queue.run(iter("abc"))
    assert job_queue.is_busy("run")
    qtbot.waitUntil(lambda: bool(ends_in(heard)))
    assert heard == [*(("propagated", step) for step in "abc"), ("ended", "run", None)]


def test_embedded_frames_arrive_in_order(job_queue, heard, qtbot):
    job_queue.embed(iter("ab"))
    assert job_queue.is_busy("embedding")
    qtbot.waitUntil(lambda: bool(ends_in(heard)))
    assert heard == [
        ("embedded", "a"),
        ("embedded", "b"),
        ("ended", "embedding", None),
    ]


@pytest.mark.parametrize("start", ["embed", "run", "learn", "work_on_labels"])
def test_jobs_that_leave_much_memory_give_it_back(start, job_queue, qtbot, monkeypatch):
    given = []
    monkeypatch.setattr(
        job_queue_module, "give_back_memory", lambda: given.append(True)
    )
    if start in ("embed", "run"):
        getattr(job_queue, start)(iter("ab"))
    else:
        getattr(job_queue, start)(lambda: count_to(2), ignore, ignore)
    qtbot.waitUntil(lambda: given == [True])


def ignore(_):
    pass


def test_ids_are_found(job_queue, heard, qtbot):
    labels = np.array([[0, 4], [9, 4]])
    found = []
    for _ in range(2):
        search = partial(ids_in, labels)
        job_queue.scan(search, found.append, lambda error: found.append(("end", error)))
    assert job_queue.is_scanning
    qtbot.waitUntil(lambda: not job_queue.is_scanning)
    assert found == [None, {4, 9}, ("end", None)] * 2
    assert heard == []


def test_an_error_ends_a_job_and_is_told(job_queue, heard, qtbot):
    def fails():
        yield "first"
        raise RuntimeError("torch says no")

    job_queue.run(fails())
    qtbot.waitUntil(lambda: bool(ends_in(heard)))
    first, (_, kind, error) = heard
    assert first == ("propagated", "first")
    assert kind == "run"
    assert str(error) == "torch says no"
    assert not job_queue.is_busy("run")


def test_a_click_does_not_wait_for_a_run(job_queue, heard, gate, qtbot):
    job_queue.run(gate.steps("late"))
    qtbot.waitUntil(lambda: gate.is_reached)
    job_queue.preview(StageSession(), (PROMPT,), (), COLOURS)
    qtbot.waitUntil(lambda: ends_in(heard) == ["preview"])
    assert job_queue.is_busy("run")


def test_a_run_and_embedding_take_turns(job_queue, heard, gate, qtbot):
    job_queue.embed(gate.steps("frame"))
    qtbot.waitUntil(lambda: gate.is_reached)
    job_queue.run(iter(["result"]))
    gate.open()
    qtbot.waitUntil(lambda: ends_in(heard) == ["embedding", "run"])


def test_nothing_is_heard_of_a_stopped_run(job_queue, heard, gate, qtbot):
    closed = []

    def steps():
        try:
            yield from gate.steps("late")
        finally:
            closed.append(True)

    job_queue.run(steps())
    qtbot.waitUntil(lambda: gate.is_reached)
    job_queue.stop("run")
    assert not job_queue.is_busy("run")
    gate.open()
    job_queue.run(iter(["next"]))
    qtbot.waitUntil(lambda: bool(ends_in(heard)))
    assert heard == [("propagated", "next"), ("ended", "run", None)]
    assert closed == [True]


def test_nothing_is_heard_of_an_error_after_a_stop(job_queue, heard, gate, qtbot):
    def fails():
        gate.hold()
        raise RuntimeError("torch says no")
        yield

    job_queue.run(fails())
    qtbot.waitUntil(lambda: gate.is_reached)
    job_queue.stop("run")
    gate.open()
    job_queue.run(iter(["next"]))
    qtbot.waitUntil(lambda: bool(ends_in(heard)))
    assert heard == [("propagated", "next"), ("ended", "run", None)]


def test_stopping_one_kind_leaves_the_others(job_queue, heard, qtbot):
    job_queue.run(iter("a"))
    for kind in ("preview", "embedding", "opening"):
        job_queue.stop(kind)
    qtbot.waitUntil(lambda: ends_in(heard) == ["run"])
    assert heard[0] == ("propagated", "a")


def test_a_session_is_closed_after_the_run_that_needs_it(job_queue, gate, qtbot):
    session = StageSession()
    still_open = []

    def steps():
        gate.hold()
        still_open.append(not session.is_closed)
        yield "result"

    job_queue.run(steps())
    qtbot.waitUntil(lambda: gate.is_reached)
    job_queue.retire(session)
    gate.open()
    qtbot.waitUntil(lambda: session.is_closed)
    assert still_open == [True]


def is_working():
    return any(thread.name == "napari-sam-decoder" for thread in threading.enumerate())


def test_a_closed_engine_says_nothing_more(owner, gate, qtbot, qapp):
    job_queue = JobQueue(owner)
    heard = listen(job_queue)
    job_queue.run(gate.steps("late"))
    job_queue.preview(StageSession(gate), (PROMPT,), (), COLOURS)
    qtbot.waitUntil(lambda: gate.is_reached)
    job_queue.close()
    gate.open()
    qtbot.waitUntil(lambda: not is_working())
    qapp.processEvents()
    assert heard == []
    assert not any(map(job_queue.is_busy, ("run", "preview")))


def test_each_job_computes_as_background_work(job_queue, heard, qtbot, monkeypatch):
    """So that torch leaves a core to the window."""
    computed = []

    def noting(steps):
        computed.append(threading.current_thread() is not threading.main_thread())
        yield from steps

    monkeypatch.setattr(job_queue_module, "computing", noting)
    job_queue.run(iter("a"))
    job_queue.embed(iter("b"))
    qtbot.waitUntil(lambda: sorted(ends_in(heard)) == ["embedding", "run"])
    assert computed == [True, True]
