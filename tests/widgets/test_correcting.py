"""Points that are added after a run, and what they change in the labels."""

from __future__ import annotations

import threading

import numpy as np
import pytest

pytest.importorskip("qtpy.QtCore", exc_type=ImportError)

from stage import BACKGROUND, SIDE, squares

from napari_sam_decoder.errors import (
    DecodingError,
    LabelsError,
    MovieError,
    OptionError,
    PromptError,
)
from napari_sam_decoder.propagation import FrameResult, Verdict
from napari_sam_decoder.session import Session
from napari_sam_decoder.widgets.messages import describe
from napari_sam_decoder.widgets.movie_state import ModelOptions
from napari_sam_decoder.widgets.parts import RunPart

pytestmark = pytest.mark.gui

FRAMES = 12
NOBODY = 99
"""An id that marks pixels which nobody may touch."""


class Gate:
    """Lets as many results of corrections through as it is told."""

    def __init__(self):
        self.asked = []
        self._passes = threading.Semaphore(0)

    def let(self, results):
        self._passes.release(results)

    def hold(self, results):
        for result in results:
            self._passes.acquire(timeout=20)
            yield result


@pytest.fixture
def gate(monkeypatch):
    gate = Gate()
    correct = Session.correct

    def held_up(session, prompts, labels, frames=None):
        gate.asked.append(prompts)
        return gate.hold(correct(session, prompts, labels, frames))

    monkeypatch.setattr(Session, "correct", held_up)
    yield gate
    gate.let(1000)


@pytest.fixture
def bench(fresh):
    """A square has been carried through the movie, from its first frame."""
    movie, truth = squares(FRAMES)
    movie[truth == 2] = BACKGROUND
    return carry(fresh, movie, 1)


@pytest.fixture
def pair(fresh):
    """Two squares have been carried through the movie, from its first frame."""
    return carry(fresh, squares(FRAMES)[0], 1, 2)


def carry(bench, movie, *object_ids, frames=None):
    bench.choose_movie(bench.viewer.add_image(movie, name="squares"))
    bench.viewer.dims.set_point(0, 0)
    for object_id in object_ids:
        bench.new_object()
        bench.add_points([0, *inside(object_id, 0)])
    bench.propagate(frames=frames)
    bench.wait()
    return bench


def inside(object_id, frame):
    return (16, 14 + frame) if object_id == 1 else (45, 45 - frame)


def lose(bench, *frames):
    """Let an earlier run have missed the first object on some frames."""
    target = bench.controller.state.target
    for frame in frames:
        nothing = FrameResult(frame, np.zeros((SIDE, SIDE), np.uint16))
        target.write(target.view, nothing, {1}, replace=False)


def click(bench, frame, position=None, *, object_id=1, is_positive=True):
    """Point at an object, on a frame that is looked at."""
    bench.viewer.dims.set_point(0, frame)
    bench.select_object(object_id)
    bench.set_sign(is_positive)
    place = inside(object_id, frame) if position is None else position
    bench.points_layer.add([frame, *place])


def changed_frames(bench, before):
    return np.flatnonzero((bench.labels.data != before).any(axis=(1, 2))).tolist()


def right_edge(frame):
    return 16, 14 + frame + 6


def test_a_click_corrects_its_frame_and_those_beside_it_only(bench):
    truth = bench.labels.data.copy()
    lose(bench, 0, 4, 5, 6, 11)
    before = bench.labels.data.copy()
    click(bench, 5)
    bench.wait()
    assert changed_frames(bench, before) == [4, 5, 6]
    np.testing.assert_array_equal(bench.labels.data[4:7], truth[4:7])
    assert bench.controller.state.outcome.startswith("Corrected: 3 frames recomputed")
    assert describe(bench).startswith(bench.controller.state.outcome)


def test_what_erases_all_of_an_object_changes_its_frame_only(bench):
    before = bench.labels.data.copy()
    bench.add_scribble(5, before[5] == 1, object_id=1, is_positive=False)
    bench.wait()
    assert changed_frames(bench, before) == [5]
    assert not (bench.labels.data[5] == 1).any()


def test_a_click_corrects_although_nobody_looks_at_its_frame(bench):
    lose(bench, 5)
    bench.add_points([5, *inside(1, 5)], 1)
    bench.wait()
    assert (bench.labels.data[5] == 1).any()


def test_a_negative_click_corrects(bench):
    before = bench.labels.data.copy()
    click(bench, 5, right_edge(5), is_positive=False)
    bench.wait()
    assert 5 in changed_frames(bench, before)
    assert bench.labels.data[5][right_edge(5)] != 1
    assert (bench.labels.data[5] == 1).any()


