from __future__ import annotations

import numpy as np
import pytest
import tifffile
from PIL import Image

from napari_sam_decoder.formats import read_points
from napari_sam_decoder.jobs import silently
from napari_sam_decoder.jobs.demo import DemoFiles, run_demo


def test_all_files_are_there_and_fit(demo_report, short_sample):
    files = demo_report.files
    np.testing.assert_array_equal(tifffile.imread(files.movie), short_sample.frames)
    np.testing.assert_array_equal(tifffile.imread(files.truth), short_sample.truth)
    assert tifffile.imread(files.labels).shape == short_sample.truth.shape
    assert read_points(files.points).positions.tolist() == [[20, 15]]
    with Image.open(files.animation) as animation:
        assert animation.n_frames >= 1
    with Image.open(files.report) as report:
        assert report.width > 200


def test_the_score_compares_with_the_truth(demo_report, short_sample):
    labels = tifffile.imread(demo_report.files.labels)
    both = (labels[3] == 1) & (short_sample.truth[3] == 1)
    either = (labels[3] == 1) | (short_sample.truth[3] == 1)
    assert demo_report.iou[1][3] == pytest.approx(both.sum() / either.sum())


@pytest.mark.slow
def test_one_click_per_cell_is_enough(mobile_sam, tmp_path, monkeypatch):
    monkeypatch.setenv("NAPARI_SAM_DECODER_CACHE", str(tmp_path / "cache"))
    report = run_demo(DemoFiles(tmp_path), mobile_sam, silently)
    means = {object_id: curve.mean() for object_id, curve in report.iou.items()}
    assert len(means) >= 6
    assert min(means.values()) >= 0.90
    assert np.mean(list(means.values())) >= 0.93
