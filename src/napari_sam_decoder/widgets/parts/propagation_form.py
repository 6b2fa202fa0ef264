"""The form for the settings of propagation, made of the dataclass itself."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QCheckBox, QWidget

from napari_sam_decoder.errors import OptionError
from napari_sam_decoder.propagation import Settings
from napari_sam_decoder.widgets.parts.forms import form_layout, form_of, show

__all__ = ["PropagationForm"]


class PropagationForm(QWidget):
    """How propagation decides, for those who know its terms.

    Attributes
    ----------
    fields : magicgui.widgets.FunctionGui
        One for each field of `Settings`, by name.
    window : QCheckBox
        Whether the window of the current object is outlined.
    """

    requested = Signal(object)
    refused = Signal(object)
    window_toggled = Signal(bool)

    def __init__(self) -> None:
        super().__init__()
        self._settings = Settings()
        self.fields = form_of(Settings)
        for field in self.fields:
            field.changed.connect(partial(self._request, field.name))
        self.window = QCheckBox("Outline the window")
        self.window.setToolTip(
            "Outline the part of a large frame in which the current object is seen, on "
            "frames where you have shown it. Frames up to the size of the network's "
            "input are seen as a whole."
        )
        # PySide would call the signal itself without the state.
        self.window.clicked.connect(lambda is_on: self.window_toggled.emit(is_on))
        layout = form_layout(self.fields)
        layout.addRow(self.window)
        self.setLayout(layout)

    def show_state(self, settings: Settings) -> None:
        """Show the settings in force."""
        self._settings = settings
        for field in self.fields:
            show(field, getattr(settings, field.name))

    def _request(self, name: str, value: Any) -> None:
        try:
            self.requested.emit(replace(self._settings, **{name: value}))
        except OptionError as error:
            self.refused.emit(error)
            self.show_state(self._settings)
