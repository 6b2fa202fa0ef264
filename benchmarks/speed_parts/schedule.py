"""How long embedding takes on more cores, by going through the schedule of the pool."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from heapq import heapreplace

__all__ = ["FrameCost", "seconds_per_frame"]


@dataclass(frozen=True)
class FrameCost:
    """Seconds that a frame takes.

    Attributes
    ----------
    read : float
        To read it, one frame after the other.
    one, two : float
        To encode it with one thread and with two, nothing else going on.
    write : float
        To write its embedding.
    """

    read: float
    one: float
    two: float
    write: float

    @property
    def serial_share(self) -> float:
        """Share of the encoder that does not get faster with threads, 0..1."""
        return min(max(2 * self.two / self.one - 1, 0.0), 1.0)

    def encode(self, threads: int) -> float:
        """Seconds to encode it with so many threads, by Amdahl's law."""
        serial = self.serial_share
        return self.one * (serial + (1 - serial) / threads)


def seconds_per_frame(
    cost: FrameCost, cores: int, side_by_side: int, frames: int = 1000
) -> float:
    """Simulate how `ThreadPool.imap` embeds a long movie.

    Parameters
    ----------
    cost : FrameCost
        Of each frame.
    cores : int
        Each is as fast as those that the cost was measured on, however many work: what
        they wait for memory together is not in this.
    side_by_side : int
        Frames that are embedded at a time, at most. Their threads share the cores.
    frames : int, optional
        Length of the movie.

    Returns
    -------
    float
    """
    workers = min(side_by_side, cores)
    busy = cost.encode(cores // workers) + cost.write
    if workers == 1:
        return cost.read + busy
    free = [0.0] * workers
    under_way: deque[float] = deque()
    # So many frames are read before the first is begun.
    clock = cost.read * (workers - 1)
    for number in range(frames):
        clock += cost.read if number == 0 or number >= workers else 0.0
        end = max(clock, free[0]) + busy
        heapreplace(free, end)
        under_way.append(end)
        if len(under_way) == workers:
            clock = max(clock, under_way.popleft())
    return max(free) / frames