def test_without_a_run_a_negative_click_alone_gets_a_notice(bench):
    bench.new_object()
    click(bench, 5, (3, 3), object_id=2, is_positive=False)
    bench.wait()
    (notice,) = bench.notices
    assert "object 2 has only negative points on frame 5, which are not used" in notice


def test_a_negative_click_where_the_object_is_not_gets_a_notice(bench):
    lose(bench, 5)
    before = bench.labels.data.copy()
    click(bench, 5, is_positive=False)
    bench.wait()
    assert len(bench.notices) == 1
    np.testing.assert_array_equal(bench.labels.data, before)


def test_another_hypothesis_corrects(bench):
    before = bench.labels.data.copy()
    bench.select_object(1)
    bench.choose_hypothesis(1)
    bench.wait()
    # The next frames may follow the smaller mask, until the whole object wins again.
    assert changed_frames(bench, before) in ([0], [0, 1], [0, 1, 2])
    assert 0 < (bench.labels.data[0] == 1).sum() < (before[0] == 1).sum()


def test_only_what_was_recomputed_gets_another_verdict(pair):
    verdicts = pair.controller.state.target.frames
    before = verdicts.verdicts_of((1,))
    others = verdicts.verdicts_of((2,))
    click(pair, 5)
    pair.wait()
    after = verdicts.verdicts_of((1,))
    assert {frame for frame in before if after[frame] != before[frame]} == {5}
    assert after[5] is Verdict.PROMPTED
    assert verdicts.verdicts_of((2,)) == others


def test_the_labels_of_others_stay(bench):
    lose(bench, 5)
    bench.labels.data[5, :, 20] = NOBODY
    click(bench, 5)
    bench.wait()
    assert (bench.labels.data[5, :, 20] == NOBODY).all()
    assert (bench.labels.data[5] == 1).any()


def test_what_was_painted_by_hand_stays(bench):
    lose(bench, 4, 5, 6)
    bench.labels.paint((6, 40, 10), 1)
    painted = bench.labels.data[6].copy()
    click(bench, 5)
    bench.wait()
    np.testing.assert_array_equal(bench.labels.data[6], painted)
    assert (bench.labels.data[5] == 1).any()
    bench.labels.undo()
    np.testing.assert_array_equal(bench.labels.data[6], painted)
    assert not (bench.labels.data[5] == 1).any()
    bench.labels.undo()
    assert bench.labels.data[6, 40, 10] == 0


def test_a_painted_frame_that_is_clicked_stays_too(bench):
    bench.labels.paint((5, 40, 10), 1)
    painted = bench.labels.data[5].copy()
    click(bench, 5)
    bench.wait()
    np.testing.assert_array_equal(bench.labels.data[5], painted)
    assert "1 kept as you painted them" in bench.controller.state.outcome


def test_a_click_brings_back_an_object_that_was_wiped_out_on_its_frame(bench):
    truth = bench.labels.data.copy()
    for frame in (4, 5):
        bench.labels.fill((frame, *inside(1, frame)), 0)
    click(bench, 5)
    bench.wait()
    np.testing.assert_array_equal(bench.labels.data[5], truth[5])
    assert not bench.labels.data[4].any(), "nobody has clicked there"
    bench.labels.undo()
    assert not bench.labels.data[5].any()


def test_the_preview_gives_way_once_the_labels_show_the_click(bench, gate, qtbot):
    lose(bench, 5, 6)
    click(bench, 5)
    qtbot.waitUntil(lambda: bench.controller.is_correcting)
    preview = bench.viewer.layers["SAM preview"]
    assert preview.get_value([5, *inside(1, 5)], world=True) == 1
    gate.let(1)
    qtbot.waitUntil(lambda: not preview.data.any())
    assert bench.controller.is_correcting


def test_what_is_being_corrected_is_said(bench, gate, qtbot):
    part = RunPart()
    qtbot.addWidget(part)
    click(bench, 5)
    qtbot.waitUntil(lambda: bench.controller.is_correcting)
    assert describe(bench) == "Correcting object 1 around frame 5…"
    part.show_state(bench)
    assert part.stop.isEnabled()
    assert part.both.isEnabled(), "a whole run may take its place"
    assert part.progress.maximum() == 0, "nobody knows how far it will go"


def test_clicks_during_a_correction_are_corrected_together_after_it(bench, gate, qtbot):
    lose(bench, 8, 10)
    click(bench, 1)
    qtbot.waitUntil(lambda: bench.controller.is_correcting)
    click(bench, 8)
    click(bench, 10)
    bench.read()
    gate.let(1000)
    bench.wait()
    assert [[prompt.frame for prompt in asked] for asked in gate.asked] == [
        [1],
        [8, 10],
    ]
    assert all((bench.labels.data[frame] == 1).any() for frame in (8, 10))


