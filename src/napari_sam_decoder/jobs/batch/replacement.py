"""Workers of this machine that were lost for good are replaced while a batch waits.

Dask starts a worker again that was killed, unless it was killed while it started.
"""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING, Any

from napari_sam_decoder.errors import ClusterError

if TYPE_CHECKING:
    from distributed import LocalCluster, Nanny

__all__ = ["Replacement"]

_LOG = logging.getLogger(__name__)

_MISSING_S = 60
"""For how long a worker is away before another one is started in its place."""
_STARTING_S = 600
"""The same where its process runs, which takes long to start on a busy machine."""
_CLOSING_S = 20
"""For how long closing what is left of a worker may take."""
_ROUNDS = 3
"""How often all workers are replaced, while no task is finished, before giving up."""


class Replacement:
    """Watches the workers that a cluster of this machine should have.

    Parameters
    ----------
    cluster : distributed.LocalCluster, optional
        Workers elsewhere are left to those who started them.
    """

    def __init__(self, cluster: LocalCluster | None) -> None:
        self._cluster = cluster
        self._missing: dict[Any, float] = {}
        self._replaced = 0

    def note_progress(self) -> None:
        """Note that a task was finished, so that there is hope."""
        self._replaced = 0

    def look(self) -> None:
        """Replace the workers that have been away for too long.

        Raises
        ------
        ClusterError
            If that has been tried often enough.
        """
        if self._cluster is None:
            return
        lost = self._lost(self._cluster)
        if not lost:
            return
        self._replaced += len(lost)
        if self._replaced > _ROUNDS * len(self._cluster.worker_spec):
            raise ClusterError(
                "worker after worker was lost before it had done anything; most often "
                "memory runs out: use fewer (--workers), and run the same command "
                "again: it goes on from what is done"
            )
        _LOG.warning("%d workers were lost; others are started", len(lost))
        self._cluster.loop.add_callback(_replace, self._cluster, lost)

    def _lost(self, cluster: LocalCluster) -> list[Any]:
        """Names of workers that have been away for too long, each time anew."""
        known = cluster.scheduler_info["workers"].values()
        there = {worker["name"] for worker in known}
        now = time.monotonic()
        self._missing = {
            name: self._missing.get(name, now)
            for name in cluster.worker_spec
            if name not in there
        }
        lost = [
            name
            for name, since in self._missing.items()
            if now - since >= _patience(cluster.workers.get(name))
        ]
        for name in lost:
            del self._missing[name]
        return lost


def _patience(worker: Nanny | None) -> float:
    """Seconds for which a worker may be away."""
    is_starting = worker is not None and worker.is_alive()
    return _STARTING_S if is_starting else _MISSING_S


async def _replace(cluster: LocalCluster, names: list[Any]) -> None:
    """Close workers, as far as there is anything left of them, and start others."""
    left = [cluster.workers.pop(name, None) for name in names]
    closing = [asyncio.ensure_future(one.close()) for one in left if one is not None]
    if closing:
        # That of a worker which was killed at a bad moment may never end.
        await asyncio.wait(closing, timeout=_CLOSING_S)
    cluster.scale(len(cluster.worker_spec))
