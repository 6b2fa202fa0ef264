from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("napari.layers")

from napari_sam_decoder.prompts import Prompt
from napari_sam_decoder.widgets.correction_log import CorrectionLog
from napari_sam_decoder.widgets.layers import Edit


def edit(value):
    noise = np.random.default_rng(value).integers(0, 9999, (20, 20)).astype(np.uint16)
    return Edit((slice(0, 20), slice(5, 25)), noise, noise + 1)


def test_an_edit_is_packed_without_what_has_not_changed():
    before, after = np.zeros((9, 9), np.uint16), np.zeros((9, 9), np.uint16)
    after[3:5, 2] = 4
    packed = Edit((slice(10, 19), slice(20, 29)), before, after).packed()
    assert packed.window == (slice(13, 15), slice(22, 23))
    np.testing.assert_array_equal(packed.unpacked().after, [[4], [4]])
    np.testing.assert_array_equal(packed.unpacked().before, [[0], [0]])


def test_of_the_oldest_corrections_it_is_not_known_what_they_changed():
    log = CorrectionLog(room=5000)
    for frame in range(6):
        log.begin(Prompt(1, frame, points=[(1, 1)]), None)
        log.trace(1, frame, edit(frame), None)
    frames = [correction.prompt.frame for correction in log]
    assert frames == list(range(6 - len(frames), 6))
    assert 1 < len(frames) < 6
    assert sum(correction.size for correction in log) <= 5000


def test_what_comes_before_any_correction_is_passed_over():
    log = CorrectionLog()
    log.trace(1, 0, edit(0), None)
    assert list(log) == []
