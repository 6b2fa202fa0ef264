from __future__ import annotations

from dataclasses import replace

import pytest

pytest.importorskip("qtpy.QtCore", exc_type=ImportError)

import numpy as np
from qtpy.QtCore import QSize, Qt
from qtpy.QtGui import QIcon
from qtpy.QtWidgets import QLineEdit

from napari_sam_decoder.widgets.colours import object_colour
from napari_sam_decoder.widgets.objects import ObjectSummary
from napari_sam_decoder.widgets.parts.object_table import (
    ABSENT,
    COLUMNS,
    DOUBTFUL,
    EYE,
    FRAMES,
    LOCK,
    NAME,
    PROMPTS,
    ObjectTable,
)

pytestmark = pytest.mark.gui

LEFT = Qt.MouseButton.LeftButton
ROWS = (
    ObjectSummary(1, "cell 10", (3, 0), range(20), 20, 4, 0),
    ObjectSummary(2, "cell 9", (), range(5, 6), 1, 0, 12, (("gives way", 2),)),
    ObjectSummary(5, "Anaphase", (7,), range(0), 0, 1, 3, (), True, 2, True),
)


@pytest.fixture
def table(shown):
    table = ObjectTable()
    table.resize(420, 200)
    table.show_objects(ROWS, 2)
    return shown(table)


@pytest.fixture
def renamed(table):
    renamed = []
    table.renamed.connect(lambda *news: renamed.append(news))
    return renamed


def texts(table, object_id):
    return [table.cell(object_id, place).data() for place in range(len(COLUMNS))]


def press_header(table, qtbot, column):
    header = table.header()
    place = header.viewport().rect().center()
    place.setX(header.sectionViewportPosition(column) + 5)
    qtbot.mouseClick(header.viewport(), LEFT, pos=place)


def double_click(table, qtbot, object_id, column):
    place = table.visualRect(table.cell(object_id, column)).center()
    qtbot.mouseClick(table.viewport(), LEFT, pos=place)
    qtbot.mouseDClick(table.viewport(), LEFT, pos=place)
    return table.findChildren(QLineEdit)


def type_name(table, qtbot, object_id, name):
    (editor,) = double_click(table, qtbot, object_id, NAME)
    editor.selectAll()
    qtbot.keyClicks(editor, name)
    with qtbot.waitSignal(table.itemDelegate().closeEditor):
        qtbot.keyClick(editor, Qt.Key.Key_Return)


def test_each_row_sums_an_object_up(table):
    assert texts(table, 1) == ["cell 10", "", "", "2", "0\N{EN DASH}19", "4", ""]
    assert texts(table, 2) == ["cell 9", "", "", "", "5", "", "12"]
    assert texts(table, 5) == ["Anaphase", "", "", "1", "", "1", "3"]


def test_each_object_has_its_colour(table):
    for object_id in table.ids:
        icon = table.cell(object_id).data(Qt.ItemDataRole.DecorationRole)
        for mode in (QIcon.Mode.Normal, QIcon.Mode.Selected):
            colour = icon.pixmap(QSize(14, 14), mode).toImage().pixelColor(5, 5)
            expected = object_colour(object_id)
            np.testing.assert_allclose(colour.getRgbF(), expected, atol=0.01)


def test_the_tooltip_tells_all(table):
    tip = table.cell(2, FRAMES).data(Qt.ItemDataRole.ToolTipRole)
    assert tip.split("\n") == [
        "cell 9 (label 2)",
        "Labels on 1 frame",
        "Absent on 12",
        "On 2 gives way",
    ]
    tip = table.cell(5).data(Qt.ItemDataRole.ToolTipRole)
    assert "Hidden in the viewer\nLocked\nDaughter of object 2\n" in tip
    assert "Prompts on frame 3, 0" in table.cell(1).data(Qt.ItemDataRole.ToolTipRole)


@pytest.mark.parametrize(
    ("column", "ascending"),
    [
        (NAME, (5, 2, 1)),
        (EYE, (1, 2, 5)),
        (LOCK, (1, 2, 5)),
        (PROMPTS, (2, 5, 1)),
        (FRAMES, (5, 1, 2)),
        (DOUBTFUL, (2, 5, 1)),
        (ABSENT, (1, 5, 2)),
    ],
)
def test_a_click_on_a_title_sorts(table, qtbot, column, ascending):
    press_header(table, qtbot, column)
    orders = {table.ids}
    press_header(table, qtbot, column)
    orders.add(table.ids)
    assert ascending in orders
    assert len(orders) == 2


def test_the_order_is_kept_while_counts_change(table):
    table.sortByColumn(DOUBTFUL, Qt.SortOrder.AscendingOrder)
    table.show_objects((replace(ROWS[0], doubtful=0), *ROWS[1:]), 2)
    assert table.ids[-1] == 5
    table.show_objects((*ROWS, ObjectSummary(6, "new", doubtful=99)), 2)
    assert table.ids[-1] == 6


