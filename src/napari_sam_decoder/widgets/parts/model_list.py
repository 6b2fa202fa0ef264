"""The window that lists all named models, downloads them and takes one into use."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import Qt, Signal
from qtpy.QtGui import QPalette
from qtpy.QtWidgets import (
    QDialog,
    QFileDialog,
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QProgressBar,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from napari_sam_decoder.widgets.parts.controls import button, row

if TYPE_CHECKING:
    from napari_sam_decoder.weights.catalogue import ModelRow
    from napari_sam_decoder.widgets.downloads import ModelDownload
    from napari_sam_decoder.widgets.workbench import Workbench

__all__ = ["WEIGHTS", "ModelList"]

WEIGHTS = "Weights of a SAM network", "Weights (*.safetensors *.pt *.pth)"
_COST = (
    "Another model sees the frames anew, so they are embedded again when you use it. "
    "Labels and points stay, and going back is quick: cached embeddings are kept for "
    "each model."
)


class ModelList(QDialog):
    """All named models; stays open beside the viewer.

    Attributes
    ----------
    lines : dict of str to ModelLine
        By the names of the models.
    trouble : QLabel
        What went wrong, with its remedy; hidden otherwise.
    """

    download_requested = Signal(str)
    cancel_requested = Signal(str)
    use_requested = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Models")
        self.lines: dict[str, ModelLine] = {}
        self._column = QVBoxLayout()
        self._column.setSpacing(0)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.addStretch(1)
        self.trouble = _wrapped("")
        self.trouble.setTextInteractionFlags(
            Qt.TextInteractionFlag.TextSelectableByMouse
        )
        self.trouble.hide()
        self.from_file = button(
            "From a file…", "Use a weights file of your own", self._ask_file
        )
        self.shut = button("Close", "Close this list; downloads go on", self.close)
        self._lay_out()
        self.resize(760, 600)

    def show_state(self, bench: Workbench) -> None:
        """Show what is here, what is in use, and how far downloads are."""
        used = bench.controller.state.options.model
        for model in bench.models:
            if model.name not in self.lines:
                self._add_line(model)
            download = bench.downloads.get(model.name)
            self.lines[model.name].show_state(model, download, model.name == used)
        errors = [str(one.error) for one in bench.downloads.values() if one.error]
        self.trouble.setText("\n".join(errors))
        self.trouble.setVisible(bool(errors))

    def _add_line(self, model: ModelRow) -> None:
        line = self.lines[model.name] = ModelLine(model)
        line.download_requested.connect(self.download_requested)
        line.cancel_requested.connect(self.cancel_requested)
        line.use_requested.connect(self.use_requested)
        self._column.insertWidget(self._column.count() - 1, line)

    def _ask_file(self) -> None:
        title, kinds = WEIGHTS
        chosen, _ = QFileDialog.getOpenFileName(self, title, "", kinds)
        if chosen:
            self.use_requested.emit(Path(chosen))

    def _lay_out(self) -> None:
        holder = QWidget()
        holder.setLayout(self._column)
        scroll = QScrollArea()
        scroll.setWidgetResizable(True)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scroll.setWidget(holder)
        layout = QVBoxLayout(self)
        layout.addWidget(scroll, 1)
        layout.addWidget(self.trouble)
        layout.addWidget(_wrapped(_COST))
        below = QHBoxLayout()
        below.addWidget(self.from_file)
        below.addStretch(1)
        below.addWidget(self.shut)
        layout.addLayout(below)


class ModelLine(QFrame):
    """What one model is for, and what can be done with it.

    Parameters
    ----------
    model : ModelRow
        What is told of it.
    """

    download_requested = Signal(str)
    cancel_requested = Signal(str)
    use_requested = Signal(object)

    def __init__(self, model: ModelRow) -> None:
        super().__init__()
        name, self.facts = QLabel(f"<b>{model.name}</b>"), QLabel()
        self.facts.setOpenExternalLinks(True)
        self.facts.setToolTip(model.url or "")
        self.download = button(
            "Download",
            f"Download {model.size} in the background",
            partial(self.download_requested.emit, model.name),
        )
        self.cancel = button(
            "Cancel",
            "Stop the download; nothing of it is kept",
            partial(self.cancel_requested.emit, model.name),
        )
        self.use = button(
            "Use",
            f"Use it for this movie. {_COST}",
            partial(self.use_requested.emit, model.name),
        )
        self.bar = QProgressBar()
        self.state = QLabel()
        self.state.setAlignment(
            Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        )
        buttons = self.download, self.cancel, self.use
        for one in buttons:
            one.setFixedWidth(96)
        layout = QGridLayout(self)
        layout.setContentsMargins(8, 5, 8, 5)
        layout.setVerticalSpacing(1)
        layout.addWidget(name, 0, 0)
        layout.addWidget(QLabel(model.description), 1, 0)
        layout.addWidget(self.facts, 2, 0)
        actions = QWidget()
        actions.setLayout(row(self.bar, self.state, *buttons))
        actions.setFixedWidth(226)
        layout.addWidget(actions, 0, 1, 3, 1)
        layout.setColumnStretch(0, 1)

    def show_state(
        self, model: ModelRow, download: ModelDownload | None, is_used: bool
    ) -> None:
        """Show whether it is here, in use, or how far its download is."""
        text = self.palette().color(QPalette.ColorRole.WindowText).name()
        self.facts.setText(f"{model.size} · {_terms(model, text)}")
        running = download if download is not None and download.is_running else None
        has_failed = download is not None and running is None
        is_at_rest = running is None
        can_fetch = model.is_downloadable and not model.is_here
        self.download.setVisible(can_fetch and is_at_rest)
        self.download.setText("Try again" if has_failed else "Download")
        self.use.setVisible(model.is_here and is_at_rest and not is_used)
        self.state.setVisible(is_at_rest)
        self.state.setText(_state(model, is_used=is_used, has_failed=has_failed))
        for one in (self.cancel, self.bar):
            one.setVisible(not is_at_rest)
        if running is not None:
            self._show_progress(running)

    def _show_progress(self, download: ModelDownload) -> None:
        self.bar.setFormat(download.progress)
        # Qt counts to 2**31, and shows no text on a bar from 0 to 0.
        self.bar.setRange(0, max(1, download.total // 1024))
        self.bar.setValue(download.done // 1024)


def _state(model: ModelRow, *, is_used: bool, has_failed: bool) -> str:
    if is_used:
        return "in use"
    if has_failed:
        return "failed, see below"
    if model.is_here or model.is_downloadable:
        return "here" if model.is_here else ""
    return "from a file only"


def _terms(model: ModelRow, colour: str) -> str:
    """The licence, with a link to the record where it is not known."""
    if model.record is None:
        return model.terms
    link = f'<a href="{model.record}" style="color: {colour}">its record</a>'
    return f"licence unknown, see {link}"


def _wrapped(text: str) -> QLabel:
    label = QLabel(text)
    label.setWordWrap(True)
    return label
