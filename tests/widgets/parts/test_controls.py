from __future__ import annotations

import pytest

pytest.importorskip("qtpy.QtCore", exc_type=ImportError)

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QLabel, QLineEdit, QWidget

from napari_sam_decoder.widgets.parts.controls import (
    button,
    narrow,
    row,
    steady_row,
)

pytestmark = pytest.mark.gui


def test_a_button_calls_without_arguments(shown, qtbot):
    called = []
    made = shown(button("Go", "Go there (Alt+G)", lambda: called.append(True)))
    qtbot.mouseClick(made, Qt.MouseButton.LeftButton)
    assert called == [True]
    assert (made.text(), made.toolTip()) == ("Go", "Go there (Alt+G)")


def test_the_space_bar_goes_on_panning_after_a_click(shown, qtbot):
    """A click on a button must not take the keys from the canvas."""
    window = QWidget()
    keys, made = QLineEdit(), button("Go", "", lambda: None)
    window.setLayout(row(keys, made))
    shown(window)
    keys.setFocus()
    qtbot.mouseClick(made, Qt.MouseButton.LeftButton)
    assert window.focusWidget() is keys


def test_narrow_widgets_leave_the_room_to_the_others(shown):
    window = QWidget()
    wide, other, label = QLineEdit(), QLineEdit(), narrow(QLabel("Frames"))
    window.setLayout(row(label, wide, other))
    shown(window)
    window.resize(600, 50)
    assert label.width() == label.sizeHint().width()
    assert wide.width() > 200
    assert abs(wide.width() - other.width()) <= 1


def test_a_steady_row_is_high_enough_for_the_style_of_its_window(shown):
    window = QWidget()
    window.setStyleSheet("QPushButton { padding: 20px }")
    made, hidden = (button(text, "", lambda: None) for text in ("Go", "Stop"))
    hidden.hide()
    steady = steady_row(made, hidden)
    window.setLayout(row(steady))
    shown(window)
    before = steady.height()
    assert before >= made.sizeHint().height() > 40
    made.hide()
    assert steady.height() == before
