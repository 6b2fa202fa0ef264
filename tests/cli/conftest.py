from __future__ import annotations

import numpy as np
import pytest
from terminal import COLUMNS, FRAMES, ROWS, write_stack

from napari_sam_decoder.cli import main


@pytest.fixture(autouse=True)
def small_network(tiny_sam, monkeypatch, tmp_path):
    monkeypatch.setattr(
        "napari_sam_decoder.weights.registry.load_sam", lambda *_, **__: tiny_sam
    )
    monkeypatch.setenv("NAPARI_SAM_DECODER_CACHE", str(tmp_path / "default-cache"))


@pytest.fixture
def movie(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 4000, (FRAMES, ROWS, COLUMNS))
    write_stack(tmp_path / "movie.tif", pixels.astype(np.uint16))
    return tmp_path / "movie.tif"


@pytest.fixture
def points(tmp_path):
    path = tmp_path / "points.csv"
    path.write_text(
        "index,axis-0,axis-1,axis-2,label,object_id\n"
        "0,0.0,20.0,30.0,Positive,1.0\n"
        "1,0.0,5.0,5.0,background,1.0\n"
        "2,2.0,30.0,50.0,TRUE,70000\n"
    )
    return path


@pytest.fixture
def run(capsys):
    """Run a command and return its exit code, stdout and stderr."""

    def run_(*arguments):
        try:
            code = main([str(argument) for argument in arguments])
        except SystemExit as exit_:
            code = exit_.code
        return code, *capsys.readouterr()

    return run_
