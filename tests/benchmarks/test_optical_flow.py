from __future__ import annotations

import numpy as np
import optical_flow
import pytest
from tracking_parts.data import Clip

from napari_sam_decoder import Movie


@pytest.fixture
def clip():
    """A textured square that moves by two pixels on a still background."""
    rng = np.random.default_rng(0)
    frames = np.repeat(rng.integers(0, 120, (1, 64, 96), np.uint8), 3, axis=0)
    masks = np.zeros((3, 64, 96), np.uint8)
    for frame, (picture, mask) in enumerate(zip(frames, masks, strict=True)):
        square = np.s_[20:44, 30 + 2 * frame : 54 + 2 * frame]
        picture[square] = np.random.default_rng(1).integers(130, 255, (24, 24))
        mask[square] = 1
    return Clip("square", Movie(frames, contrast=(0, 255)), masks)


def test_every_method_is_measured_on_every_pair(clip):
    rows = list(optical_flow.measured(clip, pairs=5))
    assert len(rows) == 2
    for row in rows:
        assert row.keys() == optical_flow.METHODS.keys()
        assert all(seconds >= 0 and 0 < iou <= 1 for seconds, iou in row.values())


def test_a_flow_carries_masks_better_than_standing_still(clip):
    row = next(optical_flow.measured(clip, pairs=1))
    assert row[optical_flow.OURS][1] > row["still"][1]


def test_the_report_has_a_line_per_method(clip, capsys):
    optical_flow.report(list(optical_flow.measured(clip, pairs=1)))
    said = capsys.readouterr().out
    assert all(name in said for name in optical_flow.METHODS)