def test_a_click_during_a_run_corrects_after_it(bench, gate):
    bench.propagate()
    click(bench, 5, right_edge(5), is_positive=False)
    gate.let(1000)
    bench.wait()
    assert bench.labels.data[(5, *right_edge(5))] == 0
    assert len(gate.asked) == 1


def test_stopping_keeps_what_is_done_and_starts_nothing(bench, gate, qtbot):
    lose(bench, *range(1, FRAMES))
    click(bench, 5)
    qtbot.waitUntil(lambda: bench.controller.is_correcting)
    click(bench, 9)
    bench.read()
    gate.let(2)
    qtbot.waitUntil(lambda: bench.controller.writer.run.progress.done == 2)
    bench.stop()
    gate.let(1000)
    bench.wait()
    done = [bool((plane == 1).any()) for plane in bench.labels.data]
    assert [frame for frame in range(FRAMES) if done[frame]] == [0, 5, 6]
    assert bench.controller.state.outcome == (
        "Stopped; corrected so far: 2 frames recomputed."
    )
    bench.viewer.dims.set_point(0, 3)
    assert bench.is_idle
    bench.correct()
    bench.wait()
    assert (bench.labels.data[9] == 1).any(), "it had not begun"


def test_propagate_still_runs_everything(pair, gate):
    gate.let(1000)
    click(pair, 5)
    pair.wait()
    pair.labels.data[:] = 0
    pair.propagate(replace=True)
    pair.wait()
    assert len(gate.asked) == 1
    assert pair.controller.state.outcome == f"Done: {FRAMES} frames."
    for object_id in (1, 2):
        assert all((plane == object_id).any() for plane in pair.labels.data)


def test_after_another_run_negative_clicks_correct_again(bench):
    click(bench, 5, right_edge(5), is_positive=False)
    bench.wait()
    bench.propagate()
    told = []
    bench.changed.connect(lambda: told.append(bench.controller.state.outcome))
    bench.wait()
    assert f"Done: {FRAMES} frames." in told
    assert bench.controller.state.outcome.startswith("Corrected: ")
    assert bench.labels.data[(5, *right_edge(5))] == 0


def test_propagate_takes_the_place_of_a_correction(bench, gate, qtbot):
    click(bench, 5)
    qtbot.waitUntil(lambda: bench.controller.is_correcting)
    bench.propagate()
    gate.let(1000)
    bench.wait()
    assert bench.controller.state.outcome == f"Done: {FRAMES} frames."
    assert len(gate.asked) == 1, "the click is one of the run's now"


def test_an_object_that_no_run_has_made_waits_for_one(bench, gate):
    before = bench.labels.data.copy()
    bench.new_object()
    click(bench, 5, object_id=2)
    bench.wait()
    assert gate.asked == []
    np.testing.assert_array_equal(bench.labels.data, before)
    with pytest.raises(PromptError, match="nothing to correct: add a point"):
        bench.correct()


def test_corrections_go_on_in_other_labels(bench):
    lose(bench, 5)
    other = bench.viewer.add_labels(bench.labels.data.copy(), name="others")
    bench.choose_labels(other)
    bench.wait()
    before = other.data.copy()
    click(bench, 5)
    bench.wait()
    assert (other.data[5] == 1).any()
    assert 0 not in changed_frames(bench, before), "the point there made them"


def test_corrections_go_on_with_another_network(bench):
    """What the labels were made with does not matter to what corrects them."""
    lose(bench, 5)
    bench.configure(ModelOptions(cache=None, contrast=(0, 255)))
    click(bench, 5)
    bench.wait()
    assert (bench.labels.data[5] == 1).any()


@pytest.fixture
def first_part(fresh):
    """A square has been carried through the first four frames only."""
    movie, truth = squares(FRAMES)
    movie[truth == 2] = BACKGROUND
    return carry(fresh, movie, 1, frames=range(4))


def found_on(bench):
    return [frame for frame in range(FRAMES) if (bench.labels.data[frame] == 1).any()]


def test_frames_that_no_run_has_come_to_wait_for_one(first_part, gate):
    before = first_part.labels.data.copy()
    click(first_part, 5)
    first_part.wait()
    assert gate.asked == []
    np.testing.assert_array_equal(first_part.labels.data, before)
    (notice,) = first_part.notices
    assert notice.startswith(
        "the points of object 1 on frame 5 are where no run has come"
    )


def test_a_correction_does_not_leave_the_frames_of_runs(first_part):
    lose(first_part, *range(1, FRAMES))
    click(first_part, 2)
    first_part.wait()
    assert found_on(first_part) == [0, 1, 2, 3]


