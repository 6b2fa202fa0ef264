"""Time several calls in turn, so that a change of the machine's pace affects all."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median
from time import perf_counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["Effort", "alternate", "warm_up"]


@dataclass(frozen=True)
class Effort:
    """How often to measure.

    Attributes
    ----------
    rounds : int
        At most so many.
    seconds : float
        No further round is begun after these.
    least : int
        So many rounds however long they take.
    """

    rounds: int
    seconds: float
    least: int = 3


def warm_up(calls: Mapping[str, Callable[[], object]]) -> None:
    """Make each call once."""
    for call in calls.values():
        call()


def alternate(
    calls: Mapping[str, Callable[[], object]],
    effort: Effort,
    clock: Callable[[], float] = perf_counter,
) -> dict[str, float]:
    """Make all calls in turn, round after round.

    Parameters
    ----------
    calls : mapping of str to callable
        What to time.
    effort : Effort
        How often.
    clock : callable
        Gives the time in seconds.

    Returns
    -------
    dict of str to float
        Median of the seconds by call.
    """
    times: dict[str, list[float]] = {name: [] for name in calls}
    begun = clock()
    for number in range(effort.rounds):
        if number >= effort.least and clock() - begun > effort.seconds:
            break
        for name, call in calls.items():
            started = clock()
            call()
            times[name].append(clock() - started)
    return {name: median(seconds) for name, seconds in times.items()}
