"""Ribbons with a real mouse."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("qtpy.QtCore", exc_type=ImportError)

from qtpy.QtCore import QPoint, QPointF, Qt
from qtpy.QtGui import QWheelEvent
from qtpy.QtTest import QTest

from napari_sam_decoder.project import CellState, FrameRecords, Timelines
from napari_sam_decoder.propagation import FrameResult, ObjectResult, Verdict
from napari_sam_decoder.widgets.objects import SegmentedObject
from napari_sam_decoder.widgets.parts.ribbon import (
    BAR,
    NAMES_WIDTH,
    ROW,
    RULER,
    Ribbon,
    theme_colours,
)

pytestmark = pytest.mark.gui

LENGTH, OBJECTS = 50, 40
LEFT, NONE = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
CONTROL, SHIFT = Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.ShiftModifier


@pytest.fixture
def records():
    records = FrameRecords.apart()
    for frame in range(LENGTH):
        note(records, frame, Verdict.SURE, range(1, OBJECTS + 1))
    return records


def note(records, frame, verdict, ids):
    found = {one: ObjectResult(one, verdict, confidence=1) for one in ids}
    records.note(FrameResult(frame, np.zeros((2, 2), np.uint16), found))


@pytest.fixture
def ribbon(qtbot, records):
    ribbon = Ribbon(lambda object_id, frame: f"{object_id} on {frame}")
    qtbot.addWidget(ribbon)
    # Room for eight rows, and ten pixels a frame.
    ribbon.resize(NAMES_WIDTH + 10 * LENGTH + 200, RULER + 8 * ROW)
    ribbon.lines = Timelines(records, LENGTH)
    show(ribbon, None)
    ribbon.show()
    qtbot.waitExposed(ribbon)
    return ribbon


def show(ribbon, outdated):
    listed = [SegmentedObject(one, f"cell {one}") for one in range(1, OBJECTS + 1)]
    ribbon.show_lines(listed, ribbon.lines, LENGTH, outdated)


def at(ribbon, object_id, frame):
    """The pixel of a cell that is in sight."""
    top = RULER + (object_id - 1) * ROW - ribbon.verticalScrollBar().value()
    return QPoint(round(ribbon.axis.middle_of(frame)), top + ROW // 2)


def turn(ribbon, notches, modifier=NONE, x=400):
    """Turn the wheel."""
    place = QPointF(x, RULER + 5)
    event = QWheelEvent(
        place,
        QPointF(ribbon.viewport().mapToGlobal(place.toPoint())),
        QPoint(),
        QPoint(0, 120 * notches),
        Qt.MouseButton.NoButton,
        modifier,
        Qt.ScrollPhase.NoScrollPhase,
        False,
    )
    ribbon.wheelEvent(event)


def colour_at(ribbon, point):
    seen = ribbon.viewport().grab().toImage()
    ratio = seen.devicePixelRatio()
    return seen.pixelColor(round(point.x() * ratio), round(point.y() * ratio)).getRgb()


def test_a_press_goes_to_a_cell(ribbon, qtbot):
    with qtbot.waitSignal(ribbon.place_chosen) as chosen:
        QTest.mouseClick(ribbon.viewport(), LEFT, NONE, at(ribbon, 3, 17))
    assert chosen.args == [3, 17]


def test_a_press_on_a_name_stays_on_the_frame(ribbon, qtbot):
    ribbon.show_place(1, 9)
    with qtbot.waitSignal(ribbon.place_chosen) as chosen:
        place = QPoint(40, at(ribbon, 5, 0).y())
        QTest.mouseClick(ribbon.viewport(), LEFT, NONE, place)
    assert chosen.args == [5, 9]


def test_a_press_on_the_ruler_keeps_the_object(ribbon, qtbot):
    with qtbot.waitSignal(ribbon.frame_chosen) as chosen:
        place = QPoint(at(ribbon, 1, 30).x(), 4)
        QTest.mouseClick(ribbon.viewport(), LEFT, NONE, place)
    assert chosen.args == [30]


def test_dragging_goes_through_the_frames(ribbon, qtbot):
    frames = []
    ribbon.frame_chosen.connect(frames.append)
    ribbon.frame_chosen.connect(lambda frame: ribbon.show_place(2, frame))
    view = ribbon.viewport()
    QTest.mousePress(view, LEFT, NONE, at(ribbon, 2, 10))
    for frame in (11, 12, 14):
        QTest.mouseMove(view, at(ribbon, 2, frame))
        qtbot.wait(10)
    QTest.mouseRelease(view, LEFT, NONE, at(ribbon, 2, 14))
    QTest.mouseMove(view, at(ribbon, 2, 20))
    assert frames == [11, 12, 14]


def test_the_wheel_scrolls_through_forty_objects(ribbon, qtbot):
    turn(ribbon, -10)
    assert ribbon.place_at(400, RULER + 1)[0] == 11
    turn(ribbon, -100)
    assert ribbon.place_at(400, RULER + 8 * ROW - 1)[0] == OBJECTS
    ribbon.show_place(4, 0)
    assert ribbon.place_at(400, RULER + 1)[0] == 4, "who is selected comes into sight"


def test_the_wheel_zooms_and_moves(ribbon):
    frame = ribbon.axis.frame_at(400)
    turn(ribbon, 4, CONTROL)
    assert ribbon.axis.span < LENGTH
    assert abs(ribbon.axis.frame_at(400) - frame) <= 1
    first = ribbon.axis.first
    turn(ribbon, -1, SHIFT)
    assert ribbon.axis.first > first
    ribbon.horizontalScrollBar().setValue(0)
    assert ribbon.axis.first == 0
    ribbon.show_place(1, LENGTH - 1)
    assert LENGTH - 1 in range(*ribbon.axis.frames.indices(LENGTH))


def test_what_becomes_doubtful_is_drawn_so(ribbon, records):
    place = at(ribbon, 2, 30)
    colours = theme_colours(ribbon)
    assert colour_at(ribbon, place)[:3] == colours.bars[CellState.SURE]
    note(records, 30, Verdict.DOUBTFUL, [2])
    note(records, 31, Verdict.PROMPTED, [2])
    show(ribbon, ribbon.lines.take_outdated())
    assert colour_at(ribbon, place)[:3] == colours.bars[CellState.DOUBTFUL]
    fixed = at(ribbon, 2, 31)
    assert colour_at(ribbon, fixed)[:3] == colours.bars[CellState.FIXED]
    other = at(ribbon, 3, 30)
    assert colour_at(ribbon, other)[:3] == colours.bars[CellState.SURE]


def test_only_what_has_changed_is_drawn_anew(ribbon, records):
    ribbon.viewport().grab()
    before = dict(ribbon._pictures)
    assert len(before) < OBJECTS, "nothing is drawn out of sight"
    ribbon.lines.take_outdated()
    note(records, 30, Verdict.DOUBTFUL, [2])
    show(ribbon, ribbon.lines.take_outdated())
    ribbon.viewport().grab()
    anew = [one for one, image in ribbon._pictures.items() if image is not before[one]]
    assert anew == [2]


def test_the_slider_is_a_line_through_all_rows(ribbon):
    ribbon.show_place(1, 25)
    x = round(ribbon.axis.middle_of(25))
    slider = theme_colours(ribbon).slider
    for object_id in (1, 7):
        top = at(ribbon, object_id, 25).y() - BAR // 2
        seen = {colour_at(ribbon, QPoint(x + by, top))[:3] for by in (-1, 0, 1)}
        assert slider in seen


def test_without_objects_nothing_happens(qtbot):
    empty = Ribbon(lambda *_: "")
    qtbot.addWidget(empty)
    empty.resize(400, 100)
    empty.show()
    places = []
    empty.place_chosen.connect(lambda *place: places.append(place))
    empty.frame_chosen.connect(places.append)
    QTest.mouseClick(empty.viewport(), LEFT, NONE, QPoint(300, 50))
    assert places == []
