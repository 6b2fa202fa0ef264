"""The button that hands labels on to files and layers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QFileDialog, QHBoxLayout, QInputDialog, QMessageBox, QWidget

from napari_sam_decoder.formats import EXPORT_FORMATS
from napari_sam_decoder.widgets.parts.controls import button, menu_button, row
from napari_sam_decoder.widgets.saving import LabelSaving, TrackMaking

if TYPE_CHECKING:
    from napari_sam_decoder.formats import ExportFormat
    from napari_sam_decoder.widgets.workbench import Workbench

__all__ = ["SavePart"]


class SavePart(QWidget):
    """Saves labels in a format of another program, or makes tracks of them.

    Attributes
    ----------
    save : QPushButton
        Opens a menu of all formats.
    stop : QPushButton
        In its place while labels are being saved.
    """

    save_requested = Signal(object, str)
    tracks_requested = Signal()
    stop_requested = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._name = ""
        self.save, self.menu = menu_button(
            "Save labels…",
            "Save them in a format of another program, or make tracks of them",
        )
        for one in EXPORT_FORMATS:
            action = self.menu.addAction(f"{one.title}…")
            action.triggered.connect(
                lambda _checked=False, chosen=one: self._ask_where(chosen)
            )
        self.menu.addSeparator()
        tracks = self.menu.addAction("Tracks layer in this window")
        tracks.triggered.connect(lambda _checked=False: self.tracks_requested.emit())
        self.stop = button(
            "Stop saving", "Stop; nothing is written", self.stop_requested.emit
        )
        layout: QHBoxLayout = row(self.save, self.stop)
        self.setLayout(layout)
        self.stop.hide()

    def show_state(self, bench: Workbench) -> None:
        """Offer to save, or to stop that."""
        running = bench.controller.label_worker.running
        is_saving = isinstance(running, LabelSaving | TrackMaking)
        self._name = "" if bench.movie is None else bench.movie.layer.name
        self.save.setVisible(not is_saving)
        self.stop.setVisible(is_saving)
        if running is not None and is_saving:
            share = running.progress.done / max(1, running.progress.total or 0)
            self.stop.setText(f"Stop saving, {share:.0%}")
        self.save.setEnabled(running is None and bench.labels is not None)

    def _ask_where(self, chosen: ExportFormat) -> None:
        path = (
            self._ask_for_image()
            if chosen.goes_into_image
            else self._ask_for_file(chosen)
        )
        if path is not None:
            self.save_requested.emit(path, chosen.name)

    def _ask_for_file(self, chosen: ExportFormat) -> Path | None:
        suffix = chosen.suffixes[0] if chosen.suffixes else "_RES"
        kinds = f"{chosen.title} (*{suffix})"
        name = f"{self._name}{suffix}"
        path, _ = QFileDialog.getSaveFileName(self, "Save labels", name, kinds)
        if not path:
            return None
        has_suffix = path.lower().endswith(chosen.suffixes or suffix.lower())
        return Path(path if has_suffix else f"{path}{suffix}")

    def _ask_for_image(self) -> Path | None:
        """Ask for an OME-Zarr image, and for the name of the labels in it."""
        image = QFileDialog.getExistingDirectory(self, "OME-Zarr image of the movie")
        if not image:
            return None
        name, is_sure = QInputDialog.getText(
            self, "Save labels", "Name of the labels in the image:", text="cells"
        )
        name = name.strip().replace("/", "_")
        if not is_sure or not name:
            return None
        path = Path(image) / "labels" / name
        return path if not path.exists() or self._may_replace(name) else None

    def _may_replace(self, name: str) -> bool:
        answer = QMessageBox.question(
            self, "Save labels", f"The image has labels {name!r}. Replace them?"
        )
        return bool(answer == QMessageBox.StandardButton.Yes)
