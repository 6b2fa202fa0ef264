"""A mouse and a keyboard for tests of the window."""

from __future__ import annotations

import numpy as np
from qtpy.QtCore import QPoint, Qt, QTimer
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication, QMessageBox

from napari_sam_decoder.widgets.job_queue import wait_until

LEFT, NONE = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
ALT = Qt.KeyboardModifier.AltModifier
SHIFT = Qt.KeyboardModifier.ShiftModifier


def press_key(widget, key, modifier=ALT):
    """Press a key in a window that is in use: shortcuts belong to such a one only."""
    window = widget.window()
    window.activateWindow()
    assert wait_until(lambda: QApplication.activeWindow() is window, 10)
    QTest.keyClick(widget, key, modifier)
    QApplication.processEvents()


class Hand:
    """A mouse and a keyboard."""

    def __init__(self, viewer):
        self._viewer = viewer
        self._canvas = viewer.window._qt_viewer.canvas.native

    @property
    def camera(self):
        viewer = self._viewer
        return viewer.scene.camera if hasattr(viewer, "scene") else viewer.camera

    def place(self, row, column):
        QApplication.processEvents()
        size = np.array([self._canvas.height(), self._canvas.width()])
        world = np.array([row, column], float) - np.array(self.camera.center[-2:])
        down, right = world * self.camera.zoom + size / 2
        return QPoint(round(right), round(down))

    def click(self, row, column, modifier=NONE):
        at = self.place(row, column)
        QTest.mouseMove(self._canvas, at)
        QTest.mouseClick(self._canvas, LEFT, modifier, at)
        QApplication.processEvents()

    def drag(self, start, end, *, modifier=NONE, wait=lambda: None):
        QTest.mouseMove(self._canvas, self.place(*start))
        QTest.mousePress(self._canvas, LEFT, modifier, self.place(*start))
        for share in np.linspace(0, 1, 6)[1:]:
            between = np.array(start) + share * (np.array(end) - np.array(start))
            QTest.mouseMove(self._canvas, self.place(*between))
            QApplication.processEvents()
            wait()
        QTest.mouseRelease(self._canvas, LEFT, modifier, self.place(*end))
        QApplication.processEvents()

    def press(self, key, modifier=ALT):
        press_key(self._canvas, key, modifier)

    def draw(self, path):
        """Drag along a path of (row, column)."""
        QTest.mouseMove(self._canvas, self.place(*path[0]))
        QTest.mousePress(self._canvas, LEFT, NONE, self.place(*path[0]))
        for place in path[1:]:
            QTest.mouseMove(self._canvas, self.place(*place))
            QApplication.processEvents()
        QTest.mouseRelease(self._canvas, LEFT, NONE, self.place(*path[-1]))
        QApplication.processEvents()


class Asked:
    """Presses a button of each question, and notes what was asked."""

    def __init__(self, button=None):
        self.texts = []
        self.button = button
        self._timer = QTimer()
        self._timer.timeout.connect(self._answer)
        self._timer.start(20)

    def _answer(self):
        box = QApplication.activeModalWidget()
        if isinstance(box, QMessageBox):
            self.texts.append(box.informativeText())
            texts = {button.text().replace("&", ""): button for button in box.buttons()}
            QTest.mouseClick(texts[self.button], LEFT)

    def stop(self):
        self._timer.stop()


def circle(middle, radius):
    angles = np.linspace(0, 2 * np.pi, 16)
    around = np.stack([np.sin(angles), np.cos(angles)], axis=1)
    return (np.array(middle) + radius * around).tolist()
