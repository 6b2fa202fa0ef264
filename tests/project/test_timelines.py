from __future__ import annotations

import numpy as np
import pytest

from napari_sam_decoder.project import (
    CellState,
    FrameRecords,
    History,
    LastRun,
    Timeline,
    Timelines,
)
from napari_sam_decoder.propagation import FrameResult, ObjectResult, Reason, Verdict

LENGTH = 6
ABSENT, SURE, FIXED = CellState.ABSENT, CellState.SURE, CellState.FIXED
DOUBTFUL, UNKNOWN, UNRATED = CellState.DOUBTFUL, CellState.UNKNOWN, CellState.UNRATED


def result_on(frame, verdict=Verdict.SURE, object_id=1, **more):
    found = ObjectResult(object_id, verdict, **more)
    return FrameResult(frame, np.zeros((2, 2), np.uint16), {object_id: found})


@pytest.fixture
def records():
    return FrameRecords.apart()


def test_a_timeline_shows_what_is_known(records):
    records.note(result_on(0, Verdict.PROMPTED, confidence=1.0, mask_area=30))
    records.note(result_on(1, confidence=0.7, temporal_iou=0.5, mask_area=20))
    lines = Timelines(records, LENGTH)
    records.note(result_on(2, Verdict.DOUBTFUL, confidence=0.4, mask_area=10))
    records.note(result_on(3, Verdict.ABSENT, confidence=0.2))
    records.note(result_on(4, Verdict.ABSENT, reason=Reason.TAKEN, rival=2))
    line = lines.of(1)
    assert line.states.tolist() == [FIXED, SURE, DOUBTFUL, ABSENT, DOUBTFUL, UNKNOWN]
    np.testing.assert_allclose(line.confidence, [1, 0.7, 0.4, 0.2, 0, np.nan])
    np.testing.assert_allclose(line.area, [30, 20, 10, np.nan, np.nan, np.nan])
    np.testing.assert_allclose(line.overlap[:2], [0, 0.5])
    assert np.isnan(line.overlap[3:]).all()


def test_only_what_has_changed_is_outdated(records):
    lines = Timelines(records, LENGTH)
    records.note(result_on(0))
    records.note(result_on(1, object_id=2))
    assert lines.take_outdated() == {1, 2}
    records.note(result_on(1, Verdict.ABSENT, object_id=2))
    assert lines.take_outdated() == {2}
    assert lines.take_outdated() == set()


def test_labels_from_elsewhere_are_unrated(records):
    records.add_pixels(1, [2, 3])
    line = Timelines(records, LENGTH).of(1)
    assert line.states.tolist() == [0, 0, UNRATED, UNRATED, 0, 0]
    assert np.isnan(line.confidence).all()


def test_what_a_person_has_fixed_is_so_before_it_is_computed(records):
    records.note(result_on(2))
    records.note(result_on(3, Verdict.DOUBTFUL))
    lines = Timelines(records, LENGTH)
    lines.fix({1: (1, 2, 3)})
    assert lines.of(1).states.tolist() == [0, FIXED, FIXED, DOUBTFUL, 0, 0]
    records.note(result_on(2))
    assert lines.of(1).states[2] == FIXED
    lines.fix({})
    assert lines.of(1).states.tolist() == [0, 0, SURE, DOUBTFUL, 0, 0]


def test_nothing_is_followed_any_more_once_closed(records):
    lines = Timelines(records, LENGTH)
    lines.close()
    records.note(result_on(0))
    assert lines.of(1).states[0] == UNKNOWN


def test_in_few_columns_what_matters_is_seen():
    line = Timeline.empty(1000)
    line.states[:] = SURE
    line.states[[123, 777]] = DOUBTFUL
    line.is_changed[500] = True
    columns = line.narrowed(10)
    assert line.states[columns].tolist() == [3, 5, 3, 3, 3, 3, 3, 5, 3, 3]
    assert columns[5] == 500
    assert columns[0] == 0


def test_with_many_columns_a_frame_has_several():
    assert Timeline.empty(2).narrowed(5).tolist() == [0, 0, 0, 1, 1]


def test_the_last_run_is_followed_as_it_goes_on():
    history = History()
    records = FrameRecords(history.document.table("frames", 1))
    last = LastRun(history, (1,))
    assert last.follow() == (set(), False)
    with history.step("First run", "run"):
        for frame in range(3):
            records.note(result_on(frame))
    assert last.follow() == (set(), True), "all of it is new"
    run = history.open_step("Second run", "run", {})
    for frame in range(2):
        with history.extend(run):
            records.note(result_on(frame, confidence=0.9))
    assert last.follow() == ({(1, 0), (1, 1)}, True)
    with history.extend(run):
        records.note(result_on(2, confidence=0.9))
        records.note(result_on(3))
        records.note(result_on(3, confidence=0.9))
    with history.step("Paint", "paint"):
        records.note_ids(0, ())
    assert last.follow() == ({(1, 2)}, False)
    with history.step("Correction", "correction"):
        records.note(result_on(2, Verdict.DOUBTFUL))
    assert last.follow() == ({(1, 2)}, True)
    history.undo()
    assert last.follow() == ({(1, 0), (1, 1), (1, 2)}, True)


def test_what_the_last_run_has_changed_is_marked(records):
    lines = Timelines(records, LENGTH)
    lines.mark_changed({(1, 0), (2, 3), (2, 99)}, anew=True)
    assert lines.take_outdated() == {1, 2}
    lines.mark_changed({(1, 1)}, anew=False)
    assert np.flatnonzero(lines.of(1).is_changed).tolist() == [0, 1]
    lines.mark_changed({(1, 5)}, anew=True)
    assert np.flatnonzero(lines.of(1).is_changed).tolist() == [5]
    assert not lines.of(2).is_changed.any()
    assert lines.take_outdated() == {1, 2}
