"""The dock for a second look in a real window, driven as a person would."""

from __future__ import annotations

import gc
import weakref

import numpy as np
import pytest

pytest.importorskip("qtpy.QtCore", exc_type=ImportError)

from hand import ALT, SHIFT, press_key
from qtpy.QtCore import QPoint, Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QDockWidget
from stage import squares

from napari_sam_decoder.project import CellState, Place
from napari_sam_decoder.propagation import FrameResult, ObjectResult, Reason, Verdict
from napari_sam_decoder.widgets.dock import SamDecoderDock
from napari_sam_decoder.widgets.parts.ribbon import ROW, RULER
from napari_sam_decoder.widgets.review_dock import ReviewDock

pytestmark = pytest.mark.gui

PLUGIN, WIDGET = "napari-sam-decoder", "Segment through a movie"
REVIEW = "Review (SAM decoder)"
FRAMES = 8
DOUBTS = {(1, 2): 0.5, (1, 3): 0.2, (1, 4): 0.5, (2, 6): 0.1}
BEST, SECOND = Place(3, 1), Place(6, 2)


@pytest.fixture
def viewer(make_napari_viewer):
    viewer = make_napari_viewer(show=True)
    viewer.window._qt_window.resize(1100, 800)
    return viewer


@pytest.fixture
def dock(viewer, sam):
    viewer.add_image(squares(FRAMES)[0], name="squares")
    viewer.dims.set_point(0, 0)
    _, dock = viewer.window.add_plugin_dock_widget(PLUGIN, WIDGET)
    return dock


@pytest.fixture
def bench(dock):
    """Two objects that were followed through the movie."""
    bench = dock.workbench
    for spot in ((16, 14), (44, 46)):
        bench.new_object()
        bench.add_points((0, *spot))
    bench.propagate()
    bench.wait()
    return bench


@pytest.fixture
def doubted(bench):
    doubt(bench, DOUBTS)
    return bench


def doubt(bench, doubts):
    """Let some results be doubtful, as a run would."""
    target = bench.controller.state.target
    with bench.history.step("Run", "run"):
        for (object_id, frame), confidence in doubts.items():
            found = ObjectResult(
                object_id,
                Verdict.DOUBTFUL,
                confidence=confidence,
                reason=Reason.CONTRADICTED,
            )
            labels = np.asarray(target.layer.data[frame])
            result = FrameResult(frame, labels, {object_id: found})
            target.frames.note(result, by_run=[object_id])
    bench.changed.emit()


@pytest.fixture
def review(dock, viewer):
    dock._review.click()
    (review,) = viewer.window._qt_window.findChildren(ReviewDock)
    return review


