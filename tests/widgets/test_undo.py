"""Undo and redo of everything that is done in the window."""

from __future__ import annotations

import threading

import numpy as np
import pytest

pytest.importorskip("qtpy.QtCore", exc_type=ImportError)

from qtpy.QtCore import QTimer
from stage import squares

from napari_sam_decoder.errors import PromptError
from napari_sam_decoder.widgets.job_queue import wait_until
from napari_sam_decoder.widgets.messages import describe

pytestmark = pytest.mark.gui

FRAMES = 6
SPOT = (50, 50)


@pytest.fixture
def bench(fresh):
    movie, truth = squares(FRAMES)
    movie[truth == 2] = 160
    movie[:, 46:56, 46:56] = 240
    fresh.choose_movie(fresh.viewer.add_image(movie, name="squares"))
    fresh.viewer.dims.set_point(0, 0)
    return fresh


def shown(bench):
    """Everything that undo has to restore."""
    bench.wait()
    target = bench.controller.state.target
    tables = {
        (table.name, table.scope): dict(table)
        for table in bench.history.document.tables
        if table.name in RESTORED
    }
    pixels = None if target is None else np.array(target.layer.data)
    layer = bench.points_layer
    points = None
    if layer is not None and len(layer.data):
        points = layer.data.tolist(), layer.features.to_dict("list")
    listed = [(one.object_id, one.name, one.frames) for one in bench.objects.listed]
    tables = {name: entries for name, entries in tables.items() if entries}
    return pixels, tables, points, listed


RESTORED = {"objects", "made", "frames", "requests", "painted", "dismissed", "ids"}


def assert_same(now, before):
    pixels, *rest = now
    pixels_before, *rest_before = before
    if pixels_before is None:
        assert pixels is None or not pixels.any()
    else:
        np.testing.assert_array_equal(pixels, pixels_before)
    assert rest == rest_before


def paint(bench, frame, row, column, label):
    layer = bench.labels
    bench.viewer.dims.set_point(0, frame)
    layer.selected_label = label
    layer.brush_size = 5
    layer.paint([frame, row, column], label)


def click(bench, frame, position, *, is_positive=True, object_id=1):
    bench.viewer.dims.set_point(0, frame)
    bench.select_object(object_id)
    bench.set_sign(is_positive)
    bench.points_layer.add([frame, *position])


def delete_points(bench, *rows):
    bench.points_layer.selected_data = set(rows)
    bench.points_layer.remove_selected()


def work(bench):
    """Do one thing after another, and yield after each."""
    bench.new_object()
    yield
    click(bench, 0, (16, 14))
    yield
    bench.choose_hypothesis(2)
    yield
    bench.choose_hypothesis(None)
    yield
    bench.propagate()
    yield
    bench.new_object("the bright one")
    yield
    click(bench, 0, SPOT, object_id=2)
    yield
    bench.propagate(objects=[2])
    yield
    click(bench, 3, (16, 14 + 3 + 6), is_positive=False)
    yield
    click(bench, 4, SPOT, is_positive=False, object_id=2)
    yield
    paint(bench, 2, 5, 50, 1)
    yield
    paint(bench, 3, 17, 17, 0)
    yield
    bench.labels.fill([4, 0, 0], 3)
    yield
    delete_points(bench, 2)
    yield
    bench.confirm_frame(1, 5)
    yield
    data = bench.points_layer.data.copy()
    data[0, 1] += 1
    bench.points_layer.data = data
    yield
    bench.rename_object(1, "cell")
    yield
    bench.delete_object(2, "remove")
    yield
    bench.delete_object(1, "keep")
    yield


def test_all_is_undone_to_the_beginning_and_redone_to_the_end(bench):
    states = [shown(bench), *(shown(bench) for _ in work(bench))]
    titles = [step.title for step in bench.history.done]
    back = [states.pop()]
    while bench.history.done:
        bench.undo()
        now = shown(bench)
        # What is not an action of its own has changed nothing.
        while not is_same(now, states[-1]):
            states.pop()
        back.append(states[-1])
    assert len(states) == 1
    assert bench.history.undone
    for after in back[-2::-1]:
        bench.redo()
        assert_same(shown(bench), after)
    assert [step.title for step in bench.history.done] == titles


def is_same(now, before):
    try:
        assert_same(now, before)
    except AssertionError:
        return False
    return True


