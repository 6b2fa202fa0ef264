"""Points that are deleted or moved after a run, and what becomes of the labels."""

from __future__ import annotations

import threading
from time import sleep

import numpy as np
import pytest

pytest.importorskip("qtpy.QtCore", exc_type=ImportError)

from stage import BACKGROUND, squares

from napari_sam_decoder.session import Session
from napari_sam_decoder.widgets.messages import describe

pytestmark = pytest.mark.gui

FRAMES = 12
SPOT = (50, 10)
"""A third square, which is there on every frame and belongs to no object at first."""


@pytest.fixture
def bench(fresh):
    """A square has been carried through the movie; there are two others."""
    movie, truth = squares(FRAMES)
    movie[truth == 2] = BACKGROUND
    movie[:, 46:56, 6:16] = 160
    movie[:, 46:56, 46:56] = 240
    fresh.choose_movie(fresh.viewer.add_image(movie, name="squares"))
    fresh.viewer.dims.set_point(0, 0)
    fresh.new_object()
    fresh.add_points([0, *inside(0)])
    fresh.propagate()
    fresh.wait()
    return fresh


def inside(frame):
    return 16, 14 + frame


def place_of(bench, row, object_id=1):
    """Where a point of an object is in the layer."""
    ids = bench.points_layer.features["object_id"].tolist()
    return [place for place, one in enumerate(ids) if one == object_id][row]


def click(bench, frame, position, *, is_positive=True, object_id=1):
    bench.viewer.dims.set_point(0, frame)
    bench.select_object(object_id)
    bench.set_sign(is_positive)
    bench.points_layer.add([frame, *position])
    bench.wait()


def delete(bench, *rows, object_id=1):
    layer = bench.points_layer
    layer.selected_data = {place_of(bench, row, object_id) for row in rows}
    layer.remove_selected()
    bench.wait()


def move(bench, row, place, object_id=1):
    layer = bench.points_layer
    data = layer.data.copy()
    data[place_of(bench, row, object_id)] = place
    layer.data = data
    bench.wait()


def labels(bench):
    return np.array(bench.labels.data)


def preview_is_empty(bench):
    layers = bench.viewer.layers
    return "SAM preview" not in layers or not layers["SAM preview"].data.any()


def test_what_a_deleted_point_did_is_taken_back_and_all_others_work_afterwards(bench):
    before = labels(bench)
    verdicts = bench.controller.state.target.frames.verdicts_of((1,))
    click(bench, 5, SPOT)
    assert (labels(bench)[5] != before[5]).any()
    delete(bench, 1)
    np.testing.assert_array_equal(labels(bench), before)
    assert bench.controller.state.target.frames.verdicts_of((1,)) == verdicts
    assert bench.controller.state.outcome.startswith("Undid the corrections of points")
    click(bench, 3, (16, 14 + 3 + 6), is_positive=False)
    assert labels(bench)[3, 16, 14 + 3 + 6] != 1
    assert bench.notices == ()
    click(bench, 8, SPOT)
    assert labels(bench)[(8, *SPOT)] == 1
    assert preview_is_empty(bench)


def test_a_point_that_is_moved_takes_its_mask_along(bench):
    before = labels(bench)
    click(bench, 5, SPOT)
    move(bench, 1, (5, 50, 50))
    now = labels(bench)
    assert now[(5, *SPOT)] == 0
    assert now[5, 50, 50] == 1
    move(bench, 1, (9, 50, 50))
    assert labels(bench)[9, 50, 50] == 1
    delete(bench, 1)
    np.testing.assert_array_equal(labels(bench), before)


def test_later_corrections_that_stay_are_made_again_by_themselves(bench):
    click(bench, 5, SPOT)
    click(bench, 6, (50, 50))
    delete(bench, 1)
    now = labels(bench)
    assert now[(5, *SPOT)] == now[(6, *SPOT)] == 0
    assert now[6, 50, 50] == 1


def test_what_is_made_again_is_undone_with_the_point_that_was_deleted(bench):
    click(bench, 5, SPOT)
    click(bench, 6, (50, 50))
    before = labels(bench)
    delete(bench, 1)
    after = labels(bench)
    assert (after != before).any()
    bench.undo()
    assert len(bench.points_layer.data) == 3
    assert (labels(bench) == before).all()
    bench.redo()
    assert len(bench.points_layer.data) == 2
    assert (labels(bench) == after).all()


def test_a_point_of_another_sign_or_object_is_another_one(bench):
    before = labels(bench)
    click(bench, 5, SPOT)
    layer = bench.points_layer
    layer.features = layer.features.assign(label=["positive", "negative"])
    bench.wait()
    assert labels(bench)[(5, *SPOT)] == 0
    layer.features = layer.features.assign(
        label=["positive", "positive"], object_id=[1, 2]
    )
    bench.wait()
    np.testing.assert_array_equal(labels(bench), before)
    layer.features = layer.features.assign(object_id=[1, 1])
    bench.wait()
    assert labels(bench)[(5, *SPOT)] == 1


