"""How far a run is and how long it will take."""

from __future__ import annotations

from collections import deque
from time import monotonic

from tqdm import tqdm

__all__ = ["Pace"]

_REMEMBERED_STEPS = 12


class Pace:
    """Steps done and to do, timed by the last few steps.

    Parameters
    ----------
    total : int, optional
        Steps in all, if that is known.
    """

    def __init__(self, total: int | None = None) -> None:
        self.total = total
        self.done = 0
        # Steps from the cache are much faster than the others, so old ones mislead.
        self._times = deque([monotonic()], maxlen=_REMEMBERED_STEPS + 1)

    def step(self) -> None:
        """Count one step as done just now."""
        self.done += 1
        self._times.append(monotonic())

    @property
    def seconds_left(self) -> float | None:
        """Time for the rest at the pace of the last steps; None if not known yet."""
        if self.total is None or self.done < 2:
            return None
        steps = len(self._times) - 1
        return (self._times[-1] - self._times[0]) / steps * (self.total - self.done)

    def __str__(self) -> str:
        if self.total is None:
            return f"{self.done} done"
        counted = f"{self.done} / {self.total}"
        left = self.seconds_left
        return counted if left is None else f"{counted}, {_clock(left)} left"


def _clock(seconds: float) -> str:
    return str(tqdm.format_interval(round(seconds)))
