"""Strokes on real Labels layers: each is one step, and napari's history stays empty."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("napari.layers")

from made_up import SHAPE, result_on, target_of, view_of
from napari.layers import Labels

from napari_sam_decoder.project import CORRECTION
from napari_sam_decoder.prompts import Prompt
from napari_sam_decoder.widgets.layers import StrokeListener, new_labels_layer


class Ears:
    """Notes what a listener tells."""

    def __init__(self, layer):
        self.strokes, self.calls = [], []
        self.listener = StrokeListener(
            layer,
            lambda atoms, unwritten: self.strokes.append((len(atoms), len(unwritten))),
            lambda: self.calls.append("undo"),
            lambda: self.calls.append("redo"),
        )


@pytest.fixture
def layer():
    layer = Labels(np.zeros(SHAPE, np.uint16), name="labels")
    layer.brush_size = 3
    return layer


def is_empty(layer):
    return not (layer._undo_history or layer._redo_history)


def test_undo_and_redo_of_the_layer_are_ours_and_its_history_stays_empty(layer):
    ears = Ears(layer)
    layer.paint((1, 5, 5), 9)
    with layer.block_history():
        layer.paint((1, 5, 5), 8)
        layer.paint((1, 5, 6), 8)
    assert [count for count, _ in ears.strokes] == [1, 2]
    assert ears.strokes[1] == (2, 0), "what was collected is written"
    layer.undo()
    layer.redo()
    assert ears.calls == ["undo", "redo"]
    assert is_empty(layer)
    assert layer.data[1, 5, 5] == 8


def test_so_it_is_with_other_data(layer):
    ears = Ears(layer)
    layer.data = np.ones(SHAPE, np.uint16)
    layer.paint((1, 5, 5), 9)
    layer.editable = False
    layer.editable = True
    layer.paint((1, 5, 5), 7)
    layer.undo()
    assert is_empty(layer)
    assert (len(ears.strokes), ears.calls) == (2, ["undo"])


def test_in_the_end_the_layer_has_its_own_history_again(layer):
    ears = Ears(layer)
    ears.listener.close()
    layer.paint((1, 5, 5), 9)
    assert ears.strokes == []
    assert not is_empty(layer)
    layer.undo()
    assert not layer.data.any()
    layer.redo()
    assert layer.data.any()
    assert ears.calls == []


def test_a_second_listener_may_follow_the_first(layer):
    first = Ears(layer)
    first.listener.close()
    second = Ears(layer)
    layer.paint((1, 5, 5), 9)
    layer.undo()
    assert (first.calls, second.calls) == ([], ["undo"])
    second.listener.close()
    assert "undo" not in vars(layer)
    assert layer._undo_history.maxlen == Labels._history_limit


@pytest.fixture
def target():
    view = view_of()
    layer = new_labels_layer(view, "labels")
    layer.brush_size = 5
    return target_of(layer, view, is_own=True)


def brush(layer):
    layer.paint((1, 5, 5), 9)


def thick_brush(layer):
    layer.n_edit_dimensions = 3
    layer.paint((2, 5, 5), 9)


def eraser(layer):
    layer.paint((1, 2, 2), 0)


def fill(layer):
    layer.fill((1, 2, 2), 9)


def fill_everywhere(layer):
    layer.n_edit_dimensions = 3
    layer.contiguous = False
    layer.fill((1, 2, 2), 9)


def polygon(layer):
    layer.paint_polygon([[1, 2, 2], [1, 2, 8], [1, 8, 8]], 9)


def arrays(layer):
    layer.data_setitem(tuple(map(np.array, ([1, 2], [5, 6], [5, 5]))), 9)


def arrays_of_labels(layer):
    places = tuple(map(np.array, ([1, 2], [5, 6], [5, 5])))
    layer.data_setitem(places, np.array([8, 9], np.uint16))


def drag(layer):
    with layer.block_history():
        layer.paint((1, 5, 5), 9)
        layer.paint((1, 5, 9), 9)
        layer.paint((1, 5, 9), 0)


STROKES = (
    brush,
    thick_brush,
    eraser,
    fill,
    fill_everywhere,
    polygon,
    arrays,
    arrays_of_labels,
    drag,
)


def tables(target):
    document = target.history.document
    found = {(one.name, one.scope): dict(one) for one in document.tables}
    return {name: entries for name, entries in found.items() if entries}


@pytest.mark.parametrize("stroke", STROKES)
def test_every_stroke_is_one_step_that_is_undone_and_redone(target, stroke):
    layer, history = target.layer, target.history
    for frame in range(SHAPE[0]):
        with history.step("Run", "run"):
            target.write(target.view, result_on(frame), {1}, replace=False)
    before, before_tables = layer.data.copy(), tables(target)
    stroke(layer)
    after, after_tables = layer.data.copy(), tables(target)
    assert (after != before).any()
    assert len(history.done) == SHAPE[0] + 1
    assert history.done[-1].kind == "paint"
    for _ in range(2):
        layer.undo()
        np.testing.assert_array_equal(layer.data, before)
        assert tables(target) == before_tables
        layer.redo()
        np.testing.assert_array_equal(layer.data, after)
        assert tables(target) == after_tables
    assert is_empty(layer)
    while history.done:
        layer.undo()
    assert not layer.data.any()


def test_a_click_that_paints_nothing_new_is_no_step(target):
    target.layer.paint((1, 5, 5), 0)
    assert target.history.done == ()


class Mouse:
    """Holds the button while it paints, as napari's modes do."""

    def __init__(self, layer):
        self._layer = layer
        self._block = layer.block_history()

    def press(self, *coordinates, label=9):
        self._block.__enter__()
        self.move(*coordinates, label=label)

    def move(self, *coordinates, label=9):
        self._layer.paint(coordinates, label)

    def release(self):
        self._block.__exit__(None, None, None)