def test_a_pick_that_is_undone_is_taken_back(bench):
    before = labels(bench)
    bench.choose_hypothesis(1)
    bench.wait()
    assert (labels(bench) != before).any()
    bench.choose_hypothesis(None)
    bench.wait()
    np.testing.assert_array_equal(labels(bench), before)


def test_what_was_painted_since_stays(bench):
    click(bench, 5, SPOT)
    bench.labels.brush_size = 3
    bench.labels.paint((5, *SPOT), 9)
    painted = labels(bench)[5] == 9
    delete(bench, 1)
    assert (labels(bench)[5][painted] == 9).all()
    assert not (labels(bench)[5, 46:56, 6:16] == 1).any()


def test_a_layer_that_is_removed_takes_nothing_back(bench):
    click(bench, 5, SPOT)
    before = labels(bench)
    layer = bench.points_layer
    bench.viewer.layers.remove(layer)
    bench.wait()
    np.testing.assert_array_equal(labels(bench), before)
    bench.viewer.add_layer(layer)
    bench.wait()
    np.testing.assert_array_equal(labels(bench), before)
    layer.selected_data = {1}
    layer.remove_selected()
    bench.wait()
    assert bench.notices == () or "object 1" in bench.notices[0]


def test_when_a_point_of_the_run_moves_the_object_is_recomputed(bench, qtbot):
    bench.labels.fill((7, *inside(7)), 9)
    bench.labels.data[:, 60:, :5] = 33
    bench.controller.state.target.painted_ids(bench.movie, 3)
    layer = bench.points_layer
    told = []
    bench.changed.connect(lambda: told.append(describe(bench)))
    layer.data = np.array([[0, *SPOT]])
    bench.wait()
    now = labels(bench)
    for frame in range(FRAMES):
        assert (now[frame, 60:, :5] == 33).all(), "others' labels stay"
        if frame != 7:
            assert now[(frame, *SPOT)] == 1
            assert now[(frame, *inside(frame))] == 0
    assert now[(7, *inside(7))] == 9, "what was painted stays"
    assert any(
        one.startswith("Points have changed, so labels are recomputed") for one in told
    )
    assert preview_is_empty(bench)


def test_when_a_point_of_the_run_goes_the_rest_is_what_it_is_computed_from(bench):
    click(bench, 5, SPOT)
    delete(bench, 0)
    now = labels(bench)
    assert all(now[(frame, *SPOT)] == 1 for frame in range(FRAMES))
    assert not any(now[(frame, *inside(frame))] for frame in range(FRAMES))


def test_without_a_point_labels_stay_and_a_new_point_is_what_they_come_from(bench):
    before = labels(bench)
    delete(bench, 0)
    np.testing.assert_array_equal(labels(bench), before)
    (notice,) = bench.notices
    assert notice.startswith("object 1 has no positive point left")
    assert "add a point" in notice
    click(bench, 3, (16, 14 + 3 + 6), is_positive=False)
    assert labels(bench)[3, 16, 14 + 3 + 6] != 1
    assert len(bench.notices) == 1
    click(bench, 4, SPOT)
    now = labels(bench)
    assert all(now[(frame, *SPOT)] == 1 for frame in range(FRAMES) if frame != 3)
    assert not any(now[(frame, *inside(frame))] for frame in range(FRAMES))


def test_points_that_are_dragged_are_waited_for(bench, monkeypatch, qtbot):
    runs = []
    propagate = Session.propagate
    monkeypatch.setattr(
        Session, "propagate", lambda *a, **k: runs.append(1) or propagate(*a, **k)
    )
    layer = bench.points_layer
    for column in range(15, 25):
        layer.data = np.array([[0, 16, column - 5]])
        qtbot.wait(50)
    bench.wait()
    assert len(runs) == 1


def test_a_person_can_stop_what_starts_by_itself(bench):
    before = labels(bench)
    bench.points_layer.data = np.array([[0, *SPOT]])
    bench.read()
    bench.stop()
    bench.wait()
    np.testing.assert_array_equal(labels(bench), before)
    (notice,) = bench.notices
    assert "press 'Both ways' to recompute them" in notice
    bench.propagate()
    bench.wait()
    assert labels(bench)[(6, *SPOT)] == 1
    assert bench.notices == ()


class Gate:
    """Lets as many results of one method of sessions through as it is told."""

    def __init__(self, monkeypatch, name):
        self._passes = threading.Semaphore(0)
        self.asked = 0
        original = getattr(Session, name)

        def held_up(*arguments, **options):
            self.asked += 1
            return self._hold(original(*arguments, **options))

        monkeypatch.setattr(Session, name, held_up)

    def let(self, results):
        self._passes.release(results)

    def _hold(self, results):
        for result in results:
            self._passes.acquire(timeout=20)
            yield result


