from __future__ import annotations

import pytest

pytest.importorskip("qtpy")
pytestmark = pytest.mark.gui

from hand import press_key  # noqa: E402
from qtpy.QtCore import QEvent, Qt  # noqa: E402
from qtpy.QtWidgets import (  # noqa: E402
    QApplication,
    QDockWidget,
    QLineEdit,
    QMainWindow,
    QWidget,
)

from napari_sam_decoder.widgets import window_keys  # noqa: E402
from napari_sam_decoder.widgets.window_keys import WindowKeys  # noqa: E402


class Window:
    """With something in the middle, a field of text in a dock, and a menu."""

    def __init__(self, qtbot):
        self.called = []
        self.bot = qtbot
        self.window = QMainWindow()
        qtbot.addWidget(self.window)
        self.middle = QLineEdit()
        self.window.setCentralWidget(self.middle)
        self.dock = QDockWidget(self.window)
        self.field = QLineEdit(self.dock)
        self.dock.setWidget(self.field)
        self.window.addDockWidget(Qt.DockWidgetArea.RightDockWidgetArea, self.dock)
        self.menu = self.window.menuBar().addMenu("File")
        self.window.show()
        self.keys = WindowKeys(self.window, self.called.append)
        self.keys.watch(self.field)

    def add_to_menu(self, key):
        action = self.menu.addAction("Save")
        action.setShortcut(key)
        action.triggered.connect(lambda: self.called.append("menu"))
        return action

    def listen(self, *keys):
        self.keys.use({key: key for key in keys})

    def press(self, field: QWidget, key, modifier=Qt.KeyboardModifier.AltModifier):
        field.window().activateWindow()
        field.setFocus()
        press_key(field, key, modifier)
        # What was hidden from menus is shown again.
        QApplication.processEvents()
        called = [*self.called]
        self.called.clear()
        return called


@pytest.fixture
def window(qtbot):
    return Window(qtbot)


@pytest.mark.parametrize("is_floating", [False, True])
def test_a_key_is_the_docks_and_not_the_menus_nor_typed(window, is_floating):
    action = window.add_to_menu("Alt+S")
    window.listen("Alt+S", "Alt+.")
    window.dock.setFloating(is_floating)
    for _ in range(2):
        assert window.press(window.field, Qt.Key.Key_S) == ["Alt+S"]
        assert window.press(window.field, Qt.Key.Key_Period) == ["Alt+."]
    assert window.field.text() == ""
    assert action.shortcut().toString() == "Alt+S", "the menu still shows it"


def test_outside_the_dock_a_key_does_the_same(window):
    window.add_to_menu("Alt+S")
    window.listen("Alt+S")
    assert window.press(window.middle, Qt.Key.Key_S) == ["Alt+S"]
    assert window.middle.text() == ""


@pytest.mark.parametrize("key", ["S", "Shift+S"])
def test_a_plain_key_is_typed_where_one_can_type(window, key):
    none, shift = Qt.KeyboardModifier.NoModifier, Qt.KeyboardModifier.ShiftModifier
    modifier = shift if key.startswith("Shift") else none
    window.add_to_menu(key)
    window.listen(key)
    assert window.press(window.field, Qt.Key.Key_S, modifier) == []
    assert window.field.text().lower() == "s"
    assert window.press(window.window, Qt.Key.Key_S, modifier) == [key]


def test_other_keys_take_the_place_of_those_before(window):
    window.listen("Alt+S", "Alt+N")
    window.listen("Alt+R", "")
    assert window.press(window.field, Qt.Key.Key_S) == []
    assert window.press(window.field, Qt.Key.Key_R) == ["Alt+R"]


def test_menus_are_searched_for_keys_only_where_one_may_be_pressed(window, monkeypatch):
    searched = []
    monkeypatch.setattr(
        window_keys, "_actions_with", lambda *_: searched.append(True) or {}
    )
    window.listen("Alt+S")
    window.press(window.field, Qt.Key.Key_S, Qt.KeyboardModifier.NoModifier)
    window.press(window.window, Qt.Key.Key_F5, Qt.KeyboardModifier.NoModifier)
    assert not searched
    window.press(window.field, Qt.Key.Key_S)
    assert searched


def test_an_event_that_is_not_known_for_a_key_may_be_one(window, monkeypatch):
    searched = []
    monkeypatch.setattr(
        window_keys, "_actions_with", lambda *_: searched.append(True) or {}
    )
    window.listen("Alt+S")
    # PyQt passes a key event as this if another event lay at the same place.
    QApplication.sendEvent(window.window, QEvent(QEvent.Type.ShortcutOverride))
    assert searched


def test_other_keys_are_left_to_menus(window):
    window.add_to_menu("Alt+Y")
    window.add_to_menu("Ctrl+J")
    window.listen("Alt+S")
    assert window.press(window.field, Qt.Key.Key_Y) == ["menu"]
    control = Qt.KeyboardModifier.ControlModifier
    assert window.press(window.middle, Qt.Key.Key_J, control) == ["menu"]


def test_menus_have_the_key_once_the_docks_are_closed_and_in_other_windows(
    window, qtbot
):
    action = window.add_to_menu("Alt+S")
    window.listen("Alt+S")
    other = Window(qtbot)
    # napari's menus of all windows share their actions.
    other.menu.addAction(action)
    assert window.press(other.middle, Qt.Key.Key_S) == ["menu"]
    assert window.press(window.field, Qt.Key.Key_S) == ["Alt+S"]
    window.keys.close()
    assert window.press(window.middle, Qt.Key.Key_S) == ["menu"]
