"""Processes that are killed while they embed, and processes that embed together."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from cache_worker import FRAMES, CheapEncoder, cheap_movie, files_of
from napari_sam_decoder.cache import layout, verify
from napari_sam_decoder.embedding import Embedder, open_store

WORKER = Path(__file__).parents[1] / "cache_worker.py"
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


def start_worker(path):
    process = subprocess.Popen(
        [sys.executable, WORKER, "embed", path],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "ready\n"
    return process


def run_for(process, seconds):
    """Let a worker run, then kill it; the frames that it said were done."""
    process.stdin.write("go\n")
    process.stdin.flush()
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
    said, _ = process.communicate()
    assert process.returncode in (0, -signal.SIGKILL)
    return [int(line) for line in said.splitlines()]


def sound_frames(path):
    """Frames that are in order; no other may be there at all."""
    if layout.stored_key(path) is None:
        assert not path.exists()
        return set()
    states = {check.frame: check.state for check in verify(path)}
    assert set(states.values()) <= {"ok", "absent"}
    return {frame for frame, state in states.items() if state == "ok"}


def kill_and_resume(folder, kills, expected):
    """Embed, be killed and embed again; a new cache whenever one is complete."""
    delays = random.Random(20230405)
    path, before = folder / "cache-0.zarr", set()
    for kill in range(1, kills + 1):
        done = run_for(start_worker(path), delays.expovariate(1 / MEAN_RUN))
        after = sound_frames(path)
        assert before | set(done) <= after
        before = after
        if len(after) == FRAMES:
            assert files_of(path) == expected
            path, before = folder / f"cache-{kill}.zarr", set()
    steps = embed_here(path)
    assert [step.frame for step in steps if step.was_cached] == sorted(before)
    assert files_of(path) == expected


def test_eight_kills_cost_nothing_but_the_frame_in_work(tmp_path, uninterrupted):
    kill_and_resume(tmp_path, 8, uninterrupted)


@pytest.mark.slow
def test_a_hundred_kills_cost_nothing_but_the_frame_in_work(tmp_path, uninterrupted):
    kill_and_resume(tmp_path, 100, uninterrupted)


def test_two_processes_at_once_do_each_other_no_harm(tmp_path, uninterrupted):
    path = tmp_path / "shared.zarr"
    workers = [start_worker(path) for _ in range(2)]
    for worker in workers:
        worker.stdin.write("go\n")
        worker.stdin.flush()
    said = [worker.communicate()[0].split() for worker in workers]
    assert said == [[str(frame) for frame in range(FRAMES)]] * 2
    assert [worker.returncode for worker in workers] == [0, 0]
    assert files_of(path) == uninterrupted


def test_one_may_be_killed_while_another_goes_on(tmp_path, uninterrupted):
    path = tmp_path / "shared.zarr"
    victim, survivor = start_worker(path), start_worker(path)
    survivor.stdin.write("go\n")
    survivor.stdin.flush()
    run_for(victim, MEAN_RUN)
    survivor.communicate()
    assert survivor.returncode == 0
    # The frame that the victim was about to write again, if any.
    assert len(sound_frames(path)) >= FRAMES - 1
    embed_here(path)
    assert files_of(path) == uninterrupted
