from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_sam_decoder.project import FrameRecord, FrameRecords, History
from napari_sam_decoder.propagation import FrameResult, ObjectResult, Reason, Verdict

DOUBTFUL, SURE, ABSENT = Verdict.DOUBTFUL, Verdict.SURE, Verdict.ABSENT


def result_on(frame, object_id=1, verdict=SURE, **more):
    objects = {object_id: ObjectResult(object_id, verdict, **more)}
    return FrameResult(frame, np.zeros((2, 2), np.uint16), objects)


def records_of(*results):
    records = FrameRecords.apart()
    for result in results:
        records.note(result)
    return records


def test_verdicts_are_counted_by_object():
    records = records_of(
        result_on(0, 1, SURE),
        result_on(1, 1, DOUBTFUL),
        result_on(2, 1, SURE),
        result_on(0, 2, ABSENT),
    )
    assert records.counts(1) == {SURE: 2, DOUBTFUL: 1}
    assert records.counts(2) == {ABSENT: 1}
    assert records.counts(3).total() == 0
    assert records.object_ids == {1, 2}
    assert records.frames_with(1) == {0, 1, 2}
    assert records.ids_with_pixels == {1}


def test_a_second_look_at_a_frame_replaces_the_first():
    records = records_of(result_on(0, 1, DOUBTFUL), result_on(0, 1, SURE))
    assert records.counts(1) == {SURE: 1}


@pytest.mark.parametrize("verdicts", [(SURE, DOUBTFUL), (DOUBTFUL, SURE)])
def test_a_frame_is_doubtful_if_any_object_is_so_there(verdicts):
    records = records_of(result_on(0, 1, verdicts[0]), result_on(0, 2, verdicts[1]))
    assert records.verdicts_of((1, 2)) == {0: DOUBTFUL}


def test_other_objects_have_no_say():
    records = records_of(result_on(0, 1), result_on(0, 2, DOUBTFUL), result_on(1, 2))
    assert records.verdicts_of((1,)) == {0: SURE}


def test_frames_to_look_at_are_known_by_object():
    records = records_of(
        result_on(0, 1, Verdict.PROMPTED),
        result_on(1, 1, DOUBTFUL),
        result_on(2, 1, ABSENT, reason=Reason.TAKEN, rival=2),
        result_on(3, 1, ABSENT, reason=Reason.LOST),
        result_on(1, 2, SURE),
    )
    assert records.doubtful_frames(1) == {1, 2}
    assert records.doubtful_frames(2) == records.doubtful_frames(9) == frozenset()


def test_what_a_person_has_fixed_is_not_doubted():
    records = records_of(result_on(0, 1, DOUBTFUL), result_on(1, 1, DOUBTFUL))
    records.fix(1, 0, 12)
    records.fix(1, 1, 0)
    assert records.doubtful_frames(1) == frozenset()
    assert records.of(1, 0) == ObjectResult.fixed(1, 12)
    assert records.of(1, 1).reason is Reason.SAID
    assert records.frames_with(1) == {0}


def test_verdicts_are_forgotten():
    records = records_of(result_on(0))
    records.forget(1)
    assert records.verdicts_of((1,)) == {}
    assert records.object_ids == records.ids_with_pixels == frozenset()


def test_a_frame_that_a_run_has_decided_on_stays_so():
    records = FrameRecords.apart()
    records.note(result_on(3), by_run=(1,))
    records.note(result_on(3, verdict=DOUBTFUL))
    records.note(result_on(4))
    assert records.frames_by_run(1) == {3}


def test_objects_that_are_drawn_or_erased_have_pixels_or_not():
    records = records_of(result_on(0), result_on(1, verdict=ABSENT))
    records.note_ids(0, ())
    records.note_ids(1, (1, 7))
    assert records.frames_with(1) == {1}
    assert records.counts(1) == {SURE: 1, ABSENT: 1}
    assert 7 not in records.object_ids, "only known objects are followed"