def test_a_correction_is_undone_with_the_click_that_caused_it(bench):
    bench.new_object()
    click(bench, 0, (16, 14))
    bench.propagate()
    before = shown(bench)
    click(bench, 3, SPOT)
    after = shown(bench)
    assert after[0][(3, *SPOT)] == 1
    assert bench.history.next_undo.title == "Add a point"
    bench.undo()
    assert_same(shown(bench), before)
    bench.redo()
    assert_same(shown(bench), after)


def test_keys_of_the_labels_layer_undo_here(bench):
    bench.new_object()
    click(bench, 0, (16, 14))
    bench.propagate()
    before = shown(bench)
    paint(bench, 2, 5, 50, 1)
    after = shown(bench)
    bench.labels.undo()
    assert_same(shown(bench), before)
    bench.labels.redo()
    assert_same(shown(bench), after)


def test_the_next_day_work_goes_on(bench, make_bench):
    for _ in work(bench):
        bench.wait()
    for _ in range(3):
        bench.undo()
    before = shown(bench)
    movie = bench.movie.layer.data
    bench.close()
    other = make_bench()
    other.choose_movie(other.viewer.add_image(movie, name="squares"))
    other.wait()
    assert len(other.controller.state.offers) == 1
    other.resume()
    assert_same(shown(other), before)
    assert describe(other).startswith("Resumed: ")
    click(other, 1, SPOT)
    corrected = shown(other)
    assert corrected[0][(1, *SPOT)] == 1
    other.undo()
    assert_same(shown(other), before)
    other.undo()
    other.redo()
    assert_same(shown(other), before)


def test_two_objects_become_one_and_two_again(bench):
    bench.new_object()
    click(bench, 0, (16, 14))
    bench.new_object("the bright one")
    click(bench, 0, SPOT, object_id=2)
    bench.propagate()
    before = shown(bench)
    bench.merge_objects(2, 1)
    after = shown(bench)
    np.testing.assert_array_equal(after[0], np.minimum(before[0], 1))
    assert after[3] == [(1, "object 1", (0,))]
    assert bench.controller.state.outcome.startswith("'the bright one' was merged into")
    assert bench.notices == ()
    bench.undo()
    assert_same(shown(bench), before)
    bench.redo()
    assert_same(shown(bench), after)


def test_an_object_is_not_merged_into_itself_or_into_none(bench):
    bench.new_object()
    with pytest.raises(PromptError, match="into itself"):
        bench.merge_objects(1, 1)
    with pytest.raises(PromptError, match="there is no object 7"):
        bench.merge_objects(1, 7)
    assert [step.title for step in bench.history.done] == ["New object"]


def drag(bench, *positions):
    """Drag the first point slowly, as the mouse does, while masks appear."""
    with bench.gesture():
        for position in positions:
            data = bench.points_layer.data.copy()
            data[0] = position
            bench.points_layer.data = data
            bench.wait()


def test_a_slow_drag_is_one_action(bench):
    bench.new_object()
    click(bench, 0, (16, 14))
    bench.propagate()
    before, count = shown(bench), len(bench.history.done)
    drag(bench, (0, 17, 15), (0, 18, 16), (0, 17, 17))
    after = shown(bench)
    assert len(bench.history.done) > count + 1
    bench.undo()
    assert len(bench.history.done) == count
    assert_same(shown(bench), before)
    bench.redo()
    assert_same(shown(bench), after)


def test_nothing_is_undone_while_a_stroke_is_drawn(bench):
    bench.new_object()
    click(bench, 0, (16, 14))
    bench.propagate()
    before, told = shown(bench), []
    bench.informed.connect(told.append)
    with bench.labels.block_history():
        paint(bench, 2, 5, 50, 1)
        bench.undo()
        bench.labels.undo()
    assert len(told) == 2
    assert bench.history.next_undo.title == "Paint on frame 2"
    bench.undo()
    assert_same(shown(bench), before)


