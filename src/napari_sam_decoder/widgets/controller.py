"""Starts the background jobs that are wanted, as soon as each is possible."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import QCoreApplication, QEventLoop, QObject, QTimer, Signal

from napari_sam_decoder.errors import PromptError, SamDecoderError
from napari_sam_decoder.frames import Window
from napari_sam_decoder.project import (
    COMPOSITE,
    EntryChange,
    find_decoder,
    unused_notices,
)
from napari_sam_decoder.propagation import Settings
from napari_sam_decoder.widgets.colours import object_colours
from napari_sam_decoder.widgets.downloads import Downloads
from napari_sam_decoder.widgets.finding import ObjectSearch
from napari_sam_decoder.widgets.job_queue import JobQueue
from napari_sam_decoder.widgets.label_scans import LabelScans
from napari_sam_decoder.widgets.label_work import LabelWorker
from napari_sam_decoder.widgets.layers import Channel, labels_layer, shown_limits
from napari_sam_decoder.widgets.learning import Learning
from napari_sam_decoder.widgets.messages import prompt_notices
from napari_sam_decoder.widgets.model_cache import SessionRequest
from napari_sam_decoder.widgets.movie_state import (
    USE_DECODER,
    MovieState,
    PendingRun,
    ViewerMovies,
    decoder_of,
)
from napari_sam_decoder.widgets.objects import ObjectIds
from napari_sam_decoder.widgets.previews import add_quietly
from napari_sam_decoder.widgets.project_files import ProjectFiles
from napari_sam_decoder.widgets.result_writer import ResultWriter
from napari_sam_decoder.widgets.runs import ShownCorrection
from napari_sam_decoder.widgets.saved_settings import (
    DockSettings,
    settings_of,
    settings_values,
)
from napari_sam_decoder.widgets.target_layer import UndoKeys
from napari_sam_decoder.wording import counted

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator
    from pathlib import Path

    from napari.components import ViewerModel
    from napari.layers import Labels

    from napari_sam_decoder.embedding import EmbeddedFrame
    from napari_sam_decoder.project import Correction, PromptLog, RunRequest, Step
    from napari_sam_decoder.prompts import Prompt, PromptSet
    from napari_sam_decoder.propagation import FrameResult
    from napari_sam_decoder.session import Session
    from napari_sam_decoder.widgets.label_scans import Relabelling
    from napari_sam_decoder.widgets.layers import MovieView
    from napari_sam_decoder.widgets.model_cache import ShownPreview
    from napari_sam_decoder.widgets.movie_state import ModelOptions
    from napari_sam_decoder.widgets.project_files import OpenedProject
    from napari_sam_decoder.widgets.runs import ShownRun

__all__ = ["Controller"]

RERUN_DELAY_MS = 500
"""How long points must stay unchanged before objects are recomputed from them."""
PREVIEW_WAIT_S = 0.12
BREATH_S = 0.08
"""How long undo may keep the window from being drawn."""


class Controller(QObject):
    """The current movie of one dock, and the background jobs that it needs.

    Wishes are kept as values (a pending run, frames to embed, prompts without a
    preview). `advance` starts whatever is wanted and possible; no event starts a job by
    itself.

    Parameters
    ----------
    viewer : ViewerModel
        Where results are shown.
    parent : QObject
        Its Qt parent.

    Attributes
    ----------
    movie : MovieView or None
        The current movie.
    state : MovieState
        What has been done on it, and what is wanted for it.
    frame : int
        The frame that the viewer shows.
    corrections : tuple of Correction
        What its points would correct in the labels.
    is_moving : bool
        Whether something is being undone or redone just now.
    """

    changed = Signal()
    previewed = Signal()
    informed = Signal(str)
    failed = Signal(object)
    moved = Signal()
    found = Signal(object, object)
    resumed = Signal(object)

    def __init__(self, viewer: ViewerModel, parent: QObject) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self.movie: MovieView | None = None
        self.state = MovieState()
        self.frame = 0
        self.corrections: tuple[Correction, ...] = ()
        self.is_moving = self._is_ending = False
        self.movies = ViewerMovies.of(viewer)
        self.writer = ResultWriter(viewer, self)
        self._job_queue = JobQueue(self)
        self.ids = ObjectIds(viewer, self.movies, self._job_queue)
        self._scans = LabelScans(viewer, self.ids, self._job_queue, self)
        self.files = ProjectFiles(self)
        self.label_worker = LabelWorker(self._job_queue, self)
        self.downloads = Downloads(self._job_queue, self)
        self.learning = Learning(self._job_queue, self)
        self._opening: tuple[MovieState, SessionRequest] | None = None
        # Of a plane that is not shown, as long as there is a run on it.
        self._spare: tuple[MovieView, Session] | None = None
        self._pending: list[PendingRun] = []
        self._rerun_timer = QTimer(self)
        self._rerun_timer.setSingleShot(True)
        self._rerun_timer.setInterval(RERUN_DELAY_MS)
        self._connect()

    def _connect(self) -> None:
        self._rerun_timer.timeout.connect(self.advance)
        self._scans.unreadable.connect(self._drop_pending)
        self._scans.failed.connect(self.failed.emit)
        self._scans.ended.connect(self.advance)
        self.label_worker.changed.connect(self.changed.emit)
        self.label_worker.failed.connect(self.failed.emit)
        self.label_worker.ended.connect(self.advance)
        self.downloads.failed.connect(self.failed.emit)
        self.learning.changed.connect(self.changed.emit)
        self.learning.failed.connect(self.failed.emit)
        self.files.changed.connect(self.changed.emit)
        self.files.failed.connect(self.failed.emit)
        self._job_queue.opened.connect(self._on_opened)
        self._job_queue.embedded.connect(self._on_embedded)
        self._job_queue.previewed.connect(self._on_previewed)
        self._job_queue.propagated.connect(self._on_propagated)
        self._job_queue.ended.connect(self._on_ended)

    def close(self) -> None:
        """Stop all jobs; what has been done stays with the movies."""
        self._take_results()
        self._job_queue.close()
        for pending in self._pending:
            pending.state.outcome = "The run had not started when the dock was closed."
        self._scans.close()
        self.files.close()
        run, running = self.writer.run, self.writer.running
        if run is not None and running is not None:
            running.outcome = run.summary(was_stopped=True)
        if self._spare is not None:
            self._spare[1].close(wait=False)
        for state in (*self.movies, self.state):
            state.keys = None
            state.wants_learning, state.wanted_search = False, None
            session = state.detach_session()
            if session is not None:
                # A step under way goes on; the window does not wait for it.
                session.close(wait=False)

    # What is known

    @property
    def prompts(self) -> PromptSet:
        """All prompts that say where an object is."""
        return self.state.objects.reading.prompts

    @property
    def negatives(self) -> PromptSet:
        """Prompts of negative points alone."""
        return self.state.objects.reading.negatives

    @property
    def prompts_now(self) -> tuple[Prompt, ...]:
        """All prompts that the points give now."""
        return (*self.prompts, *self.negatives)

    @property
    def prompts_here(self) -> tuple[Prompt, ...]:
        """The prompts on the current frame."""
        return tuple(prompt for prompt in self.prompts if prompt.frame == self.frame)

    @property
    def settings(self) -> Settings:
        """How propagation decides, on all movies of the viewer."""
        return self.movies.settings or Settings()

    @property
    def is_opening(self) -> bool:
        """Whether the model is being loaded or the cache opened."""
        return self._job_queue.is_busy("opening")

    @property
    def is_embedding(self) -> bool:
        """Whether frames are being embedded ahead of time."""
        return self._job_queue.is_busy("embedding")

    @property
    def is_previewing(self) -> bool:
        """Whether prompts on the current frame are being decoded."""
        return self._job_queue.is_busy("preview")

    @property
    def is_scanning(self) -> bool:
        """Whether labels are being scanned, or an object is being removed from them."""
        return self._job_queue.is_scanning

    @property
    def is_busy(self) -> bool:
        """Whether a run or correction is pending or under way, on any movie."""
        return bool(self._pending) or self.writer.run is not None

    @property
    def is_running(self) -> bool:
        """Whether a run is pending or under way here, or a correction under way."""
        return self.is_waiting or self.run is not None

    @property
    def is_waiting(self) -> bool:
        """Whether a run is pending on the current movie."""
        return any(self._is_here(pending.view) for pending in self._pending)

    @property
    def run(self) -> ShownRun | ShownCorrection | None:
        """The run or correction under way on the current movie."""
        run = self.writer.run
        return run if run is not None and self._is_here(run.view) else None

    @property
    def run_elsewhere(self) -> ShownRun | ShownCorrection | None:
        """The run or correction under way on another movie, or on another plane."""
        return self.writer.run if self.run is None else None

    @property
    def is_correcting(self) -> bool:
        """Whether a correction is under way on the current movie."""
        return isinstance(self.run, ShownCorrection)

    @property
    def is_learning(self) -> bool:
        """Whether a decoder is being trained, or about to be, for the current movie."""
        running = self.learning.running
        is_under_way = running is not None and running.state is self.state
        return self.state.wants_learning or is_under_way

    @property
    def pending(self) -> tuple[PendingRun, ...]:
        """Runs that were asked for and could not start yet, on any movie."""
        return tuple(self._pending)

    @property
    def learners(self) -> tuple[MovieState, ...]:
        """The movies from which a decoder is being trained, or about to be."""
        running = self.learning.running
        under_way = [] if running is None else [running.state]
        waiting = [one for one in (*self.movies, self.state) if one.wants_learning]
        return tuple(dict.fromkeys((*under_way, *waiting)))

    def is_relabelling(self, state: MovieState) -> bool:
        """Whether an object is being removed or merged in the labels of a movie."""
        return self._scans.is_relabelling(state)

    @property
    def is_idle(self) -> bool:
        """Whether nothing is under way that a person waits for."""
        is_decoding = self.is_opening or self.is_previewing
        is_timed = self.is_scanning or self._rerun_timer.isActive()
        is_timed |= self.label_worker.running is not None or self.downloads.is_busy
        is_timed |= self.is_learning or self.state.wanted_search is not None
        return not (is_decoding or is_timed or self.is_busy or self.files.is_busy)

    @property
    def notices(self) -> tuple[str, ...]:
        """Which points are not in the labels, why, and what to do about it."""
        target = self.state.target
        if self.movie is None or target is None:
            return unused_notices(self.negatives)
        if self.is_running:
            return ()
        correcting = {prompt for one in self.corrections for prompt in one.prompts}
        waiting = [one for one in self.prompts_now if one not in correcting]
        log = target.record(self.movie).prompt_log
        return prompt_notices(log, waiting, self.prompts_now)

    def _is_here(self, view: MovieView) -> bool:
        return self.movie is not None and view.is_same_as(self.movie)

    def _find_corrections(self) -> None:
        self.corrections = ()
        target = self.state.target
        if self.movie is not None and target is not None:
            self.corrections = target.corrections(self.movie, self.prompts_now)

    def _missing_previews(self) -> tuple[Prompt, ...]:
        here = self.prompts_here
        if all(prompt.is_settled for prompt in here):
            return ()
        return self.state.previews.missing(here)

    # Requests

    def set_movie(self, movie: MovieView | None) -> None:
        """Work on another movie, another cut of the same one, or on none.

        A run goes on with what it was started with. A pending run stays pending.
        """
        self._leave_movie()
        # What was set before there was any movie is meant for the first one.
        is_first, options = self.movie is None, self.state.options
        self.movie = movie
        if movie is None:
            self.state = MovieState(options.for_another_movie())
            return
        options = options if is_first else options.for_another_movie()
        self.state = state = self.movies.on(movie.layer, options)
        state.keys = UndoKeys(self.undo, self.redo)
        self._note_options(state)
        if state.view is None or not movie.is_same_as(state.view):
            self._stop_search(state)
            self._forget_session(state)
            state.view = movie
            state.keep_fitting_labels(movie)
        # The first click need not wait for it then.
        self._job_queue.load_ahead(state.options, movie.frame_shape)

    def set_options(self, options: ModelOptions) -> None:
        """Use another model, device, contrast or cache from now on."""
        if options != self.state.options:
            if options.model != self.state.options.model:
                self._forget_learning(self.state)
            self.state.options = options
            self._forget_session(self.state)
            self._note_options(self.state)
            self.advance()

    def use_channels(self, channels: tuple[Channel, ...]) -> None:
        """See channels as red, green and blue from now on; none for the movie alone."""
        self.state.channels = channels
        self._forget_session(self.state)
        self._note_options(self.state)
        self.advance()

    def _bind_channels(self, state: MovieState) -> None:
        """Find the layers of channels, which may be renamed from then on."""
        if state.view is not None:
            layers = tuple(self._viewer.layers)
            bound = (one.bound(state.view, layers) for one in state.channels)
            state.channels = tuple(bound)

    def reopen(self, state: MovieState) -> None:
        """Open a movie again whose channels have other pixels now."""
        if state.session is not None:
            self._forget_session(state)
            self.advance()

    def _note_options(self, state: MovieState) -> None:
        """Let the project of a movie know how its labels are made."""
        settings = DockSettings(state.options, self.settings)
        options = state.history.document.table("options")
        with state.history.note():
            options["settings"] = settings_values(settings)
            if state.contrast is not None:
                options["contrast"] = list(state.contrast)
            if state.view is not None and state.view.axis is not None:
                options["axis"] = state.view.axis
            state.note_channels()
            state.note_layer_names()

    def set_settings(self, settings: Settings) -> None:
        """Change how propagation decides, from the next run or correction on."""
        self.movies.settings = settings
        for state in (*self.movies, self.state):
            if state.session is not None:
                state.session.settings = settings
            self._note_options(state)
        self.changed.emit()

    def take_prompts(self, *, are_withdrawn: bool = False) -> None:
        """Bring the labels in line with the prompts as they are now.

        `advance` then starts what takes longer.

        Parameters
        ----------
        are_withdrawn : bool, default False
            Whether missing points went with their layer. Then the labels stay as they
            are, whereas the corrections of a deleted point are undone.
        """
        target = self.state.target
        if self.movie is not None and target is not None:
            log = target.record(self.movie).prompt_log
            if are_withdrawn:
                log.withdraw(self.prompts_now)
            self._take_back_lost_corrections(self.movie, log)
        is_shown = any(not one.is_settled for one in self.prompts)
        if is_shown and self.state.wants_embedding is None:
            # The first prompts start the embedding.
            self.state.wants_embedding = True

    def end_confirmations(self, keys: Collection[tuple[int, int]]) -> None:
        """Let masks that looked right be corrected again.

        Parameters
        ----------
        keys : collection of (object id, frame)
            Whose they are.
        """
        for target in self.state.targets.values():
            log = target.record(target.view).prompt_log
            for object_id, frame in keys:
                log.end_confirmation(object_id, frame)

    def learn(self, steps: int | None = None) -> None:
        """Learn from the fixed frames of the movie, as soon as that is possible."""
        self.state.wants_learning, self.state.learning_steps = True, steps
        self.state.learned = None
        self.advance()

    def find_objects(self) -> None:
        """Look for objects on the current frame, as soon as that is possible."""
        self.state.wanted_search = self.frame
        self.advance()

    def _advance_search(self, movie: MovieView, session: Session, frame: int) -> None:
        running = self.label_worker.running
        if running is not None and not isinstance(running, ObjectSearch):
            # Such as saving, which was asked for before this could start.
            return
        self.state.wanted_search = None
        occupied = self._occupied(movie, frame)
        search = ObjectSearch(movie, session, frame, occupied, self.found.emit)
        self.label_worker.start(self.state, search)

    def _occupied(self, movie: MovieView, frame: int) -> np.ndarray:
        """Return a new (Y, X) mask of all objects on a frame, labelled or not yet."""
        occupied = np.zeros(movie.frame_shape, bool)
        if self.state.target is not None:
            occupied |= (
                np.asarray(self.state.target.layer.data[movie.index(frame)]) != 0
            )
        prompts = (one for one in self.prompts if one.frame == frame)
        for mask in self.state.previews.masks(prompts).values():
            if mask.extent is not None:
                occupied[mask.extent.place] |= mask.inside
        return occupied

    def stop_label_work(self) -> None:
        """Do nothing more with labels; what was begun is dropped."""
        self.state.wanted_search = None
        self.label_worker.stop()

    def stop_learning(self) -> None:
        """Learn no further, on whichever movie."""
        self.state.wants_learning = False
        self.learning.stop()
        self.changed.emit()

    def _forget_learning(self, state: MovieState) -> None:
        state.wants_learning, state.learned = False, None
        if self.learning.running is not None and self.learning.running.state is state:
            self.learning.stop()

    def use_decoder(self, path: Path, title: str, cause: Step | None = None) -> None:
        """Use a decoder from now on, as a step that can be undone.

        Parameters
        ----------
        path : Path
            Of its file.
        title : str
            Of the step.
        cause : Step, optional
            Is undone together with it.
        """
        state, before = self.state, str(self.state.options.decoder)
        options = state.history.document.table("options")
        with state.history.note():
            options["decoder"] = before
        decoders = {"decoders": [before, str(path)]}
        with state.history.step(title, USE_DECODER, decoders, cause):
            options["decoder"] = str(path)
        self.set_options(replace(state.options, decoder=path))

    def embed_as_shown(self) -> None:
        """Embed again with the limits that the layer has now; all else stays."""
        state = self.state
        if state.options.contrast is not None:
            limits = None if state.view is None else shown_limits(state.view.layer)
            state.options = replace(state.options, contrast=limits)
        state.channels = tuple(replace(one, contrast=None) for one in state.channels)
        self._forget_session(state)
        self.embed()

    def wait_for_preview(self) -> None:
        """Wait a moment for the preview before the window is painted.

        Decoding takes three times as long while the window is painted.
        """
        if self.frame in self.state.embedded and self.writer.run is None:
            self._job_queue.wait_for_step("preview", PREVIEW_WAIT_S)

    def set_frame(self, frame: int) -> None:
        """Look at another frame."""
        self.frame = frame
        self.advance()

    def choose_labels(self, layer: Labels) -> None:
        """Write results into a Labels layer, and adopt the objects in it."""
        if self.movie is not None:
            self.state.outcome = " ".join(self.state.choose_labels(self.movie, layer))
            self.advance()

    def attribute_labels(self, prompts: Collection[Prompt]) -> None:
        """Take prompts that agree with the labels as what these were made from.

        Adding the points that labels were made from must not correct these labels.
        """
        target = self.state.target
        if self.movie is not None and target is not None:
            target.attribute_labels(self.movie, prompts)

    def require_not_running(self, object_id: int) -> None:
        """Refuse to touch an object of a run.

        Raises
        ------
        PromptError
            If a run or correction of it is pending or under way on the current movie.
        """
        run = self.writer.run if self.writer.running is self.state else None
        is_running = run is not None and object_id in run.prompts.object_ids
        is_pending = any(
            pending.state is self.state
            and object_id in pending.request.choose(pending.prompts).object_ids
            for pending in self._pending
        )
        if is_running or is_pending:
            raise PromptError(
                f"object {object_id} is being computed: wait, or press 'Stop' first"
            )

    def dismiss_object(self, object_id: int) -> None:
        """Stop tracking an object, on every Labels layer; its pixels stay."""
        for target in self.state.targets.values():
            target.dismiss(object_id)
        if self.movie is not None:
            self.movies.given_ids(self.movie).add(object_id)

    def relabel(self, change: Relabelling, step: Step) -> None:
        """Remove an object from the labels or merge it, in the background.

        Parameters
        ----------
        change : Relabelling
            What becomes of its pixels.
        step : Step
            The deletion or merger, which takes what has changed back with it.
        """
        if self.movie is not None:
            self._scans.relabel(self.state, self.movie, change, step)

    def split(self, object_id: int, new_id: int, start: int) -> None:
        """Take the labels of an object from a frame on as those of a new one."""
        for target in self.state.targets.values():
            if self.movie is not None:
                target.split(self.movie, object_id, new_id, start)

    def absorb(self, object_id: int, into: int) -> None:
        """Take the labels of an object as those of another one, on every layer."""
        for target in self.state.targets.values():
            target.absorb(object_id, into, self.prompts_now)
        if self.movie is not None:
            self.movies.given_ids(self.movie).add(object_id)

    def embed(self) -> None:
        """Embed all frames, those around the current one first."""
        self.state.wants_embedding = True
        self.advance()

    def stop_embedding(self) -> None:
        """Stop embedding ahead of time; what is embedded stays."""
        self.state.wants_embedding = False
        self._job_queue.stop("embedding")
        self.changed.emit()

    def propagate(self, request: RunRequest, cause: Step | None = None) -> None:
        """Carry objects through the movie, as soon as that is possible.

        Parameters
        ----------
        request : RunRequest
            What to carry where.
        cause : Step, optional
            Is undone together with the run.
        """
        if self.movie is not None:
            self._stop_here()
            self._pending.append(
                PendingRun(self.state, self.movie, self.prompts, request, cause)
            )
            self.advance()

    def propagate_each(
        self, runs: Iterable[tuple[MovieView, PromptSet, RunRequest]]
    ) -> None:
        """Carry objects through several planes of the movie, one after the other.

        Parameters
        ----------
        runs : iterable of (MovieView, PromptSet, RunRequest)
            A plane, the prompts on it, and what to carry where.
        """
        self._stop_all(self.state)
        self._pending += [
            PendingRun(self.state, view, prompts, request)
            for view, prompts, request in runs
        ]
        self.advance()

    def correct(self) -> None:
        """Start corrections again that were stopped or have failed."""
        if self.state.target is not None:
            self.state.target.prompt_log.reconsider()
        self.advance()

    def stop(self) -> None:
        """Stop the run or correction, and those that are pending.

        What is done stays. Where nothing is under way on this movie, what is under way
        on another one is stopped.
        """
        running = self.writer.running
        if not self.is_running and running is not None:
            self._drop_pending(running)
            self._end_run(was_stopped=True)
        else:
            self._stop_all(self.state)
            self._find_corrections()
            self._decline_corrections()
            self._decline_reruns()
        self.advance()

    def release_movie(self, state: MovieState, reason: str) -> None:
        """Stop what is under way on a movie that was removed or replaced.

        Parameters
        ----------
        state : MovieState
            Of the movie.
        reason : str
            What has happened to it; follows its name in a sentence.
        """
        if self.writer.running is state:
            self._end_run(was_stopped=True)
            self.informed.emit(f"{state.outcome} {state.name!r} {reason}.")
        self._refuse_pending(state, reason)
        if state in self.learners:
            self.informed.emit(f"{state.name!r} {reason}; learning from it has ended.")
        self._forget_learning(state)
        self._stop_search(state)
        self._forget_session(state)
        self.files.release(state)

    def on_labels_removed(self, layer: Labels) -> None:
        """Forget a Labels layer that the viewer no longer has, for all movies."""
        run, running = self.writer.run, self.writer.running
        if run is not None and running is not None and run.target.layer is layer:
            self._end_run(was_stopped=True)
            running.outcome = (
                f"Stopped, since {layer.name!r} was removed. The project still has "
                "its labels: open the movie again and press 'Resume', or run again for "
                "new ones."
            )
            if running is not self.state:
                self.informed.emit(running.outcome)
        for state in self.movies:
            if layer in state.targets:
                state.forget_labels(layer)
                state.previews.unmark_labelled()
        self.advance()

    # Starting work

    def advance(self) -> None:
        """Start what is wanted and possible."""
        if self.is_moving or self._is_ending:
            return
        target = self.state.target
        self.state.objects.note_labels(() if target is None else target.object_ids)
        if target is not None:
            self._advance_rerun()
        self._find_corrections()
        self._scans.start(self.state, self.state.view)
        for pending in self._pending:
            self._scans.start(pending.state, pending.view)
        self._retire_spare()
        if self._opening is None:
            self._advance_opening()
        if self._pending:
            self._advance_run()
        movie, session = self.movie, self.state.session
        if movie is not None and session is not None:
            self._advance_preview(session)
            if self.corrections:
                self._advance_corrections(movie, session)
            # Beside it, a mask that a person waits for would take twice as long.
            if not self.is_previewing:
                self._advance_embedding(movie, session)
            if self.state.wants_learning and self.learning.running is None:
                self.learning.start(self.state, movie, session)
            if self.state.wanted_search is not None:
                self._advance_search(movie, session, self.state.wanted_search)
        self.changed.emit()

    def _advance_opening(self) -> None:
        if self._is_session_needed() and self.state.view is not None:
            self._open(self.state, self.state.view)
            return
        for pending in self._pending:
            # One plane that is not shown at a time.
            is_next = pending.is_shown or self._spare is None
            if self._session_of(pending) is None and is_next:
                self._open(pending.state, pending.view)
                return

    def _open(self, state: MovieState, view: MovieView) -> None:
        layers = tuple(self._viewer.layers)
        self._bind_channels(state)
        request = SessionRequest(
            view, state.options, state.shown_now, self.frame, state.channels, layers
        )
        self._opening = state, request
        self._job_queue.open(request)

    def _session_of(self, pending: PendingRun) -> Session | None:
        if pending.is_shown:
            return pending.state.session
        is_spare = self._spare is not None and self._spare[0].is_same_as(pending.view)
        return self._spare[1] if self._spare is not None and is_spare else None

    def _retire_spare(self) -> None:
        """Close the session of a plane that is not shown once no run needs it."""
        if self._spare is None:
            return
        view, session = self._spare
        runs = [one.view for one in self._pending if not one.is_shown]
        runs += [] if self.writer.run is None else [self.writer.run.view]
        if not any(view.is_same_as(one) for one in runs):
            self._spare = None
            self._job_queue.retire(session)

    def _is_session_needed(self) -> bool:
        return self.state.session is None and bool(
            self.is_waiting
            or self.state.wants_embedding
            or self.state.wants_learning
            or self.state.wanted_search is not None
            or self.corrections
            or self._missing_previews()
        )

    def _advance_run(self) -> None:
        for pending in tuple(self._pending):
            session, target = self._session_of(pending), pending.state.target
            is_known = target is None or target.record(pending.view).is_scanned
            # It would write beside labels that are about to change their owner.
            is_settled = not self._scans.is_relabelling(pending.state)
            is_ready = is_known and is_settled
            if self.writer.run is None and session is not None and is_ready:
                self._pending.remove(pending)
                self._start_pending(pending, session)

    def _start_pending(self, pending: PendingRun, session: Session) -> None:
        request, view = pending.request, pending.view
        session.prompts = self.prompts if self._is_here(view) else pending.prompts
        try:
            asked = request.frames, request.direction, request.object_ids
            plan = session.plan(*asked)
            steps = session.propagate(
                request.frames, direction=request.direction, objects=request.object_ids
            )
            self.writer.begin(pending, plan.prompts, plan.visits, session)
        except SamDecoderError as error:
            if request.is_rerun:
                self._decline_reruns()
            self.failed.emit(error)
        else:
            self._start_run(steps)

    def _advance_preview(self, session: Session) -> None:
        if not self.is_previewing and self._missing_previews():
            together, known = self.state.previews.to_decode(self.prompts_here)
            colours = object_colours(prompt.object_id for prompt in together)
            self._job_queue.preview(session, together, known, colours)

    def _advance_corrections(self, movie: MovieView, session: Session) -> None:
        is_click_shown = not (self.is_previewing or self._missing_previews())
        target = self.state.target
        if target is None or self.is_busy or not is_click_shown:
            return
        if not target.record(movie).is_scanned:
            return
        run = ShownCorrection.of(movie, target, self.corrections)
        try:
            steps = run.begin(session)
        except SamDecoderError as error:
            self._decline_corrections()
            self.failed.emit(error)
        else:
            cause = self._cause_of(self.corrections)
            self.writer.start(self.state, run, cause, session)
            self._start_run(steps)

    def _start_run(self, steps: Iterator[FrameResult]) -> None:
        self._job_queue.stop("embedding")
        self._job_queue.run(steps)

    def _advance_embedding(self, movie: MovieView, session: Session) -> None:
        if not self.state.wants_embedding or self.is_busy:
            return
        frames, windows = range(len(movie)), frozenset[Window]()
        if session.has_windows:
            windows = self._windows_ahead(session)
            # The overview only says how large an object is that is clicked now.
            frames = frames if windows else range(self.frame, self.frame + 1)
        if windows != self.state.embedded_windows:
            self._job_queue.stop("embedding")
            self.state.embedded_windows = windows
            self.state.embedded &= {self.frame}
            self.state.embedded_ahead = set()
        # A preview or a run sees a frame through a part of these windows only.
        known = self.state.embedded_ahead if windows else self.state.embedded
        if self.is_embedding or known.issuperset(frames):
            return
        # To read the others again each time might leave no time for these.
        left = [frame for frame in frames if frame not in known]
        steps = session.embed(left, focus=lambda: self.frame, windows=windows)
        self._job_queue.embed(steps)

    def _windows_ahead(self, session: Session) -> frozenset[Window]:
        """The parts of large frames in which a run would follow the objects."""
        found = self.state.previews.windows(self.prompts)
        return found - {Window.of_frame(session.movie.frame_shape)}

    # Points that have changed since a run or correction

    def _take_back_lost_corrections(self, movie: MovieView, log: PromptLog) -> None:
        """Take back the corrections of points that are gone or have moved."""
        run, target = self.run, self.state.target
        is_correcting = isinstance(run, ShownCorrection)
        if run and is_correcting and log.has_lost(run.prompts, self.prompts_now):
            self._drop_run()
        if target is None:
            return
        frames = target.reconcile(movie, self.prompts_now)
        if frames is not None:
            self.state.outcome = (
                "Undid the corrections of points that have changed: "
                f"{counted(frames, 'frame')}."
            )
        if self._is_outdated(log):
            self._rerun_timer.start()

    def _is_outdated(self, log: PromptLog) -> bool:
        """Whether something has to be recomputed, now or after the run."""
        run, now = self.run, self.prompts_now
        has_lost = run is not None and log.has_lost(run.prompts, now)
        return has_lost or log.rerun(now) is not None

    def _advance_rerun(self) -> None:
        """Recompute what came from points that are gone, unless points still change."""
        target, movie = self.state.target, self.movie
        if target is None or movie is None or self._rerun_timer.isActive():
            return
        log, run, request = target.record(movie).prompt_log, self.run, None
        if run is None and not self.is_waiting:
            request = log.rerun(self.prompts_now)
        elif run is not None and not isinstance(run, ShownCorrection):
            if not log.has_lost(run.prompts, self.prompts_now):
                return
            self._drop_run()
            request = run.remaining_request(self.prompts)
        if request is not None:
            cause = self._last_change_of(request.object_ids or ())
            self._pending.append(
                PendingRun(self.state, movie, self.prompts, request, cause)
            )

    def _decline_reruns(self) -> None:
        """Do not recompute what a person has just stopped."""
        self._rerun_timer.stop()
        target = self.state.target
        if target is None or self.movie is None:
            return
        log = target.record(self.movie).prompt_log
        while (request := log.rerun(self.prompts_now)) is not None:
            log.decline_rerun(request.object_ids or (), self.prompts_now)

    # Projects

    def resume(self, path: Path) -> None:
        """Go on with a project of the current movie, opened in the background.

        Parameters
        ----------
        path : Path
            Of its file.
        """
        if self.movie is None:
            return
        state, hindrance = self.state, self._hindrance(self.state)
        if hindrance:
            self.informed.emit(hindrance)
            return
        self._stop_all(state)
        self._forget_learning(state)
        self._stop_search(state)
        self.files.open(state, path, partial(self._go_on_with, state))

    def save_now(self) -> None:
        """Try again to save what could not be saved."""
        self.state.project.retry()
        self.files.keep_again(self.state)
        self.changed.emit()

    def _go_on_with(self, state: MovieState, opened: OpenedProject) -> None:
        project, labels = opened
        hindrance = self._hindrance(state)
        if state.view is None or state.view.layer not in self._viewer.layers:
            hindrance = f"{state.name!r} was removed before its project opened."
        if hindrance:
            project.close()
            self.informed.emit(hindrance)
            return
        # Somebody may have begun something while it was opened.
        self._stop_all(state)
        self._forget_learning(state)
        project.history.limit = self.movies.history_limit
        old_layers, old_labels = state.objects.layers, tuple(state.targets)
        state.go_on_with(project)
        for layer in old_layers:
            if layer in self._viewer.layers:
                self._viewer.layers.remove(layer)
        for layer in old_labels:
            # They would cover those of the project.
            layer.visible = False
        for number, data in labels.items():
            self._restore_labels(state, number, data)
        self._restore_options(state)
        state.offers, state.is_keeping_off = (), False
        self.files.follow(state)
        done = counted(len(project.history.done), "action")
        state.outcome = f"Resumed: {done} can be undone."
        if project.damage is not None:
            self.informed.emit(f"{project.path}: {project.damage}.")
        self.resumed.emit(state)

    def _restore_labels(self, state: MovieState, number: int, data: np.ndarray) -> None:
        view = state.view
        if view is None or tuple(data.shape) != view.spatial_shape:
            return
        record = state.history.document.table("targets")[number]
        layer = labels_layer(view, record.name, data)
        add_quietly(self._viewer, layer, above=view.layer)
        target = state.restore_target(number, layer, view)
        if state.history.document.table("options").get("target") in (None, number):
            state.target = target

    def _restore_options(self, state: MovieState) -> None:
        """Use the model and contrast with which the labels were made."""
        options = state.history.document.table("options")
        self._restore_channels(state, options.get(COMPOSITE, ()))
        if "settings" not in options:
            return
        try:
            settings = settings_of(options["settings"])
        except SamDecoderError as error:
            self.informed.emit(f"The settings of the project are not used: {error}")
            return
        contrast = None if state.channels else options.get("contrast")
        here, decoder = state.options, str(settings.model.decoder)
        state.options = replace(
            settings.model,
            contrast=settings.model.contrast
            or (None if contrast is None else (float(contrast[0]), float(contrast[1]))),
            # Where things lie and what computes belongs to this machine.
            cache=here.cache,
            device=here.device,
            # A project may have been moved, with what was learned beside it.
            decoder=decoder_of(find_decoder(decoder, state.project.path)),
        )
        self._forget_session(state)
        self.movies.settings = settings.propagation

    def _restore_channels(self, state: MovieState, noted: Any) -> None:
        state.channels = ()
        try:
            state.channels = tuple(map(Channel.of_values, noted))
            self._bind_channels(state)
        except (KeyError, TypeError, ValueError, SamDecoderError) as error:
            self.informed.emit(
                f"The composite of the project is not used ({error!r}); choose its "
                "colours again"
            )

    # Undo

    def undo(self) -> None:
        """Take back the last action on the movie; a run under way is stopped first."""
        self._move(self.state.undo, "Nothing to undo.", "Undo")

    def redo(self) -> None:
        """Do again what was undone last."""
        self._move(self.state.redo, "Nothing to redo.", "Redo")

    def _move(
        self,
        move: Callable[[Callable[[], None]], tuple[Step, ...]],
        nothing: str,
        verb: str,
    ) -> None:
        hindrance = self._hindrance(self.state)
        if hindrance:
            self.informed.emit(hindrance)
            return
        is_run_stopped = self.writer.running is self.state
        self._stop_all(self.state)
        stopped = self.state.outcome if is_run_stopped else ""
        self._rerun_timer.stop()
        options = self.state.options
        try:
            with self._breathing(f"{verb}ing…") as breathe:
                steps = move(breathe)
        except SamDecoderError as error:
            self.failed.emit(error)
            return
        done = {"Undo": "Undone", "Redo": "Redone"}[verb]
        named = [step.title for step in steps if step.group == step.number]
        title = (named or [step.title for step in steps] or [""])[0]
        told = f"{done}: {title}." if steps else nothing
        self.state.outcome = f"{stopped} {told}".strip()
        if self.state.options != options:
            self._forget_session(self.state)
            self._note_options(self.state)
        self.moved.emit()
        self.hold()
        self.advance()

    @contextmanager
    def _breathing(self, message: str) -> Iterator[Callable[[], None]]:
        """Offer a way to keep the window drawn during something long.

        What a person does meanwhile waits until it is done.
        """
        last = monotonic()

        def breathe() -> None:
            nonlocal last
            if monotonic() - last > BREATH_S:
                self.state.outcome = message
                self.changed.emit()
                QCoreApplication.processEvents(
                    QEventLoop.ProcessEventsFlag.ExcludeUserInputEvents
                )
                last = monotonic()

        # Labels may be written or read for other reasons meanwhile, or replaced.
        is_shared = self.is_scanning or self.writer.running is self.state
        is_shared |= self.files.is_busy
        self.is_moving = True
        try:
            yield breathe if not is_shared else lambda: None
        finally:
            self.is_moving = False

    def _hindrance(self, state: MovieState) -> str:
        """Say why a history cannot be moved or replaced just now; empty if it can."""
        if self._scans.is_relabelling(state):
            return "Labels are being changed just now: wait a moment."
        if any(target.is_drawing for target in state.targets.values()):
            # What came before the stroke would be undone, and could not be redone.
            return "A stroke is being drawn: release the mouse first."
        return ""

    def hold(self) -> None:
        """Let nothing follow by itself until somebody does something.

        It would get between undo and redo.
        """
        self._find_corrections()
        self._decline_corrections()
        self._decline_reruns()

    def _cause_of(self, corrections: Collection[Correction]) -> Step | None:
        """The last step that changed the points of corrections, or took these back."""
        prompts = [prompt for one in corrections for prompt in one.prompts]
        keys = {(prompt.object_id, prompt.frame) for prompt in prompts}
        for step in reversed(self.state.history.done):
            if not keys.isdisjoint(map(tuple, step.details.get("prompts", ()))):
                return step
            if step.kind == "prompts" and not keys.isdisjoint(_made_by(step)):
                return step
        return None

    def _last_change_of(self, object_ids: Collection[int]) -> Step | None:
        """The last step that changed points of objects."""
        for step in reversed(self.state.history.done):
            if any(key[0] in object_ids for key in step.details.get("prompts", ())):
                return step
        return None

    # How jobs are stopped

    def _stop_here(self) -> None:
        """Stop what is under way on the current movie, and what is pending."""
        self._pending = [one for one in self._pending if not self._is_here(one.view)]
        if self.run is not None:
            self._end_run(was_stopped=True)

    def _stop_all(self, state: MovieState) -> None:
        """Stop what is under way or pending on any plane of a movie."""
        self._drop_pending(state)
        if self.writer.running is state:
            self._end_run(was_stopped=True)

    def _end_run(self, *, was_stopped: bool) -> None:
        self._take_results()
        self._job_queue.stop("run")
        state = self.writer.running
        if state is not None:
            state.outcome = self.writer.end(was_stopped=was_stopped)

    def _take_results(self) -> None:
        """Keep what the run has computed so far; it may turn out to have ended.

        Nothing else is started in its place, for the caller has yet to say what ends.
        """
        was_ending, self._is_ending = self._is_ending, True
        try:
            self._job_queue.take_reports("run")
        finally:
            self._is_ending = was_ending

    def _drop_run(self) -> None:
        """Stop the run, and do not keep what it has computed but not shown yet."""
        self._job_queue.stop("run")
        self._end_run(was_stopped=True)

    def _drop_pending(self, state: MovieState) -> None:
        self._pending = [one for one in self._pending if one.state is not state]

    def _refuse_pending(self, state: MovieState, reason: str) -> None:
        if any(pending.state is state for pending in self._pending):
            self._drop_pending(state)
            self.informed.emit(f"{state.name!r} {reason}; the run did not start.")

    def _decline_corrections(self) -> None:
        """Do not start what a person has stopped, or what cannot succeed."""
        if self.state.target is not None:
            self.state.target.prompt_log.decline(self.corrections)
        # A preview that stayed would look like a label.
        self._hide_previews(
            self.state, [p for one in self.corrections for p in one.prompts]
        )
        self.corrections = ()

    def _leave_movie(self) -> None:
        """Stop what only serves a person who looks at the current movie."""
        for kind in ("preview", "embedding"):
            self._job_queue.stop(kind)
        if not any(pending.state is self.state for pending in self._pending):
            self._stop_opening(self.state)
        self._pending = [
            replace(pending, prompts=self.prompts)
            if self._is_here(pending.view)
            else pending
            for pending in self._pending
        ]

    def _forget_session(self, state: MovieState) -> None:
        """Close a session once the run that uses it has finished."""
        if state is self.state:
            for kind in ("preview", "embedding"):
                self._job_queue.stop(kind)
        self._stop_opening(state)
        searched = self._stop_search(state)
        session = state.detach_session()
        if session is not None:
            self._job_queue.retire(session)
        if state is self.state:
            # With the next session it begins anew.
            state.wanted_search = searched

    def _stop_search(self, state: MovieState) -> int | None:
        """Look for objects no further, and return the frame where that was wanted."""
        frame, state.wanted_search = state.wanted_search, None
        search = self.label_worker.running
        if isinstance(search, ObjectSearch) and search.session is state.session:
            self.label_worker.stop()
            frame = search.frame if frame is None else frame
        return frame

    def _stop_opening(self, state: MovieState) -> None:
        if self._opening is not None and self._opening[0] is state:
            self._job_queue.stop("opening")
            self._opening = None

    # What comes back

    def _on_opened(self, session: Session) -> None:
        if self._opening is None:
            return
        state, request = self._opening
        session.settings = self.settings
        if state.view is None or not request.view.is_same_as(state.view):
            self._spare = request.view, session
            return
        state.session, state.shown = session, request.shown
        state.embedded = set(session.embedded)
        self._note_options(state)

    def _on_embedded(self, step: EmbeddedFrame) -> None:
        self.state.embedded.add(step.frame)
        self.state.embedded_ahead.add(step.frame)
        self.changed.emit()

    def _on_previewed(self, shown: ShownPreview) -> None:
        self.state.previews.add(shown)
        self.state.embedded.add(shown.preview.prompt.frame)
        self.previewed.emit()
        self.changed.emit()

    def _on_propagated(self, result: FrameResult) -> None:
        run, state = self.writer.run, self.writer.running
        if run is None or state is None:
            return
        try:
            self.writer.write(result, self._shown_frame(state, result))
        except Exception as error:  # noqa: BLE001 - as if it had failed in the background
            # The layer may have got other data meanwhile, or its disk may be full.
            self._give_up("run")
            self._drop_run()
            self.failed.emit(error)
            self.advance()
            return
        if state.view is not None and run.view.is_same_as(state.view):
            state.embedded.add(result.frame)
            self._hide_previews(state, run.labelled_by(result))
        self.changed.emit()

    def _shown_frame(self, state: MovieState, result: FrameResult) -> int | None:
        if self.run is not None:
            return self.frame
        # Labels of another movie may be on the screen; which frame is not known.
        return None if state is self.state else result.frame

    def _hide_previews(self, state: MovieState, prompts: Collection[Prompt]) -> None:
        """Show the labels of these prompts instead of their previews."""
        if prompts:
            state.previews.mark_labelled(prompts)
            self.previewed.emit()

    def _on_ended(self, kind: str, error: Exception | None) -> None:
        if error is not None:
            self._give_up(kind)
            self.failed.emit(error)
        if kind == "opening":
            self._opening = None
        if kind == "run":
            self._finish_run(has_failed=error is not None)
        self.advance()

    def _finish_run(self, *, has_failed: bool) -> None:
        run, state, is_here = self.writer.run, self.writer.running, self.run is not None
        if run is None or state is None:
            return
        if state.view is not None and run.view.is_same_as(state.view):
            self._hide_previews(state, tuple(run.prompts))
        self._end_run(was_stopped=has_failed)
        is_last = not any(pending.state is state for pending in self._pending)
        if not is_here and is_last:
            self.informed.emit(f"{state.name!r}: {state.outcome}")

    def _give_up(self, kind: str) -> None:
        """Drop the request behind a failed job, so that it is not retried forever."""
        state = self.state if self._opening is None else self._opening[0]
        if kind in ("opening", "embedding"):
            state.wants_embedding = False
            state.wants_learning, state.wanted_search = False, None
        if kind == "opening":
            self._drop_pending(state)
            if state is self.state:
                self._decline_corrections()
        if kind == "run" and self.run is not None:
            self._decline_corrections()
        if kind in ("opening", "preview") and state is self.state:
            state.previews.give_up(self._missing_previews())


def _made_by(step: Step) -> set[Any]:
    """Objects and frames of which a step changed what their labels are made from."""
    return {
        change.key
        for change in step.changes
        if isinstance(change, EntryChange) and change.table == "made"
    }
