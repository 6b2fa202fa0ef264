"""Figures of one object over the frames, under its ribbon."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from qtpy.QtCore import QPointF, QRectF, Qt
from qtpy.QtGui import QColor, QPainter, QPalette, QPen, QPixmap, QPolygonF
from qtpy.QtWidgets import QWidget

from napari_sam_decoder.project import CellState
from napari_sam_decoder.widgets.frame_axis import FrameAxis
from napari_sam_decoder.widgets.parts.ribbon import NAMES_WIDTH, theme_colours

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qtpy.QtGui import QPaintEvent

    from napari_sam_decoder.project import Timeline

__all__ = ["ObjectPlot", "curve_parts"]

STRIP = 24
_GAP = 4
_SPARSE = 3
"""Pixels from one frame to the next from which lines are smooth."""
_ROOM_ABOVE = 1.05
"""Above the largest area, in units of it."""


class ObjectPlot(QWidget):
    """Confidence, overlap with the frame before, and area, one strip below another.

    The strips share the axis of the ribbon, so that frames lie below each other.
    """

    def __init__(self) -> None:
        super().__init__()
        self._axis = FrameAxis()
        self._line: Timeline | None = None
        self._frame = 0
        # Drawn again only when something changes: the slider moves often.
        self._curves: tuple[object, QPixmap] | None = None
        self.setFixedHeight(3 * STRIP + 2)
        self.setToolTip(
            "Of the selected object: confidence, 0 to 1; overlap (IoU) with its mask "
            "on the frame before, moved to this one; area of its mask in pixels"
        )

    def show_line(self, line: Timeline | None, axis: FrameAxis, frame: int) -> None:
        """Show figures of an object.

        Parameters
        ----------
        line : Timeline, optional
            Of the object. Where its values change, call `forget_curves`.
        axis : FrameAxis
            Of the ribbon.
        frame : int
            Where the slider is.
        """
        self._line, self._axis, self._frame = line, axis, frame
        self.update()

    def forget_curves(self) -> None:
        """Draw the curves again, since values have changed."""
        self._curves = None
        self.update()

    def paintEvent(self, _: QPaintEvent) -> None:
        """Draw the strips, and the line at the slider."""
        painter = QPainter(self)
        if self._line is not None:
            painter.drawPixmap(0, 0, self._drawn_curves(self._line))
            figures = (
                ("confidence", f"{self._at('confidence'):.2f}"),
                ("overlap", f"{self._at('overlap'):.2f}"),
                ("area", f"{self._at('area'):.0f} px"),
            )
            for number, (title, now) in enumerate(figures):
                said = "" if now.startswith("nan") else now
                self._draw_text(painter, number * STRIP, title, said)
            self._draw_slider(painter)
        painter.end()

    def _drawn_curves(self, line: Timeline) -> QPixmap:
        """Return the curves of all strips, drawn before if nothing has changed."""
        ratio = self.devicePixelRatioF()
        state = (line, self._axis, self.width(), ratio, theme_colours(self))
        if self._curves is None or self._curves[0] != state:
            picture = QPixmap(round(self.width() * ratio), round(self.height() * ratio))
            picture.setDevicePixelRatio(ratio)
            picture.fill(Qt.GlobalColor.transparent)
            painter = QPainter(picture)
            largest = np.nanmax(line.area, initial=1) * _ROOM_ABOVE
            seen = line.within(self._axis.frames)
            parts = (seen.confidence, seen.overlap, seen.area / largest)
            for number, values in enumerate(parts):
                self._draw_curve(painter, number * STRIP, values)
            painter.end()
            self._curves = state, picture
        return self._curves[1]

    def _at(self, name: str) -> float:
        """Return a figure on the frame that is shown."""
        values: np.ndarray = getattr(self._line, name)
        return float(values[self._frame]) if self._frame < len(values) else np.nan

    def _draw_text(self, painter: QPainter, top: int, title: str, now: str) -> None:
        text = self.palette().color(QPalette.ColorRole.WindowText)
        painter.setPen(text)
        place = QRectF(22, top, NAMES_WIDTH - 32, STRIP)
        middle = Qt.AlignmentFlag.AlignVCenter
        painter.drawText(place, Qt.AlignmentFlag.AlignLeft | middle, title)
        painter.drawText(place, Qt.AlignmentFlag.AlignRight | middle, now)

    def _draw_curve(self, painter: QPainter, top: int, values: np.ndarray) -> None:
        colours, axis = theme_colours(self), self._axis
        ground = QColor(*colours.backs[CellState.UNKNOWN])
        strip = QRectF(axis.left, top + _GAP / 2, axis.width, STRIP - _GAP)
        painter.fillRect(strip, ground)
        bar = QColor(*colours.bars[CellState.SURE])
        # Smooth lines take much longer, and are not seen where points are dense.
        is_smooth = axis.width > _SPARSE * axis.span
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, is_smooth)
        painter.setPen(QPen(bar, 1.5 if is_smooth else 0))
        height = STRIP - _GAP
        for start, part in curve_parts(values):
            frames = np.arange(len(part)) + self._axis.first + start
            points = [
                QPointF(self._axis.middle_of(int(frame)), top + _GAP / 2 + y)
                for frame, y in zip(frames, (1 - part) * height, strict=True)
            ]
            if len(points) == 1:
                painter.drawEllipse(points[0], 1, 1)
            else:
                painter.drawPolyline(QPolygonF(points))
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)

    def _draw_slider(self, painter: QPainter) -> None:
        axis = self._axis
        if axis.first <= self._frame < axis.first + axis.span:
            painter.setPen(QPen(QColor(*theme_colours(self).slider), 1))
            x = axis.middle_of(self._frame)
            painter.drawLine(QPointF(x, 0), QPointF(x, self.height()))


def curve_parts(values: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    """Yield the start and the values of each series without NaN."""
    is_known = np.concatenate([[False], ~np.isnan(values), [False]])
    edges = np.flatnonzero(is_known[1:] != is_known[:-1])
    for start, stop in edges.reshape(-1, 2).tolist():
        yield start, values[start:stop]
