from __future__ import annotations

import numpy as np
from interaction_parts.objects import evenly_spaced, objects_on


def test_frames_are_spread_from_the_first_to_the_last():
    assert evenly_spaced(32, 4) == [0, 10, 21, 31]
    assert evenly_spaced(3, 4) == [0, 1, 2]
    assert evenly_spaced(10, 1) == [0]


def test_the_first_objects_that_are_large_enough_are_chosen():
    masks = np.zeros((2, 20, 40), int)
    masks[1, 0, :40] = masks[1, 1, :19] = 1
    masks[1, 4:6, :30] = 7
    masks[1, 10:15, :20] = 3
    assert [one.object_id for one in objects_on(masks, 1)] == [3, 7], "1 has 59 pixels"
    (only,) = objects_on(masks, 1, most=1)
    assert (only.object_id, only.start) == (3, 1)
    assert only.truth(1).sum() == 100
    assert objects_on(masks, 0) == []
