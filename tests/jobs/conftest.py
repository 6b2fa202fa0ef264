from __future__ import annotations

import numpy as np
import pytest

from napari_sam_decoder.samples import SampleClick, SampleMovie


@pytest.fixture
def short_sample():
    """Six small frames with one square that moves right."""
    truth = np.zeros((6, 48, 64), np.uint16)
    for frame in range(6):
        truth[frame, 10:30, 5 + 3 * frame : 25 + 3 * frame] = 1
    frames = np.where(truth > 0, 200, 40).astype(np.uint8)
    return SampleMovie(
        name="square",
        frames=frames,
        truth=truth,
        clicks=(SampleClick(1, 0, (20.0, 15.0)),),
        description="a square",
        credit="made for a test",
    )


@pytest.fixture
def demo_report(short_sample, tiny_sam, tmp_path, monkeypatch):
    """A finished demo of the short sample with a random network."""
    from napari_sam_decoder.jobs import demo, no_progress
    from napari_sam_decoder.jobs.demo import DemoFiles, run_demo

    monkeypatch.setenv("NAPARI_SAM_DECODER_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(demo, "load_sample", lambda _: short_sample)
    return run_demo(DemoFiles(tmp_path), tiny_sam, no_progress)