def test_labels_that_were_removed_and_come_back_go_on(bench):
    bench.new_object()
    click(bench, 0, (16, 14))
    bench.propagate()
    ran = shown(bench)
    paint(bench, 2, 5, 50, 1)
    painted, layer = shown(bench), bench.labels
    bench.viewer.layers.remove(layer)
    # A script may write meanwhile.
    layer.data[3, 60, 60] = 1
    bench.viewer.layers.append(layer)
    bench.wait()
    assert bench.labels is layer
    assert [one.number for one in bench.controller.state.targets.values()] == [1]
    layer.data[3, 60, 60] = 0
    assert_same(shown(bench), painted)
    bench.undo()
    assert_same(shown(bench), ran)
    paint(bench, 2, 5, 50, 1)
    assert_same(shown(bench), painted)


def test_a_layer_of_points_that_is_removed_comes_back_with_undo(bench):
    bench.new_object()
    click(bench, 0, (16, 14))
    bench.propagate()
    before = shown(bench)
    bench.rename_object(1, "cell")
    bench.wait()
    bench.viewer.layers.remove(bench.points_layer)
    bench.wait()
    assert bench.history.next_undo.title == "Rename 'object 1' to 'cell'"
    bench.undo()
    bench.read()
    assert_same(shown(bench), before)


def test_looking_along_another_axis_is_no_action(bench):
    movie = bench.movie.layer
    bench.new_object()
    click(bench, 0, (16, 14))
    bench.propagate()
    bench.wait()
    paint(bench, 2, 5, 50, 1)
    titles = [step.title for step in bench.history.done]
    bench.controller.stop_embedding()
    bench.choose_movie(movie, 1)
    bench.choose_movie(movie, 0)
    assert [step.title for step in bench.history.done] == titles


def test_labels_of_before_do_not_cover_those_of_a_project(bench, tmp_path):
    bench.new_object()
    click(bench, 0, (16, 14))
    bench.propagate()
    before = shown(bench)
    bench.save_project_as(tmp_path / "copy.samproject")
    old = bench.labels
    bench.resume(tmp_path / "copy.samproject")
    assert_same(shown(bench), before)
    assert bench.labels is not old
    assert bench.labels.visible
    assert not old.visible


def test_a_project_that_is_open_here_is_not_opened_again(bench):
    told = []
    bench.informed.connect(told.append)
    bench.new_object()
    bench.wait()
    path = bench.controller.state.project.path
    bench.resume(path)
    bench.wait()
    assert told == [f"{path.name} is open here already."]


def test_the_window_lives_during_a_long_undo(bench, monkeypatch):
    monkeypatch.setattr("napari_sam_decoder.widgets.controller.BREATH_S", 0)
    bench.new_object()
    click(bench, 0, (16, 14))
    before = shown(bench)
    bench.propagate()
    after = shown(bench)
    seen = []
    beat = QTimer()
    beat.timeout.connect(lambda: seen.append(bench.controller.state.outcome))
    beat.timeout.connect(bench.read)
    beat.start(0)
    bench.undo()
    assert "Undoing…" in seen
    beat.stop()
    assert_same(shown(bench), before)
    bench.redo()
    assert_same(shown(bench), after)


def test_a_run_of_many_objects_has_a_short_title(bench):
    for _ in range(6):
        bench.new_object()
        click(bench, 0, (16, 14), object_id=bench.objects.current_id)
    bench.propagate()
    bench.wait()
    assert bench.history.next_undo.title == "Run of 6 objects"


def test_a_stroke_on_labels_is_told_of_and_what_was_undone_is_not(bench):
    bench.new_object()
    click(bench, 0, (16, 14))
    bench.propagate()
    bench.wait()
    bench.undo()
    bench.redo()
    assert describe(bench).startswith("Redone")
    told = []
    bench.changed.connect(lambda: told.append(True))
    paint(bench, 0, 5, 50, 1)
    assert told
    assert bench.history.next_undo.title == "Paint on frame 0"
    assert "Redone" not in describe(bench)


def test_a_run_that_ends_with_an_undo_is_told(bench, sam):
    bench.new_object()
    bench.add_points((0, *SPOT))
    bench.wait()
    bench.stop_embedding()
    sam.gate = threading.Semaphore(0)
    bench.propagate()
    assert wait_until(lambda: bench.controller.run is not None, 20)
    bench.lock_object(bench.new_object().object_id)
    assert bench.controller.state.outcome == ""
    bench.undo()
    sam.gate.release(100)
    outcome = bench.controller.state.outcome
    assert outcome.startswith("Stopped; done so far: ")
    assert ". Undone: Lock " in outcome
