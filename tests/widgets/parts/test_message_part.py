from __future__ import annotations

import pytest

pytest.importorskip("qtpy.QtCore", exc_type=ImportError)

from made_up import show_movie
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_sam_decoder.widgets.parts import MessagePart

pytestmark = pytest.mark.gui

LONG = "The labels of this object are locked, and nothing is written to them. " * 4


@pytest.fixture
def part(shown):
    dock = QWidget()
    part = MessagePart(dock)
    layout = QVBoxLayout(dock)
    layout.addWidget(part)
    layout.addStretch()
    dock.resize(300, 500)
    shown(dock)
    return part


def drawn(lines):
    """What a person sees of a text."""
    return super(type(lines), lines)._elidedText()


def test_the_message_and_the_notices_are_shown(part, bench, monkeypatch):
    show_movie(bench)
    monkeypatch.setattr(type(bench), "notices", ("one", "two"))
    part.show_state(bench)
    assert part.message.text().startswith("Press 'New object'")
    assert part.notices.text() == "⚠ one   two"
    assert part.notices.toolTip() == "one\ntwo"


def test_no_text_changes_the_height_and_all_of_it_is_in_the_tooltip(part, qtbot):
    part.message.setText("Short.")
    qtbot.wait(20)
    before = part.height(), part.message.height()
    part.message.setText(LONG)
    qtbot.wait(20)
    assert (part.height(), part.message.height()) == before
    assert drawn(part.message).endswith("…")
    assert part.message.toolTip() == LONG


def test_a_click_on_the_message_shows_it_whole(part, bench, qtbot, monkeypatch):
    show_movie(bench)
    monkeypatch.setattr(type(bench), "notices", ("one", "two"))
    part.show_state(bench)
    qtbot.mouseClick(part.message, Qt.MouseButton.LeftButton)
    assert part.whole.isVisible()
    assert part.whole.text() == f"{part.message.text()}\n⚠ one\n⚠ two"
    qtbot.mouseClick(part.close_button, Qt.MouseButton.LeftButton)
    assert not part.whole.isVisible()


@pytest.mark.parametrize("width", [200, 400])
def test_an_error_is_shown_whole_at_any_width(part, width, qtbot):
    part.show_error(LONG)
    part.parentWidget().resize(width, 500)
    qtbot.wait(20)
    assert part.whole.isVisible()
    assert part.whole.height() >= part.whole.heightForWidth(part.whole.width())
    assert part.whole.mapTo(part.parentWidget(), part.whole.rect().topRight()).x() < (
        width
    )


def test_an_error_stays_until_something_else_is_done(part, bench):
    show_movie(bench)
    part.show_state(bench)
    part.show_error("no")
    part.show_state(bench)
    assert part.whole.isVisible()
    bench.new_object()
    part.show_state(bench)
    assert not part.whole.isVisible()


def test_an_error_stays_where_it_tells_of_what_was_not_shown_yet(part, bench):
    show_movie(bench)
    part.show_state(bench)
    bench.new_object()
    part.show_error(LONG)
    part.show_state(bench)
    assert part.whole.isVisible()
    bench.new_object()
    part.show_state(bench)
    assert not part.whole.isVisible()
