from __future__ import annotations

import os
import time
from types import SimpleNamespace

import killed_workers
import numpy as np
import pytest
import tifffile

pytestmark = pytest.mark.skipif(os.name != "posix", reason="SIGKILL is of POSIX")


def made(folder, frames):
    """A folder with files of frames as a cache has them."""
    (folder / "frames").mkdir(parents=True)
    for frame, content in frames.items():
        (folder / "frames" / f"c.{frame}.0").write_bytes(content)
    return folder


def test_noise_is_a_movie_of_frames_that_all_differ(tmp_path):
    killed_workers.write_noise(tmp_path / "noise.tif", 4, 8)
    movie = tifffile.imread(tmp_path / "noise.tif")
    assert movie.shape == (4, 8, 8)
    assert len(np.unique(movie, axis=0)) == 4


def test_frames_that_differ_or_are_missing_are_listed(tmp_path):
    one = made(tmp_path / "one", {0: b"a", 1: b"b", 2: b"c"})
    other = made(tmp_path / "other", {0: b"a", 1: b"x", 3: b"d"})
    assert killed_workers.differences(one, other, range(5)) == [1, 2, 3, 4]
    assert killed_workers.differences(one, one, range(3)) == []


@pytest.fixture
def killed(monkeypatch):
    """Processes that are killed, which is only noted."""
    pids = []
    monkeypatch.setattr(killed_workers.os, "kill", lambda pid, _: pids.append(pid))
    return pids


def cluster_of(*names, missing=()):
    return SimpleNamespace(
        scheduler_info={
            "workers": {
                f"tcp://{name}": {"name": name} for name in names if name not in missing
            }
        },
        worker_spec=dict.fromkeys(names),
        workers={name: SimpleNamespace(pid=100 + name) for name in names},
    )


def test_workers_are_killed_until_all_frames_are_embedded(killed):
    killer = killed_workers.Killer(cluster_of(0, 1), every=0.001)
    steps = []
    for step in killer.until_embedded(range(4), total=4, what="tasks"):
        steps.append(step)
        if step == 1:
            while len(killed) < 4:
                time.sleep(0.001)
    # The last task segments the movie.
    assert steps == [0, 1, 2]
    assert killer.kills == len(killed)
    assert killed[:4] == [100, 101, 100, 101]


def test_nothing_is_killed_before_anything_is_embedded(killed):
    killer = killed_workers.Killer(cluster_of(0, 1), every=0.001)
    assert list(killer.until_embedded((), total=4, what="tasks")) == []
    assert killed == []


def test_a_worker_that_has_not_come_back_is_left_alone(killed):
    killer = killed_workers.Killer(cluster_of(0, 1, missing=[0]), every=0.001)
    for step in killer.until_embedded(range(4), total=4, what="tasks"):
        while step == 1 and len(killed) < 2:
            time.sleep(0.001)
    assert set(killed) == {101}


@pytest.mark.slow
def test_a_worker_is_killed_and_the_arrays_are_equal(capsys):
    arguments = ["--frames", "100", "--size", "32", "--every", "600"]
    with pytest.raises(SystemExit) as end:
        killed_workers.main(arguments)
    frames, alone, shared, arrays = capsys.readouterr().out.splitlines()
    assert frames == "frames: 100"
    assert alone.startswith("one process: ")
    assert shared.startswith("2 workers: ")
    assert shared.endswith(", 1 kills")
    assert arrays == "arrays: equal"
    assert end.value.code == 0
