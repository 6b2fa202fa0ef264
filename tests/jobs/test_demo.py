from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from napari_sam_decoder.formats import read_points_table
from napari_sam_decoder.jobs import no_progress
from napari_sam_decoder.jobs.demo import DemoFiles, run_demo
from napari_sam_decoder.metrics import iou_over_time


def test_all_files_are_there_and_fit(demo_report, short_sample):
    files = demo_report.files
    np.testing.assert_array_equal(tifffile.imread(files.movie), short_sample.frames)
    np.testing.assert_array_equal(tifffile.imread(files.truth), short_sample.truth)
    assert tifffile.imread(files.labels).shape == short_sample.truth.shape
    assert read_points_table(files.points).positions.tolist() == [[20, 15]]
    with Image.open(files.animation) as animation:
        assert animation.n_frames >= 1
    with Image.open(files.report) as report:
        assert report.width > 200


def test_the_score_compares_with_the_truth(demo_report, short_sample):
    labels = tifffile.imread(demo_report.files.labels)
    both = (labels[3] == 1) & (short_sample.truth[3] == 1)
    either = (labels[3] == 1) | (short_sample.truth[3] == 1)
    assert demo_report.iou[1][3] == pytest.approx(both.sum() / either.sum())


@pytest.fixture
def whole_demo(request, tmp_path, monkeypatch):
    """The files of a whole demo; FINISHED_DEMO names the folder of one made before."""
    finished = os.environ.get("FINISHED_DEMO")
    if finished is not None:
        return DemoFiles(Path(finished))
    monkeypatch.setenv("NAPARI_SAM_DECODER_CACHE", str(tmp_path / "cache"))
    sam = request.getfixturevalue("mobile_sam")
    return run_demo(DemoFiles(tmp_path), sam, no_progress).files


@pytest.mark.slow
def test_one_click_per_cell_is_enough(whole_demo):
    labels, truth = map(tifffile.imread, (whole_demo.labels, whole_demo.truth))
    curves = iou_over_time(truth, labels, np.unique(truth)[1:])
    means = {object_id: curve.mean() for object_id, curve in curves.items()}
    assert len(means) >= 6
    assert min(means.values()) >= 0.90
    assert np.mean(list(means.values())) >= 0.93
