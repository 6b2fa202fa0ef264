from __future__ import annotations

import pytest
from speed_parts.timing import Effort, alternate, warm_up


class Clockwork:
    """Calls that take as long as they say, on a clock that only they move."""

    def __init__(self):
        self.now, self.made = 0.0, []

    def call(self, name, *seconds):
        durations = iter(seconds)

        def take():
            self.made.append(name)
            self.now += next(durations)

        return take

    def read(self):
        return self.now


@pytest.fixture
def clockwork():
    return Clockwork()


def test_calls_take_turns_and_medians_come_back(clockwork):
    calls = {
        "ours": clockwork.call("ours", 1, 5, 2),
        "peer": clockwork.call("peer", 4, 3, 9),
    }
    medians = alternate(calls, Effort(rounds=3, seconds=100), clockwork.read)
    assert medians == {"ours": 2, "peer": 4}
    assert clockwork.made == ["ours", "peer"] * 3


def test_no_round_begins_once_time_is_up(clockwork):
    calls = {"slow": clockwork.call("slow", *[10] * 9)}
    alternate(calls, Effort(rounds=9, seconds=35, least=2), clockwork.read)
    assert len(clockwork.made) == 4


def test_the_least_is_done_however_long_it_takes(clockwork):
    calls = {"slow": clockwork.call("slow", *[10] * 9)}
    alternate(calls, Effort(rounds=9, seconds=1, least=3), clockwork.read)
    assert len(clockwork.made) == 3


def test_each_call_is_warmed_up_once(clockwork):
    warm_up({name: clockwork.call(name, 0) for name in "ab"})
    assert clockwork.made == ["a", "b"]
