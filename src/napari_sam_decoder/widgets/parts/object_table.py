"""The table of objects: sorted by any column, filtered by name."""

from __future__ import annotations

import re
from bisect import bisect
from dataclasses import dataclass
from functools import cache
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import (
    QAbstractTableModel,
    QLineF,
    QModelIndex,
    QPointF,
    QRectF,
    QSortFilterProxyModel,
    Qt,
    Signal,
)
from qtpy.QtGui import QColor, QFont, QIcon, QPainter, QPainterPath, QPen, QPixmap
from qtpy.QtWidgets import (
    QAbstractItemView,
    QApplication,
    QHeaderView,
    QSizePolicy,
    QTreeView,
)

from napari_sam_decoder.widgets.colours import object_colours
from napari_sam_decoder.wording import counted

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from qtpy.QtCore import QPoint
    from qtpy.QtGui import QKeyEvent

    from napari_sam_decoder.widgets.objects import ObjectSummary

__all__ = ["ObjectTable", "swatch"]

MINIMUM_HEIGHT = 116
ALERT = QColor("#e08a00")
"""Of counts that ask for a look; stands out from both themes."""
_NAMED = 8
_HEADER_MARGIN = 10
_LONGEST_RANGE = "0000\N{EN DASH}0000"
_ICON_SIDE = 14
ICON_GREY = "#8c94a4"
FAINT = QColor(ICON_GREY)
"""Of an object that the viewer does not show, or that is not part of the result."""
_DEGREE = 16
"""As Qt counts angles."""
_ARROW_BELOW = """
QHeaderView::up-arrow, QHeaderView::down-arrow {
    subcontrol-origin: margin; subcontrol-position: bottom center;
    width: 7px; height: 5px;
}
"""
"""Beside a title, the arrow of the sorted column would cover it."""
_ARROWS = Qt.Key.Key_Up, Qt.Key.Key_Down, Qt.Key.Key_PageUp, Qt.Key.Key_PageDown


@dataclass(frozen=True)
class _Column:
    """One column.

    Attributes
    ----------
    title, tip : str
        Of its header.
    text : callable
        What a cell says of an object.
    key : callable
        What objects are sorted by.
    """

    title: str
    tip: str
    text: Callable[[ObjectSummary], str]
    key: Callable[[ObjectSummary], Any]


def _natural(text: str) -> list[Any]:
    """Sort numbers within a text by their value, so that 10 follows 9."""
    parts = re.split(r"(\d+)", text.casefold())
    return [int(part) if part.isdecimal() else part for part in parts]


def _or_blank(number: int) -> str:
    """Write a count; forty zeros would hide what matters."""
    return str(number) if number else ""


def _range_text(one: ObjectSummary) -> str:
    if not one.span:
        return ""
    first, last = one.span[0], one.span[-1]
    return str(first) if first == last else f"{first}\N{EN DASH}{last}"


COLUMNS = (
    _Column(
        "Object",
        "Its colour and name; double-click a name to change it",
        attrgetter("name"),
        lambda one: _natural(one.name),
    ),
    _Column(
        "",
        "Whether the viewer shows it; click to hide or show it, Alt+click to show it "
        "alone, or all again",
        lambda _: "",
        attrgetter("is_hidden"),
    ),
    _Column(
        "",
        "Locked objects stay as they are, prompts and labels; click to lock or unlock",
        lambda _: "",
        attrgetter("is_locked"),
    ),
    _Column(
        "Prompts",
        "How many frames have prompts of it",
        lambda one: _or_blank(len(one.prompt_frames)),
        lambda one: len(one.prompt_frames),
    ),
    _Column(
        "Frames",
        "The first and the last frame of its result",
        _range_text,
        lambda one: (one.span.start, one.span.stop),
    ),
    _Column(
        "?",
        "Doubtful: on how many frames a person should look at its result",
        lambda one: _or_blank(one.doubtful),
        attrgetter("doubtful"),
    ),
    _Column(
        "∅",
        "Absent: on how many frames a run has not found it",
        lambda one: _or_blank(one.absent),
        attrgetter("absent"),
    ),
)
NAME, EYE, LOCK, PROMPTS, FRAMES, DOUBTFUL, ABSENT = range(len(COLUMNS))


