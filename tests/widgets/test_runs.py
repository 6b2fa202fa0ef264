from __future__ import annotations

import pytest

pytest.importorskip("napari.layers")

from made_up import result_on, view_of

from napari_sam_decoder.prompts import Prompt, PromptSet
from napari_sam_decoder.propagation import Reason, Verdict
from napari_sam_decoder.widgets.layers import new_labels_layer
from napari_sam_decoder.widgets.pace import Pace
from napari_sam_decoder.widgets.requests import RunRequest
from napari_sam_decoder.widgets.runs import Run, VerdictBook
from napari_sam_decoder.widgets.target import LabelsTarget

DOUBTFUL, SURE, ABSENT = Verdict.DOUBTFUL, Verdict.SURE, Verdict.ABSENT


def prompts_of(*object_ids):
    return PromptSet(Prompt(object_id, 0, points=[(5, 5)]) for object_id in object_ids)


@pytest.mark.parametrize(
    ("asked", "chosen"), [(None, (1, 2, 3)), ((1, 3), (1, 3)), ((4,), ()), ((), ())]
)
def test_only_the_asked_objects_are_carried(asked, chosen):
    request = RunRequest(object_ids=asked)
    assert request.choose(prompts_of(1, 2, 3)).object_ids == chosen


def book_of(*results):
    book = VerdictBook()
    for result in results:
        book.note(result)
    return book


def test_verdicts_are_counted_by_object():
    book = book_of(
        result_on(0, 1, SURE),
        result_on(1, 1, DOUBTFUL),
        result_on(2, 1, SURE),
        result_on(0, 2, ABSENT),
    )
    assert book.counts(1) == {SURE: 2, DOUBTFUL: 1}
    assert book.counts(2) == {ABSENT: 1}
    assert book.counts(3).total() == 0


def test_a_second_look_at_a_frame_replaces_the_first():
    book = book_of(result_on(0, 1, DOUBTFUL), result_on(0, 1, SURE))
    assert book.counts(1) == {SURE: 1}


@pytest.mark.parametrize("verdicts", [(SURE, DOUBTFUL), (DOUBTFUL, SURE)])
def test_a_frame_is_doubtful_if_any_object_is_so_there(verdicts):
    book = book_of(result_on(0, 1, verdicts[0]), result_on(0, 2, verdicts[1]))
    assert book.frames_of((1, 2)) == {0: DOUBTFUL}


def test_other_objects_have_no_say():
    book = book_of(result_on(0, 1, SURE), result_on(0, 2, DOUBTFUL), result_on(1, 2))
    assert book.frames_of((1,)) == {0: SURE}


def test_verdicts_are_forgotten():
    book = book_of(result_on(0))
    book.forget(1)
    assert book.frames_of((1,)) == {}


@pytest.fixture
def run():
    view = view_of()
    target = LabelsTarget(new_labels_layer(view, "labels"), view, is_blank=True)
    return Run(target.view, target, prompts_of(1), replace=False, pace=Pace(4))


def test_a_result_is_written_and_counted(run):
    run.take(result_on(2))
    assert [bool(plane.any()) for plane in run.target.layer.data] == [
        False,
        False,
        True,
        False,
    ]
    assert run.pace.done == 1
    assert run.summary(was_stopped=False) == "Done: 1 frame."


def test_a_frame_that_comes_twice_is_one_frame_but_two_steps(run):
    run.take(result_on(0, verdict=DOUBTFUL))
    run.take(result_on(0))
    assert run.pace.done == 2
    assert run.summary(was_stopped=False) == "Done: 1 frame."


def test_the_summary_says_what_deserves_a_look(run):
    run.target.layer.paint((1, 5, 5), 1)
    for frame, verdict in enumerate((SURE, DOUBTFUL, DOUBTFUL)):
        run.take(result_on(frame, verdict=verdict))
    assert run.summary(was_stopped=True) == (
        "Stopped; done so far: 3 frames, 2 doubtful, 1 kept as you painted them "
        "(tick 'replace what is there' to overwrite)."
    )


def test_a_run_that_did_nothing_says_so(run):
    assert run.summary(was_stopped=True) == "Stopped; done so far: 0 frames."


def test_an_object_that_gets_no_pixel_in_the_layer_is_absent(run):
    run.target.layer.data[1] = 9
    run.take(result_on(1))
    found = run.target.verdicts.of(1, 1)
    assert (found.verdict, found.reason, found.rival) == (ABSENT, Reason.TAKEN, 9)
    assert run.target.verdicts.conflicts(1) == {"object 9 has all of its pixels": 1}
    assert "1 doubtful" in run.summary(was_stopped=False)
