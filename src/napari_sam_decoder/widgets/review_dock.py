"""The dock for a second look: where the program doubts, and what a person settles."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from magicgui.widgets import CheckBox, ComboBox
from qtpy.compat import isalive
from qtpy.QtCore import QEvent, Qt, QTimer
from qtpy.QtWidgets import (
    QDockWidget,
    QFileDialog,
    QMainWindow,
    QVBoxLayout,
    QWidget,
)

from napari_sam_decoder.errors import SamDecoderError
from napari_sam_decoder.project import (
    FrameRecords,
    LastRun,
    ReviewOrder,
    Timelines,
    scope_of,
)
from napari_sam_decoder.propagation import Verdict
from napari_sam_decoder.widgets.measuring import LabelMeasurement
from napari_sam_decoder.widgets.open_docks import (
    DOCK,
    PLUGIN,
    REVIEW_DOCK,
    OpenDocks,
    tell,
    unwrapped,
)
from napari_sam_decoder.widgets.parts.controls import Lines, button, narrow, row
from napari_sam_decoder.widgets.parts.key_tips import show_keys
from napari_sam_decoder.widgets.parts.learning_part import LearningPart
from napari_sam_decoder.widgets.parts.object_plot import ObjectPlot
from napari_sam_decoder.widgets.parts.ribbon import Ribbon
from napari_sam_decoder.widgets.unfinished import ask_before_closing
from napari_sam_decoder.wording import counted

if TYPE_CHECKING:
    from collections.abc import Callable

    import napari

    from napari_sam_decoder.project import PromptReading
    from napari_sam_decoder.widgets.layers import MovieView
    from napari_sam_decoder.widgets.objects import ObjectList
    from napari_sam_decoder.widgets.target_layer import TargetLayer
    from napari_sam_decoder.widgets.workbench import Workbench

__all__ = ["ReviewDock"]

REFRESH_MS = 50
SPARE_PIXELS = 80
"""For the title of this dock, and since napari's controls of points are higher."""
_SAVE = "Save table…"
_ORDERS = {
    "most helpful first": ReviewOrder.HELPFUL,
    "in time": ReviewOrder.TIME,
    "in time, selected object": ReviewOrder.OBJECT,
}


