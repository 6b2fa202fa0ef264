from __future__ import annotations

import pytest

pytest.importorskip("qtpy")
pytestmark = pytest.mark.gui

from qtpy.QtCore import Qt  # noqa: E402
from qtpy.QtWidgets import (  # noqa: E402
    QApplication,
    QDockWidget,
    QLineEdit,
    QMainWindow,
    QWidget,
)

from napari_sam_decoder.widgets.key_bindings import COMMAND  # noqa: E402
from napari_sam_decoder.widgets.window_keys import listen_to_keys  # noqa: E402


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

    def add_to_menu(self, key):
        action = self.menu.addAction("Save")
        action.setShortcut(key)
        action.triggered.connect(lambda: self.called.append("menu"))
        return action

    def listen(self, *keys):
        actions = {key: lambda key=key: self.called.append(key) for key in keys}
        listen_to_keys(self.field, self.window, actions)

    def press(self, field: QWidget, key, modifier=Qt.KeyboardModifier.AltModifier):
        field.window().activateWindow()
        self.bot.waitUntil(field.window().isActiveWindow)
        field.setFocus()
        self.bot.keyClick(field, key, modifier)
        # What was hidden from menus is shown again.
        QApplication.processEvents()
        called, self.called = self.called, []
        return called


@pytest.fixture
def window(qtbot):
    return Window(qtbot)


@pytest.mark.parametrize("is_floating", [False, True])
def test_a_key_is_the_docks_and_not_the_menus_nor_typed(window, is_floating):
    action = window.add_to_menu("Alt+S")
    window.listen("Alt-S", "Alt-.")
    window.dock.setFloating(is_floating)
    for _ in range(2):
        assert window.press(window.field, Qt.Key.Key_S) == ["Alt-S"]
        assert window.press(window.field, Qt.Key.Key_Period) == ["Alt-."]
    assert window.field.text() == ""
    assert action.shortcut().toString() == "Alt+S", "the menu still shows it"


def test_outside_the_dock_the_key_goes_where_the_focus_is(window, qtbot):
    window.add_to_menu("Alt+S")
    window.listen("Alt-S")
    with qtbot.waitSignal(window.middle.textEdited):
        assert window.press(window.middle, Qt.Key.Key_S) == []


def test_other_keys_are_left_to_menus(window):
    window.add_to_menu("Alt+Y")
    window.add_to_menu("Ctrl+J")
    window.listen("Alt-S", f"{COMMAND}-J")
    assert window.press(window.field, Qt.Key.Key_Y) == ["menu"]
    control = Qt.KeyboardModifier.ControlModifier
    assert window.press(window.middle, Qt.Key.Key_J, control) == ["menu"]


def test_menus_have_the_key_without_the_dock_and_in_other_windows(window, qtbot):
    action = window.add_to_menu("Alt+S")
    window.listen("Alt-S")
    other = Window(qtbot)
    # napari's menus of all windows share their actions.
    other.menu.addAction(action)
    assert window.press(other.middle, Qt.Key.Key_S) == ["menu"]
    assert window.press(window.field, Qt.Key.Key_S) == ["Alt-S"]
    window.dock.deleteLater()
    qtbot.waitUntil(lambda: not window.window.findChildren(QDockWidget))
    assert window.press(window.middle, Qt.Key.Key_S) == ["menu"]
