from __future__ import annotations

import numpy as np
import pytest

from napari_sam_decoder.errors import OptionError
from napari_sam_decoder.project import (
    FrameRecords,
    Place,
    ReviewOrder,
    neighbour,
    ordered_places,
)
from napari_sam_decoder.propagation import FrameResult, ObjectResult, Reason, Verdict

HELPFUL, TIME = ReviewOrder.HELPFUL, ReviewOrder.TIME


def records_of(confidences):
    """Doubtful where a confidence is below 0.6."""
    records = FrameRecords.apart()
    for object_id, by_frame in confidences.items():
        for frame, confidence in enumerate(by_frame):
            verdict = Verdict.DOUBTFUL if confidence < 0.6 else Verdict.SURE
            found = ObjectResult(object_id, verdict, confidence=confidence)
            labels = np.zeros((2, 2), np.uint16)
            records.note(FrameResult(frame, labels, {object_id: found}))
    return records


def test_in_time_all_doubtful_frames_come():
    records = records_of({2: [0.9, 0.5, 0.9, 0.4], 1: [0.3, 0.2]})
    assert ordered_places(records, {1, 2}, TIME) == [
        Place(0, 1),
        Place(1, 1),
        Place(1, 2),
        Place(3, 2),
    ]
    assert ordered_places(records, {2}, ReviewOrder.OBJECT) == [
        Place(1, 2),
        Place(3, 2),
    ]


def test_who_was_taken_by_another_object_is_to_be_looked_at():
    records = FrameRecords.apart()
    taken = ObjectResult(1, Verdict.ABSENT, reason=Reason.TAKEN, rival=2)
    records.note(FrameResult(4, np.zeros((2, 2), np.uint16), {1: taken}))
    assert ordered_places(records, {1}, TIME) == [Place(4, 1)]
    assert records.doubtful_frames(1) == {4}


def test_the_longest_doubt_comes_first():
    long, deep, short = [0.5] * 4, [0.1] * 2, [0.5]
    records = records_of({1: [*short, 0.9, *deep], 2: [0.9, *long]})
    first, second, third = ordered_places(records, {1, 2}, HELPFUL)
    assert first.object_id == 2, "2.0 in all"
    assert second == Place(2, 1), "1.8 in all"
    assert third == Place(0, 1)


def test_the_middle_of_equal_doubt_is_shown():
    records = records_of({1: [0.9, *[0.5] * 7, 0.9]})
    assert ordered_places(records, {1}, HELPFUL) == [Place(4, 1)]
    # Also where no frame is known after it: there is nothing to spread to, either.
    records = records_of({1: [0.9, *[0.5] * 4]})
    assert ordered_places(records, {1}, HELPFUL) == [Place(2, 1)]


def test_little_confidence_outweighs_the_distance():
    records = records_of({1: [0.9, 0.5, 0.0, 0.5, 0.5, 0.9]})
    assert ordered_places(records, {1}, HELPFUL) == [Place(2, 1)]


def test_a_fixed_frame_that_is_doubtful_itself_is_not_passed_over():
    records = records_of({1: [0.3]})
    assert ordered_places(records, {1}, HELPFUL) == [Place(0, 1)]


def test_after_the_last_comes_the_first():
    places = [Place(1, 1), Place(1, 3), Place(6, 2)]
    for place, after in zip(places, [*places[1:], places[0]], strict=True):
        for order in ReviewOrder:
            assert neighbour(places, place, 1, order) == after
            assert neighbour(places, after, -1, order) == place


def test_in_time_what_is_near_comes_next():
    places = [Place(1, 1), Place(1, 3), Place(6, 2)]
    assert neighbour(places, Place(1, 2), 1, TIME) == Place(1, 3)
    assert neighbour(places, Place(1, 2), -1, TIME) == Place(1, 1)
    assert neighbour(places, Place(4, 9), -1, TIME) == Place(1, 3)
    assert neighbour(places, Place(9, 1), 1, TIME) == Place(1, 1)


def test_elsewhere_the_most_helpful_frame_comes_next():
    places = [Place(6, 2), Place(1, 1)]
    for current in (None, Place(3, 3)):
        assert neighbour(places, current, 1, HELPFUL) == Place(6, 2)
        assert neighbour(places, current, -1, HELPFUL) == Place(1, 1)
    assert neighbour([], None, 1, HELPFUL) is None


def test_an_order_is_called_by_its_name():
    assert ReviewOrder.of("time") is TIME
    with pytest.raises(OptionError, match="'helpful', 'time', 'object'"):
        ReviewOrder.of("size")
