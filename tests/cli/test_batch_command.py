from __future__ import annotations

import shutil

import pytest
from distributed import LocalCluster
from terminal import complaint_of

from tiny_network import load_tiny_for_any_name


@pytest.fixture
def folder(movie, tmp_path):
    found = tmp_path / "movies"
    found.mkdir()
    for name in ("one.tif", "two.tif"):
        shutil.copy(movie, found / name)
    return found


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "all.csv"
    path.write_text("movie,axis-0,axis-1,axis-2\none,0,20,30\ntwo,0,20,30\n")
    return path


def test_a_folder_is_segmented_once(run, folder, table, tmp_path):
    asked = "batch", folder, "--points-from", table, "-o", tmp_path / "out", "--quiet"
    code, out, err = run(*asked)
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert lines[0].startswith("one: 1 object")
    assert lines[2] == "2 movies done, 0 kept, 0 failed"
    assert (tmp_path / "out" / "index.html").is_file()
    code, out, _ = run(*asked)
    assert code == 0
    assert out.splitlines()[0] == "0 movies done, 2 kept, 0 failed"


def test_failures_are_listed_and_give_exit_code_1(run, folder, table, tmp_path):
    (folder / "two.tif").write_bytes(b"nothing")
    code, out, err = run(
        *("batch", folder, "--points-from", table, "-o", tmp_path / "out", "--quiet")
    )
    assert code == 1
    assert "1 movie done, 0 kept, 1 failed" in out
    assert "two failed: cannot read" in err


def test_progress_names_the_movie(run, folder, table, tmp_path):
    _, _, err = run("batch", folder, "--points-from", table, "-o", tmp_path / "out")
    assert "one: propagating" in err


def test_a_batch_without_prompts_is_refused(run, folder, tmp_path):
    assert "--points-from" in complaint_of(run("batch", folder, "-o", tmp_path / "out"))


def test_an_empty_folder_is_refused(run, tmp_path):
    empty = tmp_path / "empty"
    empty.mkdir()
    done = run("batch", empty, "--auto", "-o", tmp_path / "out")
    assert "is a movie; check the path" in complaint_of(done)


def test_what_is_kept_is_said_when_it_is_stopped(
    run, folder, table, tmp_path, monkeypatch
):
    def stopped(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("napari_sam_decoder.jobs.batch.work.segment_file", stopped)
    code, _, err = run(
        *("batch", folder, "--points-from", table, "-o", tmp_path / "out", "--quiet")
    )
    assert code == 130
    assert "movies that are done are kept" in err


def test_one_can_work_here_or_on_a_scheduler(run, folder, tmp_path):
    asked = "batch", folder, "--auto", "-o", tmp_path / "out"
    where = "--workers", "2", "--scheduler", "tcp://127.0.0.1:9"
    assert "not allowed with" in complaint_of(run(*asked, *where))


def test_workers_of_a_scheduler_do_the_work(run, folder, table, tmp_path, monkeypatch):
    # Unlike the other tests' stand-in, it can be sent to a worker.
    monkeypatch.setattr(
        "napari_sam_decoder.weights.registry.load_sam", load_tiny_for_any_name
    )
    with LocalCluster(
        n_workers=1, threads_per_worker=1, processes=False, dashboard_address=":0"
    ) as cluster:
        code, out, err = run(
            *("batch", folder, "--points-from", table, "-o", tmp_path / "out"),
            *("--scheduler", cluster.scheduler_address, "--quiet"),
        )
    assert (code, err) == (0, "")
    assert "2 movies done, 0 kept, 0 failed" in out