class ReviewDock(QWidget):
    """Look through what the program doubts, and settle it.

    Parameters
    ----------
    napari_viewer : napari.Viewer
        Whose layers are worked on.

    Attributes
    ----------
    workbench : Workbench
        What the controls do, for scripts; the same as that of the other dock.
    """

    def __init__(self, napari_viewer: napari.Viewer) -> None:
        super().__init__()
        docks = OpenDocks.of(unwrapped(napari_viewer))
        self._docks = docks
        self.workbench = docks.bench
        self._source: _Source | None = None
        self._is_placed = False
        self._beside = _docks_on_right(docks.window)
        self._lay_out()
        # It would make a low window higher.
        self.plotting.value = self._has_room_for_plot(docks.window)
        self._leave = docks.enter(REVIEW_DOCK, self, self._key_actions())
        docks.keys.changed.connect(self._show_keys)
        self._show_keys()
        self._refresh_timer = QTimer(self)
        self._refresh_timer.setSingleShot(True)
        self._refresh_timer.setInterval(REFRESH_MS)
        self._refresh_timer.timeout.connect(self.refresh)
        self.workbench.changed.connect(self._refresh_soon)
        self.refresh()

    def refresh(self) -> None:
        """Show the current state; also called automatically, soon after a change."""
        bench = self.workbench
        if bench.is_closed:
            return
        outdated = self._follow(bench)
        if self._source is None:
            self.ribbon.clear()
        else:
            self._show_source(self._source, outdated)
        self.ribbon.show_place(bench.objects.current_id, bench.frame)
        self._show_plot()
        self._show_controls(bench)

    def _has_room_for_plot(self, window: QWidget | None) -> bool:
        if window is None:
            return True
        least = window.minimumSizeHint().height() + self.minimumSizeHint().height()
        return bool(least + SPARE_PIXELS <= window.height())

    def _show_source(self, source: _Source, outdated: set[int] | None) -> None:
        """Show ribbons and the plot where they have changed; None for everywhere."""
        objects = self.workbench.objects
        changed = source.take_changed(objects)
        outdated = None if outdated is None else {*outdated, *changed}
        reviewed = [one for one in objects.listed if not one.is_background]
        self.ribbon.show_lines(reviewed, source.lines, source.length, outdated)
        if outdated is None or objects.current_id in outdated:
            self.plot.forget_curves()

    def _show_controls(self, bench: Workbench) -> None:
        doubtful = 0 if self._source is None else self._source.count_doubtful(bench)
        current = bench.objects.current_id
        running = bench.controller.label_worker.running
        is_measuring = isinstance(running, LabelMeasurement)
        self._summary.setText(self._said(bench, doubtful))
        self.learning.show_state()
        for control in (self.previous, self.next):
            control.setEnabled(doubtful > 0)
        self.right.setEnabled(current is not None and bench.holds(current))
        self.table.setText("Stop" if is_measuring else _SAVE)
        is_free = running is None and bench.labels is not None
        self.table.setEnabled(is_measuring or is_free)
        order = next(name for name, one in _ORDERS.items() if one is bench.review_order)
        with self.order.changed.blocked():
            self.order.value = order

    def _follow(self, bench: Workbench) -> set[int] | None:
        """Look at the labels that are worked on now; None if they are others."""
        movie, target = bench.movie, bench.controller.state.target
        if self._source is not None and self._source.is_for(movie, target):
            return set()
        if self._source is not None:
            self._source.close()
        self._source = None if movie is None else _Source(bench, movie, target)
        return None

    def _show_plot(self) -> None:
        current = self.workbench.objects.current
        line = None
        if self._source is not None and current is not None:
            line = self._source.lines.of(current.object_id)
        self.plot.show_line(line, self.ribbon.axis, self.workbench.frame)

    def event(self, event: QEvent) -> bool:
        """Go below the canvas once napari has docked this; leave when it is closed."""
        if event.type() == QEvent.Type.ParentChange and self.parent() is None:
            if self._source is not None:
                self._source.close()
                self._source = None
            self._refresh_timer.stop()
            self._leave()
            # Else PySide6 keeps it forever, for the sake of its own connections.
            self.deleteLater()
        elif event.type() == QEvent.Type.ParentChange and not self._is_placed:
            self._is_placed = True
            ask_before_closing(self.parent(), self._docks.unfinished)
            QTimer.singleShot(0, self._settle_in)
        return bool(super().event(event))

    def _settle_in(self) -> None:
        """Lie below the canvas, and see to it that there is a dock to correct with."""
        if not isalive(self):
            return
        frame, window = _dock_around(self), self._docks.window
        if frame is not None and isinstance(window, QMainWindow):
            # napari puts docks on the right unless somebody has moved them before.
            if window.dockWidgetArea(frame) == Qt.DockWidgetArea.RightDockWidgetArea:
                window.addDockWidget(Qt.DockWidgetArea.BottomDockWidgetArea, frame)
            height = self.sizeHint().height()
            window.resizeDocks([frame], [height], Qt.Orientation.Vertical)
            # On its way below it was among them, and has made them as wide as itself.
            beside = {one: width for one, width in self._beside.items() if isalive(one)}
            window.resizeDocks([*beside], [*beside.values()], Qt.Orientation.Horizontal)
        viewer = self.workbench.viewer
        if not self._docks.has(DOCK) and hasattr(viewer, "window"):
            viewer.window.add_plugin_dock_widget(PLUGIN, DOCK)

    def _refresh_soon(self) -> None:
        if not self._refresh_timer.isActive():
            self._refresh_timer.start()

    def _lay_out(self) -> None:
        self._summary = Lines(1)
        self.order = ComboBox(
            choices=list(_ORDERS),
            tooltip="The order in which doubtful frames come: those first whose "
            "correction helps most, or as they follow in time",
        )
        self.previous = button(
            "Previous",
            "Go to the doubtful frame before{previous_doubtful}",
            self._guarded(self.workbench.previous_doubtful),
        )
        self.next = button(
            "Next doubtful",
            "Go to the next doubtful frame{next_doubtful}",
            self._guarded(self.workbench.next_doubtful),
        )
        self.right = button(
            "Looks right",
            "Fix the selected object on this frame as the labels have it: it is not "
            "doubted any more, and later runs start there and corrections end "
            "there{confirm_frame}",
            self._guarded(self.workbench.confirm_frame),
        )
        self.table = button(
            _SAVE,
            "Measure every object on every frame in the background: area, centroid "
            "and brightness, with the verdicts. Rows go into a table (CSV), one per "
            "object into the features of the Labels layer",
            self._guarded(self._on_table_pressed),
        )
        self.order.changed.connect(
            lambda name: self.workbench.use_review_order(_ORDERS[name])
        )
        self.learning = LearningPart(self.workbench, self._guarded)
        self.ribbon = Ribbon(self._describe)
        self.plot = ObjectPlot()
        self.plotting = CheckBox(
            value=True,
            text="plot",
            tooltip="Show confidence, overlap and area of the selected object",
        )
        self.plotting.changed.connect(lambda is_wanted: self.plot.setVisible(is_wanted))
        self.ribbon.place_chosen.connect(self._guarded(self.workbench.show_place))
        self.ribbon.frame_chosen.connect(self._guarded(self.workbench.show_frame))
        self.ribbon.axis_changed.connect(self._show_plot)
        steps = self.previous, self.next, self.right, self.table
        fields = self.plotting.native, self.order.native, *steps
        controls = [narrow(one) for one in fields]
        layout = QVBoxLayout(self)
        layout.setContentsMargins(6, 2, 6, 4)
        layout.setSpacing(3)
        layout.addLayout(row(self._summary, *controls))
        layout.addWidget(self.ribbon, 1)
        layout.addWidget(self.plot)
        layout.addWidget(self.learning)

    def _key_actions(self) -> dict[str, Callable[[], None]]:
        bench = self.workbench
        return {
            "next_doubtful": self._guarded(bench.next_doubtful),
            "previous_doubtful": self._guarded(bench.previous_doubtful),
            "confirm_frame": self._guarded(bench.confirm_frame),
        }

    def _show_keys(self) -> None:
        show_keys(self, self._docks.keys.in_use)

    def _on_table_pressed(self) -> None:
        """Ask where the table goes and measure, or stop that."""
        bench = self.workbench
        if bench.controller.label_worker.running is not None:
            bench.stop_label_work()
            return
        name = f"{bench.require_movie().layer.name}.csv"
        path, _ = QFileDialog.getSaveFileName(
            self, "Save table", name, "Tables (*.csv)"
        )
        if path:
            bench.measure(path if Path(path).suffix else f"{path}.csv")

    def _said(self, bench: Workbench, doubtful: int) -> str:
        """Say how much is doubtful, and what the selected object is here."""
        if bench.movie is None:
            return "Choose a movie first."
        if bench.labels is None:
            return "Here you will see how each object fares, once there are labels."
        running = bench.controller.label_worker.running
        if isinstance(running, LabelMeasurement):
            return f"Measuring: {running.progress}"
        count = counted(doubtful, "doubtful frame")
        start = f"{count}." if doubtful else "No frame is doubtful."
        current = bench.objects.current_id
        here = "" if current is None else self._describe(current, bench.frame)
        return f"{start}  {here}"

    def _describe(self, object_id: int, frame: int) -> str:
        """Say what is known of an object on a frame."""
        listed = self.workbench.objects.find(object_id)
        found = self.workbench.controller.state.verdict(object_id, frame)
        name = "" if listed is None else listed.name
        if found is None:
            return f"{name}, frame {frame}"
        why = f": {found.why}" if found.why else ""
        if found.verdict is Verdict.PROMPTED:
            return f"{name}, frame {frame}: fixed by you"
        return (
            f"{name}, frame {frame}: {found.verdict.value}{why} "
            f"(confidence {found.confidence:.2f})"
        )

    def _guarded(self, action: Callable[..., object]) -> Callable[..., None]:
        """Turn a refusal into a notification."""

        def guarded(*arguments: object) -> None:
            try:
                action(*arguments)
            except SamDecoderError as error:
                tell(error)
            self._refresh_soon()

        return guarded


