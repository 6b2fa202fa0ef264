"""A ribbon per object: how it fares from frame to frame."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import QEvent, QPointF, QRect, QRectF, Qt, Signal
from qtpy.QtGui import QColor, QPainter, QPalette, QPen
from qtpy.QtWidgets import QAbstractScrollArea, QToolTip, QWidget

from napari_sam_decoder.widgets.colours import object_colour
from napari_sam_decoder.widgets.frame_axis import FrameAxis
from napari_sam_decoder.widgets.parts.images import as_image
from napari_sam_decoder.widgets.ribbon_pictures import (
    DARK,
    LIGHT,
    UNDERLINE,
    RibbonColours,
    draw_cells,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from qtpy.QtGui import QImage, QMouseEvent, QPaintEvent, QResizeEvent, QWheelEvent

    from napari_sam_decoder.project import Timelines
    from napari_sam_decoder.widgets.objects import SegmentedObject

__all__ = ["NAMES_WIDTH", "Ribbon", "theme_colours"]

NAMES_WIDTH = 150
"""Room for the names of objects on the left, and for what is beside plots."""
RULER = 17
BAR = 12
ROW = BAR + UNDERLINE + 6
_SWATCH = 10
LEGEND = (
    "Blue: the higher, the more confidence. Orange: doubtful, or another object is in "
    "the way. White (black in the light theme): fixed by you. Low grey: absent. Half "
    "grey: not rated. Violet line: changed by the last run or correction.\n"
    "Click or drag to go to a frame. The wheel scrolls objects; with Ctrl it zooms, "
    "and with Shift it moves along the frames."
)
_TICK_GAP = 60
_ZOOM = 1.25
_NOTCH = 120
"""What Qt counts for one notch of a wheel."""


class Ribbon(QAbstractScrollArea):
    """Ribbons of all objects under a ruler with frames, and a line at the slider.

    A frame is a bar as high as the confidence, in the colour of its state. The wheel
    scrolls objects, with Ctrl it zooms into the frames, and with Shift it moves along
    them.
    """

    place_chosen = Signal(int, int)
    frame_chosen = Signal(int)
    axis_changed = Signal()

    def __init__(self, describe: Callable[[int, int], str]) -> None:
        super().__init__()
        self.axis = FrameAxis()
        self._describe = describe
        self._objects: Sequence[SegmentedObject] = ()
        self._lines: Timelines | None = None
        self._current: int | None = None
        self._frame = 0
        self._pictures: dict[int, QImage] = {}
        self._drawn_with: tuple[FrameAxis, RibbonColours] | None = None
        # The keys of the canvas go on working after a click here.
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setFrameShape(self.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAsNeeded)
        self.horizontalScrollBar().valueChanged.connect(self._on_moved)
        self.verticalScrollBar().setSingleStep(ROW)
        self.setMinimumHeight(RULER + 3 * ROW)
        self.viewport().setMouseTracking(True)

    def show_lines(
        self,
        objects: Sequence[SegmentedObject],
        lines: Timelines,
        length: int,
        outdated: Collection[int] | None,
    ) -> None:
        """Show objects.

        Parameters
        ----------
        objects : sequence of SegmentedObject
            From top to bottom.
        lines : Timelines
            Theirs.
        length : int
            Frames of the movie.
        outdated : collection of int, optional
            The objects that look different now; all by default.
        """
        known = {one.object_id for one in objects}
        gone = self._pictures.keys() if outdated is None else outdated
        for object_id in {*gone, *(self._pictures.keys() - known)}:
            self._pictures.pop(object_id, None)
        is_same = list(objects) == list(self._objects) and lines is self._lines
        self._objects, self._lines = objects, lines
        if not is_same or length != self.axis.length:
            self._fit(length)
        if outdated is None or not known.isdisjoint(outdated) or not is_same:
            self.viewport().update()

    def clear(self) -> None:
        """Show no objects."""
        if self._lines is not None:
            self._objects, self._lines = (), None
            self._pictures.clear()
            self._fit(0)
            self.viewport().update()

    def show_place(self, object_id: int | None, frame: int) -> None:
        """Mark the frame of the slider and the object that clicks go to."""
        if (object_id, frame) == (self._current, self._frame):
            return
        is_other = object_id != self._current
        self._current, self._frame = object_id, frame
        self._set_axis(self.axis.showing(frame))
        if is_other:
            self._scroll_to_current()
        self.viewport().update()

    def _scroll_to_current(self) -> None:
        """Bring the row of the current object into sight."""
        ids = [one.object_id for one in self._objects]
        if self._current not in ids:
            return
        bar, top = self.verticalScrollBar(), ids.index(self._current) * ROW
        room = self.viewport().height() - RULER
        if top < bar.value():
            bar.setValue(top)
        elif top + ROW > bar.value() + room:
            bar.setValue(top + ROW - room)

    # Where things are

    def place_at(self, x: float, y: float) -> tuple[int | None, int]:
        """Return the object, if any, and the frame at a pixel of the viewport."""
        row = int(y - RULER + self.verticalScrollBar().value()) // ROW
        is_row = y >= RULER and 0 <= row < len(self._objects)
        found = self._objects[row].object_id if is_row else None
        return found, self.axis.frame_at(x)

    def _fit(self, length: int) -> None:
        size = self.viewport().size()
        self._set_axis(
            self.axis.fitted(length, NAMES_WIDTH, size.width() - NAMES_WIDTH - 4)
        )
        room = size.height() - RULER
        bar = self.verticalScrollBar()
        bar.setPageStep(max(room, 1))
        bar.setRange(0, max(len(self._objects) * ROW - room, 0))

    def _set_axis(self, axis: FrameAxis) -> None:
        bar = self.horizontalScrollBar()
        bar.blockSignals(True)
        bar.setPageStep(axis.span)
        bar.setRange(0, axis.length - axis.span)
        bar.setValue(axis.first)
        bar.blockSignals(False)
        if axis != self.axis:
            self.axis = axis
            self.axis_changed.emit()
            self.viewport().update()

    def _on_moved(self, first: int) -> None:
        self._set_axis(self.axis.moved_to(first))

    # Events

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Keep all that was in sight there."""
        super().resizeEvent(event)
        self._fit(self.axis.length)
        self._scroll_to_current()

    def changeEvent(self, event: QEvent) -> None:
        """Draw in the colours of another theme."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange:
            self.viewport().update()

    def scrollContentsBy(self, _dx: int, _dy: int) -> None:
        """Draw again: the ruler stays where it is."""
        self.viewport().update()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Go to what is pressed."""
        if event.button() != Qt.MouseButton.LeftButton or self._lines is None:
            return
        object_id, frame = self.place_at(event.position().x(), event.position().y())
        if object_id is None:
            self.frame_chosen.emit(frame)
        elif event.position().x() < NAMES_WIDTH:
            self.place_chosen.emit(object_id, self._frame)
        else:
            self.place_chosen.emit(object_id, frame)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Go through the frames while the mouse is dragged."""
        if event.buttons() & Qt.MouseButton.LeftButton and self._lines is not None:
            frame = self.axis.frame_at(event.position().x())
            if frame != self._frame:
                self.frame_chosen.emit(frame)

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Scroll objects, zoom into frames, or move along them."""
        notches = (event.angleDelta().y() or event.angleDelta().x()) / _NOTCH
        if event.modifiers() & Qt.KeyboardModifier.ControlModifier:
            factor = _ZOOM**notches
            self._set_axis(self.axis.zoomed(event.position().x(), factor))
        elif event.modifiers() & Qt.KeyboardModifier.ShiftModifier:
            step = -round(notches * max(self.axis.span // 8, 1))
            self._set_axis(self.axis.moved_to(self.axis.first + step))
        else:
            bar = self.verticalScrollBar()
            bar.setValue(bar.value() - round(notches * ROW))
        event.accept()

    def viewportEvent(self, event: QEvent) -> bool:
        """Say what is under the mouse."""
        if event.type() == QEvent.Type.ToolTip:
            help_event: Any = event
            at = help_event.pos()
            object_id, frame = self.place_at(at.x(), at.y())
            is_cell = object_id is not None and at.x() >= NAMES_WIDTH
            text = self._describe(object_id, frame) if is_cell and object_id else LEGEND
            QToolTip.showText(help_event.globalPos(), text, self)
            return True
        return bool(super().viewportEvent(event))

    # Drawing

    def paintEvent(self, _: QPaintEvent) -> None:
        """Draw the rows in sight; their pictures are kept until something changes."""
        painter = QPainter(self.viewport())
        colours = theme_colours(self)
        if self._drawn_with != (self.axis, colours):
            self._pictures.clear()
            self._drawn_with = self.axis, colours
        size = self.viewport().size()
        painter.setClipRect(QRect(0, RULER, size.width(), size.height() - RULER))
        offset = self.verticalScrollBar().value()
        first = offset // ROW
        last = (offset + size.height() - RULER) // ROW + 1
        for row in range(first, min(last, len(self._objects))):
            self._draw_row(painter, row, RULER + row * ROW - offset, colours)
        painter.setClipping(False)
        if self._lines is not None:
            self._draw_ruler(painter, colours)
        painter.end()

    def _draw_row(
        self, painter: QPainter, row: int, top: int, colours: RibbonColours
    ) -> None:
        listed = self._objects[row]
        if listed.object_id == self._current:
            marked = self.palette().color(QPalette.ColorRole.Highlight)
            painter.fillRect(QRect(0, top, NAMES_WIDTH - 6, ROW), marked)
        red, green, blue, _ = np.rint(object_colour(listed.object_id) * 255).astype(int)
        swatch = QRect(6, top + (ROW - _SWATCH) // 2, _SWATCH, _SWATCH)
        painter.fillRect(swatch, QColor(int(red), int(green), int(blue)))
        painter.setPen(self.palette().color(QPalette.ColorRole.WindowText))
        place = QRect(22, top, NAMES_WIDTH - 32, ROW)
        middle = Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft
        metrics = painter.fontMetrics()
        name = metrics.elidedText(
            listed.name, Qt.TextElideMode.ElideRight, place.width()
        )
        painter.drawText(place, middle, name)
        picture = self._picture(listed.object_id, colours)
        painter.drawImage(QPointF(self.axis.left, top + 2), picture)

    def _picture(self, object_id: int, colours: RibbonColours) -> QImage:
        if object_id not in self._pictures and self._lines is not None:
            axis, line = self.axis, self._lines.of(object_id).within(self.axis.frames)
            cells = draw_cells(line, line.narrowed(axis.width), BAR, colours)
            self._pictures[object_id] = as_image(cells)
        return self._pictures[object_id]

    def _draw_ruler(self, painter: QPainter, colours: RibbonColours) -> None:
        """Draw the numbers of frames, and the line at the one that is shown."""
        metrics, height = painter.fontMetrics(), self.viewport().height()
        dim = self.palette().color(QPalette.ColorRole.WindowText)
        dim.setAlpha(150)
        painter.setPen(dim)
        text = str(self._frame)
        at = self.axis.middle_of(self._frame)
        wide = metrics.horizontalAdvance(text) + 8
        left = min(max(at - wide / 2, self.axis.left), self.width() - wide)
        label = QRectF(left, 1, wide, RULER - 3)
        for tick in self.axis.ticks(_TICK_GAP):
            x, number = self.axis.middle_of(tick), str(tick)
            place = QRectF(x - 30, 0, 60, RULER - 2)
            half = metrics.horizontalAdvance(number) / 2 + 4
            if x + half < label.left() or x - half > label.right():
                painter.drawText(place, Qt.AlignmentFlag.AlignCenter, number)
        if self.axis.first <= self._frame < self.axis.first + self.axis.span:
            slider = QColor(*colours.slider)
            painter.setPen(QPen(slider, 1))
            painter.drawLine(QPointF(at, RULER - 2), QPointF(at, height))
            painter.fillRect(label, slider)
            painter.setPen(QColor(255, 255, 255))
            painter.drawText(label, Qt.AlignmentFlag.AlignCenter, text)


def theme_colours(widget: QWidget) -> RibbonColours:
    """Return the colours that go with the theme of a widget."""
    is_dark = widget.palette().color(QPalette.ColorRole.Window).lightness() < 128
    return DARK if is_dark else LIGHT
