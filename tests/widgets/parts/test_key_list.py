"""The list of keys, in a window of its own beside the dock."""

from __future__ import annotations

import pytest

pytest.importorskip("qtpy.QtCore", exc_type=ImportError)

from hand import ALT, SHIFT, press_key
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QLabel
from stage import squares

from napari_sam_decoder.widgets.commands import COMMANDS, DEFAULT_KEYS
from napari_sam_decoder.widgets.preferences import keep_keys, read_keys
from napari_sam_decoder.widgets.tools import Tool

pytestmark = pytest.mark.gui

PLUGIN, WIDGET = "napari-sam-decoder", "Segment through a movie"
LEFT = Qt.MouseButton.LeftButton


@pytest.fixture
def open_dock(make_napari_viewer, sam):
    """Open a window with a dock and a movie, where an object is to be clicked."""

    def open_one():
        viewer = make_napari_viewer(show=True)
        viewer.add_image(squares(4)[0], name="squares")
        _, dock = viewer.window.add_plugin_dock_widget(PLUGIN, WIDGET)
        dock.workbench.new_object()
        return dock

    return open_one


@pytest.fixture
def dock(open_dock):
    dock = open_dock()
    QTest.mouseClick(dock._keys, LEFT)
    assert dock._key_list.isVisible()
    return dock


def canvas_of(dock):
    return dock.workbench.viewer.window._qt_viewer.canvas.native


def record(dock, name, key, modifier=ALT):
    """Click a key in the list, and press another one."""
    field = dock._key_list.fields[name]
    field.setFocus()
    press_key(field, key, modifier)


def shown(dock):
    fields = dock._key_list.fields.items()
    return {name: field.keySequence().toString() for name, field in fields}


def test_all_keys_are_listed(dock):
    assert shown(dock) == DEFAULT_KEYS
    texts = [label.text() for label in dock._key_list.findChildren(QLabel)]
    assert {command.title for command in COMMANDS} <= {*texts}
    assert {"Undo", "Redo"} <= {*texts}


def test_another_key_is_in_use_at_once_in_all_windows(dock, open_dock):
    second = open_dock()
    record(dock, "draw_lasso", Qt.Key.Key_Q, ALT | SHIFT)
    for one in (dock, second):
        bench = one.workbench
        press_key(canvas_of(one), Qt.Key.Key_A)
        assert bench.tool is Tool.POSITIVE, "the key before does nothing any more"
        press_key(canvas_of(one), Qt.Key.Key_Q, ALT | SHIFT)
        assert bench.tool is Tool.LASSO
        assert shown(one)["draw_lasso"] == "Alt+Shift+Q"
        assert "(Alt+Shift+Q)" in one._frame.tools[Tool.LASSO].toolTip()
    third = open_dock()
    if read_keys():
        # A napari that may write no file, and is old, keeps nothing.
        press_key(canvas_of(third), Qt.Key.Key_Q, ALT | SHIFT)
        assert third.workbench.tool is Tool.LASSO


def test_a_key_that_another_command_has_is_refused_by_name(dock):
    record(dock, "draw_lasso", Qt.Key.Key_R)
    assert "Alt+R is the key of 'Draw boxes'" in dock._key_list.trouble.text()
    assert shown(dock) == DEFAULT_KEYS
    press_key(canvas_of(dock), Qt.Key.Key_R)
    assert dock.workbench.tool is Tool.BOX
    record(dock, "draw_lasso", Qt.Key.Key_Q)
    assert dock._key_list.trouble.text() == ""


@pytest.mark.parametrize(
    ("key", "modifier", "named"),
    [
        (Qt.Key.Key_L, ALT, "'Layers'"),
        (Qt.Key.Key_R, Qt.KeyboardModifier.ControlModifier, "reset view"),
        (Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier, "Labels"),
    ],
)
def test_a_key_of_napari_is_refused_by_name(dock, key, modifier, named):
    record(dock, "draw_lasso", key, modifier)
    text = dock._key_list.trouble.text()
    assert named in text
    assert "choose another" in text
    assert shown(dock) == DEFAULT_KEYS


def test_a_command_gets_its_usual_key_again(dock):
    keys = dock._key_list
    assert not keys.resets["scribble"].isEnabled()
    assert not keys.reset_all.isEnabled()
    record(dock, "scribble", Qt.Key.Key_Q)
    QTest.mouseClick(keys.resets["scribble"], LEFT)
    assert shown(dock) == DEFAULT_KEYS, "although napari's menus have Alt+S"
    # Two commands trade their keys, which takes three changes.
    record(dock, "stop", Qt.Key.Key_Q)
    record(dock, "new_object", Qt.Key.Key_Period)
    record(dock, "stop", Qt.Key.Key_N)
    assert keys.trouble.text() == ""
    QTest.mouseClick(keys.reset_all, LEFT)
    assert keys.trouble.text() == ""
    assert shown(dock) == DEFAULT_KEYS


def test_a_tooltip_that_changes_names_the_key_in_use(dock):
    record(dock, "split_object", Qt.Key.Key_Q)
    dock.refresh()
    assert "(Alt+Q)" in dock._objects.split_button.toolTip()


def test_a_command_may_have_no_key(dock):
    field = dock._key_list.fields["draw_box"]
    field.clear()
    field.editingFinished.emit()
    press_key(canvas_of(dock), Qt.Key.Key_R)
    assert dock.workbench.tool is Tool.POSITIVE
    tip = dock._frame.tools[Tool.BOX].toolTip()
    assert tip == "The mouse draws a box around the object"


@pytest.mark.usefixtures("dock")
def test_a_key_in_naparis_preferences_is_in_use_at_once(dock):
    if not read_keys():
        pytest.skip("napari keeps preferences of plugins from 0.9 on")
    keep_keys(DEFAULT_KEYS | {"draw_box": "Alt+Shift+Q"})
    press_key(canvas_of(dock), Qt.Key.Key_Q, ALT | SHIFT)
    assert dock.workbench.tool is Tool.BOX
