"""What the dock tells a person, in lines whose height never changes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QEvent, Qt
from qtpy.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QLabel,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from napari_sam_decoder.widgets.messages import describe
from napari_sam_decoder.widgets.parts.controls import Lines

if TYPE_CHECKING:
    from napari_sam_decoder.project import Step
    from napari_sam_decoder.widgets.workbench import Workbench

__all__ = ["MessagePart"]

ALARM_RED = "#e04848"
_WARNING = "⚠ "


class MessagePart(QWidget):
    """The message, and notices about what is not used, with a way to read all of it.

    Parameters
    ----------
    dock : QWidget
        Over which a whole text is laid, so that nothing moves.

    Attributes
    ----------
    message, notices : Lines
        Two lines and one; a text that does not fit is in the tooltip.
    whole : QLabel
        A text that was too long, or an error with its remedy.
    """

    def __init__(self, dock: QWidget) -> None:
        super().__init__(dock)
        self._dock = dock
        self._is_new = False
        self._shown_after: Step | None = None
        self.message, self.notices = Lines(2), Lines(1)
        for lines in (self.message, self.notices):
            lines.clicked.connect(self._show_all)
        self.whole = QLabel()
        self.whole.setWordWrap(True)
        self.whole.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.close_button = QToolButton()
        self.close_button.setText("✕")
        self.close_button.setToolTip("Close; the next action closes it, too")
        self.close_button.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.close_button.clicked.connect(self.close_whole)
        self._sheet = self._lay_out_sheet()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(self.message)
        layout.addWidget(self.notices)
        dock.installEventFilter(self)

    def show_state(self, bench: Workbench) -> None:
        """Show what is under way, what to do next, and what is not used.

        What could be done besides is offered where there is nothing to warn of.
        """
        self.message.setText(describe(bench))
        notices = bench.notices
        warnings = _WARNING + "   ".join(notices) if notices else ""
        self.notices.setText(warnings or bench.offer)
        self.notices.setToolTip("\n".join(notices) or bench.offer)
        if self._shown_after is not bench.history.next_undo:
            # What is new may tell of the very action that was not shown yet.
            if not self._is_new:
                self.close_whole()
            self._shown_after = bench.history.next_undo
        self._is_new = False

    def show_error(self, text: str) -> None:
        """Show an error whole, until it is closed or something else is done."""
        self._show_whole(text, is_error=True)

    def close_whole(self) -> None:
        """Take away what was shown whole."""
        self._sheet.hide()

    def eventFilter(self, watched: object, event: QEvent) -> bool:
        """Keep a whole text as wide as the dock."""
        if event.type() == QEvent.Type.Resize and self._sheet.isVisible():
            self._fit_sheet()
        return False

    def _show_all(self) -> None:
        """Show the message and all notices, one below the other."""
        notices = self.notices.toolTip().split("\n")
        sign = _WARNING if self.notices.text().startswith(_WARNING) else ""
        texts = (self.message.text(), *(sign + one for one in notices if one))
        self._show_whole("\n".join(texts), is_error=False)

    def _show_whole(self, text: str, *, is_error: bool) -> None:
        self._is_new = True
        self.whole.setText(text)
        colour = ALARM_RED if is_error else "palette(mid)"
        self._sheet.setStyleSheet(f"#sheet {{ border: 2px solid {colour}; }}")
        self._fit_sheet()
        self._sheet.show()
        self._sheet.raise_()

    def _fit_sheet(self) -> None:
        self._sheet.setFixedWidth(self._dock.width())
        self._sheet.setFixedHeight(self._sheet.heightForWidth(self._dock.width()))
        self._sheet.move(0, 0)

    def _lay_out_sheet(self) -> QFrame:
        sheet = QFrame(self._dock)
        sheet.setObjectName("sheet")
        sheet.setAutoFillBackground(True)
        layout = QHBoxLayout(sheet)
        layout.setContentsMargins(8, 8, 8, 8)
        layout.addWidget(self.whole, 1)
        layout.addWidget(self.close_button, 0, Qt.AlignmentFlag.AlignTop)
        sheet.hide()
        return sheet
