"""The row that undoes and redoes, and says how far back that goes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from magicgui.widgets import SpinBox
from qtpy.QtCore import Qt, Signal
from qtpy.QtGui import QKeySequence, QShortcut
from qtpy.QtWidgets import QLabel, QVBoxLayout, QWidget

from napari_sam_decoder.widgets.parts.controls import button, row
from napari_sam_decoder.widgets.parts.forms import form_layout, row_of

if TYPE_CHECKING:
    from qtpy.QtWidgets import QPushButton

    from napari_sam_decoder.project import History, Step
    from napari_sam_decoder.widgets.workbench import Workbench

__all__ = ["HistoryPart", "UndoMemoryForm"]

_MEGABYTE = 2**20
_MOST_MEGABYTES = 2**16


class HistoryPart(QWidget):
    """Undo and redo, each naming the action that it is about."""

    undo_requested = Signal()
    redo_requested = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.undo = button("↶ Undo", "", self.undo_requested.emit)
        self.redo = button("↷ Redo", "", self.redo_requested.emit)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(row(self.undo, self.redo))

    def listen_to_keys(self, dock: QWidget) -> None:
        """Let the usual keys work while a dock has the focus, not the canvas."""
        for standard, signal in (
            (QKeySequence.StandardKey.Undo, self.undo_requested),
            (QKeySequence.StandardKey.Redo, self.redo_requested),
        ):
            shortcut = QShortcut(QKeySequence(standard), dock)
            shortcut.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
            shortcut.activated.connect(signal.emit)

    def show_state(self, bench: Workbench) -> None:
        """Name what can be undone and redone."""
        history = bench.history
        _name(self.undo, history.next_undo, "Take back", "Ctrl+Z")
        _name(self.redo, history.next_redo, "Do again", "Ctrl+Shift+Z")


def _name(which: QPushButton, step: Step | None, verb: str, key: str) -> None:
    which.setEnabled(step is not None)
    about = f": {step.title}" if step is not None else " the last action"
    which.setToolTip(f"{verb}{about} ({key})")


class UndoMemoryForm(QWidget):
    """How much memory undo may take."""

    limit_chosen = Signal(int)

    def __init__(self) -> None:
        super().__init__()
        self.limit = SpinBox(
            min=1,
            max=_MOST_MEGABYTES,
            tooltip="Megabytes for what can be undone; the oldest actions go first",
        )
        self.used = QLabel()
        self.limit.changed.connect(
            lambda megabytes: self.limit_chosen.emit(megabytes * _MEGABYTE)
        )
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(form_layout((row_of(self.limit, label="Undo memory, MB"),)))
        layout.addWidget(self.used)

    def show_state(self, history: History) -> None:
        """Show the limit, and what is used of it."""
        with self.limit.changed.blocked():
            self.limit.value = max(1, history.limit // _MEGABYTE)
        used = history.size / _MEGABYTE
        self.used.setText(f"{len(history.done)} actions take {used:.1f} MB")
