from __future__ import annotations

import subprocess
import sys
import threading
import weakref

import pytest

pytest.importorskip("qtpy.QtCore")
pytestmark = pytest.mark.gui

from napari_sam_decoder.widgets.worker import Job, Lane  # noqa: E402


class Listener:
    def __init__(self):
        self.values, self.ends = [], []

    def job(self, steps):
        return Job(steps, self.values.append, self.ends.append)


@pytest.fixture
def listener():
    return Listener()


@pytest.fixture
def lane(qapp):
    lane = Lane()
    yield lane
    lane.close()


def count_to(number):
    yield from range(number)


def test_steps_arrive_in_order_and_the_end_comes_last(lane, listener, qtbot):
    threads = []

    def steps():
        threads.append(threading.current_thread())
        yield from (1, 2, 3)

    lane.start(listener.job(steps))
    qtbot.waitUntil(lambda: listener.ends == [None])
    assert listener.values == [1, 2, 3]
    assert threads != [threading.main_thread()]


def test_jobs_come_one_after_the_other(lane, listener, qtbot):
    for _ in range(3):
        lane.start(listener.job(lambda: count_to(2)))
    qtbot.waitUntil(lambda: len(listener.ends) == 3)
    assert listener.values == [0, 1, 0, 1, 0, 1]


def test_what_is_waited_for_is_heard_at_once(lane, listener):
    job = listener.job(lambda: count_to(1))
    lane.start(job)
    lane.hurry(job, 20)
    assert listener.values == [0]


def test_the_window_does_not_wait_longer_than_it_is_told(lane, listener, qtbot):
    released = threading.Event()

    def late():
        released.wait(20)
        yield 1

    job = listener.job(late)
    lane.start(job)
    lane.hurry(job, 0.01)
    assert listener.values == []
    released.set()
    qtbot.waitUntil(lambda: listener.ends == [None])
    assert listener.values == [1]


@pytest.mark.parametrize("kind", [RuntimeError, ValueError, MemoryError])
def test_every_error_is_heard_of(lane, listener, qtbot, kind):
    def fails():
        yield 1
        raise kind("torch says no")

    lane.start(listener.job(fails))
    qtbot.waitUntil(lambda: len(listener.ends) == 1)
    assert isinstance(listener.ends[0], kind)
    assert listener.values == [1]


def test_a_stopped_job_is_closed_and_says_nothing_more(lane, listener, qtbot):
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
    lane.start(job)
    qtbot.waitUntil(lambda: taken.is_set() and listener.values == ["first"])
    job.stop()
    released.set()
    qtbot.waitUntil(lambda: listener.ends == [None])
    assert listener.values == ["first"]
    assert cleaned == [True]


def test_a_job_stopped_while_waiting_never_begins(lane, listener, qtbot):
    released = threading.Event()

    def waits():
        released.wait(10)
        yield "done"

    never = Listener()
    begun = []
    waiting = never.job(lambda: begun.append(1) or count_to(1))
    lane.start(listener.job(waits))
    lane.start(waiting)
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

    lane = Lane()
    gone = []
    lane.destroyed.connect(lambda: gone.append(True))
    lane.start(listener.job(steps))
    qtbot.waitUntil(taken.is_set)
    lane.close()
    released.set()
    qtbot.waitUntil(lambda: bool(gone))
    assert not listener.values
    assert not listener.ends


def test_an_idle_lane_goes_away_when_closed(qapp, qtbot):
    lane = Lane()
    gone = []
    lane.destroyed.connect(lambda: gone.append(True))
    lane.close()
    qtbot.waitUntil(lambda: bool(gone))


def test_a_finished_job_is_let_go(lane, qtbot):
    listener = Listener()
    job = listener.job(lambda: count_to(1))
    alive = weakref.ref(job)
    lane.start(job)
    del job
    qtbot.waitUntil(lambda: listener.ends == [None])
    qtbot.waitUntil(lambda: alive() is None)


def test_python_can_exit_while_a_job_runs():
    program = """
import itertools, threading
from qtpy.QtCore import QCoreApplication
from napari_sam_decoder.widgets.worker import Job, Lane
app = QCoreApplication([])
lane = Lane()
def endless():
    for number in itertools.count():
        threading.Event().wait(0.001)
        yield number
        if number == 3:
            app.quit()
lane.start(Job(endless, lambda value: None, lambda error: None))
app.exec_() if hasattr(app, "exec_") else app.exec()
print("bye")
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, timeout=60, check=False
    )
    assert done.stdout.strip() == b"bye", done.stderr
    assert done.returncode == 0
