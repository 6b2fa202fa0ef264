from __future__ import annotations

import pytest

from napari_sam_decoder.widgets import pace
from napari_sam_decoder.widgets.pace import Pace


class Clock:
    def __init__(self):
        self.now = 1000.0

    def step(self, pace, seconds):
        self.now += seconds
        pace.step()


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(pace, "monotonic", lambda: clock.now)
    return clock


def test_one_step_tells_nothing_about_the_rest(clock):
    run = Pace(3)
    assert (run.seconds_left, str(run)) == (None, "0 / 3")
    clock.step(run, 60)
    assert (run.seconds_left, str(run)) == (None, "1 / 3")


def test_the_rest_goes_on_like_the_steps_so_far(clock):
    run = Pace(5)
    clock.step(run, 8)
    clock.step(run, 12)
    assert run.seconds_left == pytest.approx(30)
    assert str(run) == "2 / 5, 00:30 left"


def test_old_steps_do_not_mislead(clock):
    """Frames from the cache come first and are fast."""
    run = Pace(1000)
    for _ in range(500):
        clock.step(run, 0.01)
    for _ in range(12):
        clock.step(run, 10)
    assert run.seconds_left == pytest.approx(10 * (1000 - 512))


def test_without_an_end_only_the_steps_are_told(clock):
    run = Pace()
    for _ in range(3):
        clock.step(run, 5)
    assert (run.seconds_left, str(run)) == (None, "3 done")


def test_hours_are_told_as_hours(clock):
    run = Pace(362)
    clock.step(run, 10)
    clock.step(run, 10)
    assert str(run) == "2 / 362, 1:00:00 left"


def test_nothing_is_left_at_the_end(clock):
    run = Pace(2)
    clock.step(run, 5)
    clock.step(run, 5)
    assert str(run) == "2 / 2, 00:00 left"
