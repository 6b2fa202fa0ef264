from __future__ import annotations

import pytest

pytest.importorskip("napari.layers")

from types import SimpleNamespace

import numpy as np
from made_up import SHAPE, result_on, target_of, view_of

from napari_sam_decoder.errors import LabelsError
from napari_sam_decoder.project import Correction, RunRequest
from napari_sam_decoder.prompts import Prompt, PromptSet
from napari_sam_decoder.propagation import FrameResult, ObjectResult, Reason, Verdict
from napari_sam_decoder.widgets import runs
from napari_sam_decoder.widgets.layers import new_labels_layer
from napari_sam_decoder.widgets.runs import (
    ProgressEstimate,
    ShownCorrection,
    ShownRun,
)


class Clock:
    def __init__(self):
        self.now = 1000.0

    def step(self, progress, seconds):
        self.now += seconds
        progress.step()


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(runs, "monotonic", lambda: clock.now)
    return clock


def test_one_step_tells_nothing_about_the_rest(clock):
    run = ProgressEstimate(3)
    assert (run.seconds_left, str(run)) == (None, "0 / 3")
    clock.step(run, 60)
    assert (run.seconds_left, str(run)) == (None, "1 / 3")


def test_the_rest_goes_on_like_the_steps_so_far(clock):
    run = ProgressEstimate(5)
    clock.step(run, 8)
    clock.step(run, 12)
    assert run.seconds_left == pytest.approx(30)
    assert str(run) == "2 / 5, 00:30 left"


def test_old_steps_do_not_mislead(clock):
    """Frames from the cache come first and are fast."""
    run = ProgressEstimate(1000)
    for _ in range(500):
        clock.step(run, 0.01)
    for _ in range(12):
        clock.step(run, 10)
    assert run.seconds_left == pytest.approx(10 * (1000 - 512))


def test_without_an_end_only_the_steps_are_told(clock):
    run = ProgressEstimate()
    for _ in range(3):
        clock.step(run, 5)
    assert (run.seconds_left, str(run)) == (None, "3 done")


def test_hours_are_told_as_hours(clock):
    run = ProgressEstimate(362)
    clock.step(run, 10)
    clock.step(run, 10)
    assert str(run) == "2 / 362, 1:00:00 left"


def test_nothing_is_left_at_the_end(clock):
    run = ProgressEstimate(2)
    clock.step(run, 5)
    clock.step(run, 5)
    assert str(run) == "2 / 2, 00:00 left"


DOUBTFUL, SURE, ABSENT = Verdict.DOUBTFUL, Verdict.SURE, Verdict.ABSENT


def prompts_of(*object_ids):
    return PromptSet(Prompt(object_id, 0, points=[(5, 5)]) for object_id in object_ids)


@pytest.mark.parametrize(
    ("asked", "chosen"), [(None, (1, 2, 3)), ((1, 3), (1, 3)), ((4,), ()), ((), ())]
)
def test_only_the_asked_objects_are_carried(asked, chosen):
    request = RunRequest(object_ids=asked)
    assert request.choose(prompts_of(1, 2, 3)).object_ids == chosen


@pytest.fixture
def run():
    view = view_of()
    target = target_of(new_labels_layer(view, "labels"), view, is_own=True)
    return ShownRun(
        target.view, target, prompts_of(1), replace=False, progress=ProgressEstimate(4)
    )


def test_a_result_is_written_and_counted(run):
    run.write(result_on(2))
    assert [bool(plane.any()) for plane in run.target.layer.data] == [
        False,
        False,
        True,
        False,
    ]
    assert run.progress.done == 1
    assert run.summary(was_stopped=False) == "Done: 1 frame."


def test_a_frame_that_comes_twice_is_one_frame_but_two_steps(run):
    run.write(result_on(0, verdict=DOUBTFUL))
    run.write(result_on(0))
    assert run.progress.done == 2
    assert run.summary(was_stopped=False) == "Done: 1 frame."


