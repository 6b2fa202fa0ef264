"""Processes that are killed while they embed, and processes that embed together."""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
from contextlib import suppress

import pytest

from cache_worker import FRAMES, CheapEncoder, cheap_movie, embed_when_told, files_of
from napari_sam_decoder.cache import layout, verify
from napari_sam_decoder.embedding import Embedder, open_store

# About half of a whole run, so that kills fall on its beginning and on its end.
MEAN_RUN = 0.05

pytestmark = pytest.mark.skipif(os.name != "posix", reason="SIGKILL is of POSIX")


@pytest.fixture
def uninterrupted(tmp_path):
    path = tmp_path / "uninterrupted.zarr"
    embed_here(path)
    return files_of(path)


def embed_here(path):
    movie, encoder = cheap_movie(), CheapEncoder()
    embedder = Embedder(movie, encoder, open_store(movie, encoder, path))
    steps = list(embedder.fill(range(len(movie))))
    embedder.close()
    return steps


@pytest.fixture(scope="module")
def processes():
    """Forks processes that need not import anything first."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["napari_sam_decoder.embedding", "zarr"])
    return context


class Worker:
    """A process that embeds once it is told to, and may be killed."""

    def __init__(self, processes, path):
        self._here, there = processes.Pipe()
        self._process = processes.Process(target=embed_when_told, args=(there, path))
        self._process.start()
        there.close()
        assert self._here.recv() == "ready"

    def go(self):
        self._here.send("go")

    def run_for(self, seconds):
        """Let it run, then kill it; the frames that it said were done."""
        self.go()
        self._process.join(seconds)
        self._process.kill()
        said = self.said()
        assert self.exit_code in (0, -signal.SIGKILL)
        return said

    def said(self):
        """The frames that it said were done, once it has ended."""
        said = []
        # Reset if it was killed before it was told to go.
        with suppress(EOFError, ConnectionResetError):
            while True:
                said.append(self._here.recv())
        self._process.join()
        return said

    @property
    def exit_code(self):
        return self._process.exitcode


def sound_frames(path):
    """Frames that are in order; no other may be there at all."""
    if layout.stored_key(path) is None:
        assert not path.exists()
        return set()
    states = {check.frame: check.state for check in verify(path)}
    assert set(states.values()) <= {"ok", "absent"}
    return {frame for frame, state in states.items() if state == "ok"}


def kill_and_resume(processes, folder, kills, expected):
    """Embed, be killed and embed again; a new cache whenever one is complete."""
    delays = random.Random(20230405)
    path, before = folder / "cache-0.zarr", set()
    for kill in range(1, kills + 1):
        done = Worker(processes, path).run_for(delays.expovariate(1 / MEAN_RUN))
        after = sound_frames(path)
        assert before | set(done) <= after
        before = after
        if len(after) == FRAMES:
            assert files_of(path) == expected
            path, before = folder / f"cache-{kill}.zarr", set()
    steps = embed_here(path)
    assert [step.frame for step in steps if step.was_cached] == sorted(before)
    assert files_of(path) == expected


def test_eight_kills_cost_nothing_but_the_frame_in_work(
    processes, tmp_path, uninterrupted
):
    kill_and_resume(processes, tmp_path, 8, uninterrupted)


@pytest.mark.slow
def test_a_hundred_kills_cost_nothing_but_the_frame_in_work(
    processes, tmp_path, uninterrupted
):
    kill_and_resume(processes, tmp_path, 100, uninterrupted)


def test_two_processes_at_once_do_each_other_no_harm(
    processes, tmp_path, uninterrupted
):
    path = tmp_path / "shared.zarr"
    workers = [Worker(processes, path) for _ in range(2)]
    for worker in workers:
        worker.go()
    assert [worker.said() for worker in workers] == [list(range(FRAMES))] * 2
    assert [worker.exit_code for worker in workers] == [0, 0]
    assert files_of(path) == uninterrupted


def test_one_may_be_killed_while_another_goes_on(processes, tmp_path, uninterrupted):
    path = tmp_path / "shared.zarr"
    victim, survivor = Worker(processes, path), Worker(processes, path)
    survivor.go()
    victim.run_for(MEAN_RUN)
    survivor.said()
    assert survivor.exit_code == 0
    # The frame that the victim was about to write again, if any.
    assert len(sound_frames(path)) >= FRAMES - 1
    embed_here(path)
    assert files_of(path) == uninterrupted
