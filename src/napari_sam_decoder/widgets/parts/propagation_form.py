"""The form for the settings of propagation, made of the dataclass itself."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QWidget

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
    """

    requested = Signal(object)
    refused = Signal(object)

    def __init__(self) -> None:
        super().__init__()
        self._settings = Settings()
        self.fields = form_of(Settings)
        for field in self.fields:
            field.changed.connect(partial(self._request, field.name))
        self.setLayout(form_layout(self.fields))

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