def test_the_summary_says_what_deserves_a_look(run):
    run.target.layer.paint((1, 5, 5), 1)
    for frame, verdict in enumerate((SURE, DOUBTFUL, DOUBTFUL)):
        run.write(result_on(frame, verdict=verdict))
    assert run.summary(was_stopped=True) == (
        "Stopped; done so far: 3 frames, 1 doubtful, 1 kept as you painted them "
        "(tick 'replace what is there' to overwrite)."
    )


def test_a_run_that_did_nothing_says_so(run):
    assert run.summary(was_stopped=True) == "Stopped; done so far: 0 frames."


def test_an_object_that_gets_no_pixel_in_the_layer_is_absent(run):
    run.target.layer.data[1] = 9
    run.write(result_on(1))
    found = run.target.frames.of(1, 1)
    assert (found.verdict, found.reason, found.rival) == (ABSENT, Reason.TAKEN, 9)
    assert run.target.frames.conflicts(1) == {"object 9 has all of its pixels": 1}
    assert "1 doubtful" in run.summary(was_stopped=False)


FIRST, OTHER = Prompt(1, 0, points=[(5, 5)]), Prompt(2, 0, points=[(9, 9)])
CLICK = Prompt(1, 2, points=[(5, 5)])
FRAMES = range(4)


@pytest.fixture
def target():
    """Labels of objects 1 and 2, which a run has made from the first frame."""
    view = view_of()
    target = target_of(new_labels_layer(view, "labels"), view)
    target.prompt_log.begin(PromptSet([FIRST, OTHER]), RunRequest())
    for frame in FRAMES:
        for object_id in (1, 2):
            target.frames.note(result_on(frame, object_id), by_run=(object_id,))
    target.layer.data[:, :4] = 1
    target.layer.data[:, 4:8] = 2
    return target


@pytest.fixture
def plane():
    """Object 1 has grown into 2, which shrinks; 9 is not of our making."""
    labels = np.zeros(SHAPE[1:], np.uint16)
    labels[:6], labels[6:8], labels[8:] = 1, 2, 9
    return labels


class StageSession:
    """Notes what it is asked, and answers with given results."""

    def __init__(self, *results, error=None):
        self.prompts = PromptSet()
        self.asked = []
        self._results, self._error = results, error

    def correct(self, prompts, labels, frames):
        if self._error is not None:
            raise self._error
        self.asked.append(SimpleNamespace(prompts=prompts, frames=frames))
        return iter(self._results)


def correction_run_of(target, *prompts):
    return ShownCorrection.of(target.view, target, (Correction(prompts, FRAMES),))


def corrected(frame, labels, object_id=1, verdict=Verdict.SURE):
    return FrameResult(frame, labels, {object_id: ObjectResult(object_id, verdict)})


def test_the_session_gets_what_the_labels_were_made_from(target):
    session = StageSession()
    run = correction_run_of(target, CLICK)
    assert list(run.begin(session)) == []
    assert list(session.prompts) == [FIRST, OTHER]
    assert [(one.prompts, one.frames) for one in session.asked] == [((CLICK,), FRAMES)]


def test_a_corrected_frame_is_handed_over_as_a_whole_and_not_twice(target):
    session = StageSession()
    more = FIRST.merge(Prompt(1, 0, points=[(1, 1)], signs=[False]))
    list(correction_run_of(target, more).begin(session))
    assert list(session.prompts) == [OTHER]
    assert session.asked[0].prompts == (more,)


def test_painted_frames_count_as_certain(target):
    target.layer.paint((3, 2, 2), 1)
    session = StageSession()
    list(correction_run_of(target, CLICK).begin(session))
    fixed = session.prompts.at(1, 3)
    np.testing.assert_array_equal(fixed.mask.to_array(), target.layer.data[3] == 1)
    assert [prompt.frame for prompt in session.prompts.of_object(2)] == [0]


