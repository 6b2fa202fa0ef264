"""The row that says how many candidates are kept, and makes objects of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QSignalBlocker, Qt, Signal
from qtpy.QtWidgets import QAbstractSpinBox, QSpinBox, QWidget

from napari_sam_decoder.widgets.parts.controls import Lines, button, narrow, row

if TYPE_CHECKING:
    from napari_sam_decoder.widgets.workbench import Workbench

__all__ = ["CandidatesPart"]

_HOW = (
    "A click drops a candidate, or keeps it again; a drag with Shift makes one of all "
    "that it crosses"
)
_MOST_PIXELS = 999_999


class CandidatesPart(QWidget):
    """What becomes of the candidates on the frame that is shown."""

    keep_requested = Signal()
    discard_requested = Signal()
    smallest_chosen = Signal(int)

    def __init__(self) -> None:
        super().__init__()
        self.count = Lines(1, _HOW)
        self.count.setAlignment(Qt.AlignmentFlag.AlignVCenter)
        self.smallest = QSpinBox()
        self.smallest.setRange(0, _MOST_PIXELS)
        self.smallest.setStepType(QAbstractSpinBox.StepType.AdaptiveDecimalStepType)
        self.smallest.setKeyboardTracking(False)
        self.smallest.setPrefix("≥ ")
        self.smallest.setToolTip(
            "Drop candidates of fewer pixels, but those that you have clicked; it is "
            "used for later searches, too"
        )
        self.smallest.valueChanged.connect(self.smallest_chosen)
        self.keep_button = button(
            "Keep",
            "Make objects of the candidates that are not dropped{keep_candidates}",
            self.keep_requested.emit,
        )
        self.discard_button = button(
            "Discard", "Drop all of them", self.discard_requested.emit
        )
        controls = self.smallest, self.keep_button, self.discard_button
        self.setLayout(row(self.count, *map(narrow, controls)))

    def show_state(self, bench: Workbench) -> None:
        """Show how many are kept."""
        candidates = bench.candidates
        kept = len(candidates.kept)
        daughters = sum(one.parent is not None for one in candidates.values())
        beside = f", {daughters} daughters" if daughters else ""
        self.count.setText(f"{kept} of {len(candidates)} kept{beside}")
        self.keep_button.setEnabled(kept > 0)
        if candidates.smallest != self.smallest.value():
            with QSignalBlocker(self.smallest):
                self.smallest.setValue(candidates.smallest)