class _ObjectModel(QAbstractTableModel):
    """The objects, by id."""

    renamed = Signal(int, str)

    def __init__(self) -> None:
        super().__init__()
        self._shown: list[ObjectSummary] = []

    def show(self, objects: Sequence[ObjectSummary]) -> None:
        """Show other objects; where one is still there, its row stays."""
        now = {one.object_id: one for one in objects}
        for row in reversed(range(len(self._shown))):
            if self._shown[row].object_id not in now:
                self.beginRemoveRows(QModelIndex(), row, row)
                del self._shown[row]
                self.endRemoveRows()
        present = {one.object_id for one in self._shown}
        for one in objects:
            if one.object_id not in present:
                row = bisect(self._shown, one.object_id, key=attrgetter("object_id"))
                self.beginInsertRows(QModelIndex(), row, row)
                self._shown.insert(row, one)
                self.endInsertRows()
        for row, one in enumerate(objects):
            if self._shown[row] != one:
                self._shown[row] = one
                ends = self.index(row, 0), self.index(row, len(COLUMNS) - 1)
                self.dataChanged.emit(*ends)

    def at(self, index: QModelIndex) -> ObjectSummary:
        """Return the object of a cell."""
        row: int = index.row()
        return self._shown[row]

    def row_of(self, object_id: int | None) -> int | None:
        """Find the row of an object."""
        rows = (
            row for row, one in enumerate(self._shown) if one.object_id == object_id
        )
        return next(rows, None)

    def rowCount(self, parent: QModelIndex = QModelIndex()) -> int:  # noqa: B008
        """Count the objects, which have no parts."""
        return 0 if parent.isValid() else len(self._shown)

    def columnCount(self, parent: QModelIndex = QModelIndex()) -> int:  # noqa: B008
        """Count the columns."""
        return 0 if parent.isValid() else len(COLUMNS)

    def headerData(
        self,
        section: int,
        orientation: Qt.Orientation,
        role: int = Qt.ItemDataRole.DisplayRole,
    ) -> Any:
        """Name the columns, and say what they mean."""
        if orientation != Qt.Orientation.Horizontal:
            return None
        column = COLUMNS[section]
        if role == Qt.ItemDataRole.DecorationRole and section == LOCK:
            return _lock_icon(is_locked=True)
        if role == Qt.ItemDataRole.DecorationRole and section == EYE:
            return _eye_icon(is_hidden=False)
        if role == Qt.ItemDataRole.DisplayRole:
            return column.title
        return column.tip if role == Qt.ItemDataRole.ToolTipRole else None

    def data(self, index: QModelIndex, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Say what a cell shows."""
        one, place = self.at(index), index.column()
        if role == Qt.ItemDataRole.DisplayRole:
            return COLUMNS[place].text(one)
        if role == Qt.ItemDataRole.EditRole and place == NAME:
            return one.name
        if role == Qt.ItemDataRole.ToolTipRole:
            return _details(one)
        if role == Qt.ItemDataRole.DecorationRole and place == NAME:
            return swatch(one.object_id, is_background=one.is_background)
        if role == Qt.ItemDataRole.FontRole and one.is_background:
            return _italic()
        if role == Qt.ItemDataRole.DecorationRole and place == LOCK:
            return _lock_icon(is_locked=one.is_locked)
        if role == Qt.ItemDataRole.DecorationRole and place == EYE:
            return _eye_icon(is_hidden=one.is_hidden)
        if role == Qt.ItemDataRole.ForegroundRole and (
            one.is_hidden or one.is_background
        ):
            return FAINT
        if role == Qt.ItemDataRole.ForegroundRole and place == DOUBTFUL:
            return ALERT
        if role == Qt.ItemDataRole.TextAlignmentRole and place != NAME:
            return Qt.AlignmentFlag.AlignCenter
        return None

    def flags(self, index: QModelIndex) -> Qt.ItemFlag:
        """Let names be edited."""
        flags = super().flags(index)
        return flags | Qt.ItemFlag.ItemIsEditable if index.column() == NAME else flags

    def setData(
        self, index: QModelIndex, value: Any, role: int = Qt.ItemDataRole.EditRole
    ) -> bool:
        """Ask for another name; a blank one is none."""
        name, one = str(value).strip(), self.at(index)
        if role == Qt.ItemDataRole.EditRole and name and name != one.name:
            self.renamed.emit(one.object_id, name)
        return False


class _Order(QSortFilterProxyModel):
    """Sorts by what a column means, and filters by name."""

    def __init__(self, model: _ObjectModel) -> None:
        super().__init__()
        self._model = model
        self._text = ""
        self.setSourceModel(model)
        self.setDynamicSortFilter(True)

    def filter(self, text: str) -> None:
        """Show only objects whose name has a text in it."""
        self._text = text.strip().casefold()
        self.invalidate()

    def lessThan(self, left: QModelIndex, right: QModelIndex) -> bool:
        """Compare two objects by a column."""
        key = COLUMNS[left.column()].key
        return bool(key(self._model.at(left)) < key(self._model.at(right)))

    def filterAcceptsRow(self, row: int, parent: QModelIndex) -> bool:
        """Whether an object is shown."""
        one = self._model.at(self._model.index(row, NAME, parent))
        return self._text in one.name.casefold()


class ObjectTable(QTreeView):
    """All objects, one row each.

    Attributes
    ----------
    chosen : Signal
        With an object id, when a person has clicked its row or gone there by key.
    renamed : Signal
        With an object id and the name that it is to have.
    lock_toggled : Signal
        With an object id and whether it is to be locked.
    eye_toggled : Signal
        With an object id and whether it is to be hidden.
    others_toggled : Signal
        With the id of an object that is to be shown alone, or with all others again.
    menu_requested : Signal
        With an object id and the place of the mouse on the screen.
    """

    chosen = Signal(int)
    renamed = Signal(int, str)
    lock_toggled = Signal(int, bool)
    eye_toggled = Signal(int, bool)
    others_toggled = Signal(int)
    menu_requested = Signal(int, object)

    def __init__(self) -> None:
        super().__init__()
        self._model = _ObjectModel()
        self._order = _Order(self._model)
        self.setModel(self._order)
        self._model.renamed.connect(self.renamed)
        self.setRootIsDecorated(False)
        self.setUniformRowHeights(True)
        self.setAllColumnsShowFocus(True)
        self.setSortingEnabled(True)
        self.sortByColumn(-1, Qt.SortOrder.AscendingOrder)
        triggers = QAbstractItemView.EditTrigger
        self.setEditTriggers(triggers.DoubleClicked | triggers.EditKeyPressed)
        self.setMinimumHeight(MINIMUM_HEIGHT)
        # It takes what the other sections leave, however much there is.
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Ignored)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._size_columns()
        self.clicked.connect(self._choose)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.customContextMenuRequested.connect(self._ask_for_menu)

    def show_objects(
        self, objects: Sequence[ObjectSummary], current_id: int | None
    ) -> None:
        """Show all objects, of which one is selected.

        Parameters
        ----------
        objects : sequence of ObjectSummary
            By id.
        current_id : int, optional
            The one that clicks go to.
        """
        self._model.show(objects)
        index = self.cell(current_id)
        if self.currentIndex().row() != index.row():
            self.setCurrentIndex(index)

    @property
    def ids(self) -> tuple[int, ...]:
        """The objects that are shown, from top to bottom."""
        rows = range(self._order.rowCount())
        return tuple(self._at(self._order.index(row, NAME)) for row in rows)

    def cell(self, object_id: int | None, column: int = NAME) -> QModelIndex:
        """Find a cell of an object; invalid where that is not shown."""
        row = self._model.row_of(object_id)
        if row is None:
            return QModelIndex()
        return self._order.mapFromSource(self._model.index(row, column))

    def filter(self, text: str) -> None:
        """Show only objects whose name has a text in it."""
        self._order.filter(text)

    def rename(self, object_id: int) -> None:
        """Let the name of an object be typed."""
        self.edit(self.cell(object_id))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Choose the object that the arrow keys go to."""
        before = self.currentIndex().row()
        super().keyPressEvent(event)
        if event.key() in _ARROWS and self.currentIndex().row() != before:
            self.chosen.emit(self._at(self.currentIndex()))

    def _at(self, index: QModelIndex) -> int:
        return self._model.at(self._order.mapToSource(index)).object_id

    def _choose(self, index: QModelIndex) -> None:
        one = self._model.at(self._order.mapToSource(index))
        if index.column() == LOCK:
            self.lock_toggled.emit(one.object_id, not one.is_locked)
        elif index.column() == EYE and _is_alt_held():
            self.others_toggled.emit(one.object_id)
        elif index.column() == EYE:
            self.eye_toggled.emit(one.object_id, not one.is_hidden)
        else:
            self.chosen.emit(self._at(index))

    def _ask_for_menu(self, position: QPoint) -> None:
        index = self.indexAt(position)
        if index.isValid():
            place = self.viewport().mapToGlobal(position)
            self.menu_requested.emit(self._at(index), place)

    def _size_columns(self) -> None:
        """Leave to names what the titles of the other columns do not need."""
        header = self.header()
        header.setStretchLastSection(False)
        header.setMinimumSectionSize(24)
        header.setDefaultAlignment(Qt.AlignmentFlag.AlignCenter)
        header.setStyleSheet(_ARROW_BELOW)
        header.setSectionResizeMode(QHeaderView.ResizeMode.Interactive)
        header.setSectionResizeMode(NAME, QHeaderView.ResizeMode.Stretch)
        for place, column in enumerate(COLUMNS):
            text = _LONGEST_RANGE if place == FRAMES else column.title
            width = header.fontMetrics().horizontalAdvance(text)
            self.setColumnWidth(place, max(width, _ICON_SIDE) + _HEADER_MARGIN)


@cache
def swatch(object_id: int, *, is_background: bool = False) -> QIcon:
    """Draw a square in the colour of an object, a grey frame of a background object."""
    square = QPixmap(_ICON_SIDE, _ICON_SIDE)
    colours = object_colours([object_id], {object_id} if is_background else ())
    colour = QColor.fromRgbF(*colours[object_id].tolist())
    if is_background:
        square.fill(QColor(0, 0, 0, 0))
        painter = QPainter(square)
        painter.setPen(QPen(colour, 2))
        painter.drawRect(square.rect().adjusted(1, 1, -2, -2))
        painter.end()
    else:
        square.fill(colour)
    return _untinted(square)


def _italic() -> QFont:
    font = QFont()
    font.setItalic(True)
    return font


def _untinted(picture: QPixmap) -> QIcon:
    """Make an icon that looks the same in a row that is selected."""
    icon = QIcon(picture)
    icon.addPixmap(picture, QIcon.Mode.Selected)
    return icon


def _is_alt_held() -> bool:
    return bool(QApplication.keyboardModifiers() & Qt.KeyboardModifier.AltModifier)


@cache
def _eye_icon(*, is_hidden: bool) -> QIcon:
    """Draw an eye; of a hidden object only its closed lid."""
    picture = QPixmap(_ICON_SIDE, _ICON_SIDE)
    picture.fill(QColor(0, 0, 0, 0))
    painter = QPainter(picture)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(QPen(QColor(ICON_GREY), 1.4))
    lid = QPainterPath(QPointF(1, 7))
    lid.quadTo(QPointF(7, 13), QPointF(13, 7))
    if not is_hidden:
        lid.quadTo(QPointF(7, 1), QPointF(1, 7))
    painter.drawPath(lid)
    if is_hidden:
        for lash in ((3, 9, 2, 11), (7, 10, 7, 12.5), (11, 9, 12, 11)):
            painter.drawLine(QLineF(*lash))
    else:
        painter.setBrush(QColor(ICON_GREY))
        painter.drawEllipse(QPointF(7, 7), 1.6, 1.6)
    painter.end()
    return _untinted(picture)


@cache
def _lock_icon(*, is_locked: bool) -> QIcon:
    """Draw a lock; an open one is faint, since it says nothing."""
    picture = QPixmap(_ICON_SIDE, _ICON_SIDE)
    picture.fill(QColor(0, 0, 0, 0))
    colour = QColor(ICON_GREY)
    colour.setAlphaF(1.0 if is_locked else 0.35)
    painter = QPainter(picture)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.fillRect(QRectF(2, 6, 10, 7), colour)
    painter.setPen(QPen(colour, 2))
    shackle = QRectF(4, 2, 6, 8) if is_locked else QRectF(7, 2, 6, 8)
    painter.drawArc(shackle, 0, 180 * _DEGREE)
    painter.end()
    return _untinted(picture)


def _details(one: ObjectSummary) -> str:
    """Say all that is known of an object, one fact per line."""
    facts = [f"{one.name} (label {one.object_id})"]
    if one.is_background:
        facts.append("Background object: followed, but not part of the result")
    facts += ["Hidden in the viewer"] if one.is_hidden else []
    facts += ["Locked"] if one.is_locked else []
    facts += [f"Daughter of object {one.parent}"] if one.parent is not None else []
    if one.prompt_frames:
        named = ", ".join(map(str, one.prompt_frames[:_NAMED]))
        more = ", …" if len(one.prompt_frames) > _NAMED else ""
        facts.append(f"Prompts on frame {named}{more}")
    if one.span:
        facts.append(f"Labels on {counted(one.frame_count, 'frame')}")
    facts += [f"Doubtful on {one.doubtful}"] if one.doubtful else []
    facts += [f"Absent on {one.absent}"] if one.absent else []
    facts += [f"On {frames} {why}" for why, frames in one.conflicts]
    return "\n".join(facts)