def test_each_stretch_of_frames_is_corrected_by_itself(target):
    session = StageSession()
    late = Correction((Prompt(1, 3, points=[(5, 5)]),), range(3, 4))
    early = Correction((Prompt(1, 1, points=[(5, 5)]),), range(2))
    list(ShownCorrection.of(target.view, target, (early, late)).begin(session))
    assert [one.frames for one in session.asked] == [range(2), range(3, 4)]


def test_a_refusal_comes_before_anything_is_computed(target):
    refusal = LabelsError("the labels do not fit; choose others")
    with pytest.raises(LabelsError, match="choose others"):
        next(correction_run_of(target, CLICK).begin(StageSession(error=refusal)))


def test_what_is_computed_next_sees_what_was_computed_before(target, plane):
    run = correction_run_of(target, CLICK)
    (result,) = run.begin(StageSession(corrected(2, plane)))
    np.testing.assert_array_equal(run.draft[2], plane)
    run.write(result)
    np.testing.assert_array_equal(run.draft[2], target.layer.data[2])


def test_our_objects_give_way_to_the_corrected_one_and_others_do_not(target, plane):
    target.layer.data[2, :, 0] = 7
    before = target.layer.data.copy()
    correction_run_of(target, CLICK).write(corrected(2, plane))
    after = target.layer.data[2]
    assert (after[:6, 1:] == 1).all()
    assert (after[6:8, 1:] == 2).all()
    assert (after[8:, 1:] == 0).all(), "what others have is theirs to write"
    assert (after[:, 0] == 7).all()
    untouched = [0, 1, 3]
    np.testing.assert_array_equal(target.layer.data[untouched], before[untouched])


def test_painted_frames_are_not_written(target, plane):
    target.layer.paint((2, 2, 2), 1)
    before = target.layer.data.copy()
    run = correction_run_of(target, CLICK)
    run.write(corrected(2, plane))
    np.testing.assert_array_equal(target.layer.data, before)
    assert run.summary(was_stopped=False) == (
        "Corrected: 1 frame recomputed, 1 kept as you painted them (undo your strokes "
        "there, or paint on)."
    )


def test_a_correction_is_made_once_its_own_frame_has_come(target, plane):
    run = correction_run_of(target, CLICK)
    assert run.labelled_by(corrected(1, plane)) == ()
    assert run.labelled_by(corrected(2, plane, object_id=2)) == ()
    assert run.labelled_by(corrected(2, plane)) == (CLICK,)
    run.write(corrected(1, plane))
    assert not target.prompt_log.holds(CLICK)
    run.write(corrected(2, plane))
    assert target.prompt_log.holds(CLICK)


def test_it_says_what_it_does(target):
    assert (
        correction_run_of(target, CLICK).activity
        == "Correcting object 1 around frame 2…"
    )
    several = correction_run_of(target, CLICK, Prompt(2, 3, points=[(9, 9)]))
    assert several.activity == "Correcting objects 1, 2 around frames 2, 3…"


def test_it_says_when_there_was_nothing_to_correct(target, plane):
    correction_run_of(target, CLICK).write(corrected(2, plane))
    again = correction_run_of(target, CLICK)
    again.write(corrected(2, plane))
    assert again.summary(was_stopped=False) == (
        "The labels agree with your points already; nothing has changed."
    )
    assert "Stopped" in again.summary(was_stopped=True)


def test_it_says_what_came_of_it(target, plane):
    run = correction_run_of(target, CLICK)
    for frame, verdict in ((2, Verdict.PROMPTED), (3, Verdict.DOUBTFUL)):
        run.write(corrected(frame, plane, verdict=verdict))
    assert run.progress.done == 2
    assert run.summary(was_stopped=False) == (
        "Corrected: 2 frames recomputed, 1 doubtful."
    )
    assert run.summary(was_stopped=True).startswith(
        "Stopped; corrected so far: 2 frames recomputed"
    )
