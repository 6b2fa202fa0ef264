"""Batches on workers; those in processes of their own are slow to start."""

from __future__ import annotations

import os
import signal
import sys
from contextlib import contextmanager
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import tifffile
from distributed import Client, LocalCluster

from napari_sam_decoder.errors import ClusterError, MissingExtraError, OptionError
from napari_sam_decoder.jobs import MovieOptions
from napari_sam_decoder.jobs.batch import cluster as cluster_module
from napari_sam_decoder.jobs.batch import (
    connect,
    local_workers,
    run_batch,
    run_batch_on,
)
from napari_sam_decoder.jobs.batch.on_worker import Network
from tiny_network import load_tiny


@contextmanager
def threads_of_this_process():
    with (
        LocalCluster(
            n_workers=1, threads_per_worker=2, processes=False, dashboard_address=":0"
        ) as cluster,
        Client(cluster) as client,
    ):
        yield client


def statuses(result):
    return {movie.name: movie.status.value for movie in result.movies}


def arrays_of(folder):
    """All frames of all caches in a folder, as they are on disk."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("c.*")
        if path.is_file()
    }


def elsewhere(job, tmp_path, name):
    """The same job with results and embeddings of its own."""
    movies = replace(job.movies, cache=tmp_path / name / "embeddings")
    return replace(job, movies=movies, output=tmp_path / name / "results")


def labels_of(job):
    return {
        path.name: tifffile.imread(path)
        for path in sorted((job.output / "labels").rglob("*.tif"))
    }


def assert_same(job, other):
    expected = arrays_of(other.movies.cache)
    assert expected
    assert arrays_of(job.movies.cache) == expected
    found, expected = labels_of(job), labels_of(other)
    assert list(found) == list(expected)
    for name, labels in expected.items():
        np.testing.assert_array_equal(found[name], labels)


def test_workers_do_what_one_process_does(make_job, tmp_path, monkeypatch):
    monkeypatch.setattr(cluster_module, "FRAMES_PER_TASK", 2)
    serial = elsewhere(make_job(), tmp_path, "serial")
    run_batch(serial, load_tiny())
    shared = elsewhere(make_job(), tmp_path, "shared")
    steps = []

    def count(iterator, *, total, what):
        for step in iterator:
            steps.append((total, what))
            yield step

    with threads_of_this_process() as client:
        result = run_batch_on(client, shared, load_tiny, count)
        assert statuses(result) == {"a": "done", "b": "done"}
        again = run_batch_on(client, shared, load_tiny)
        assert statuses(again) == {"a": "kept", "b": "kept"}
    # Two parts of each movie, and a task to segment it.
    assert steps == [(6, "tasks")] * 6
    assert_same(shared, serial)


def test_a_failure_on_a_worker_is_that_of_its_movie(make_job, movies):
    (movies / "b.tif").write_bytes(b"II*\0 this is no movie")
    with threads_of_this_process() as client:
        result = run_batch_on(client, make_job(), load_tiny)
    assert statuses(result) == {"a": "done", "b": "failed"}
    (failed,) = (movie for movie in result.movies if movie.name == "b")
    assert "b.tif" in failed.reason


def test_a_frame_that_cannot_be_embedded_is_named(make_job, monkeypatch):
    from napari_sam_decoder.errors import DecodingError
    from napari_sam_decoder.jobs.batch import on_worker

    def embed(movie, model):
        if movie.path.name == "b.tif":
            raise DecodingError("frame 1: the network gives no numbers")
        return {}

    monkeypatch.setattr(on_worker, "embed_file", embed)
    with threads_of_this_process() as client:
        result = run_batch_on(client, make_job(), load_tiny)
    assert statuses(result) == {"a": "done", "b": "failed"}
    assert result.movies[1].reason == "frame 1: the network gives no numbers"


def test_the_network_is_loaded_once_for_all_tasks_of_a_worker(make_job, tmp_path):
    loads = tmp_path / "loads"

    def load():
        with loads.open("a") as file:
            file.write("x")
        return load_tiny()

    with threads_of_this_process() as client:
        run_batch_on(client, make_job(), load)
    # Once here, and once on the worker.
    assert loads.read_text() == "xx"


def test_a_worker_with_another_network_is_refused():
    network = Network(partial(load_tiny, 1), "tiny seed 0 float32")
    with pytest.raises(ClusterError, match=r"tiny seed 1.*--precision"):
        network.on_this_worker()


def test_workers_need_a_cache(make_job, movies):
    job = make_job(movies=MovieOptions(movies, cache=None))
    with pytest.raises(OptionError, match="hand embeddings on in a cache"):
        run_batch_on(None, job, load_tiny)


def test_an_address_without_a_scheduler_is_refused(monkeypatch):
    monkeypatch.setattr(cluster_module, "_CONNECTING_S", 0.2)
    with (
        pytest.raises(ClusterError, match="there is no scheduler at tcp://127"),
        connect("tcp://127.0.0.1:9"),
    ):
        pass


def test_workers_that_do_not_start_are_an_error_of_the_cluster(monkeypatch):
    def fail(**_):
        raise RuntimeError("Nanny failed to start.")

    monkeypatch.setattr("distributed.LocalCluster", fail)
    with (
        pytest.raises(ClusterError, match=r"2 workers .*Nanny failed .*try fewer"),
        local_workers(2),
    ):
        pass


def test_without_the_engine_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    for start in (lambda: local_workers(1), lambda: connect("tcp://127.0.0.1:9")):
        with pytest.raises(MissingExtraError, match=r"decoder\[cluster\]"), start():
            pass


def test_a_scheduler_that_vanishes_leaves_what_is_done(make_job, tmp_path):
    def vanishing(steps, *, total, what):
        for done, step in enumerate(steps):
            yield step
            if done == 1:
                client.cluster.close()

    with (
        threads_of_this_process() as client,
        pytest.raises(ClusterError, match="scheduler was lost; start it again"),
    ):
        run_batch_on(client, make_job(), load_tiny, vanishing)
    assert "waiting" in (tmp_path / "results" / "table.csv").read_text()
    again = run_batch(make_job(), load_tiny())
    assert set(statuses(again).values()) <= {"done", "kept"}


def test_workers_that_are_given_up_leave_what_is_done(make_job, tmp_path, monkeypatch):
    def give_up(watch):
        raise ClusterError("worker after worker was lost")

    def giving_up(steps, *, total, what):
        for step in steps:
            yield step
            monkeypatch.setattr(cluster_module.Replacement, "look", give_up)

    with (
        threads_of_this_process() as client,
        pytest.raises(ClusterError, match="worker after worker was lost"),
    ):
        run_batch_on(client, make_job(), load_tiny, giving_up)
    assert "waiting" in (tmp_path / "results" / "table.csv").read_text()
    again = run_batch(make_job(), load_tiny())
    assert set(statuses(again).values()) <= {"done", "kept"}


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="SIGKILL is of POSIX")
def test_a_killed_worker_costs_nothing_but_its_work(
    make_job, write_movie, tmp_path, monkeypatch
):
    monkeypatch.setattr(cluster_module, "FRAMES_PER_TASK", 8)
    for seed, name in enumerate(["a.tif", "b.tif"]):
        write_movie(name, frames=30, seed=seed)
    serial = elsewhere(make_job(), tmp_path, "serial")
    run_batch(serial, load_tiny())
    shared = elsewhere(make_job(), tmp_path, "shared")
    killed = []

    def killing(steps, *, total, what):
        for done, step in enumerate(steps):
            if done == 1:
                pids = client.run(os.getpid)
                killed.extend(pids.values())
                os.kill(killed[0], signal.SIGKILL)
            yield step

    with local_workers(2) as client:
        result = run_batch_on(client, shared, load_tiny, killing)
    assert len(killed) == 2
    assert statuses(result) == {"a": "done", "b": "done"}
    assert_same(shared, serial)
