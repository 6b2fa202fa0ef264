from __future__ import annotations

import numpy as np

from napari_sam_decoder.jobs.copy_on_write import CopyOnWriteLabels


def test_frames_are_as_they_were_until_they_are_set():
    labels = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
    before = labels.copy()
    revised = CopyOnWriteLabels(labels, np.dtype(np.uint32))
    assert (len(revised), revised.shape, revised.dtype) == (2, (2, 3, 4), np.uint32)
    new = np.full((3, 4), 70000, np.uint32)
    revised[1] = new
    np.testing.assert_array_equal(revised[0], before[0])
    np.testing.assert_array_equal(revised[1], new)
    revised[1] = new + 1
    np.testing.assert_array_equal(revised[1], new + 1)
    np.testing.assert_array_equal(labels, before)
    assert revised[0].dtype == revised[1].dtype == np.uint32
    assert repr(revised) == "CopyOnWriteLabels((2, 3, 4), uint32, 1 frames changed)"
