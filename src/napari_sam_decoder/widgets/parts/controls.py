"""Small controls that several sections use."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QComboBox, QHBoxLayout, QPushButton, QSizePolicy, QWidget

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from napari.layers import Layer

__all__ = ["LayerBox", "button", "narrow", "row"]


class LayerBox(QComboBox):
    """A choice among layers, by name.

    Parameters
    ----------
    without : str
        What stands first, for no layer.
    """

    chosen = Signal(object)

    def __init__(self, without: str) -> None:
        super().__init__()
        self._without = without
        self._entries: list[tuple[str, Layer | None]] = []
        # Long names must not widen the dock.
        self.setMinimumContentsLength(8)
        self.setSizeAdjustPolicy(
            QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
        )
        self.activated.connect(self._on_activated)
        self.show_layers((), None)

    def show_layers(self, layers: Sequence[Layer], current: Layer | None) -> None:
        """List layers, and show which one is chosen, without a signal."""
        entries: list[tuple[str, Layer | None]] = [(self._without, None)]
        entries += [(layer.name, layer) for layer in layers]
        if entries != self._entries:
            self._entries = entries
            self.clear()
            self.addItems([name for name, _ in entries])
        places = [layer for _, layer in entries]
        self.setCurrentIndex(places.index(current) if current in places else 0)

    def _on_activated(self, index: int) -> None:
        self.chosen.emit(self._entries[index][1])


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