@pytest.mark.parametrize("frames", [[0, 1, 2, 3], slice(4), np.arange(4)])
def test_a_run_over_frames_that_are_no_range_can_be_corrected(bench, frames):
    bench.propagate(frames=frames)
    bench.wait()
    lose(bench, 2)
    click(bench, 2)
    bench.wait()
    assert (bench.labels.data[2] == 1).any()


@pytest.mark.parametrize(
    "asked",
    [
        {"frames": range(0, 8, 2)},
        {"frames": range(8, 0, -1)},
        {"frames": range(99)},
        {"frames": [0.5]},
        {"frames": 5},
        {"objects": [1.0]},
        {"objects": [True]},
        {"replace": "no"},
    ],
)
def test_a_run_that_makes_no_sense_is_refused_at_once(bench, asked):
    with pytest.raises(OptionError):
        bench.propagate(**asked)
    assert bench.is_idle


def test_what_an_earlier_run_has_made_can_be_corrected_after_a_shorter_one(bench):
    bench.propagate(frames=range(4))
    bench.wait()
    lose(bench, 6)
    click(bench, 6)
    bench.wait()
    assert (bench.labels.data[6] == 1).any()


def test_after_a_stopped_run_what_it_has_done_can_be_corrected(fresh, sam, qtbot):
    movie, truth = squares(FRAMES)
    movie[truth == 2] = BACKGROUND
    sam.gate = threading.Semaphore(3)
    fresh.choose_movie(fresh.viewer.add_image(movie, name="squares"))
    fresh.viewer.dims.set_point(0, 0)
    fresh.new_object()
    fresh.add_points([0, *inside(1, 0)])
    fresh.propagate()
    writer = fresh.controller.writer
    qtbot.waitUntil(lambda: writer.run is not None)
    qtbot.waitUntil(lambda: writer.run.progress.done >= 3)
    fresh.stop()
    sam.gate.release(1000)
    lose(fresh, *range(1, FRAMES))
    click(fresh, 2)
    fresh.wait()
    assert found_on(fresh) == [0, 1, 2]


def test_an_error_is_told_once_and_the_dock_goes_on(bench, monkeypatch):
    def fail(*_):
        raise DecodingError("out of memory; choose the device 'cpu'")

    lose(bench, 5)
    before = bench.labels.data.copy()
    with monkeypatch.context() as context:
        context.setattr(Session, "correct", fail)
        click(bench, 5)
        with pytest.raises(DecodingError, match="choose the device"):
            bench.wait()
        bench.viewer.dims.set_point(0, 3)
        bench.wait()
    np.testing.assert_array_equal(bench.labels.data, before)
    bench.correct()
    bench.wait()
    assert bench.controller.state.outcome.startswith("Corrected: ")


def test_an_error_under_way_is_told_once_and_what_is_done_stays(bench, monkeypatch):
    correct = Session.correct

    def fail_after_one(*asked):
        yield next(correct(*asked))
        raise DecodingError("out of memory; choose the device 'cpu'")

    lose(bench, 5, 6)
    monkeypatch.setattr(Session, "correct", fail_after_one)
    click(bench, 5)
    with pytest.raises(DecodingError, match="choose the device"):
        bench.wait()
    bench.wait()
    assert [bool((bench.labels.data[frame] == 1).any()) for frame in (5, 6)] == [1, 0]


def test_labels_that_do_not_fit_any_more_stop_the_run(bench, gate, qtbot):
    click(bench, 5, right_edge(5), is_positive=False)
    qtbot.waitUntil(lambda: bench.controller.is_correcting)
    bench.labels.data = np.zeros((2, 9, 9), int)
    gate.let(1)
    with pytest.raises(LabelsError, match=r"do(es)? not fit .*; choose"):
        bench.wait()
    gate.let(1000)
    bench.wait()
    bench.propagate()
    with pytest.raises(LabelsError, match=r"do(es)? not fit .*; choose"):
        bench.wait()


def test_labels_that_were_replaced_meanwhile_are_read(bench, gate, qtbot):
    click(bench, 5, right_edge(5), is_positive=False)
    qtbot.waitUntil(lambda: bench.controller.is_correcting)
    data = bench.labels.data.copy()
    data[7] = NOBODY
    bench.labels.data = data
    gate.let(1000)
    bench.wait()
    assert (bench.labels.data[7] == NOBODY).all()
    assert bench.labels.data[(5, *right_edge(5))] == 0


def test_a_script_need_not_wait_for_its_points_to_be_seen(bench):
    lose(bench, 5)
    bench.add_points([5, *inside(1, 5)], 1)
    bench.correct()
    bench.wait()
    assert (bench.labels.data[5] == 1).any()


def test_without_a_movie_there_is_nothing_to_correct(bench):
    bench.choose_movie(None)
    with pytest.raises(MovieError, match="there is no movie"):
        bench.correct()