def test_the_selection_follows_its_object(table):
    table.sortByColumn(DOUBTFUL, Qt.SortOrder.DescendingOrder)
    table.show_objects(ROWS[1:], 2)
    assert table.currentIndex() == table.cell(2)
    table.show_objects(ROWS, 5)
    assert table.currentIndex() == table.cell(5)
    table.show_objects(ROWS, None)
    assert not table.currentIndex().isValid()


def test_arrow_keys_choose(table, heard, qtbot):
    chosen = heard(table.chosen)
    qtbot.keyClick(table, Qt.Key.Key_Down)
    qtbot.keyClick(table, Qt.Key.Key_Down)
    qtbot.keyClick(table, Qt.Key.Key_Up)
    assert chosen == [5, 2], "there is nothing below the last one"


def test_a_double_click_renames(table, qtbot, renamed):
    type_name(table, qtbot, 5, " nucleus ")
    assert renamed == [(5, "nucleus")]


@pytest.mark.parametrize("name", [" ", "Anaphase"])
def test_a_name_that_is_none_or_the_same_asks_for_nothing(table, qtbot, renamed, name):
    type_name(table, qtbot, 5, name)
    assert renamed == []
    assert table.cell(5).data() == "Anaphase"


@pytest.mark.parametrize("column", [PROMPTS, FRAMES, DOUBTFUL, ABSENT])
def test_only_names_can_be_edited(table, qtbot, column):
    assert double_click(table, qtbot, 1, column) == []


def test_a_name_can_be_typed_while_others_come_and_go(table, qtbot):
    """Each frame that is done shows all objects again."""
    (editor,) = double_click(table, qtbot, 2, NAME)
    editor.selectAll()
    qtbot.keyClicks(editor, "nucl")
    table.show_objects((replace(ROWS[0], doubtful=9), *ROWS[1:]), 2)
    table.show_objects((ROWS[1], ObjectSummary(7, "new")), 2)
    assert editor.text() == "nucl"


def test_a_click_on_the_lock_asks_for_nothing_else(table, heard, qtbot):
    chosen, asked = heard(table.chosen), []
    table.lock_toggled.connect(lambda *news: asked.append(news))
    for object_id in (1, 5):
        place = table.visualRect(table.cell(object_id, LOCK)).center()
        qtbot.mouseClick(table.viewport(), LEFT, pos=place)
    assert asked == [(1, True), (5, False)]
    assert chosen == []


def test_a_click_on_the_eye_hides_and_shows(table, heard, qtbot):
    chosen, others, asked = heard(table.chosen), heard(table.others_toggled), []
    table.eye_toggled.connect(lambda *news: asked.append(news))
    for object_id in (1, 5):
        place = table.visualRect(table.cell(object_id, EYE)).center()
        qtbot.mouseClick(table.viewport(), LEFT, pos=place)
    assert asked == [(1, True), (5, False)]
    alt = Qt.KeyboardModifier.AltModifier
    qtbot.mouseClick(table.viewport(), LEFT, alt, place)
    assert others == [5]
    assert (len(asked), chosen) == (2, [])


def test_background_objects_are_not_in_a_colour(table):
    table.show_objects((*ROWS, ObjectSummary(7, "twin", is_background=True)), 2)
    cell = table.cell(7)
    icon = cell.data(Qt.ItemDataRole.DecorationRole).pixmap(14, 14).toImage()
    assert icon.pixelColor(7, 7).alpha() == 0
    assert icon.pixelColor(0, 7).hslSaturation() == 0
    assert cell.data(Qt.ItemDataRole.FontRole).italic()
    assert "not part of the result" in cell.data(Qt.ItemDataRole.ToolTipRole)


def test_hidden_objects_are_faint(table):
    def colour(object_id):
        return table.cell(object_id).data(Qt.ItemDataRole.ForegroundRole)

    assert colour(1) is None
    assert colour(5) is not None


@pytest.mark.parametrize("column", [EYE, LOCK])
def test_what_is_set_looks_different(table, column):
    def picture(object_id):
        icon = table.cell(object_id, column).data(Qt.ItemDataRole.DecorationRole)
        return icon.pixmap(14, 14).toImage()

    assert picture(1) == picture(2)
    assert picture(1) != picture(5)


def test_the_menu_is_that_of_the_row(table, qtbot):
    asked = []
    table.menu_requested.connect(lambda *news: asked.append(news))
    place = table.visualRect(table.cell(5)).center()
    table.customContextMenuRequested.emit(place)
    assert asked == [(5, table.viewport().mapToGlobal(place))]
    table.customContextMenuRequested.emit(table.rect().bottomLeft())
    assert len(asked) == 1
