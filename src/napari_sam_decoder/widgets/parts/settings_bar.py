"""The row of buttons that save and load what is set in the dock."""

from __future__ import annotations

from pathlib import Path

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QFileDialog, QWidget

from napari_sam_decoder.widgets.parts.controls import button, row

__all__ = ["SettingsBar"]

_KINDS = "Settings (*.json)"


class SettingsBar(QWidget):
    """Save settings, load them, or go back to the usual ones."""

    save_requested = Signal(object)
    load_requested = Signal(object)
    reset_requested = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.save = button(
            "Save settings…",
            "Write all settings of the dock to a file: model, contrast, cache, "
            "propagation and run options",
            self._ask_where_to_save,
        )
        self.load = button(
            "Load settings…",
            "Take the settings from a file that 'Save settings…' has written",
            self._ask_what_to_load,
        )
        self.reset = button(
            "Reset", "Go back to the usual settings", self.reset_requested.emit
        )
        self.setLayout(row(self.save, self.load, self.reset))

    def _ask_where_to_save(self) -> None:
        name = "sam-decoder-settings.json"
        chosen, _ = QFileDialog.getSaveFileName(self, "Save settings", name, _KINDS)
        if chosen:
            path = Path(chosen)
            self.save_requested.emit(path if path.suffix else path.with_suffix(".json"))

    def _ask_what_to_load(self) -> None:
        chosen, _ = QFileDialog.getOpenFileName(self, "Load settings", "", _KINDS)
        if chosen:
            self.load_requested.emit(Path(chosen))
