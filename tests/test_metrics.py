from __future__ import annotations

import numpy as np

from napari_sam_decoder.metrics import iou_over_time, mask_iou

NOTHING = np.zeros((2, 2), bool)
CORNER = np.array([[True, False], [False, False]])


def test_two_empty_masks_are_equal_and_one_empty_mask_is_wrong():
    assert mask_iou(NOTHING, NOTHING) == 1
    assert mask_iou(NOTHING, CORNER) == 0
    assert mask_iou(CORNER, ~NOTHING) == 0.25


def test_iou_follows_each_object():
    truth = np.array([[[1, 1, 2]], [[0, 0, 2]]])
    found = np.array([[[1, 0, 2]], [[0, 0, 0]]])
    scores = iou_over_time(truth, found, [1, 2])
    np.testing.assert_array_equal(scores[1], [0.5, 1])
    np.testing.assert_array_equal(scores[2], [1, 0])
