from __future__ import annotations

import numpy as np
import pytest

from napari_sam_decoder.jobs import ObjectHistory, summarise
from napari_sam_decoder.jobs.history import frame_ranges
from napari_sam_decoder.propagation import FrameResult, ObjectResult, Verdict


def result(frame, verdict, object_id=1, confidence=0.5, area=3):
    labels = np.zeros((4, 4), np.uint16)
    labels.flat[:area] = object_id
    seen = ObjectResult(
        object_id, verdict, 0.95, 0.9, 0.8, 0.7, 1.1, 0.6, confidence=confidence
    )
    return FrameResult(frame, labels, {object_id: seen})


@pytest.fixture
def history():
    history = ObjectHistory()
    for frame, verdict in enumerate(
        [Verdict.PROMPTED, Verdict.DOUBTFUL, Verdict.DOUBTFUL, Verdict.ABSENT]
    ):
        history.note(result(frame, verdict))
    return history


def test_a_line_per_object_names_the_frames_to_look_at(history):
    history.note(result(0, Verdict.SURE, object_id=7))
    assert list(summarise(history)) == [
        "object 1: 4 frames, 2 doubtful (1-2), 1 absent (3)",
        "object 7: 1 frame",
    ]


def test_after_a_correction_a_line_tells_the_cost(history):
    assert list(summarise(history, computed_of=60)) == [
        "object 1: 4 of 60 frames computed anew, 2 doubtful (1-2), 1 absent (3)"
    ]


def test_a_later_result_replaces_an_earlier_one(history):
    history.note(result(1, Verdict.SURE))
    assert history.frames_with(1, Verdict.DOUBTFUL) == [2]


def test_confidence_follows_the_frames(history):
    history.note(result(9, Verdict.SURE, confidence=0.7))
    np.testing.assert_allclose(history.confidence(1), [0.5] * 4 + [0.7])


def test_the_table_has_a_row_per_object_and_frame(history):
    rows = history.as_csv().splitlines()
    assert rows[0] == (
        "object_id,frame,verdict,confidence,iou_prediction,stability,"
        "memory_agreement,temporal_iou,area_change,likeness,area"
    )
    assert rows[2] == (
        "1,1,doubtful,0.5000,0.9500,0.9000,0.8000,0.7000,1.1000,0.6000,3"
    )
    assert len(rows) == 5


@pytest.mark.parametrize(
    ("frames", "text"), [([], ""), ([3], "3"), ([1, 2, 3, 7, 9, 10], "1-3, 7, 9-10")]
)
def test_frames_are_written_as_people_do(frames, text):
    assert frame_ranges(frames) == text
