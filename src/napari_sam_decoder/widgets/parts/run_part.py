"""The section that carries objects through the movie."""

from __future__ import annotations

from typing import TYPE_CHECKING

from magicgui.widgets import CheckBox, Label, SpinBox
from napari.layers import Labels
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QGroupBox, QProgressBar, QVBoxLayout, QWidget

from napari_sam_decoder.widgets.parts.controls import button, group_layout, narrow, row
from napari_sam_decoder.widgets.parts.forms import LayerChoice, form_layout, row_of
from napari_sam_decoder.widgets.previews import PREVIEW_NAME

if TYPE_CHECKING:
    from qtpy.QtWidgets import QPushButton

    from napari_sam_decoder.widgets.controller import Controller
    from napari_sam_decoder.widgets.layers import AxisChoice
    from napari_sam_decoder.widgets.runs import ShownCorrection, ShownRun
    from napari_sam_decoder.widgets.workbench import Workbench

__all__ = ["RunPart"]


class RunPart(QWidget):
    """Which way, with the progress; always in sight.

    Attributes
    ----------
    options : QGroupBox
        Over which frames and into which labels; laid out elsewhere.
    """

    run_requested = Signal(str)
    stop_requested = Signal()
    labels_chosen = Signal(object)

    def __init__(self) -> None:
        super().__init__()
        self.options = QGroupBox("Through the movie")
        self._length = 0
        self._current_name = ""
        self._is_idle = True
        self.backward = self._way("◀ Backwards", "to earlier frames", "backward")
        self.both = self._way("Both ways", "both ways{run_both}", "both")
        self.forward = self._way("Forwards ▶", "to later frames", "forward")
        self.first = SpinBox(min=0, max=0, tooltip="First frame to label")
        self.last = SpinBox(min=0, max=0, tooltip="Last frame to label")
        self.labels = LayerChoice(
            Labels,
            "new Labels layer",
            self.labels_chosen.emit,
            leave_out=PREVIEW_NAME,
            label="Into",
            tooltip="The Labels layer that results go to",
        )
        self.only_current = CheckBox(
            text="only the selected object",
            tooltip="Leave the other objects' labels as they are",
        )
        self.replace = CheckBox(
            text="replace what is there",
            tooltip="New pixels overwrite other objects, and what you have painted",
        )
        self.each = CheckBox(
            text="at each position",
            tooltip="Run wherever objects are shown along the other axes, one position "
            "after the other",
        )
        self._position_axes: tuple[AxisChoice, ...] = ()
        self.progress = QProgressBar()
        self.stop = button(
            "Stop", "Stop; frames that are done stay{stop}", self.stop_requested.emit
        )
        options = self.first, self.last, self.only_current, self.replace, self.each
        for option in options:
            option.changed.connect(self._show_limits)
        self._lay_out()

    @property
    def frames(self) -> range | None:
        """The asked frames; None for all."""
        asked = range(self.first.value, self.last.value + 1)
        is_all = self._length == 0 or asked == range(self._length)
        return None if is_all else asked

    @property
    def each_axes(self) -> tuple[int, ...]:
        """The data axes along which a run is to be at each position."""
        is_asked = self.each.value and self._position_axes
        return tuple(axis.index for axis in self._position_axes) if is_asked else ()

    def show_state(self, bench: Workbench) -> None:
        """Show how far a run is, and what could be started."""
        self._show_axes(() if bench.movie is None else bench.movie.position_axes)
        length = 0 if bench.movie is None else len(bench.movie)
        self._show_length(length)
        self.labels.show(bench.controller.state.labels_layer)
        is_running = bench.controller.is_running
        # A whole run may take the place of a correction.
        is_free = bench.controller.is_correcting or not is_running
        objects = bench.objects
        is_anywhere = bool(objects.points or objects.shapes or objects.scribbles)
        has_prompts = is_anywhere if self.each_axes else bool(bench.controller.prompts)
        for way in (self.backward, self.both, self.forward):
            way.setEnabled(has_prompts and is_free)
        for part in (self, self.options):
            part.setEnabled(length > 0)
        self.labels.box.enabled = not is_running
        self.stop.setEnabled(bench.controller.is_busy)
        current = bench.objects.current
        self._current_name = "" if current is None else current.name
        self._show_progress(bench.controller)

    def _show_progress(self, controller: Controller) -> None:
        run = controller.run
        elsewhere = ""
        if run is None and not controller.is_waiting:
            run = controller.run_elsewhere
            elsewhere = "" if run is None else f"{_place_of(run, controller)}: "
        progress = None if run is None else run.progress
        # Without an end, Qt shows that something is going on.
        self.progress.setRange(0, 1 if progress is None else progress.total or 0)
        self.progress.setValue(0 if progress is None else progress.done)
        self._is_idle = progress is None and not controller.is_waiting
        if not self._is_idle:
            shown = "waiting…" if progress is None else f"{elsewhere}{progress}"
            self.progress.setFormat(shown)
        self._show_limits()

    def _show_limits(self, *_: object) -> None:
        """Say what limits the next run, whose options may be out of sight."""
        if not self._is_idle:
            return
        limits = []
        if self.each_axes:
            limits.append(
                f"each {', '.join(axis.name for axis in self._position_axes)}"
            )
        if self.only_current.value and self._current_name:
            limits.append(f"only {self._current_name}")
        if self.frames is not None:
            limits.append(f"frames {self.frames[0]} to {self.frames[-1]}")
        if self.replace.value:
            limits.append("replacing")
        text = ", ".join(limits)
        self.progress.setFormat(f"next run: {text}" if text else "")

    def _show_axes(self, axes: tuple[AxisChoice, ...]) -> None:
        if axes != self._position_axes:
            self._position_axes = axes
            names = " and ".join(axis.name for axis in axes)
            self.each.text = f"at each {names} with objects"
        self.each.native.setVisible(bool(axes))

    def _show_length(self, length: int) -> None:
        if length == self._length:
            return
        self._length = length
        for box, value in ((self.first, 0), (self.last, max(length - 1, 0))):
            box.max = max(length - 1, 0)
            box.value = value

    def _way(self, text: str, tip: str, direction: str) -> QPushButton:
        return button(
            text,
            f"Carry the objects from their points {tip}",
            lambda: self.run_requested.emit(direction),
        )

    def _lay_out(self) -> None:
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addLayout(row(self.backward, self.both, self.forward))
        layout.addLayout(row(self.progress, narrow(self.stop)))
        frames = row_of(self.first, Label(value="to"), self.last, label="Frames")
        fields = frames, self.labels.box, self.only_current, self.replace, self.each
        group_layout(self.options).addLayout(form_layout(fields))


def _place_of(run: ShownRun | ShownCorrection, controller: Controller) -> str:
    """Say where a run is that is not seen: on another movie, or another plane."""
    movie = controller.movie
    is_same = movie is not None and run.view.layer is movie.layer
    left = sum(pending.view.layer is run.view.layer for pending in controller.pending)
    place = run.view.place if is_same else str(run.view.layer.name)
    return f"{place}, {left} to go" if left else place
