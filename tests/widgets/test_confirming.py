"""Masks that look right are fixed as they are."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("qtpy.QtCore", exc_type=ImportError)

from stage import squares

from napari_sam_decoder.errors import PromptError
from napari_sam_decoder.project import Project
from napari_sam_decoder.propagation import FrameResult, ObjectResult, Reason, Verdict
from napari_sam_decoder.widgets.job_queue import wait_until
from napari_sam_decoder.widgets.messages import describe

pytestmark = pytest.mark.gui

FRAMES = 8
DOUBTFUL = 4


@pytest.fixture
def bench(fresh):
    """Two objects that were followed, the first doubtful on a frame."""
    movie, _ = squares(FRAMES)
    fresh.choose_movie(fresh.viewer.add_image(movie, name="squares"))
    fresh.viewer.dims.set_point(0, 0)
    for spot in ((16, 14), (44, 46)):
        fresh.new_object()
        fresh.add_points((0, *spot))
    fresh.propagate()
    fresh.wait()
    doubt(fresh, DOUBTFUL)
    return fresh


def doubt(bench, frame, verdict=Verdict.DOUBTFUL):
    target = bench.controller.state.target
    labels = np.array(target.layer.data[frame])
    if verdict is Verdict.ABSENT:
        labels[labels == 1] = 0
    found = ObjectResult(1, verdict, reason=Reason.TAKEN, rival=2)
    with bench.history.step("Run", "run", {"objects": [1]}):
        target.layer.data[frame] = labels
        target.frames.note(FrameResult(frame, labels, {1: found}), by_run=[1])


def records(bench):
    return bench.controller.state.target.frames


def fixed_frames(bench):
    """Where a run or a person has fixed the first object."""
    found = {frame: bench.verdict(1, frame) for frame in range(FRAMES)}
    return {one for one in found if found[one].verdict is Verdict.PROMPTED}


def test_what_looks_right_is_fixed_and_not_doubted(bench):
    before, steps = bench.labels.data.copy(), len(bench.history.done)
    bench.confirm_frame(1, DOUBTFUL)
    bench.wait()
    assert bench.doubtful_places() == ()
    assert fixed_frames(bench) == {0, DOUBTFUL}
    assert bench.objects.require(1).frames == (0, DOUBTFUL)
    np.testing.assert_array_equal(bench.labels.data, before)
    assert [one.title for one in bench.history.done[steps:]] == [
        "'object 1' looks right on frame 4"
    ]


def test_it_is_undone_and_done_again(bench):
    bench.confirm_frame(1, DOUBTFUL)
    bench.undo()
    assert [place.frame for place in bench.doubtful_places()] == [DOUBTFUL]
    assert bench.objects.require(1).frames == (0,)
    bench.redo()
    assert bench.doubtful_places() == ()
    assert bench.objects.require(1).frames == (0, DOUBTFUL)
    bench.wait()


def test_by_default_it_is_the_object_and_the_frame_in_sight(bench):
    bench.show_place(1, DOUBTFUL)
    bench.confirm_frame()
    assert fixed_frames(bench) == {0, DOUBTFUL}
    assert bench.current_prompt.is_settled
    assert "looks right on frame 4" in describe(bench)
    bench.show_place(2, DOUBTFUL)
    bench.show_place(1, DOUBTFUL)
    assert "fixed here as it is" in describe(bench)


def test_a_later_run_starts_there_too(bench):
    bench.confirm_frame(1, DOUBTFUL)
    before = bench.labels.data.copy()
    bench.propagate(objects=[1])
    bench.wait()
    made = bench.controller.state.target.prompt_log
    assert made.confirmed([1], DOUBTFUL)
    assert records(bench).of(1, DOUBTFUL).verdict is Verdict.PROMPTED
    np.testing.assert_array_equal(bench.labels.data[DOUBTFUL], before[DOUBTFUL])


def test_corrections_end_there(bench):
    bench.confirm_frame(1, DOUBTFUL)
    before = bench.labels.data.copy()
    bench.select_object(1)
    bench.add_points((DOUBTFUL + 2, 50, 30))
    bench.wait()
    changed = np.flatnonzero((bench.labels.data != before).any(axis=(1, 2)))
    assert DOUBTFUL + 2 in changed
    assert changed.min() > DOUBTFUL


def test_a_point_there_corrects_it_again(bench):
    bench.confirm_frame(1, DOUBTFUL)
    before = bench.labels.data.copy()
    bench.select_object(1)
    bench.add_points((DOUBTFUL, 50, 30))
    bench.wait()
    assert bench.labels.data[DOUBTFUL, 50, 30] == 1
    assert not any(row.is_whole for row in bench.objects.scribbles)
    bench.undo()
    np.testing.assert_array_equal(bench.labels.data, before)
    assert bench.objects.scribbles[-1].is_whole
    assert fixed_frames(bench) == {0, DOUBTFUL}


def test_an_object_is_confirmed_to_be_absent(bench):
    doubt(bench, 5, Verdict.ABSENT)
    assert [place.frame for place in bench.doubtful_places("time")] == [4, 5]
    bench.confirm_frame(1, 5)
    bench.wait()
    assert [place.frame for place in bench.doubtful_places("time")] == [4]
    found = records(bench).of(1, 5)
    assert (found.verdict, found.reason) == (Verdict.ABSENT, Reason.SAID)
    bench.propagate(objects=[1])
    bench.wait()
    assert not (bench.labels.data[5] == 1).any()
    assert (bench.labels.data[7] == 1).any()


def test_confirming_again_takes_what_the_labels_are_now(bench):
    bench.confirm_frame(1, DOUBTFUL)
    bench.labels.data[DOUBTFUL][bench.labels.data[DOUBTFUL] == 1] = 0
    bench.confirm_frame(1, DOUBTFUL)
    (row,) = bench.objects.scribbles
    assert row.pixels.is_empty


def test_what_is_confirmed_during_a_run_stays(bench, sam):
    bench.stop_embedding()
    bench.propagate(objects=[1])
    controller = bench.controller
    assert wait_until(lambda: controller.run is not None, 30)
    row = slice(30, 34)
    bench.labels.data[DOUBTFUL, row, row] = 1
    bench.confirm_frame(1, DOUBTFUL)
    before = bench.labels.data[DOUBTFUL].copy()
    bench.wait()
    np.testing.assert_array_equal(bench.labels.data[DOUBTFUL], before)
    assert fixed_frames(bench) >= {0, DOUBTFUL}


def test_merging_confirms_nothing(bench):
    bench.confirm_frame(1, DOUBTFUL)
    bench.merge_objects(1, 2)
    bench.wait()
    assert bench.objects.scribbles == ()
    assert bench.objects.require(2).frames == (0,)


def test_it_is_in_the_project(bench):
    bench.confirm_frame(1, DOUBTFUL)
    project = bench.controller.state.project
    bench.wait()
    assert project.flush()
    again, _ = Project.open(project.path, is_read_only=True)
    (row,) = again.history.document.rows("scribbles")
    assert row == bench.objects.scribbles[0]
    assert row.is_whole


def test_painting_settles_a_doubt(bench):
    layer = bench.labels
    bench.viewer.dims.set_point(0, DOUBTFUL)
    row, column = np.argwhere(layer.data[DOUBTFUL] == 1)[0]
    layer.paint([DOUBTFUL, row - 1, column], 1)
    assert bench.doubtful_places() == ()
    bench.propagate(objects=[1])
    bench.wait()
    assert records(bench).of(1, DOUBTFUL).verdict is Verdict.PROMPTED
    bench.undo()
    bench.undo()
    assert len(bench.doubtful_places()) == 1


def test_without_labels_nothing_can_be_right(bench):
    new = bench.new_object("later")
    with pytest.raises(PromptError, match="no labels of 'later'"):
        bench.confirm_frame(new.object_id, 2)
    with pytest.raises(PromptError, match="no frame 99"):
        bench.confirm_frame(1, 99)
    bench.select_object(1)
    bench.confirm_frame(1, bench.frame)
    with pytest.raises(PromptError, match="click it first"):
        bench.choose_hypothesis(2)


def test_a_locked_object_is_neither_doubted_nor_confirmed(bench):
    bench.lock_object(1)
    assert bench.doubtful_places() == ()
    with pytest.raises(PromptError, match="is locked"):
        bench.confirm_frame(1, DOUBTFUL)
    bench.unlock_object(1)
    assert len(bench.doubtful_places()) == 1
