"""Workers that were lost for good are replaced, or that is given up."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from types import SimpleNamespace

import dask
import pytest

from napari_sam_decoder.errors import ClusterError
from napari_sam_decoder.jobs.batch import local_workers, replacement, run_batch_on
from napari_sam_decoder.jobs.batch.replacement import Replacement
from tiny_network import load_tiny


@pytest.fixture
def clock(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(replacement.time, "monotonic", lambda: now[0])
    return now


class Cluster:
    """Two workers, of which those are there that a test wants; it starts none."""

    def __init__(self):
        self.worker_spec = {0: {}, 1: {}}
        self.workers = {}
        self.there = {0, 1}
        self.replaced = []

    @property
    def scheduler_info(self):
        return {"workers": {f"tcp://{name}": {"name": name} for name in self.there}}

    @property
    def loop(self):
        return self

    def add_callback(self, replace, cluster, names):
        assert cluster is self
        self.replaced.append(names)


@pytest.fixture
def cluster():
    return Cluster()


@pytest.fixture
def watch(cluster):
    return Replacement(cluster)


def after(clock, seconds):
    clock[0] += seconds


def look_for(seconds, watch, clock):
    for _ in range(seconds):
        watch.look()
        after(clock, 1)


def test_a_worker_that_comes_back_is_not_replaced(clock, cluster, watch):
    for there in ({0}, {0, 1}, {0}):
        cluster.there = there
        look_for(59, watch, clock)
    assert cluster.replaced == []


def test_a_worker_that_stays_away_is_replaced_and_gets_time(clock, cluster, watch):
    cluster.there = {0}
    look_for(100, watch, clock)
    assert cluster.replaced == [[1]]


def test_a_worker_that_takes_long_to_start_is_left_to_it(clock, cluster, watch):
    cluster.there = {0}
    cluster.workers[1] = SimpleNamespace(is_alive=lambda: True)
    look_for(600, watch, clock)
    assert cluster.replaced == []
    look_for(60, watch, clock)
    assert cluster.replaced == [[1]]


def test_what_never_does_anything_is_given_up(clock, cluster, watch):
    cluster.there = set()
    with pytest.raises(ClusterError, match=r"memory runs out.* goes on from what is"):
        look_for(1000, watch, clock)
    assert cluster.replaced == [[0, 1]] * 3


def test_with_progress_it_is_not_given_up(clock, cluster, watch):
    cluster.there = {0}
    for _ in range(20):
        look_for(62, watch, clock)
        watch.note_progress()
    assert len(cluster.replaced) > 10


def test_a_worker_that_cannot_be_closed_is_replaced(monkeypatch):
    class Nanny:
        async def close(self):
            await asyncio.Event().wait()

    scaled = []
    cluster = SimpleNamespace(
        workers={0: Nanny()}, worker_spec={0: {}, 1: {}}, scale=scaled.append
    )
    monkeypatch.setattr(replacement, "_CLOSING_S", 0.01)
    asyncio.run(asyncio.wait_for(replacement._replace(cluster, [0, 1]), timeout=10))
    assert cluster.workers == {}
    assert scaled == [2]


def test_workers_elsewhere_are_left_alone(clock):
    look_for(1000, Replacement(None), clock)


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="SIGKILL is of POSIX")
def test_a_batch_outlives_workers_that_are_killed_while_they_start(
    make_job, monkeypatch
):
    monkeypatch.setattr(replacement, "_MISSING_S", 15)
    with local_workers(1) as client:
        kill_until_dask_gives_up(client.cluster.workers[0])
        result = run_batch_on(client, make_job(), load_tiny)
    assert {movie.status.value for movie in result.movies} == {"done"}


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="SIGKILL is of POSIX")
def test_a_worker_that_takes_long_to_start_again_is_not_closed_by_dask():
    # As on a busy machine, where 15 s, the default, are too few.
    with (
        dask.config.set({"distributed.deploy.lost-worker-timeout": "1ms"}),
        local_workers(1) as client,
    ):
        nanny = client.cluster.workers[0]
        killed = nanny.pid
        os.kill(killed, signal.SIGKILL)
        assert client.submit(os.getpid).result(timeout=60) != killed
        assert client.cluster.workers == {0: nanny}


def kill_until_dask_gives_up(nanny):
    """Kill each process that is started, at once."""
    killed, since = set(), time.monotonic()
    while time.monotonic() - since < 5:
        pid = nanny.pid
        if pid and pid not in killed:
            os.kill(pid, signal.SIGKILL)
            killed.add(pid)
            since = time.monotonic()
        time.sleep(0.01)
    assert len(killed) > 1