class _Source:
    """The labels of one cut of a movie, and what is drawn of them.

    Parameters
    ----------
    bench : Workbench
        With the movie.
    movie : MovieView
        The cut.
    target : TargetLayer, optional
        Its labels, if there are any.
    """

    def __init__(
        self, bench: Workbench, movie: MovieView, target: TargetLayer | None
    ) -> None:
        self._movie, self._target = movie, target
        self._records = FrameRecords.apart() if target is None else target.frames
        number = 0 if target is None else target.number
        self.length = len(movie)
        self.lines = Timelines(self._records, self.length)
        self._last_run = LastRun(bench.history, (number, *scope_of(movie)))
        self._reading: PromptReading | None = None

    def is_for(self, movie: MovieView | None, target: TargetLayer | None) -> bool:
        """Whether these are still the labels that are worked on."""
        is_same = movie is not None and movie.is_same_as(self._movie)
        return is_same and target is self._target

    def count_doubtful(self, bench: Workbench) -> int:
        """Count the doubtful frames of all objects that are reviewed.

        That is, of none that is locked or hidden, and of no background object.
        """
        objects = bench.objects
        left_out = objects.locked_ids | objects.hidden_ids | objects.background_ids
        ids = objects.ids - left_out
        return sum(len(self._records.doubtful_frames(one)) for one in ids)

    def take_changed(self, objects: ObjectList) -> set[int]:
        """Return the objects that look different since this was last asked."""
        if objects.reading is not self._reading:
            self._reading = objects.reading
            self.lines.fix({one.object_id: one.frames for one in objects.listed})
        keys, is_another = self._last_run.follow()
        if keys or is_another:
            self.lines.mark_changed(keys, anew=is_another)
        return self.lines.take_outdated()

    def close(self) -> None:
        """Follow the labels no more."""
        self.lines.close()


def _docks_on_right(window: QWidget | None) -> dict[QDockWidget, int]:
    """Return the width of each dock that is shown on the right of a window."""
    if not isinstance(window, QMainWindow):
        return {}
    right = Qt.DockWidgetArea.RightDockWidgetArea
    return {
        dock: dock.width()
        for dock in window.findChildren(QDockWidget)
        if dock.isVisible() and window.dockWidgetArea(dock) == right
    }


def _dock_around(widget: QWidget) -> QDockWidget | None:
    """Return the dock that napari has put a widget into."""
    parent = widget.parent()
    while parent is not None and not isinstance(parent, QDockWidget):
        parent = parent.parent()
    return parent
