"""Brush and eraser on the preview of a real window, with a real mouse."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("qtpy.QtCore", exc_type=ImportError)
pytestmark = pytest.mark.gui

from hand import ALT, LEFT, Hand  # noqa: E402
from qtpy.QtCore import Qt  # noqa: E402
from qtpy.QtTest import QTest  # noqa: E402
from stage import squares  # noqa: E402

from napari_sam_decoder.errors import PromptError  # noqa: E402
from napari_sam_decoder.widgets.layers import NEGATIVE_VALUE, POSITIVE_VALUE  # noqa: E402
from napari_sam_decoder.widgets.tools import Tool  # noqa: E402

PLUGIN, WIDGET = "napari-sam-decoder", "Segment through a movie"
FIRST, SECOND = (16, 15), (45, 46)
"""Inside the two squares on the first frame."""
STROKE = [(14, 10), (14, 14), (14, 18)]
BELOW = [(30, 10), (30, 14), (30, 18)]


@pytest.fixture
def movie():
    return squares(6)


@pytest.fixture
def viewer(make_napari_viewer, sam, movie):
    viewer = make_napari_viewer(show=True)
    viewer.window._qt_window.resize(1300, 800)
    viewer.add_image(movie[0], name="squares")
    viewer.dims.set_point(0, 0)
    return viewer


@pytest.fixture
def dock(viewer):
    _, dock = viewer.window.add_plugin_dock_widget(PLUGIN, WIDGET)
    viewer.reset_view()
    return dock


@pytest.fixture
def bench(dock):
    return dock.workbench


@pytest.fixture
def hand(viewer):
    return Hand(viewer)


def preview(viewer):
    return viewer.layers["SAM preview"]


def shown(viewer):
    return np.squeeze(preview(viewer).data)


def covered(row):
    return row.pixels.to_array()


def test_a_stroke_of_the_brush_is_one_scribble(dock, bench, hand, viewer):
    hand.press(Qt.Key.Key_N)
    QTest.mouseClick(dock._frame.tools[Tool.SCRIBBLE], LEFT)
    assert bench.tool is Tool.SCRIBBLE
    assert viewer.layers.selection.active is preview(viewer)
    hand.draw(STROKE)
    bench.wait()
    (row,) = bench.objects.scribbles
    assert (row.object_id, row.is_positive, row.after) == (1, True, 0)
    assert (row.sliced, row.place) == ((0,), (0,))
    assert all(covered(row)[place] for place in STROKE)
    assert covered(row).sum() < 60
    assert bench.history.done[-1].title == "Add a scribble"
    assert [prompt.is_positive for prompt in bench.objects.reading.prompts] == [True]
    assert (shown(viewer)[covered(row)] == POSITIVE_VALUE).all()


def test_a_scribble_alone_is_carried_through_the_movie(bench, hand, movie):
    hand.press(Qt.Key.Key_N)
    hand.press(Qt.Key.Key_S)
    hand.draw(STROKE)
    hand.press(Qt.Key.Key_B)
    bench.wait()
    np.testing.assert_array_equal(bench.labels.data[1:] == 1, movie[1][1:] == 1)


def test_erasing_is_a_negative_scribble_and_comes_after_points(bench, hand, viewer):
    hand.press(Qt.Key.Key_N)
    hand.click(*FIRST)
    hand.press(Qt.Key.Key_E)
    assert bench.tool is Tool.ERASER
    hand.draw(BELOW)
    bench.wait()
    (row,) = bench.objects.scribbles
    assert (row.is_positive, row.after) == (False, 1)
    assert all(covered(row)[place] for place in BELOW)
    assert (shown(viewer)[covered(row)] == NEGATIVE_VALUE).all()
    (scribble,) = bench.current_prompt.scribbles
    assert scribble == row.scribble


def test_the_eraser_of_napari_takes_from_the_preview(bench, hand, viewer):
    hand.press(Qt.Key.Key_N)
    hand.click(*FIRST)
    bench.wait()
    before = shown(viewer) == 1
    layer = preview(viewer)
    viewer.layers.selection.active = layer
    layer.mode, layer.brush_size = "erase", 3
    hand.draw([(14, 4), (14, 14)])
    bench.wait()
    (row,) = bench.objects.scribbles
    assert not row.is_positive
    assert covered(row).any()
    assert not (covered(row) & ~before).any(), "only what was there"


def test_alt_x_turns_the_brush_round(bench, hand, dock, qtbot):
    hand.press(Qt.Key.Key_N)
    hand.press(Qt.Key.Key_S)
    for tool in (Tool.ERASER, Tool.SCRIBBLE):
        hand.press(Qt.Key.Key_X)
        assert bench.tool is tool
        qtbot.waitUntil(dock._frame.tools[tool].isChecked)


def test_undo_takes_back_a_stroke_at_a_time(bench, hand, viewer):
    hand.press(Qt.Key.Key_N)
    hand.press(Qt.Key.Key_S)
    hand.draw(STROKE)
    hand.draw(BELOW)
    bench.wait()
    assert len(bench.objects.scribbles) == 2
    for left in (1, 0):
        hand.press(Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
        bench.wait()
        assert len(bench.objects.scribbles) == left
        marked = shown(viewer) == POSITIVE_VALUE
        assert marked[30, 14] == (left == 2)
        assert marked[14, 14] == (left >= 1)
    bench.redo()
    bench.wait()
    assert len(bench.objects.scribbles) == 1
    assert shown(viewer)[14, 14] == POSITIVE_VALUE


def test_without_an_object_nothing_is_kept(bench, hand, viewer):
    hand.press(Qt.Key.Key_N)
    hand.click(*FIRST)
    bench.wait()
    bench.delete_object(1)
    bench.wait()
    told = []
    bench.failed.connect(told.append)
    layer = preview(viewer)
    viewer.layers.selection.active = layer
    layer.mode = "paint"
    hand.draw(STROKE)
    bench.wait()
    assert bench.objects.scribbles == ()
    assert "press 'New object' first" in str(told[0])
    assert not shown(viewer).any()


def test_the_brush_goes_with_the_slider(bench, hand, viewer):
    """Where nothing is shown yet as well."""
    hand.press(Qt.Key.Key_N)
    hand.press(Qt.Key.Key_S)
    hand.draw(STROKE)
    bench.wait()
    viewer.dims.set_point(0, 3)
    bench.wait()
    assert not shown(viewer).any()
    hand.draw(BELOW)
    bench.wait()
    assert [row.place for row in bench.objects.scribbles] == [(0,), (3,)]
    viewer.dims.set_point(0, 0)
    bench.wait()
    assert shown(viewer)[14, 14] == POSITIVE_VALUE


def test_each_object_has_its_scribbles(bench, hand, viewer):
    hand.press(Qt.Key.Key_N)
    hand.press(Qt.Key.Key_S)
    hand.draw(STROKE)
    bench.wait()
    hand.press(Qt.Key.Key_N)
    assert bench.tool is Tool.POSITIVE
    hand.press(Qt.Key.Key_S)
    assert shown(viewer)[14, 14] != POSITIVE_VALUE
    hand.draw([(45, 44), (45, 48)])
    bench.wait()
    assert [row.object_id for row in bench.objects.scribbles] == [1, 2]
    hand.click(*FIRST, ALT)
    assert bench.objects.current_id == 1
    assert bench.tool is Tool.SCRIBBLE, "the tool stays"
    assert shown(viewer)[14, 14] == POSITIVE_VALUE
    assert len(bench.objects.scribbles) == 2


def test_an_object_takes_its_scribbles_along(bench, hand):
    for path in (STROKE, [(45, 44), (45, 48)]):
        hand.press(Qt.Key.Key_N)
        hand.press(Qt.Key.Key_S)
        hand.draw(path)
        bench.wait()
    bench.merge_objects(1, 2)
    bench.wait()
    assert {row.object_id for row in bench.objects.scribbles} == {2}
    bench.delete_object(2)
    bench.wait()
    assert bench.objects.scribbles == ()
    bench.undo()
    bench.wait()
    assert len(bench.objects.scribbles) == 2


def test_a_scribble_after_a_run_corrects_its_frame_and_no_other_object(bench, hand):
    for place in (FIRST, SECOND):
        hand.press(Qt.Key.Key_N)
        hand.click(*place)
    bench.propagate()
    bench.wait()
    before = bench.labels.data.copy()
    bench.select_object(1)
    bench.viewer.dims.set_point(0, 3)
    hand.press(Qt.Key.Key_S)
    hand.draw([(20, 14), (32, 14)])
    bench.wait()
    after = bench.labels.data
    assert (after[3][covered(bench.objects.scribbles[0])] == 1).all()
    np.testing.assert_array_equal(after == 2, before == 2)
    bench.undo()
    bench.wait()
    np.testing.assert_array_equal(bench.labels.data, before)


def test_painting_a_label_by_hand_fixes_that_object_only(bench, hand, viewer):
    for place in (FIRST, SECOND):
        hand.press(Qt.Key.Key_N)
        hand.click(*place)
    bench.propagate()
    bench.wait()
    viewer.dims.set_point(0, 3)
    viewer.layers.selection.active = layer = bench.labels
    layer.mode, layer.selected_label, layer.brush_size = "paint", 1, 3
    hand.draw(BELOW)
    bench.wait()
    painted = layer.data[3] == 1
    assert painted[30, 14]
    bench.select_object(2)
    hand.press(Qt.Key.Key_S)
    hand.draw([(56, 40), (56, 44), (56, 48)])
    bench.wait()
    np.testing.assert_array_equal(layer.data[3] == 1, painted)
    assert (layer.data[3][covered(bench.objects.scribbles[0])] == 2).all()


def test_a_hypothesis_is_picked_for_a_scribble(bench, hand, dock, qtbot):
    hand.press(Qt.Key.Key_N)
    hand.press(Qt.Key.Key_S)
    hand.draw(STROKE)
    bench.wait()
    qtbot.waitUntil(dock._frame.offers[1].isEnabled)
    QTest.mouseClick(dock._frame.offers[1], LEFT)
    bench.wait()
    assert bench.current_prompt.hypothesis == 2
    assert bench.history.done[-1].title == "Pick mask 2"
    hand.press(Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert bench.current_prompt.hypothesis is None
    bench.viewer.dims.set_point(0, 3)
    with pytest.raises(PromptError, match="nothing shows 'object 1' on frame 3"):
        bench.choose_hypothesis(2)


def test_a_script_can_scribble(bench, hand, movie):
    hand.press(Qt.Key.Key_N)
    pixels = movie[1][2] == 1
    bench.add_scribble(2, pixels)
    bench.add_scribble(2, ~pixels, is_positive=False)
    bench.wait()
    assert [row.is_positive for row in bench.objects.scribbles] == [True, False]
    with pytest.raises(PromptError, match="there is no frame 6"):
        bench.add_scribble(6, pixels)
    with pytest.raises(PromptError, match=r"shape \(3, 4\) does not fit frames"):
        bench.add_scribble(2, np.ones((3, 4), bool))
    with pytest.raises(PromptError, match="no pixel"):
        bench.add_scribble(2, np.zeros_like(pixels))
