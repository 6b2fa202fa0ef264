"""The window that lists all keys of the docks, and changes them."""

from __future__ import annotations

from functools import partial
from itertools import groupby
from typing import TYPE_CHECKING

from qtpy.QtCore import Qt, Signal
from qtpy.QtGui import QKeySequence
from qtpy.QtWidgets import (
    QDialog,
    QGridLayout,
    QHBoxLayout,
    QKeySequenceEdit,
    QLabel,
    QScrollArea,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from napari_sam_decoder.widgets.commands import COMMANDS, DEFAULT_KEYS, FIXED_KEYS
from napari_sam_decoder.widgets.keys import shown_key
from napari_sam_decoder.widgets.parts.controls import button
from napari_sam_decoder.widgets.parts.message_part import ALARM_RED
from napari_sam_decoder.wording import capitalised

if TYPE_CHECKING:
    from collections.abc import Mapping

    from napari_sam_decoder.widgets.commands import Command

__all__ = ["KeyList"]

_HOW = (
    "Click a key and press another one; the ✕ in its field leaves the command without "
    "one. Keys work wherever the focus is in the window, also while you type."
)


class KeyList(QDialog):
    """All keys; stays open beside the viewer.

    Attributes
    ----------
    fields : dict of str to QKeySequenceEdit
        By the names of commands.
    resets : dict of str to QToolButton
        Give one command its usual key again.
    trouble : QLabel
        Why a key was refused; empty otherwise.
    """

    key_chosen = Signal(object)
    reset_requested = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Keys")
        self.fields: dict[str, QKeySequenceEdit] = {}
        self.resets: dict[str, QToolButton] = {}
        self._keys: dict[str, str] = dict(DEFAULT_KEYS)
        self.trouble = QLabel()
        self.trouble.setWordWrap(True)
        self.trouble.setStyleSheet(f"color: {ALARM_RED}; font-weight: bold")
        self.trouble.setMinimumHeight(2 * self.fontMetrics().lineSpacing())
        self.reset_all = button(
            "Reset all", "Give all commands their usual keys", self.reset_requested.emit
        )
        self.shut = button("Close", "Close this list", self.close)
        self._lay_out()
        self.resize(470, 640)

    def show_keys(self, keys: Mapping[str, str]) -> None:
        """Show the keys that are in use, and no trouble any more."""
        self._keys = dict(keys)
        self.trouble.clear()
        self._show_kept()

    def show_trouble(self, text: str) -> None:
        """Say why a key was refused, and show the one that is kept."""
        self.trouble.setText(f"{capitalised(text)}.")
        self._show_kept()

    def _show_kept(self) -> None:
        for name, field in self.fields.items():
            key = self._keys.get(name, "")
            field.setKeySequence(QKeySequence(key))
            self.resets[name].setEnabled(key != DEFAULT_KEYS[name])
        self.reset_all.setEnabled(self._keys != DEFAULT_KEYS)

    def _on_edited(self, name: str) -> None:
        sequence = self.fields[name].keySequence()
        key = QKeySequence(sequence[0]).toString() if sequence.count() else ""
        if key != self._keys.get(name):
            self.key_chosen.emit({name: key})

    def _lay_out(self) -> None:
        holder = QWidget()
        grid = QGridLayout(holder)
        grid.setVerticalSpacing(2)
        grid.setColumnStretch(0, 1)
        for group, commands in groupby(COMMANDS, lambda one: one.group):
            _add_heading(grid, group)
            for command in commands:
                self._add_line(grid, command)
        _add_heading(grid, "Always")
        for title, key in FIXED_KEYS:
            line = grid.rowCount()
            grid.addWidget(QLabel(title), line, 0)
            grid.addWidget(QLabel(shown_key(key)), line, 1)
        scroll = QScrollArea()
        scroll.setWidgetResizable(True)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scroll.setWidget(holder)
        how = QLabel(_HOW)
        how.setWordWrap(True)
        below = QHBoxLayout()
        below.addWidget(self.reset_all)
        below.addStretch(1)
        below.addWidget(self.shut)
        layout = QVBoxLayout(self)
        layout.addWidget(how)
        layout.addWidget(scroll, 1)
        layout.addWidget(self.trouble)
        layout.addLayout(below)

    def _add_line(self, grid: QGridLayout, command: Command) -> None:
        field = self.fields[command.name] = QKeySequenceEdit()
        field.setMaximumSequenceLength(1)
        field.setClearButtonEnabled(True)
        field.setFixedWidth(150)
        field.editingFinished.connect(partial(self._on_edited, command.name))
        reset = self.resets[command.name] = QToolButton()
        reset.setText("↺")
        reset.setToolTip(f"The usual key again: {shown_key(command.key)}")
        usual = {command.name: command.key}
        reset.clicked.connect(lambda _checked=False: self.key_chosen.emit(usual))
        line = grid.rowCount()
        grid.addWidget(QLabel(command.title), line, 0)
        grid.addWidget(field, line, 1)
        grid.addWidget(reset, line, 2)


def _add_heading(grid: QGridLayout, text: str) -> None:
    grid.addWidget(QLabel(f"<b>{text}</b>"), grid.rowCount(), 0, 1, 3)
