from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
import tifffile
from speed_parts import start
from speed_parts.start import start_rows
from speed_parts.timing import Effort

TWICE = Effort(rounds=2, seconds=0, least=2)


def test_each_process_sees_a_movie_that_is_new(monkeypatch):
    calls = []

    def run(command, *, env, check, stdout):
        assert check
        assert "PYTHONDONTWRITEBYTECODE" not in env
        if "segment" in command:
            movie, cache = command[4], command[command.index("--cache") + 1]
            assert tifffile.imread(movie).shape == (2, 48, 64, 3)
            assert env["PYTHONPYCACHEPREFIX"] == str(Path(movie).with_name("compiled"))
            calls.append(cache)
        else:
            calls.append(command[-1])

    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    monkeypatch.setattr(subprocess, "run", run)
    (row,) = start_rows((48, 64), effort=TWICE)
    assert (row.step, row.size, row.peer) == ("start", "48x64", "import_torch")
    caches, imports = calls[::2], calls[1::2]
    assert imports == ["import torch"] * 3
    assert len(set(caches)) == 3


@pytest.mark.slow
def test_a_process_segments_its_movie(monkeypatch):
    shapes = []
    run = start._run

    def run_and_look(folder, *arguments):
        run(folder, *arguments)
        if "-o" in arguments:
            labels = tifffile.imread(arguments[arguments.index("-o") + 1])
            shapes.append((labels.shape, int(labels[0].max())))

    monkeypatch.setattr(start, "_run", run_and_look)
    monkeypatch.setattr(start, "warm_up", lambda _: None)
    (row,) = start_rows((48, 64), effort=Effort(rounds=1, seconds=0, least=1))
    assert 0 < row.peer_s < row.ours_s
    assert shapes == [((2, 48, 64), 1)]