RESULTS = st.builds(
    lambda frame, object_id, verdict, rival: result_on(
        frame, object_id, verdict, reason=rival and Reason.TAKEN, rival=rival
    ),
    st.integers(0, 3),
    st.integers(1, 3),
    st.sampled_from([SURE, DOUBTFUL, ABSENT, Verdict.PROMPTED]),
    st.sampled_from([None, 7]),
)
ACTIONS = st.lists(
    st.one_of(
        RESULTS,
        st.tuples(st.just("forget"), st.integers(1, 3)),
        st.tuples(st.just("ids"), st.integers(0, 3), st.sets(st.integers(1, 3))),
        st.tuples(st.sampled_from(["undo", "undo", "redo"])),
    ),
    max_size=20,
)


def figures(records):
    return [
        (
            records.counts(one),
            records.conflicts(one),
            records.frames_with(one),
            records.frames_by_run(one),
            records.doubtful_frames(one),
        )
        for one in (1, 2, 3)
    ] + [records.object_ids, records.ids_with_pixels, records.verdicts_of((1, 2, 3))]


@given(ACTIONS)
def test_counts_agree_with_the_records_whatever_is_undone(actions):
    history = History()
    table = history.document.table("frames", 1)
    records = FrameRecords(table)
    states = {(): {}}
    for action in actions:
        with history.step("Step", "run"):
            if isinstance(action, FrameResult):
                records.note(action, by_run=(1, 3))
            elif action[0] == "forget":
                records.forget(action[1])
            elif action[0] == "ids":
                records.note_ids(*action[1:])
        if (
            action[0:1] in (("undo",), ("redo",))
            if isinstance(action, tuple)
            else False
        ):
            getattr(history, action[0])()
        work = tuple(step.number for step in history.done)
        assert states.setdefault(work, dict(table)) == dict(table)
        assert figures(records) == figures(FrameRecords(table))
        assert FrameRecord() not in table.values()


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 6)), max_size=30))
def test_the_span_is_that_of_the_frames_with_pixels(changes):
    records = FrameRecords.apart()
    for has_pixels, frame in changes:
        if has_pixels:
            records.add_pixels(1, [frame])
        else:
            records.note_ids(frame, [])
        frames = records.frames_with(1)
        expected = range(min(frames), max(frames) + 1) if frames else range(0)
        assert records.span(1) == expected
        assert records.frame_count(1) == len(frames)
        assert records.has_pixels(1, frame) == (frame in frames)


def test_an_object_is_split_at_a_frame():
    records = records_of(result_on(0), result_on(2, verdict=DOUBTFUL), result_on(3))
    records.split(1, 5, 2)
    assert records.frames_with(1) == {0}
    assert records.frames_with(5) == {2, 3}
    assert records.counts(5) == {DOUBTFUL: 1, SURE: 1}
    assert (records.doubtful_count(1), records.doubtful_count(5)) == (0, 1)
    assert records.of(5, 2).object_id == 5
    assert records.span(5) == range(2, 4)


def test_a_merged_object_has_the_pixels_of_both():
    records = records_of(
        result_on(0, 1, mask_area=5),
        result_on(0, 2, DOUBTFUL, mask_area=3),
        result_on(1, 1, ABSENT),
        result_on(1, 2, mask_area=4),
        result_on(2, 1, mask_area=6),
        result_on(2, 2, ABSENT),
    )
    records.absorb(2, 1)
    assert [records.of(1, frame).mask_area for frame in range(3)] == [8, 4, 6]
    assert records.counts(1) == {SURE: 3}
    assert records.object_ids == {1}


def test_frames_with_fixed_outlines_are_known():
    records = FrameRecords.apart()
    records.fix(2, 7, area=3)
    records.fix(1, 7, area=3)
    records.fix(1, 4, area=3)
    records.fix(1, 5, area=0)
    records.note(result_on(6, 1, SURE))
    assert records.outlined == {4: (1,), 7: (1, 2)}
    assert records.outlined_count == 2
    records.note(result_on(4, 1, DOUBTFUL))
    records.forget(2)
    assert records.outlined == {7: (1,)}
