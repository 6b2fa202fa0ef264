"""The section that lists the objects."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Points, Shapes
from qtpy.QtCore import Qt, Signal
from qtpy.QtGui import QColor, QIcon, QPixmap
from qtpy.QtWidgets import (
    QGroupBox,
    QMenu,
    QMessageBox,
    QPushButton,
    QSizePolicy,
    QTreeWidget,
    QTreeWidgetItem,
)

from napari_sam_decoder.propagation import Verdict
from napari_sam_decoder.widgets.colours import object_colour
from napari_sam_decoder.widgets.parts.controls import button, group_layout, row
from napari_sam_decoder.widgets.runs import counted

if TYPE_CHECKING:
    from qtpy.QtCore import QPoint

    from napari_sam_decoder.widgets.objects import SegmentedObject
    from napari_sam_decoder.widgets.workbench import Workbench

__all__ = ["ObjectsPart"]

_ID = Qt.ItemDataRole.UserRole
_ICON_SIDE = 12
TABLE_HEIGHT = 116
COLUMN_WIDTHS = (125, 70)


class ObjectsPart(QGroupBox):
    """The objects, and where their points come from."""

    new_requested = Signal()
    layer_chosen = Signal(object)
    object_chosen = Signal(int)
    renamed = Signal(int, str)
    delete_requested = Signal()
    merge_requested = Signal(int, int)

    def __init__(self) -> None:
        super().__init__("Objects")
        self._entries: list[tuple[str, Points | Shapes]] = []
        self.table = QTreeWidget()
        self.table.setHeaderLabels(["Object", "Points on", "Result"])
        self.table.setRootIsDecorated(False)
        self.table.setUniformRowHeights(True)
        self.table.setMinimumHeight(TABLE_HEIGHT)
        # It takes what the other sections leave, however much there is.
        self.table.setSizePolicy(
            QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Ignored
        )
        self.table.setToolTip(
            "Clicks in the picture go to the selected object; Alt+O selects the next, "
            "Alt+Shift+O the previous one, Alt+click the one in the picture. "
            "Double-click a name to change it"
        )
        for column, width in enumerate(COLUMN_WIDTHS):
            self.table.setColumnWidth(column, width)
        # Only names may be edited, so not every column opens an editor by itself.
        self.table.setEditTriggers(QTreeWidget.EditTrigger.NoEditTriggers)
        self.table.itemDoubleClicked.connect(self._on_double_clicked)
        self.table.itemClicked.connect(self._on_clicked)
        self.table.itemChanged.connect(self._on_edited)
        self.table.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.table.customContextMenuRequested.connect(self._show_context_menu)
        self.new_button = button(
            "New object",
            "Add an object, then click it (Alt+N)",
            self.new_requested.emit,
        )
        self.delete_button = button(
            "Delete…", "Delete the selected object (Alt+D)", self.delete_requested.emit
        )
        self.points_button = QPushButton("Use points…")
        self.points_button.setToolTip(
            "Copy the points or rectangles of another layer, as prompts"
        )
        self.menu = QMenu(self)
        self.points_button.setMenu(self.menu)
        layout = group_layout(self)
        layout.addLayout(row(self.new_button, self.delete_button, self.points_button))
        layout.addWidget(self.table)

    def show_state(self, bench: Workbench) -> None:
        """List the current objects."""
        self.setEnabled(bench.movie is not None)
        self._fill_menu(bench)
        self.points_button.setEnabled(bool(self._entries))
        self.delete_button.setEnabled(bench.objects.current is not None)
        self.table.blockSignals(True)
        objects = bench.objects.listed
        while self.table.topLevelItemCount() > len(objects):
            self.table.takeTopLevelItem(self.table.topLevelItemCount() - 1)
        for place, listed in enumerate(objects):
            item = self.table.topLevelItem(place) or QTreeWidgetItem(self.table)
            _fill(item, listed, bench)
            if listed.object_id == bench.objects.current_id:
                self.table.setCurrentItem(item)
        self.table.blockSignals(False)

    def ask_about_labels(
        self, deleted: SegmentedObject, bench: Workbench
    ) -> str | None:
        """Ask what becomes of the labels of an object that is to be deleted.

        Returns
        -------
        {"keep", "remove"} or None
            None if it is not to be deleted. Nothing is asked of an object without
            points and labels.
        """
        result = _result_text(deleted.object_id, bench)
        if not (result or deleted.frames):
            return "keep"
        box = QMessageBox(self)
        box.setIcon(QMessageBox.Icon.Question)
        box.setText(f"Delete {deleted.name!r}?")
        points = "Its points are removed." if deleted.frames else ""
        found = f" Its labels: {result}." if result else ""
        box.setInformativeText(f"{points}{found}".strip())
        answers: dict[Any, str] = {}
        box.addButton(QMessageBox.StandardButton.Cancel)
        accept = QMessageBox.ButtonRole.AcceptRole
        if result:
            answers[box.addButton("Keep its labels", accept)] = "keep"
            erase = QMessageBox.ButtonRole.DestructiveRole
            answers[box.addButton("Remove them too", erase)] = "remove"
        else:
            answers[box.addButton("Delete", accept)] = "keep"
        box.exec()
        return answers.get(box.clickedButton())

    def _fill_menu(self, bench: Workbench) -> None:
        """List the layers of others; those of other movies belong to the plugin."""
        own = [layer for state in bench.controller.movies for layer in state.layers]
        entries = [
            (layer.name, layer)
            for layer in bench.viewer.layers
            if isinstance(layer, Points | Shapes) and layer not in own
        ]
        if entries == self._entries:
            # The menu may be open just now.
            return
        self._entries = entries
        self.menu.clear()
        for name, layer in entries:
            self.menu.addAction(name).triggered.connect(
                lambda _checked, layer=layer: self.layer_chosen.emit(layer)
            )

    def _on_clicked(self, item: QTreeWidgetItem) -> None:
        self.object_chosen.emit(item.data(0, _ID))

    def context_menu(self, item: QTreeWidgetItem) -> QMenu:
        """Make the menu of an object in the table."""
        object_id = item.data(0, _ID)
        menu = QMenu(self)
        menu.addAction("Rename").triggered.connect(
            lambda _checked: self.table.editItem(item, 0)
        )
        others = menu.addMenu("Merge into")
        for place in range(self.table.topLevelItemCount()):
            other = self.table.topLevelItem(place)
            if other is item:
                continue
            action = others.addAction(other.icon(0), other.text(0))
            into = other.data(0, _ID)
            action.triggered.connect(
                lambda _checked, into=into: self.merge_requested.emit(object_id, into)
            )
        others.setEnabled(not others.isEmpty())
        menu.addAction("Delete…").triggered.connect(
            lambda _checked: self.delete_requested.emit()
        )
        return menu

    def _show_context_menu(self, position: QPoint) -> None:
        item = self.table.itemAt(position)
        if item is not None:
            # What the menu does is meant for the object that was pressed.
            self.object_chosen.emit(item.data(0, _ID))
            self.context_menu(item).popup(self.table.viewport().mapToGlobal(position))

    def _on_double_clicked(self, item: QTreeWidgetItem, column: int) -> None:
        if column == 0:
            self.table.editItem(item, column)

    def _on_edited(self, item: QTreeWidgetItem, column: int) -> None:
        name = item.text(0).strip()
        if column == 0 and name and name != item.toolTip(0):
            self.renamed.emit(item.data(0, _ID), name)
        elif column == 0 and not name:
            item.setText(0, item.toolTip(0))


def _fill(item: QTreeWidgetItem, listed: SegmentedObject, bench: Workbench) -> None:
    """Write what has changed: a name that is being typed would be lost otherwise."""
    if item.data(0, _ID) != listed.object_id:
        item.setData(0, _ID, listed.object_id)
        item.setIcon(0, _swatch(listed.object_id))
        item.setFlags(item.flags() | Qt.ItemFlag.ItemIsEditable)
    texts = (
        listed.name,
        _points_text(listed, bench),
        _result_text(listed.object_id, bench),
    )
    for column, text in enumerate(texts):
        if text != item.toolTip(column):
            item.setText(column, text)
            item.setToolTip(column, text)


def _swatch(object_id: int) -> QIcon:
    colour = np.rint(object_colour(object_id) * 255).astype(int)
    square = QPixmap(_ICON_SIDE, _ICON_SIDE)
    square.fill(QColor(*colour.tolist()))
    return QIcon(square)


def _points_text(listed: SegmentedObject, bench: Workbench) -> str:
    if not listed.frames:
        return "none" if bench.holds(listed.object_id) else "none yet"
    frames = ", ".join(map(str, listed.frames[:3]))
    more = "…" if len(listed.frames) > 3 else ""
    return f"{frames}{more}"


def _result_text(object_id: int, bench: Workbench) -> str:
    target = bench.controller.state.target
    record = None if target is None else target.record(target.view)
    if record is None or object_id not in record.frames.object_ids:
        return ""
    counts = record.frames.counts(object_id)
    doubtful, absent = counts[Verdict.DOUBTFUL], counts[Verdict.ABSENT]
    parts = [counted(len(record.frames.frames_with(object_id)), "frame")]
    parts += [f"{doubtful} doubtful"] if doubtful else []
    parts += [f"absent on {absent}"] if absent else []
    for why, frames in record.frames.conflicts(object_id).items():
        parts += [f"on {frames} {why}"]
    return ", ".join(parts)
