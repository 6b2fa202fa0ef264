from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("qtpy.QtCore", exc_type=ImportError)

from choosing import choose, texts
from napari.layers import Image
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QLabel, QLineEdit, QWidget

from napari_sam_decoder.widgets.parts.controls import LayerBox, button, narrow, row

pytestmark = pytest.mark.gui


@pytest.fixture
def box(shown):
    return shown(LayerBox("none"))


@pytest.fixture
def layers():
    return [Image(np.zeros((2, 2)), name=name) for name in ("first", "second")]


def test_layers_are_listed_by_name_after_none(box, layers):
    assert texts(box) == ["none"]
    box.show_layers(layers, layers[1])
    assert texts(box) == ["none", "first", "second"]
    assert box.currentText() == "second"


@pytest.mark.parametrize("current", [None, Image(np.zeros((2, 2)))])
def test_without_a_choice_none_is_shown(box, layers, current):
    box.show_layers(layers, layers[1])
    box.show_layers(layers, current)
    assert box.currentText() == "none"


def test_a_choice_is_told_as_a_layer(box, layers, heard):
    box.show_layers(layers, None)
    chosen = heard(box.chosen)
    choose(box, "first")
    choose(box, "second")
    assert chosen == layers
    choose(box, "first")
    choose(box, "none")
    assert chosen[2:] == [layers[0], None]


def test_showing_is_not_choosing(box, layers, heard):
    chosen = heard(box.chosen)
    box.show_layers(layers, layers[1])
    box.show_layers(layers[1:], layers[1])
    box.show_layers((), None)
    assert chosen == []


def test_another_order_or_name_is_shown(box, layers):
    box.show_layers(layers, layers[0])
    layers[0].name = "renamed"
    box.show_layers(layers[::-1], layers[0])
    assert texts(box) == ["none", "second", "renamed"]
    assert box.currentText() == "renamed"


def test_a_long_name_does_not_widen_the_dock(box):
    before = box.sizeHint().width()
    box.show_layers([Image(np.zeros((2, 2)), name="long " * 50)], None)
    assert box.sizeHint().width() == before


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
