"""The section that chooses the movie and shows how much of it is embedded."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from napari.layers import Image
from qtpy.QtCore import QTimer, Signal
from qtpy.QtWidgets import (
    QComboBox,
    QLabel,
    QProgressBar,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from napari_sam_decoder.samples import SAMPLES
from napari_sam_decoder.widgets.layers import axis_choices
from napari_sam_decoder.widgets.parts.composite_choice import CompositeChoice
from napari_sam_decoder.widgets.parts.controls import (
    Lines,
    button,
    narrow,
    row,
)
from napari_sam_decoder.widgets.parts.forms import LayerChoice

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_sam_decoder.widgets.controller import Controller
    from napari_sam_decoder.widgets.layers import AxisChoice, Limits
    from napari_sam_decoder.widgets.workbench import Workbench

__all__ = ["MoviePart"]

OFFER_MS = 500
_LONGEST_NAME = 20
"""In a title, which must not widen the dock."""
_CONTRAST_TIP = (
    "Which intensities the network sees as black and white, in all frames: the layer's "
    "contrast limits if you had set them before the first embedding, else chosen from "
    "the pixels; of a composite for each channel. More under 'Model, contrast, cache'"
)


class PlaneChoice(QWidget):
    """Which plane is worked on along axes that are not followed, such as channels."""

    chosen = Signal(int, int)

    def __init__(self) -> None:
        super().__init__()
        self.boxes: list[QSpinBox] = []
        self._axes: tuple[AxisChoice, ...] = ()
        self._row = row()
        self.setLayout(self._row)

    def show_cuts(self, cuts: Sequence[tuple[AxisChoice, int]]) -> None:
        """Show where a movie is cut, without a signal."""
        axes = tuple(axis for axis, _ in cuts)
        if axes != self._axes:
            self._axes = axes
            for box in self.boxes:
                self._row.removeWidget(box)
                box.deleteLater()
            self.boxes = [self._make(axis) for axis in axes]
        for box, (_, index) in zip(self.boxes, cuts, strict=True):
            box.blockSignals(True)
            box.setValue(index)
            box.blockSignals(False)
        self.setVisible(bool(axes))

    def _make(self, axis: AxisChoice) -> QSpinBox:
        box = QSpinBox()
        box.setRange(0, axis.length - 1)
        box.setPrefix(f"{axis.name}: ")
        box.setSuffix(f" of 0 to {axis.length - 1}")
        box.setToolTip(
            f"Which plane along {axis.name}, such as a channel, is segmented; the "
            "viewer's slider does the same"
        )
        box.setKeyboardTracking(False)
        box.valueChanged.connect(partial(self.chosen.emit, axis.index))
        self._row.addWidget(box)
        return box


class MoviePart(QWidget):
    """Image layer, axis, and the embedding of its frames."""

    movie_chosen = Signal(object)
    axis_chosen = Signal(int)
    plane_chosen = Signal(int, int)
    channels_chosen = Signal(object)
    embedding_toggled = Signal()
    as_shown_requested = Signal()
    sample_requested = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self._axes: tuple[AxisChoice, ...] = ()
        self._shown_movie: object = None
        self.layer = LayerChoice(
            Image,
            "choose an image layer",
            self.movie_chosen.emit,
            tooltip="The image layer to segment",
        )
        self.axis_box = QComboBox()
        self.axis_box.setToolTip("The axis along which objects are followed")
        self.axis_box.activated.connect(self._on_axis_activated)
        self.planes = PlaneChoice()
        self.planes.chosen.connect(self.plane_chosen)
        self.composite = CompositeChoice()
        self.composite.chosen.connect(self.channels_chosen)
        self.progress = QProgressBar()
        self.progress.setToolTip(
            "Frames whose embedding is known: each is computed once, those around the "
            "current frame first, and kept in the cache"
        )
        self.toggle = button(
            "Embed", "Embed all frames ahead of time", self.embedding_toggled.emit
        )
        self.contrast = Lines(1, _CONTRAST_TIP)
        self.as_shown = button(
            "Embed again",
            "Let the network see the contrast limits that the layer has now; points "
            "and labels stay",
            self.as_shown_requested.emit,
        )
        self.as_shown.hide()
        # Not for every step of a slider that is being dragged.
        self._offer_timer = QTimer(self)
        self._offer_timer.setSingleShot(True)
        self._offer_timer.setInterval(OFFER_MS)
        self._offer_timer.timeout.connect(self._show_offer)
        self._offer: tuple[Limits, ...] = ()
        self._in_use = ""
        self._samples = self._sample_row()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addLayout(row(self.layer.box.native, self.axis_box))
        layout.addWidget(self.planes)
        layout.addWidget(self.composite)
        buttons = narrow(self.as_shown), narrow(self.toggle)
        layout.addLayout(row(self.progress, *buttons))
        layout.addWidget(self.contrast)
        layout.addWidget(self._samples)

    def show_state(self, bench: Workbench) -> None:
        """Show what is chosen and how far the embedding is."""
        movie = bench.movie
        self.layer.show(None if movie is None else movie.layer)
        has_image = any(isinstance(layer, Image) for layer in bench.viewer.layers)
        self._samples.setVisible(not has_image)
        names = None if movie is None else movie.layer.axis_labels
        if (movie, names) != self._shown_movie:
            self._shown_movie = movie, names
            self._show_axes(
                () if movie is None else axis_choices(movie.layer),
                None if movie is None else movie.axis,
            )
            self.planes.show_cuts(() if movie is None else movie.cuts)
        self.composite.show_state(bench)
        controller, embedded = bench.controller, len(bench.controller.state.embedded)
        total = 0 if movie is None else len(movie)
        self.progress.setEnabled(total > 0)
        self.progress.setRange(0, max(total, 1))
        self.progress.setValue(embedded)
        self.progress.setFormat(
            f"{embedded} / {total} frames embedded" if total else ""
        )
        self.toggle.setEnabled(total > embedded)
        self.toggle.setText("Stop" if controller.is_embedding else "Embed")
        self._show_contrast(controller)

    @staticmethod
    def summary(bench: Workbench) -> str:
        """Say in a few words what is chosen, and how far the embedding is."""
        movie = bench.movie
        if movie is None:
            return "Movie or volume"
        embedded = len(bench.controller.state.embedded)
        name = str(movie.layer.name)
        short = name if len(name) <= _LONGEST_NAME else f"{name[:_LONGEST_NAME]}…"
        return f"{short}: {embedded} / {len(movie)} frames embedded"

    def _show_contrast(self, controller: Controller) -> None:
        """Say what is in use, and a moment later what could be."""
        in_use, offer = _in_use_text(controller), controller.state.new_limits
        if (in_use, offer) == (self._in_use, self._offer):
            return
        self._in_use, self._offer = in_use, offer
        self.contrast.setText(in_use)
        self.as_shown.hide()
        if offer:
            self._offer_timer.start()
        else:
            self._offer_timer.stop()

    def _show_offer(self) -> None:
        if self._offer:
            limits = " and ".join(map(_spelled, self._offer))
            subject = "the layer now shows" if len(self._offer) == 1 else "layers show"
            shows = f"{subject} {limits}."
            self.contrast.setText(f"{self._in_use}; {shows}")
            self.as_shown.show()

    def _show_axes(self, axes: Sequence[AxisChoice], current: int | None) -> None:
        if tuple(axes) != self._axes:
            self._axes = tuple(axes)
            self.axis_box.clear()
            self.axis_box.addItems([f"{axis.name} ({axis.length})" for axis in axes])
        indices = [axis.index for axis in axes]
        if current in indices:
            self.axis_box.setCurrentIndex(indices.index(current))
        self.axis_box.setEnabled(len(indices) > 1)
        self.axis_box.setVisible(bool(indices))

    def _on_axis_activated(self, place: int) -> None:
        self.axis_chosen.emit(self._axes[place].index)

    def _sample_row(self) -> QWidget:
        holder = QWidget()
        buttons = [
            button(
                name,
                f"Open the sample '{name}'",
                partial(self.sample_requested.emit, name),
            )
            for name in SAMPLES
        ]
        holder.setLayout(row(narrow(QLabel("or try a sample:")), *buttons))
        return holder


def _in_use_text(controller: Controller) -> str:
    state = controller.state
    if not state.limits:
        return ""
    if state.is_contrast_shown:
        origin = "as it was shown"
    elif state.options.contrast is None:
        origin = "from the pixels"
    else:
        origin = "set by hand"
    if len(state.limits) == 1:
        return f"The network sees {_spelled(state.limits[0])}, {origin}"
    # The rest is in the tooltip.
    pairs = zip("RGB", map(_spelled, state.limits), strict=False)
    return f"The network sees {', '.join(f'{one} {two}' for one, two in pairs)}"


def _spelled(limits: Limits) -> str:
    low, high = (f"{limit:.4g}".replace("-", "\N{MINUS SIGN}") for limit in limits)
    return f"{low} to {high}"