def write(target, frame, label, *, replace):
    target.sync(target.view, [frame])
    with target.history.step("Run", "run"):
        result = result_on(frame, label)
        target.write(target.view, result, {label}, replace=replace)


@pytest.mark.parametrize("replace", [False, True])
def test_a_run_writes_the_frame_while_the_button_is_held(target, replace):
    layer, history = target.layer, target.history
    mouse = Mouse(layer)
    mouse.press(1, 5, 5)
    is_drawn = layer.data[1] == 9
    for label in (1, 2):
        write(target, 1, label, replace=replace)
        assert (layer.data[1][is_drawn] == (label if replace else 9)).all()
    mouse.move(1, 5, 11)
    mouse.release()
    after = layer.data.copy()
    assert (after[1] == 9).any()
    assert [one.kind for one in history.done] == (
        ["run", "run", "paint"] if replace else ["run", "paint"]
    )
    layer.undo()
    assert not (layer.data == 9).any()
    is_blank = layer.data[1] == 0
    np.testing.assert_array_equal(is_blank, is_drawn & (not replace))
    while history.done:
        layer.undo()
    assert not layer.data.any()
    while history.undone:
        layer.redo()
    np.testing.assert_array_equal(layer.data, after)


def test_what_a_stroke_is_not_done_with_is_no_change_of_a_script(target):
    mouse = Mouse(target.layer)
    mouse.press(1, 5, 5)
    target.sync(target.view, range(SHAPE[0]))
    assert target.history.done == ()
    mouse.release()
    assert [one.title for one in target.history.done] == ["Paint on frame 1"]


def test_other_data_of_the_same_shape_are_a_change_like_any_other(target):
    write(target, 1, 1, replace=False)
    other = np.zeros(SHAPE, np.uint16)
    other[1, :3], other[2] = 1, 5
    target.layer.data = other.copy()
    target.sync(target.view, range(SHAPE[0]))
    assert target.history.done[-1].title == "Labels changed by a script"
    target.layer.undo()
    assert (target.layer.data[1] == 1).all()
    assert not target.layer.data[2].any()
    target.layer.redo()
    np.testing.assert_array_equal(target.layer.data, other)


@pytest.mark.parametrize("frame", [1, 2])
def test_a_cut_along_another_axis_leaves_no_silent_change_behind(target, frame):
    """Not on a plane either that is blank and that nobody has come to yet."""
    write(target, 1, 1, replace=False)
    target.layer.data[frame, 3, 3] = 7
    target.freeze_axes(view_of(axis=1))
    assert [one.kind for one in target.history.done] == ["run", "paint"]
    target.layer.undo()
    assert (target.layer.data[1] == 1).all()
    assert not target.layer.data[2].any()


@pytest.fixture
def turned():
    """Labels that a script has changed before the movie is cut into fewer frames."""
    view = view_of(axis=1)
    target = target_of(new_labels_layer(view, "labels"), view, is_own=True)
    result = result_on(10, shape=view.frame_shape)
    target.sync(view, [10])
    with target.history.step("Run", "run"):
        target.write(view, result, {1}, replace=False)
    target.layer.data[:, 11] = 7
    target.view = view_of(axis=0)
    return target


def test_planes_of_another_cut_are_no_frames_when_the_labels_are_turned(turned):
    turned.sync(turned.view, [2])
    assert turned.history.done[-1].title == "Labels changed by a script"
    turned.layer.undo()
    assert not turned.layer.data[:, 11].any()


def test_planes_of_another_cut_are_no_frames_before_undo(turned):
    turned.layer.data[:, 10, 0] = 7
    turned.sync_before(turned.history.last_group)
    turned.layer.undo()
    assert (turned.layer.data[:, 10] == 1).all()


def test_planes_of_another_cut_are_no_frames_when_a_correction_is_taken_back():
    view = view_of(axis=1)
    target = target_of(new_labels_layer(view, "labels"), view, is_own=True)
    click = Prompt(1, 10, points=[(1, 1)])
    target.prompt_log.adopt([1], range(SHAPE[1]))
    with target.history.step("Correction", CORRECTION):
        target.write(view, result_on(10, shape=view.frame_shape), {1}, replace=False)
        target.prompt_log.note_correction([click])
    target.view = view_of(axis=0)
    assert target.reconcile(view, ()) == 1
    assert not target.layer.data.any()