def test_a_correction_under_way_stops_when_its_point_goes(bench, monkeypatch, qtbot):
    before = labels(bench)
    gate = Gate(monkeypatch, "correct")
    bench.viewer.dims.set_point(0, 5)
    bench.points_layer.add([5, *SPOT])
    qtbot.waitUntil(lambda: bench.controller.is_correcting)
    gate.let(2)
    qtbot.waitUntil(lambda: bench.controller.run.progress.done == 2)
    assert (labels(bench) != before).any()
    layer = bench.points_layer
    layer.selected_data = {1}
    layer.remove_selected()
    gate.let(1000)
    bench.wait()
    np.testing.assert_array_equal(labels(bench), before)
    assert gate.asked == 1
    assert preview_is_empty(bench)


def test_what_was_computed_for_a_point_that_goes_is_not_kept(bench, monkeypatch, qtbot):
    before = labels(bench)
    gate = Gate(monkeypatch, "correct")
    bench.viewer.dims.set_point(0, 5)
    bench.points_layer.add([5, *SPOT])
    qtbot.waitUntil(lambda: bench.controller.is_correcting)
    gate.let(2)
    qtbot.waitUntil(lambda: bench.controller.run.progress.done == 2)
    layer = bench.points_layer
    layer.selected_data = {1}
    layer.remove_selected()
    gate.let(1000)
    # More is computed before the window hears of it.
    sleep(1)
    bench.wait()
    np.testing.assert_array_equal(labels(bench), before)


def test_of_two_that_are_corrected_together_one_may_go(bench, monkeypatch, qtbot):
    bench.new_object()
    bench.add_points([0, 50, 50])
    bench.propagate(objects=[2])
    bench.wait()
    before = labels(bench)
    gate = Gate(monkeypatch, "correct")
    for object_id, column in ((1, SPOT[1]), (2, 8)):
        bench.select_object(object_id)
        bench.points_layer.add([5, SPOT[0], column])
    bench.read()
    qtbot.waitUntil(lambda: bench.controller.is_correcting)
    layer = bench.points_layer
    layer.selected_data = {place_of(bench, 1)}
    layer.remove_selected()
    gate.let(1000)
    bench.wait()
    now = labels(bench)
    np.testing.assert_array_equal(now == 1, before == 1)
    assert now[5, 50, 8] == 2


def test_a_run_under_way_starts_over_when_its_point_moves(bench, monkeypatch, qtbot):
    gate = Gate(monkeypatch, "propagate")
    bench.propagate()
    qtbot.waitUntil(lambda: bench.controller.run is not None)
    gate.let(2)
    qtbot.waitUntil(lambda: bench.controller.run.progress.done == 2)
    bench.points_layer.data = np.array([[0, *SPOT]])
    qtbot.waitUntil(lambda: gate.asked == 2)
    gate.let(1000)
    bench.wait()
    now = labels(bench)
    assert all(now[(frame, *SPOT)] == 1 for frame in range(FRAMES))
    assert not any(now[(frame, *inside(frame))] for frame in range(FRAMES))


def test_a_run_under_way_stops_when_its_only_point_goes(bench, monkeypatch, qtbot):
    before = labels(bench)
    gate = Gate(monkeypatch, "propagate")
    bench.propagate()
    qtbot.waitUntil(lambda: bench.controller.run is not None)
    delete_now = bench.points_layer
    delete_now.selected_data = {0}
    delete_now.remove_selected()
    qtbot.waitUntil(lambda: bench.controller.run is None)
    gate.let(1000)
    bench.wait()
    np.testing.assert_array_equal(labels(bench), before)
    assert gate.asked == 1
    assert "no positive point left" in bench.notices[0]


def test_a_run_goes_on_when_its_points_go_with_their_layer(bench, monkeypatch, qtbot):
    gate = Gate(monkeypatch, "propagate")
    bench.propagate()
    qtbot.waitUntil(lambda: bench.controller.run is not None)
    bench.viewer.layers.remove(bench.points_layer)
    qtbot.wait(700)
    assert bench.controller.run is not None
    gate.let(1000)
    bench.wait()
    assert gate.asked == 1


def test_labels_of_another_day_are_restored_when_the_point_goes(bench):
    old = labels(bench)
    other = bench.viewer.add_labels(old.copy(), name="yesterday")
    bench.choose_labels(other)
    bench.wait()
    click(bench, 5, SPOT)
    assert labels(bench)[(5, *SPOT)] == 1
    delete(bench, 1)
    np.testing.assert_array_equal(labels(bench), old)
    delete(bench, 0)
    np.testing.assert_array_equal(labels(bench), old)


def test_what_was_stopped_shows_no_preview_and_says_what_to_do(
    bench, monkeypatch, qtbot
):
    gate = Gate(monkeypatch, "correct")
    bench.viewer.dims.set_point(0, 5)
    bench.points_layer.add([5, *SPOT])
    qtbot.waitUntil(lambda: bench.controller.is_correcting)
    assert not preview_is_empty(bench)
    bench.stop()
    gate.let(1000)
    bench.wait()
    assert preview_is_empty(bench)
    (notice,) = bench.notices
    assert notice.startswith("the points of object 1 on frame 5 are not in the labels")
    bench.correct()
    bench.wait()
    assert labels(bench)[(5, *SPOT)] == 1
    assert bench.notices == ()