def press(review, object_id, frame):
    """Press a cell, of the objects in the order of their ids."""
    x = round(review.ribbon.axis.middle_of(frame))
    place = QPoint(x, RULER + (object_id - 1) * ROW + ROW // 2)
    left, none = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    QTest.mouseClick(review.ribbon.viewport(), left, none, place)


def place_of(bench):
    return Place(bench.frame, bench.objects.current_id)


def test_a_button_opens_it_below_the_canvas(viewer, review, dock, qtbot):
    window = viewer.window._qt_window
    frame = review.parent()
    while not isinstance(frame, QDockWidget):
        frame = frame.parent()
    below = Qt.DockWidgetArea.BottomDockWidgetArea
    qtbot.waitUntil(lambda: window.dockWidgetArea(frame) == below)
    dock._review.click()
    assert len(window.findChildren(ReviewDock)) == 1
    assert review.workbench is dock.workbench


def test_the_other_dock_stays_as_wide_as_it_is(viewer, dock, qtbot):
    window = viewer.window._qt_window
    window.setFixedSize(1280, 860)
    window.show()
    qtbot.wait(100)
    before = dock.width()
    dock._review.click()
    (review,) = window.findChildren(ReviewDock)
    qtbot.waitUntil(lambda: review.isVisible() and review.width() > 1000)
    qtbot.wait(100)
    assert dock.width() == before


def test_alone_it_opens_the_other_dock(viewer, sam, qtbot):
    viewer.add_image(squares(FRAMES)[0], name="squares")
    _, review = viewer.window.add_plugin_dock_widget(PLUGIN, REVIEW)
    window = viewer.window._qt_window
    qtbot.waitUntil(lambda: len(window.findChildren(SamDecoderDock)) == 1)
    (dock,) = window.findChildren(SamDecoderDock)
    assert dock.workbench is review.workbench
    qtbot.waitUntil(lambda: review.workbench.movie is not None)


def test_a_press_on_a_cell_shows_it(bench, review, qtbot):
    qtbot.waitUntil(lambda: review.ribbon.axis.length == FRAMES)
    press(review, 1, 5)
    assert place_of(bench) == Place(5, 1)
    press(review, 2, 3)
    assert place_of(bench) == Place(3, 2)
    qtbot.waitUntil(lambda: review.ribbon._frame == 3)


def test_background_objects_are_not_reviewed(bench, review, qtbot):
    bench.mark_background(1)
    place = review.ribbon.axis.middle_of(1), RULER + ROW // 2
    qtbot.waitUntil(lambda: review.ribbon.place_at(*place)[0] == 2)


@pytest.mark.parametrize(("height", "has_plot"), [(720, False), (900, True)])
def test_a_low_window_stays_low(viewer, dock, qtbot, height, has_plot):
    window = viewer.window._qt_window
    window.resize(1280, height)
    qtbot.waitUntil(lambda: window.height() == height)
    dock._review.click()
    (review,) = window.findChildren(ReviewDock)
    qtbot.waitUntil(lambda: review.isVisible() and review.width() > 1000)
    dock.workbench.new_object()
    qtbot.wait(100)
    assert window.height() == height
    assert review.plot.isVisible() == has_plot


def test_doubtful_frames_come_in_the_chosen_order(doubted, review, qtbot):
    qtbot.waitUntil(lambda: review._summary.text().startswith("4 doubtful frames."))
    review.next.click()
    assert place_of(doubted) == BEST
    assert "disagree" in doubted.controller.state.outcome
    review.next.click()
    assert place_of(doubted) == SECOND
    review.next.click()
    assert place_of(doubted) == BEST
    review.order.value = "in time"
    review.next.click()
    assert place_of(doubted) == Place(4, 1)
    review.next.click()
    assert place_of(doubted) == SECOND
    review.previous.click()
    review.order.value = "in time, selected object"
    review.next.click()
    assert place_of(doubted) == Place(2, 1)


def test_keys_go_through_doubtful_frames(doubted, review, viewer, qtbot):
    qtbot.waitUntil(review.next.isEnabled)
    canvas = viewer.window._qt_viewer.canvas.native
    press_key(canvas, Qt.Key.Key_J)
    assert place_of(doubted) == BEST
    press_key(canvas, Qt.Key.Key_J)
    assert place_of(doubted) == SECOND
    press_key(canvas, Qt.Key.Key_J, ALT | SHIFT)
    assert place_of(doubted) == BEST


def test_a_button_says_that_a_mask_looks_right(doubted, review, qtbot):
    qtbot.waitUntil(review.next.isEnabled)
    review.next.click()
    qtbot.waitUntil(lambda: "doubtful: the runs" in review._summary.text())
    review.right.click()
    qtbot.waitUntil(lambda: review._summary.text().startswith("3 doubtful frames."))
    assert "object 1, frame 3: fixed by you" in review._summary.text()
    assert review._source.lines.of(1).states[3] == CellState.FIXED


def test_a_key_says_that_a_mask_looks_right(doubted, review, viewer, qtbot):
    doubted.next_doubtful()
    canvas = viewer.window._qt_viewer.canvas.native
    press_key(canvas, Qt.Key.Key_K)
    assert doubted.objects.require(1).frames == (0, 3)
    assert doubted.next_doubtful() == SECOND


def test_scripts_step_through_doubtful_frames(doubted):
    assert doubted.next_doubtful("time") == Place(2, 1)
    assert doubted.previous_doubtful("time") == SECOND
    assert doubted.doubtful_places() == (BEST, SECOND)
    assert doubted.next_doubtful("object") == SECOND


def test_where_nothing_is_doubtful_nothing_happens(bench, review, qtbot):
    qtbot.waitUntil(lambda: review._summary.text().startswith("No frame is doubtful."))
    assert not review.next.isEnabled()
    before = place_of(bench)
    assert bench.next_doubtful() is None
    assert place_of(bench) == before
    assert bench.controller.state.outcome == "No frame is doubtful."


def test_it_follows_a_run(bench, review, qtbot):
    doubt(bench, {(2, 5): 0.4})
    qtbot.waitUntil(lambda: review._summary.text().startswith("1 doubtful frame."))
    line = review._source.lines.of(2)
    assert line.is_changed.tolist() == [frame == 5 for frame in range(FRAMES)]
    bench.undo()
    qtbot.waitUntil(lambda: review._summary.text().startswith("No frame is doubtful."))


def test_it_shows_another_movie(doubted, review, viewer, qtbot):
    other = viewer.add_image(squares(3)[0], name="other")
    doubted.choose_movie(other)
    qtbot.waitUntil(lambda: review.ribbon.axis.length == 3)
    doubted.choose_movie(viewer.layers["squares"])
    qtbot.waitUntil(lambda: review._summary.text().startswith("4 doubtful frames."))
    viewer.layers.clear()
    qtbot.waitUntil(lambda: review._summary.text() == "Choose a movie first.")
    x, y = review.ribbon.axis.middle_of(1), RULER + ROW // 2
    assert review.ribbon.place_at(x, y)[0] is None, "nothing is there"


def test_a_closed_one_leaves_nothing_behind(doubted, viewer, qtbot):
    target = doubted.controller.state.target
    frame, review = viewer.window.add_plugin_dock_widget(PLUGIN, REVIEW)
    alive = weakref.ref(review)
    frame.title.close_button.click()
    assert target.frames._listeners == []
    assert not doubted.is_closed
    del review, frame

    def is_gone():
        gc.collect()
        return alive() is None

    qtbot.waitUntil(is_gone)
    assert doubted.next_doubtful() == BEST
