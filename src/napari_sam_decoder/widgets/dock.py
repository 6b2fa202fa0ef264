"""The dock widget: lays its sections out and connects them to a workbench."""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

from napari.layers import Image, Shapes
from napari.utils.notifications import show_error, show_info
from qtpy.QtCore import QEvent, Qt, QTimer
from qtpy.QtWidgets import (
    QFileDialog,
    QFrame,
    QHBoxLayout,
    QScrollArea,
    QSizePolicy,
    QSpacerItem,
    QVBoxLayout,
    QWidget,
)
from superqt import QCollapsible

from napari_sam_decoder.errors import SamDecoderError
from napari_sam_decoder.widgets.commands import DEFAULT_KEYS
from napari_sam_decoder.widgets.open_docks import (
    DOCK,
    PLUGIN,
    REVIEW_DOCK,
    OpenDocks,
    change_keys,
    tell,
    unwrapped,
)
from napari_sam_decoder.widgets.opened_projects import (
    MovieNotFoundError,
    is_of_current_movie,
)
from napari_sam_decoder.widgets.parts import (
    FramePart,
    KeyList,
    MessagePart,
    ModelForm,
    ModelList,
    MoviePart,
    ObjectsPart,
    ProjectForm,
    ProjectPart,
    PropagationForm,
    RunPart,
    SavePart,
    SettingsBar,
    ask_where_to_save,
)
from napari_sam_decoder.widgets.parts.controls import button, narrow, row
from napari_sam_decoder.widgets.parts.key_tips import show_keys
from napari_sam_decoder.widgets.preferences import keep_preferences, read_preferences
from napari_sam_decoder.widgets.saved_settings import (
    DockSettings,
    read_settings,
    write_settings,
)
from napari_sam_decoder.widgets.tools import Tool
from napari_sam_decoder.widgets.unfinished import (
    Answer,
    ask_before,
    ask_before_closing,
    unfinished_here,
    unfinished_learning,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    import napari
    from napari.layers import Points
    from qtpy.QtGui import QResizeEvent

    from napari_sam_decoder.propagation import Settings
    from napari_sam_decoder.widgets.movie_state import ModelOptions

__all__ = ["SamDecoderDock", "open_project_in_dock", "save_project_of"]

REFRESH_MS = 30


class SamDecoderDock(QWidget):
    """Segment objects through a movie or a volume, from clicks.

    Parameters
    ----------
    napari_viewer : napari.Viewer
        Whose layers are worked on.

    Attributes
    ----------
    workbench : Workbench
        What the controls do, for scripts.
    """

    def __init__(self, napari_viewer: napari.Viewer) -> None:
        super().__init__()
        docks = OpenDocks.of(unwrapped(napari_viewer))
        self._docks = docks
        self.workbench = docks.bench
        self._shown_settings: object = None
        self._lay_out()
        self._start_with_preferences()
        self._connect()
        self._shut_down = docks.enter(DOCK, self, self._key_actions())
        self._refresh_timer = QTimer(self)
        self._refresh_timer.setSingleShot(True)
        self._refresh_timer.setInterval(REFRESH_MS)
        self._refresh_timer.timeout.connect(self.refresh)
        self.workbench.changed.connect(self._refresh_soon)
        self.refresh()
        if self.workbench.movie is None:
            # There is nothing else to do yet.
            self._movie_fold.expand(animate=False)

    def refresh(self) -> None:
        """Show the current state; also called automatically, soon after a change."""
        bench = self.workbench
        if bench.movie is None:
            self._offer_a_movie()
        layer = None if bench.movie is None else bench.movie.layer
        self._show_settings(layer)
        for part in (
            self._messages,
            self._movie,
            self._project,
            self._objects,
            self._frame,
            self._run,
            self._saving,
            self._project_form,
        ):
            part.show_state(bench)
        self._movie_fold.setText(self._movie.summary(bench))
        if self._models.isVisible():
            self._models.show_state(bench)

    def _show_settings(self, layer: Image | None) -> None:
        """Show what is set, where it is not shown already."""
        controller = self.workbench.controller
        limits = None if layer is None else tuple(layer.contrast_limits)
        shown = (
            controller.state.options,
            controller.movies.settings,
            self.workbench.is_window_shown,
            layer,
            limits,
        )
        if shown != self._shown_settings:
            self._shown_settings = shown
            self._form.show_state(controller.state.options, layer)
            self._propagation.show_state(controller.settings)
            self._propagation.window.setChecked(self.workbench.is_window_shown)

    def event(self, event: QEvent) -> bool:
        """List layers once napari has docked this; shut down when it takes it out."""
        if event.type() == QEvent.Type.ParentChange and self.parent() is None:
            self._shut_down()
            # Else PySide6 keeps it forever, for the sake of its own connections.
            self.deleteLater()
        elif event.type() == QEvent.Type.ParentChange:
            ask_before_closing(self.parent(), self._docks.unfinished)
            self._refresh_soon()
        return bool(super().event(event))

    def _refresh_soon(self) -> None:
        if not self._refresh_timer.isActive():
            self._refresh_timer.start()

    def _offer_a_movie(self) -> None:
        """Choose the movie of the last time, else the selected, else the first."""
        viewer = self.workbench.viewer
        last = self.workbench.controller.movies.last
        for layer in (last, viewer.layers.selection.active, *viewer.layers):
            if isinstance(layer, Image):
                with suppress(SamDecoderError):
                    self.workbench.choose_movie(layer)
                    return

    def _lay_out(self) -> None:
        """Keep what is read and pressed all day in sight, and let the rest scroll."""
        self._messages = MessagePart(self)
        self._movie, self._objects = MoviePart(), ObjectsPart()
        self._frame, self._run, self._form = FramePart(), RunPart(), ModelForm()
        self._propagation, self._settings = PropagationForm(), SettingsBar()
        self._project, self._project_form = ProjectPart(), ProjectForm()
        self._models, self._key_list = ModelList(self), KeyList(self)
        self._saving = SavePart()
        self._project.listen_to_keys(self)
        self._keys = button("Keys…", "List all keys, and change them", self._open_keys)
        self._review = button(
            "Review…",
            "Open a dock that shows how each object fares from frame to frame, and "
            "goes to what is doubtful",
            self._open_review,
        )
        layout = QVBoxLayout(self)
        layout.setContentsMargins(6, 4, 6, 6)
        layout.setSpacing(4)
        layout.addLayout(row(self._messages, narrow(self._project)))
        layout.addWidget(self._project.offers)
        layout.addWidget(_Column(self._often_used(), self._seldom_used()), 1)
        layout.addWidget(self._run)
        # Three pictures of hypotheses fit beside a scroll bar.
        self.setMinimumWidth(378)

    def _often_used(self) -> QWidget:
        """Put what is used all day one below the other."""
        self._movie_fold = _folded("Movie or volume", self._movie)
        often = _stacked(self._movie_fold, self._objects, self._frame)
        often.layout().setStretchFactor(self._objects, 1)
        return often

    def _seldom_used(self) -> QWidget:
        beside = QWidget()
        beside.setLayout(row(self._review, self._saving, self._keys))
        return _stacked(
            beside,
            self._run.options,
            _folded("Model, contrast, cache", self._form),
            _folded("How propagation decides", self._propagation),
            _folded("Project and undo", self._project_form),
            self._settings,
        )

    def _connect(self) -> None:
        bench = self.workbench
        bench.failed.connect(self._on_failed)
        self._movie.movie_chosen.connect(self._guarded(bench.choose_movie))
        self._movie.axis_chosen.connect(self._on_axis_chosen)
        self._movie.plane_chosen.connect(self._guarded(bench.choose_plane))
        self._movie.channels_chosen.connect(self._guarded(bench.compose))
        self._movie.embedding_toggled.connect(self._on_embedding_toggled)
        self._movie.as_shown_requested.connect(self._guarded(bench.embed_as_shown))
        self._movie.sample_requested.connect(self._on_sample_requested)
        self._form.requested.connect(self._guarded(self._configure))
        self._form.refused.connect(tell)
        self._form.model_chosen.connect(self._guarded(self._use_model))
        self._form.models_requested.connect(self._open_models)
        self._models.download_requested.connect(self._guarded(bench.download_model))
        self._models.cancel_requested.connect(self._guarded(bench.cancel_download))
        self._models.use_requested.connect(self._guarded(self._use_model))
        self._key_list.key_chosen.connect(self._change_keys)
        self._key_list.reset_requested.connect(partial(self._change_keys, DEFAULT_KEYS))
        self._docks.keys.changed.connect(self._show_keys)
        self._show_keys()
        # Not with all that is to be shown: this changes ten times a second.
        bench.controller.downloads.changed.connect(self._on_downloads_changed)
        self._propagation.requested.connect(self._guarded(self._configure_propagation))
        self._propagation.refused.connect(tell)
        self._propagation.window_toggled.connect(self.workbench.show_window)
        self._settings.save_requested.connect(self._guarded(self._save_settings))
        self._settings.load_requested.connect(self._guarded(self._load_settings))
        self._settings.reset_requested.connect(self._guarded(self._reset_settings))
        self._project.undo_requested.connect(bench.undo)
        self._project.redo_requested.connect(bench.redo)
        self._project.retry_requested.connect(bench.save_now)
        self._project.resume_requested.connect(self._guarded(self._resume))
        self._project_form.open_requested.connect(self._guarded(self._open_project))
        self._project_form.save_as_requested.connect(
            partial(save_project_of, self.workbench.viewer)
        )
        self._project_form.limit_chosen.connect(self._guarded(bench.limit_history))
        self._objects.new_requested.connect(self._guarded(bench.new_object))
        self._objects.find_requested.connect(self._guarded(bench.find_objects))
        self._objects.stop_requested.connect(bench.stop_label_work)
        candidates = self._objects.candidates
        candidates.keep_requested.connect(self._guarded(bench.keep_candidates))
        candidates.discard_requested.connect(self._guarded(bench.discard_candidates))
        candidates.smallest_chosen.connect(self._guarded(bench.drop_small_candidates))
        self._objects.layer_chosen.connect(self._guarded(self._on_layer_chosen))
        self._objects.object_chosen.connect(self._guarded(bench.go_to_object))
        self._objects.object_pressed.connect(self._guarded(bench.select_object))
        self._objects.renamed.connect(self._guarded(bench.rename_object))
        self._objects.merge_requested.connect(self._guarded(bench.merge_objects))
        self._objects.split_requested.connect(self._guarded(bench.split_or_divide))
        self._objects.parent_chosen.connect(self._guarded(bench.set_parent))
        self._objects.lock_toggled.connect(self._guarded(self._lock))
        self._objects.eye_toggled.connect(self._guarded(self._hide))
        self._objects.alone_requested.connect(self._guarded(bench.show_only))
        self._objects.all_requested.connect(self._guarded(bench.show_all_objects))
        self._objects.background_toggled.connect(self._guarded(self._set_background))
        self._objects.delete_requested.connect(self._guarded(self._ask_to_delete))
        self._frame.hypothesis_chosen.connect(self._guarded(bench.choose_hypothesis))
        self._frame.hypothesis_pointed_at.connect(bench.show_hypothesis)
        self._frame.tool_chosen.connect(self._guarded(bench.use_tool))
        self._saving.save_requested.connect(self._guarded(bench.save_labels))
        self._saving.tracks_requested.connect(self._guarded(bench.make_tracks))
        self._saving.stop_requested.connect(bench.stop_label_work)
        self._run.run_requested.connect(self._on_run_requested)
        self._run.stop_requested.connect(bench.stop)
        self._run.labels_chosen.connect(self._guarded(bench.choose_labels))

    def _key_actions(self) -> dict[str, Callable[[], None]]:
        """What is done for each command; see `COMMANDS`."""
        bench, guarded = self.workbench, self._guarded
        step, use_tool = guarded(self._step_object), guarded(bench.use_tool)
        choose = guarded(bench.choose_hypothesis)
        return {
            "new_object": guarded(bench.new_object),
            "next_object": partial(step, 1),
            "previous_object": partial(step, -1),
            "split_object": guarded(bench.split_or_divide),
            "lock_object": guarded(self._toggle_lock),
            "background_object": guarded(self._toggle_background),
            "hide_object": guarded(self._toggle_eye),
            "show_alone": guarded(self._toggle_others),
            "delete_object": guarded(self._ask_to_delete),
            "find_objects": guarded(bench.find_objects),
            "keep_candidates": guarded(bench.keep_candidates),
            "change_sign": self._on_sign_toggled,
            "draw_box": partial(use_tool, Tool.BOX),
            "draw_lasso": partial(use_tool, Tool.LASSO),
            "scribble": partial(use_tool, Tool.SCRIBBLE),
            "erase": partial(use_tool, Tool.ERASER),
            "pick_1": partial(choose, 1),
            "pick_2": partial(choose, 2),
            "pick_3": partial(choose, 3),
            "pick_best": partial(choose, None),
            "run_both": partial(self._on_run_requested, "both"),
            "stop": bench.stop,
            "next_doubtful": guarded(bench.next_doubtful),
            "previous_doubtful": guarded(bench.previous_doubtful),
            "confirm_frame": guarded(bench.confirm_frame),
        }

    def _open_keys(self) -> None:
        self._key_list.show()
        self._key_list.raise_()

    def _change_keys(self, changes: Mapping[str, str]) -> None:
        try:
            change_keys(self._docks, changes)
        except SamDecoderError as error:
            self._key_list.show_trouble(str(error))

    def _show_keys(self) -> None:
        """Name the keys that are in use, wherever one is named."""
        keys = self._docks.keys.in_use
        show_keys(self, keys)
        self._key_list.show_keys(keys)

    def _guarded(self, action: Callable[..., object]) -> Callable[..., None]:
        """Turn a refusal into a notification, and show what has changed."""

        def guarded(*arguments: object, **options: object) -> None:
            try:
                action(*arguments, **options)
            except SamDecoderError as error:
                show_error(str(error))
                self._messages.show_error(str(error))
            else:
                self._messages.close_whole()
            # A control may show what was requested but refused.
            self._shown_settings = None
            self._refresh_soon()

        return guarded

    @property
    def settings(self) -> DockSettings:
        """All plain values that are set in the dock."""
        controller = self.workbench.controller
        return DockSettings(
            controller.state.options,
            controller.settings,
            self._run.only_current.value,
            self._run.replace.value,
        )

    def use_settings(self, settings: DockSettings) -> None:
        """Set all plain values of the dock, and start with them the next time."""
        self.workbench.configure(settings.model)
        self.workbench.configure_propagation(settings.propagation)
        self._run.only_current.value = settings.only_current
        self._run.replace.value = settings.replace
        keep_preferences(settings)

    def _start_with_preferences(self) -> None:
        """Set what was set the last time, where nobody has set anything yet."""
        bench = self.workbench
        try:
            kept = read_preferences()
        except SamDecoderError as error:
            show_error(str(error))
            return
        if bench.movie is None:
            bench.configure(kept.model)
        if bench.controller.movies.settings is None:
            bench.configure_propagation(kept.propagation)

    def _configure(self, options: ModelOptions) -> None:
        if self._may_use(options.model):
            self.workbench.configure(options)
            keep_preferences(self.settings)

    def _may_use(self, model: str | Path) -> bool:
        """Ask before what is learned for the model in use is of no use any more."""
        controller = self.workbench.controller
        if model == controller.state.options.model:
            return True
        unfinished = unfinished_learning(controller)
        answer = ask_before(self._docks.window, "use another model", unfinished)
        return answer is Answer.STOP

    def _resume(self, path: Path | None) -> None:
        if _may_leave_movie(self._docks):
            self.workbench.resume(path)

    def _open_models(self) -> None:
        self._models.show()
        self._models.raise_()
        self._models.show_state(self.workbench)

    def _use_model(self, model: str | Path) -> None:
        if self._may_use(model):
            self.workbench.use_model(model)
            keep_preferences(self.settings)

    def _on_downloads_changed(self) -> None:
        self._models.show_state(self.workbench)
        self._form.offer_models()

    def _configure_propagation(self, settings: Settings) -> None:
        self.workbench.configure_propagation(settings)
        keep_preferences(self.settings)

    def _save_settings(self, path: Path) -> None:
        write_settings(path, self.settings)
        show_info(f"The settings are in {path}.")

    def _load_settings(self, path: Path) -> None:
        self.use_settings(read_settings(path))
        show_info(f"The settings are those of {path} now.")

    def _reset_settings(self) -> None:
        self.use_settings(DockSettings())

    def _open_project(self, path: Path) -> None:
        _open_or_ask(OpenDocks.of(self.workbench.viewer), path)

    def _open_review(self) -> None:
        window = self.workbench.viewer.window
        frame, _ = window.add_plugin_dock_widget(PLUGIN, REVIEW_DOCK)
        frame.show()

    def _on_axis_chosen(self, axis: int) -> None:
        movie = self.workbench.movie
        if movie is not None:
            self._guarded(self.workbench.choose_movie)(movie.layer, axis)

    def _on_embedding_toggled(self) -> None:
        if self.workbench.controller.is_embedding:
            self.workbench.stop_embedding()
        else:
            self._guarded(self.workbench.embed)()

    def _on_sample_requested(self, sample: str) -> None:
        self.workbench.viewer.open_sample(PLUGIN, sample)

    def _on_layer_chosen(self, layer: Points | Shapes) -> None:
        if isinstance(layer, Shapes):
            self.workbench.use_shapes(layer)
        else:
            self.workbench.use_points(layer)

    def _ask_to_delete(self) -> None:
        """Ask what to do with the labels of the selected object, and delete it."""
        bench = self.workbench
        current = bench.require_object()
        bench.require_unlocked(current.object_id)
        bench.controller.require_not_running(current.object_id)
        labels = self._objects.ask_about_labels(current, bench)
        if labels is not None:
            bench.delete_object(current.object_id, labels)

    def _lock(self, object_id: int, is_locked: bool) -> None:
        bench = self.workbench
        (bench.lock_object if is_locked else bench.unlock_object)(object_id)

    def _toggle_lock(self) -> None:
        """Lock the selected object, or unlock it."""
        current = self.workbench.require_object()
        self._lock(current.object_id, not current.is_locked)

    def _hide(self, object_id: int, is_hidden: bool) -> None:
        bench = self.workbench
        (bench.hide_object if is_hidden else bench.show_object)(object_id)

    def _set_background(self, object_id: int, is_background: bool) -> None:
        bench = self.workbench
        mark, unmark = bench.mark_background, bench.unmark_background
        (mark if is_background else unmark)(object_id)

    def _toggle_background(self) -> None:
        """Make the selected object a background object, or part of the result."""
        current = self.workbench.require_object()
        self._set_background(current.object_id, not current.is_background)

    def _toggle_eye(self) -> None:
        """Hide the selected object, or show it."""
        current = self.workbench.require_object()
        self._hide(current.object_id, not current.is_hidden)

    def _toggle_others(self) -> None:
        """Show only the selected object, or all where it is the only one shown."""
        bench, current = self.workbench, self.workbench.require_object()
        if bench.objects.ids - bench.objects.hidden_ids == {current.object_id}:
            bench.show_all_objects()
        else:
            bench.show_only(current.object_id)

    def _step_object(self, step: int) -> None:
        """Select the next object as the table shows them, or of all if it is empty."""
        self._objects.show_state(self.workbench)
        self.workbench.step_object(step, self._objects.table.ids or None)

    def _on_failed(self, error: Exception) -> None:
        """Show an error that stays, unlike its notification."""
        text = str(error)
        if not isinstance(error, SamDecoderError):
            text = f"{type(error).__name__}: {text}. The notification tells where."
        self._messages.show_error(text)

    def _on_sign_toggled(self) -> None:
        self._guarded(self.workbench.use_tool)(self.workbench.tool.opposite)

    def _on_run_requested(self, direction: str) -> None:
        current = self.workbench.objects.current_id
        is_alone = self._run.only_current.value and current is not None
        self._guarded(self.workbench.propagate)(
            direction,
            frames=self._run.frames,
            objects=(current,) if is_alone else None,
            replace=self._run.replace.value,
            each=self._run.each_axes,
        )


def _folded(title: str, section: QWidget) -> QCollapsible:
    """Hide a section until its title is clicked."""
    folded = QCollapsible(title)
    folded.layout().setContentsMargins(0, 0, 0, 0)
    folded.addWidget(section)
    return folded


def _stacked(*sections: QWidget) -> QWidget:
    """Put sections one below the other."""
    stacked = QWidget()
    layout = QVBoxLayout(stacked)
    layout.setContentsMargins(0, 0, 0, 0)
    layout.setSpacing(4)
    for section in sections:
        layout.addWidget(section)
    return stacked


class _Column(QScrollArea):
    """What is used all day, as high as can be seen; the rest is scrolled to.

    Parameters
    ----------
    often, seldom : QWidget
    """

    def __init__(self, often: QWidget, seldom: QWidget) -> None:
        super().__init__()
        self._strut = QSpacerItem(0, 0)
        strutted = QHBoxLayout()
        strutted.addWidget(often, 1)
        strutted.addItem(self._strut)
        column = QWidget()
        layout = QVBoxLayout(column)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addLayout(strutted)
        layout.addWidget(seldom)
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setWidget(column)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Fill the height with what is used all day."""
        height = self.viewport().height()
        fixed = QSizePolicy.Policy.Fixed
        self._strut.changeSize(0, height, fixed, QSizePolicy.Policy.Minimum)
        self.widget().layout().invalidate()
        super().resizeEvent(event)


def open_project_in_dock(
    viewer: napari.Viewer, path: Path, movie: str | Path | None = None
) -> None:
    """Go on with a project in the dock, which is opened if it is not.

    What is wrong with the project is told in a notification.

    Parameters
    ----------
    viewer : napari.Viewer
        With a window.
    path : Path
        Of the project.
    movie : str or Path, optional
        Where its movie is now; by default where it was.
    """
    viewer = unwrapped(viewer)
    docks = OpenDocks.on(viewer)
    if docks is None or not docks.has(DOCK):
        viewer.window.add_plugin_dock_widget(PLUGIN, DOCK)
    docks = OpenDocks.of(viewer)
    try:
        _open_or_ask(docks, path, movie)
    except SamDecoderError as error:
        show_error(str(error))


def _open_or_ask(docks: OpenDocks, path: Path, movie: str | Path | None = None) -> None:
    """Go on with a project; ask for its movie if that is not where it was."""
    if is_of_current_movie(docks.bench, path, movie) and not _may_leave_movie(docks):
        return
    try:
        docks.bench.open_project(path, movie)
    except MovieNotFoundError as error:
        show_error(str(error))
        where = f"Where is the movie of {path.name} now?"
        chosen, _ = QFileDialog.getOpenFileName(docks.window, where)
        if chosen:
            docks.bench.open_project(path, chosen)


def _may_leave_movie(docks: OpenDocks) -> bool:
    """Ask before another project of the movie ends what is under way on it."""
    unfinished = unfinished_here(docks.bench.controller)
    answer = ask_before(docks.window, "open the project", unfinished)
    return answer is Answer.STOP


def save_project_of(viewer: napari.Viewer) -> None:
    """Ask where to copy the project of the current movie to, and copy it.

    What is wrong is told in a notification.

    Parameters
    ----------
    viewer : napari.Viewer
        With a window.
    """
    viewer = unwrapped(viewer)
    docks = OpenDocks.on(viewer)
    if docks is None:
        show_error("there is no project: open the dock of the SAM decoder first")
        return
    path = ask_where_to_save(docks.window)
    if path is not None:
        try:
            # The dialogue has asked whether to replace a file.
            docks.bench.save_project_as(path, overwrite=True)
        except SamDecoderError as error:
            show_error(str(error))
        else:
            show_info(f"The project is in {path}.")
