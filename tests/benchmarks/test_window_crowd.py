from __future__ import annotations

import numpy as np
from window_parts.crowd import Crowd

SHAPE = 60, 200, 240


def test_all_objects_are_on_all_frames_and_some_are_doubtful():
    crowd = Crowd(40, SHAPE)
    doubtful = 0
    for result in crowd.results():
        areas = np.bincount(result.labels.ravel(), minlength=41)[1:]
        assert len(set(areas)) == 1
        assert areas[0] > 0
        assert all(
            result.labels[crowd.middle(one, result.frame)] == one for one in crowd.ids
        )
        doubtful += sum(found.is_doubtful for found in result.objects.values())
    assert result.frame == SHAPE[0] - 1
    assert 0.03 < doubtful / (40 * SHAPE[0]) < 0.07
