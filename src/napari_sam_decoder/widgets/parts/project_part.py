"""The sections that undo and redo, and say where what is done is kept."""

from __future__ import annotations

from datetime import UTC
from pathlib import Path
from typing import TYPE_CHECKING

from magicgui.widgets import SpinBox
from qtpy.QtCore import Qt, Signal
from qtpy.QtGui import QKeySequence, QShortcut
from qtpy.QtWidgets import QFileDialog, QLabel, QMenu, QVBoxLayout, QWidget

from napari_sam_decoder.project.location import SUFFIX
from napari_sam_decoder.widgets.parts.controls import (
    Lines,
    button,
    narrow,
    row,
    steady_row,
)
from napari_sam_decoder.widgets.parts.forms import form_layout, row_of
from napari_sam_decoder.wording import counted

if TYPE_CHECKING:
    from datetime import datetime

    from qtpy.QtWidgets import QPushButton

    from napari_sam_decoder.project import ProjectSummary, Step
    from napari_sam_decoder.widgets.movie_state import MovieState
    from napari_sam_decoder.widgets.workbench import Workbench

__all__ = ["ProjectForm", "ProjectPart", "ask_where_to_save"]

NOT_SAVED = "NOT saved"
WIDTH = 112
"""In pixels, for the time of saving."""
ALARM = "color: #ff6060; font-weight: bold"
_MEGABYTE = 2**20
_MOST_MEGABYTES = 2**16
_KINDS = f"Projects (*{SUFFIX})"


class ProjectPart(QWidget):
    """Undo and redo, whether all is saved, and what was done on another day.

    Attributes
    ----------
    offers : QWidget
        What was done on another day; laid out elsewhere.
    """

    undo_requested = Signal()
    redo_requested = Signal()
    retry_requested = Signal()
    resume_requested = Signal(object)

    def __init__(self) -> None:
        super().__init__()
        self.undo = button("↶", "", self.undo_requested.emit)
        self.redo = button("↷", "", self.redo_requested.emit)
        self.status = Lines(1)
        self.retry = button("Try again", "Save now", self.retry_requested.emit)
        self.offer = QLabel()
        self.offer.setWordWrap(True)
        self.resume = button(
            "Resume",
            "Go on with the points, labels and history of that day; what you have done "
            "here so far stays in a project of its own",
            lambda: self.resume_requested.emit(None),
        )
        self._offered: tuple[ProjectSummary, ...] = ()
        self._menu = QMenu(self)
        self.offers = QWidget()
        self.offers.setLayout(row(self.offer, narrow(self.resume)))
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        layout.addLayout(row(self.undo, self.redo))
        layout.addWidget(steady_row(self.status, narrow(self.retry)))
        self.setFixedWidth(WIDTH)

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
        """Name what can be undone and redone, and say what is kept where."""
        history, state = bench.history, bench.controller.state
        _name(self.undo, history.next_undo, "Take back", "Ctrl+Z")
        _name(self.redo, history.next_redo, "Do again", "Ctrl+Shift+Z")
        self.status.setVisible(bench.movie is not None)
        self.status.setText(_status(state))
        is_alarming = self.status.text() == NOT_SAVED
        self.status.setStyleSheet(ALARM if is_alarming else "")
        self.status.setToolTip(_details(state))
        self.retry.setVisible(_is_not_saved(state))
        self._show_offers(state.offers)

    def _show_offers(self, offers: tuple[ProjectSummary, ...]) -> None:
        self.offers.setVisible(bool(offers))
        if not offers or offers == self._offered:
            return
        self._offered = offers
        when = _moment(offers[0].saved_at)
        text = f"You worked on this movie before, last on {when}."
        if offers[0].is_open:
            text = f"This movie is open in another window; last change on {when}."
        self.offer.setText(text)
        self._menu.clear()
        for offer in offers:
            text = f"{_moment(offer.saved_at)}, {offer.size / _MEGABYTE:.1f} MB"
            action = self._menu.addAction(text)
            action.triggered.connect(
                lambda _checked, path=offer.path: self.resume_requested.emit(path)
            )
        self.resume.setMenu(self._menu if len(offers) > 1 else None)


def _name(which: QPushButton, step: Step | None, verb: str, key: str) -> None:
    which.setEnabled(step is not None)
    about = f": {step.title}" if step is not None else " the last action"
    which.setToolTip(f"{verb}{about} ({key})")


def _status(state: MovieState) -> str:
    project = state.project
    if _is_not_saved(state):
        return NOT_SAVED
    if project.path is None:
        has_work = bool(project.history.done)
        return "Saving soon…" if has_work else "Saves by itself"
    saved_at = project.saved_at
    return "Saved" if saved_at is None else f"Saved, {saved_at.astimezone():%H:%M:%S}"


def _is_not_saved(state: MovieState) -> bool:
    return state.is_keeping_off or state.project.failure is not None


def _details(state: MovieState) -> str:
    """Say where all is saved, or why it is not."""
    project = state.project
    if project.failure is not None:
        return str(project.failure)
    if state.is_keeping_off:
        return "The notification says what to do; then press 'Try again'"
    return "" if project.path is None else str(project.path)


def _moment(moment: datetime) -> str:
    return f"{moment.replace(tzinfo=UTC).astimezone():%d %b %Y, %H:%M}"


class ProjectForm(QWidget):
    """The project file, and how much memory undo may take."""

    open_requested = Signal(object)
    save_as_requested = Signal()
    limit_chosen = Signal(int)

    def __init__(self) -> None:
        super().__init__()
        self.open = button(
            "Open project…",
            "Go on with a project from a file; its movie is opened if it is not",
            self._ask_what_to_open,
        )
        self.save_as = button(
            "Save project as…",
            "Copy the project, with its labels, to another place or machine",
            self.save_as_requested.emit,
        )
        self.path = QLabel()
        self.path.setWordWrap(True)
        self.path.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
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
        layout.addLayout(row(self.open, self.save_as))
        layout.addWidget(self.path)
        layout.addLayout(form_layout((row_of(self.limit, label="Undo memory, MB"),)))
        layout.addWidget(self.used)

    def show_state(self, bench: Workbench) -> None:
        """Show the file, the limit, and what is used of it."""
        history, path = bench.history, bench.controller.state.project.path
        self.save_as.setEnabled(path is not None)
        self.path.setText("No file yet." if path is None else _breakable(path))
        with self.limit.changed.blocked():
            self.limit.value = max(1, history.limit // _MEGABYTE)
        used = history.size / _MEGABYTE
        count = len(history.done)
        verb = "takes" if count == 1 else "take"
        self.used.setText(f"{counted(count, 'action')} {verb} {used:.1f} MB")

    def _ask_what_to_open(self) -> None:
        chosen, _ = QFileDialog.getOpenFileName(self, "Open project", "", _KINDS)
        if chosen:
            self.open_requested.emit(Path(chosen))


def ask_where_to_save(parent: QWidget | None) -> Path | None:
    """Ask for the name of a project file; None if a person cancels."""
    chosen, _ = QFileDialog.getSaveFileName(parent, "Save project as", "", _KINDS)
    path = Path(chosen) if chosen else None
    return path if path is None or path.suffix else path.with_suffix(SUFFIX)


def _breakable(path: Path) -> str:
    """Let a long path be broken into lines anywhere."""
    return "\u200b".join(str(path))
