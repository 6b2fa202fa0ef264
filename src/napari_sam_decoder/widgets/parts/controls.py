"""Small controls that several sections use."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QEvent, Qt, Signal
from qtpy.QtWidgets import (
    QGroupBox,
    QHBoxLayout,
    QMenu,
    QPushButton,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)
from superqt import QElidingLabel

from napari_sam_decoder.widgets.parts.key_tips import set_tip

if TYPE_CHECKING:
    from collections.abc import Callable

    from qtpy.QtGui import QMouseEvent, QShowEvent

__all__ = [
    "Lines",
    "button",
    "group_layout",
    "menu_button",
    "narrow",
    "row",
    "steady_row",
]


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
        Its tooltip; see `set_tip`.
    on_click : callable
        Called without arguments.
    """
    made = QPushButton(text)
    set_tip(made, tip)
    # The space bar must go on panning the canvas after a click here.
    made.setFocusPolicy(Qt.FocusPolicy.TabFocus)
    made.clicked.connect(lambda _checked=False: on_click())
    return made


def menu_button(text: str, tip: str) -> tuple[QPushButton, QMenu]:
    """Make a button that opens a menu, which is empty so far."""
    made = QPushButton(text)
    made.setToolTip(tip)
    made.setFocusPolicy(Qt.FocusPolicy.TabFocus)
    menu = QMenu(made)
    made.setMenu(menu)
    return made, menu


def group_layout(group: QGroupBox) -> QVBoxLayout:
    """Make the layout of a section, which leaves no room unused."""
    layout = QVBoxLayout(group)
    layout.setContentsMargins(6, 6, 6, 6)
    layout.setSpacing(4)
    return layout


def row(*widgets: QWidget) -> QHBoxLayout:
    """Put widgets side by side; those that are not of fixed width share the room."""
    layout = QHBoxLayout()
    layout.setContentsMargins(0, 0, 0, 0)
    layout.setSpacing(4)
    for widget in widgets:
        is_fixed = widget.sizePolicy().horizontalPolicy() == QSizePolicy.Policy.Fixed
        layout.addWidget(widget, 0 if is_fixed else 1)
    return layout


def steady_row(*widgets: QWidget) -> QWidget:
    """Put widgets side by side in a row that keeps its height where one is hidden."""
    return _SteadyRow(widgets)


class _SteadyRow(QWidget):
    def __init__(self, widgets: tuple[QWidget, ...]) -> None:
        super().__init__()
        self._widgets = widgets
        self.setLayout(row(*widgets))
        self._fix_height()

    def showEvent(self, event: QShowEvent) -> None:
        """Take on the style of the window, in which buttons may be higher."""
        for one in self._widgets:
            one.ensurePolished()
        self._fix_height()
        super().showEvent(event)

    def _fix_height(self) -> None:
        self.setFixedHeight(max(one.sizeHint().height() for one in self._widgets))


class Lines(QElidingLabel):
    """A label as high as a number of lines, whatever it says.

    Parameters
    ----------
    count : int
        Lines that it shows; what does not fit is in the tooltip.
    about : str, optional
        Follows the text in the tooltip.
    """

    clicked = Signal()

    def __init__(self, count: int, about: str = "") -> None:
        super().__init__()
        self._count, self._about = count, about
        self.setWordWrap(count > 1)
        self.setAlignment(Qt.AlignmentFlag.AlignTop)
        # Else Qt indents the first line from the top as well.
        self.setIndent(0)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self._fix_height()

    def setText(self, text: str) -> None:
        """Show a text, all of which is in the tooltip."""
        super().setText(text)
        self.setToolTip("\n".join(part for part in (text, self._about) if part))

    def changeEvent(self, event: QEvent) -> None:
        """Follow the font, which a theme may change."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.FontChange:
            self._fix_height()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Ask for the whole text."""
        super().mousePressEvent(event)
        self.clicked.emit()

    def _fix_height(self) -> None:
        self.setFixedHeight(self._count * self.fontMetrics().lineSpacing() + 4)
