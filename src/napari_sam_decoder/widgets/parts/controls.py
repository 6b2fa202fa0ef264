"""Small controls that several sections use."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QHBoxLayout, QPushButton, QSizePolicy, QWidget

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["button", "narrow", "row"]


def narrow(widget: QWidget) -> QWidget:
    """Let a widget be no wider than it needs, for `row`."""
    widget.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Preferred)
    return widget


def button(text: str, tip: str, on_click: Callable[[], None]) -> QPushButton:
    """Make a push button.

    Parameters
    ----------
    text : str
        What it says.
    tip : str
        Its tooltip, with its key if it has one.
    on_click : callable
        Called without arguments.
    """
    made = QPushButton(text)
    made.setToolTip(tip)
    # The space bar must go on panning the canvas after a click here.
    made.setFocusPolicy(Qt.FocusPolicy.TabFocus)
    made.clicked.connect(lambda _checked=False: on_click())
    return made


def row(*widgets: QWidget) -> QHBoxLayout:
    """Put widgets side by side; those that are not of fixed width share the room."""
    layout = QHBoxLayout()
    layout.setContentsMargins(0, 0, 0, 0)
    for widget in widgets:
        is_fixed = widget.sizePolicy().horizontalPolicy() == QSizePolicy.Policy.Fixed
        layout.addWidget(widget, 0 if is_fixed else 1)
    return layout
