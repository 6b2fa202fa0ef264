"""Starts the background work that is wanted as soon as it is possible."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from qtpy.QtCore import QObject, QTimer, Signal

from napari_sam_decoder.errors import PromptError, SamDecoderError
from napari_sam_decoder.propagation import Settings
from napari_sam_decoder.widgets.colours import object_colours
from napari_sam_decoder.widgets.job_queue import JobQueue
from napari_sam_decoder.widgets.layers import (
    frames_with,
    scan_labels,
    shown_limits,
    unused_notices,
)
from napari_sam_decoder.widgets.messages import prompt_notices
from napari_sam_decoder.widgets.model_cache import SessionRequest, looking
from napari_sam_decoder.widgets.movie_state import MovieState, PendingRun, ViewerMovies
from napari_sam_decoder.widgets.objects import ObjectIds
from napari_sam_decoder.widgets.result_writer import ResultWriter
from napari_sam_decoder.widgets.runs import CorrectionRun, counted

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from napari.components import ViewerModel
    from napari.layers import Labels

    from napari_sam_decoder.embedding import EmbeddedFrame
    from napari_sam_decoder.prompts import Prompt, PromptSet
    from napari_sam_decoder.propagation import FrameResult
    from napari_sam_decoder.session import Session
    from napari_sam_decoder.widgets.correction_log import Correction, PromptLog
    from napari_sam_decoder.widgets.layers import LabelsContents, Limits, MovieView
    from napari_sam_decoder.widgets.model_cache import ShownPreview
    from napari_sam_decoder.widgets.movie_state import ModelOptions, RunRequest
    from napari_sam_decoder.widgets.previews import PreviewStore
    from napari_sam_decoder.widgets.runs import Run
    from napari_sam_decoder.widgets.target_layer import CutRecord, LabelsTarget

__all__ = ["Controller"]

RERUN_DELAY_MS = 500
"""How long points must rest before objects are computed anew because of them."""
PREVIEW_WAIT_S = 0.08


class Controller(QObject):
    """The movie of one dock, and the background jobs that it needs.

    Parameters
    ----------
    viewer : ViewerModel
        Where results are shown.
    parent : QObject
        Takes it along when it is deleted.
    """

    changed = Signal()
    previewed = Signal()
    informed = Signal(str)
    failed = Signal(object)

    def __init__(self, viewer: ViewerModel, parent: QObject) -> None:
        super().__init__(parent)
        self.movie: MovieView | None = None
        self.frame = 0
        self.corrections: tuple[Correction, ...] = ()
        self.writer = ResultWriter(viewer, self)
        self.movies = ViewerMovies.of(viewer)
        self._opening: tuple[MovieState, SessionRequest] | None = None
        self._pending: list[PendingRun] = []
        self._viewer = viewer
        self._job_queue = JobQueue(self)
        self.ids = ObjectIds(viewer, self.movies, self._job_queue)
        self._rest = QTimer(self)
        self._rest.setSingleShot(True)
        self._rest.setInterval(RERUN_DELAY_MS)
        self._surveyed: list[CutRecord] = []
        self._erasing: list[tuple[MovieState, str]] = []
        self._job_queue.opened.connect(self._on_opened)
        self._job_queue.embedded.connect(self._on_embedded)
        self._job_queue.previewed.connect(self._on_previewed)
        self._job_queue.propagated.connect(self._on_propagated)
        self._job_queue.ended.connect(self._on_ended)
        self._rest.timeout.connect(self.advance)

    @property
    def state(self) -> MovieState:
        """What has been done on the movie of now, and what is wanted for it."""
        return self.writer.state

    @property
    def prompts(self) -> PromptSet:
        """All that says where an object is."""
        return self.state.objects.reading.prompts

    @property
    def negatives(self) -> PromptSet:
        """Negative points alone on their frames."""
        return self.state.objects.reading.negatives

    @property
    def options(self) -> ModelOptions:
        """How frames become embeddings, and these become masks."""
        return self.state.options

    @property
    def settings(self) -> Settings:
        """How propagation decides, on all movies of the viewer."""
        return self.movies.settings or Settings()

    @property
    def contrast(self) -> Limits | None:
        """What the network sees as black and white; None before that is settled."""
        session = self.state.session
        if session is None:
            return None
        return session.movie.contrast.low, session.movie.contrast.high

    @property
    def is_contrast_shown(self) -> bool:
        """Whether that is what the layer showed when it was settled."""
        return self.contrast is not None and self.contrast == self.state.shown

    @property
    def new_limits(self) -> Limits | None:
        """Limits of the layer that a person has changed since; None if none were.

        Nor are there any where the contrast was set for the network alone.
        """
        is_by_layer = self.options.contrast in (None, self.state.shown)
        if self.movie is None or self.contrast is None or not is_by_layer:
            return None
        limits = shown_limits(self.movie.layer)
        return None if limits in (self.state.shown, self.contrast) else limits

    @property
    def embedded(self) -> set[int]:
        """Frames whose embedding is known."""
        return self.state.embedded

    @property
    def previews(self) -> PreviewStore:
        """What is known of prompts before they are propagated."""
        return self.state.previews

    @property
    def outcome(self) -> str:
        """What came of the last run on the movie of now."""
        return self.state.outcome

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
        """Whether labels are being looked through, or an object removed from them."""
        return self._job_queue.is_scanning

    @property
    def is_busy(self) -> bool:
        """Whether a run or correction is wanted or under way, on whatever movie."""
        return bool(self._pending) or self.writer.run is not None

    @property
    def is_running(self) -> bool:
        """Whether a run is wanted or under way here, or a correction under way."""
        return self.is_waiting or self.run is not None

    @property
    def is_waiting(self) -> bool:
        """Whether a run is wanted on the movie of now."""
        return any(self._is_here(pending.view) for pending in self._pending)

    @property
    def run(self) -> Run | None:
        """The run or correction under way on the movie of now."""
        run = self.writer.run
        return run if run is not None and self._is_here(run.view) else None

    @property
    def run_elsewhere(self) -> Run | None:
        """The run or correction under way on another movie, or on another plane."""
        return self.writer.run if self.run is None else None

    @property
    def is_correcting(self) -> bool:
        """Whether a correction is under way on the movie of now."""
        return isinstance(self.run, CorrectionRun)

    @property
    def is_idle(self) -> bool:
        """Whether nothing is under way that a person waits for."""
        kinds = ("opening", "preview")
        is_open = any(map(self._job_queue.is_busy, kinds))
        is_quiet = not (is_open or self._job_queue.is_scanning or self._rest.isActive())
        return is_quiet and not self.is_busy

    @property
    def prompts_here(self) -> tuple[Prompt, ...]:
        """The prompts on the current frame."""
        return tuple(prompt for prompt in self.prompts if prompt.frame == self.frame)

    @property
    def prompts_now(self) -> tuple[Prompt, ...]:
        """All that is said by points now."""
        return (*self.prompts, *self.negatives)

    @property
    def notices(self) -> tuple[str, ...]:
        """Which points are not in the labels, why, and what to do about it."""
        target = self.writer.target
        if self.movie is None or target is None:
            return unused_notices(self.negatives)
        if self.is_running:
            return ()
        correcting = {prompt for one in self.corrections for prompt in one.prompts}
        open_prompts = [one for one in self.prompts_now if one not in correcting]
        return prompt_notices(
            target.record(self.movie).prompt_log, open_prompts, self.prompts_now
        )

    def _is_here(self, view: MovieView) -> bool:
        return self.movie is not None and view.is_same_as(self.movie)

    def _find_corrections(self) -> None:
        self.corrections = ()
        target = self.writer.target
        if self.movie is not None and target is not None:
            self.corrections = target.corrections(self.movie, self.prompts_now)

    def _missing_previews(self) -> tuple[Prompt, ...]:
        return self.previews.missing(self.prompts_here)

    def _is_session_needed(self) -> bool:
        """Whether the movie of now cannot do without one."""
        return bool(
            self.is_waiting
            or self.state.wants_embedding
            or self.corrections
            or self._missing_previews()
        )

    def close(self) -> None:
        """Stop everything; what has been done stays with the movies."""
        self._job_queue.close()
        for pending in self._pending:
            pending.state.outcome = "The run had not begun when the dock was closed."
        for state, name in self._erasing:
            state.outcome = (
                f"Not all labels of {name!r} were removed before the dock was closed; "
                "choose them again and delete it once more."
            )
        run, running = self.writer.run, self.writer.running
        if run is not None and running is not None:
            running.outcome = run.summary(was_stopped=True)
        for state in (*self.movies, self.state):
            session = state.detach_session()
            if session is not None:
                # A step under way goes on; the window does not wait for it.
                session.close(wait=False)

    # Wishes

    def set_movie(self, movie: MovieView | None) -> None:
        """Work on another movie, another cut of the same one, or on none.

        A run goes on with what it was started with, and one that waits for its turn
        keeps it, unless its movie is cut in another way.
        """
        self._leave()
        # What was set before there was any movie is meant for the first one.
        is_first = self.movie is None
        options = self.options if is_first else self.options.for_another_movie()
        self.movie = movie
        if movie is None:
            self.writer.state = MovieState(self.options.for_another_movie())
            return
        self.writer.state = state = self.movies.on(movie.layer, options)
        if state.view is None or not movie.is_same_as(state.view):
            self._forget_session(state)
            self._give_up_runs(state, "is looked at in another way now")
            state.view = movie
            self.writer.fit(movie)

    def set_options(self, options: ModelOptions) -> None:
        """Use another model, device, contrast or cache from now on."""
        if options != self.options:
            self.state.options = options
            self._forget_session(self.state)
            self.advance()

    def set_settings(self, settings: Settings) -> None:
        """Let propagation decide in another way from the next run or correction on."""
        self.movies.settings = settings
        for state in (*self.movies, self.state):
            if state.session is not None:
                state.session.settings = settings
        self.changed.emit()

    def update_points(self, *, are_withdrawn: bool = False) -> None:
        """Take prompts as they are now; the first ones start the embedding.

        Parameters
        ----------
        are_withdrawn : bool, default False
            Whether points that are missing have gone with their layer. Then the labels
            stay as they are; what came of a point that was deleted is taken back.
        """
        target = self.writer.target
        if self.movie is not None and target is not None:
            if are_withdrawn:
                target.record(self.movie).prompt_log.withdraw(self.prompts_now)
            self._reconcile(self.movie, target.record(self.movie).prompt_log)
        if len(self.prompts) and self.state.wants_embedding is None:
            self.state.wants_embedding = True
        self.advance()

    def embed_as_shown(self) -> None:
        """Embed anew with the limits that the layer has now; all else stays."""
        if self.options.contrast is not None:
            limits = shown_limits(self.state.view.layer) if self.state.view else None
            self.state.options = replace(self.options, contrast=limits)
        self._forget_session(self.state)
        self.embed()

    def wait_for_preview(self) -> None:
        """Let a preview that takes no longer than a glance come before all painting.

        While the window is painted, decoding takes three times as long.
        """
        if self.frame in self.embedded and self.writer.run is None:
            self._job_queue.wait_for_step("preview", PREVIEW_WAIT_S)

    def set_frame(self, frame: int) -> None:
        """Look at another frame."""
        self.frame = frame
        self.advance()

    def choose_labels(self, layer: Labels) -> None:
        """Let results go to a Labels layer, and take its objects over."""
        if self.movie is not None:
            self.state.outcome = " ".join(self.writer.choose(self.movie, layer))
            self.advance()

    def credit(self, prompts: Collection[Prompt]) -> None:
        """Take prompts that the labels agree with for those that they came from.

        Labels of yesterday are not mended since their points have come.
        """
        target = self.writer.target
        if self.movie is not None and target is not None:
            target.credit(self.movie, prompts)

    def require_not_running(self, object_id: int) -> None:
        """Refuse to touch an object on which a run is at work.

        Raises
        ------
        PromptError
            If a run or correction of it is wanted or under way on the movie of now.
        """
        run = self.writer.run if self.writer.running is self.state else None
        is_at_work = run is not None and object_id in run.prompts.object_ids
        is_wanted = any(
            pending.state is self.state
            and object_id in pending.request.choose(pending.prompts).object_ids
            for pending in self._pending
        )
        if is_at_work or is_wanted:
            raise PromptError(
                f"object {object_id} is being computed: wait, or press 'Stop' first"
            )

    def dismiss(self, object_id: int) -> None:
        """Count an object no more, on any Labels layer; its pixels stay."""
        for target in self.state.targets.values():
            target.dismiss(object_id)
        if self.movie is not None:
            self.movies.given_ids(self.movie).add(object_id)

    def erase(self, object_id: int, name: str) -> None:
        """Take an object off the labels, in the background.

        Parameters
        ----------
        object_id : int
            That is not worked on any more.
        name : str
            Of the object.
        """
        state, view, target = self.state, self.movie, self.writer.target
        if view is None or target is None:
            return
        erased: list[int] = []
        self._erasing.append((state, name))

        def take(found: tuple[MovieView, int] | None) -> None:
            if found is None:
                return
            try:
                target.erase(*found, object_id)
            except SamDecoderError as error:
                # The data of the layer may have been replaced by others meanwhile.
                self.failed.emit(error)
            else:
                erased.append(found[1])

        def end(error: Exception | None) -> None:
            self._erasing.remove((state, name))
            target.note_erased(object_id)
            target.layer.refresh(extent=False)
            count = counted(len(erased), "frame")
            state.outcome = f"{name!r} was deleted, with its labels on {count}."
            if error is not None:
                self.failed.emit(error)
            self.advance()

        state.outcome = f"Removing the labels of {name!r}…"
        steps = partial(frames_with, view, target.layer.data, object_id)
        self._job_queue.look(steps, take, end)

    def embed(self) -> None:
        """Embed all frames, those around the current one first."""
        self.state.wants_embedding = True
        self.advance()

    def stop_embedding(self) -> None:
        """Embed no more ahead of time; what is embedded stays."""
        self.state.wants_embedding = False
        self._job_queue.stop("embedding")
        self.changed.emit()

    def propagate(self, request: RunRequest) -> None:
        """Carry objects through the movie, as soon as that is possible."""
        if self.movie is not None:
            self._halt()
            pending = PendingRun(self.state, self.movie, self.prompts, request)
            self._pending.append(pending)
            self.advance()

    def correct(self) -> None:
        """Start corrections that were stopped, or that have failed, once more."""
        if self.writer.target is not None:
            self.writer.target.prompt_log.reconsider()
        self.advance()

    def stop(self) -> None:
        """Stop the run or correction, and those that wait; what is done stays.

        What is under way on another movie is stopped where nothing is on this one.
        """
        if not self.is_running and self.writer.run is not None:
            self._end_run(was_stopped=True)
        else:
            self._halt()
            self._find_corrections()
            self._decline_corrections()
            self._decline_reruns()
        self.advance()

    def part_with(self, state: MovieState, reason: str) -> None:
        """Stop what is under way on a movie that is no more what it was.

        Parameters
        ----------
        state : MovieState
            On the movie.
        reason : str
            What has become of it, to go on after its name.
        """
        if self.writer.running is state:
            self._end_run(was_stopped=True)
            self.informed.emit(f"{state.outcome} {state.name!r} {reason}.")
        self._give_up_runs(state, reason)
        self._forget_session(state)

    def lose_labels(self, layer: Labels) -> None:
        """Let go of a Labels layer that the viewer has no more, for all movies."""
        run, running = self.writer.run, self.writer.running
        if run is not None and running is not None and run.target.layer is layer:
            self._end_run(was_stopped=True)
            running.outcome = (
                f"Stopped, since {layer.name!r} was removed; run again for a new one."
            )
            if running is not self.state:
                self.informed.emit(running.outcome)
        for state in self.movies:
            if layer in state.targets:
                self.writer.forget(state, layer)
                state.previews.unmark_labelled()

    def advance(self) -> None:
        """Start what is wanted and possible."""
        self._list_objects()
        self._advance_rerun()
        self._find_corrections()
        self._advance_surveys()
        self._advance_opening()
        self._advance_run()
        movie, session = self.movie, self.state.session
        if movie is not None and session is not None:
            self._advance_preview(session)
            self._advance_corrections(movie, session)
            self._advance_embedding(movie, session)
        self.changed.emit()

    # How wishes come true

    def _advance_opening(self) -> None:
        if self._opening is not None:
            return
        waiting = [pending.state for pending in self._pending]
        here = [self.state] if self._is_session_needed() else []
        for state in (*here, *waiting):
            if state.session is None and state.view is not None:
                shown = shown_limits(state.view.layer)
                opening = SessionRequest(state.view, state.options, shown, self.frame)
                self._opening = state, opening
                self._job_queue.open(opening)
                return

    def _advance_surveys(self) -> None:
        """Look at labels that were there before anything is written into them."""
        for state in dict.fromkeys((self.state, *(one.state for one in self._pending))):
            view, target = state.view, state.target
            if view is None or target is None:
                continue
            record = target.record(view)
            if not (record.is_scanned or record in self._surveyed):
                self._survey(state, view, target)

    def _survey(self, state: MovieState, view: MovieView, target: LabelsTarget) -> None:
        record = target.record(view)
        note = partial(target.note, view)
        search = partial(scan_labels, view, target.layer.data, note)

        def take(contents: LabelsContents | None) -> None:
            if contents is not None:
                self._take_over(state, view, target, contents)

        def end(error: Exception | None) -> None:
            self._surveyed.remove(record)
            if error is not None:
                self._pending = [one for one in self._pending if one.state is not state]
                self.writer.forget(state, target.layer)
                self.failed.emit(error)
            self.advance()

        self._surveyed.append(record)
        self._job_queue.look(partial(looking, search), take, end)

    def _take_over(
        self,
        state: MovieState,
        view: MovieView,
        target: LabelsTarget,
        contents: LabelsContents,
    ) -> None:
        objects = state.objects
        if state.target is target:
            self._yield_ids(state, view, target, contents)
        if state.view is view:
            objects.read(view, self._viewer.layers)
        reading = objects.reading
        target.adopt_labels(view, contents, (*reading.prompts, *reading.negatives))
        taken_over = contents.ids & target.object_ids
        if taken_over and not state.outcome:
            count = counted(len(taken_over), "object")
            state.outcome = (
                f"{target.layer.name!r} holds {count}: select one in the table to "
                "correct it."
            )
        # Also once somebody has erased them.
        self.movies.given_ids(view).update(contents.ids)

    def _yield_ids(
        self,
        state: MovieState,
        view: MovieView,
        target: LabelsTarget,
        contents: LabelsContents,
    ) -> None:
        """Give objects that began here other ids, where theirs cannot be used."""
        objects, highest, name = state.objects, target.highest_id, target.layer.name
        unfit = {object_id for object_id in objects.created_ids if object_id > highest}
        clashing = objects.created_ids & contents.ids - target.known_ids
        told, reasons = [], set()
        for object_id in sorted(clashing | unfit):
            prompts = objects.reading.prompts.of_object(object_id)
            if any(target.agrees(view, one) for one in prompts):
                continue
            taken = contents.ids | (self.ids.taken(view) or frozenset())
            new_id = self.ids.give(view, taken, highest)
            objects.renumber(object_id, new_id)
            told.append(f"Object {object_id} here is object {new_id} now.")
            reasons.add(
                f"{name!r} takes no id above {highest}."
                if object_id in unfit
                else f"{name!r} holds others with these ids."
            )
        state.outcome = " ".join((state.outcome, *told, *sorted(reasons))).strip()

    def _list_objects(self) -> None:
        target = self.writer.target
        self.state.objects.note_labels(() if target is None else target.object_ids)

    def _reconcile(self, movie: MovieView, prompt_log: PromptLog) -> None:
        """Take back what came of points that are gone or have moved."""
        run = self.run
        if isinstance(run, CorrectionRun) and prompt_log.has_lost(
            run.prompts, self.prompts_now
        ):
            self._end_run(was_stopped=True)
        taken_back = prompt_log.reconcile(self.prompts_now)
        frames = self.writer.undo(movie, taken_back)
        if taken_back:
            self.state.outcome = (
                f"Took back what came of points that have changed: "
                f"{counted(frames, 'frame')}."
            )
        if self._is_outdated(prompt_log):
            self._rest.start()

    def _is_outdated(self, prompt_log: PromptLog) -> bool:
        """Whether something has to be computed anew, now or after the run."""
        run = self.run
        has_lost = run is not None and prompt_log.has_lost(
            run.prompts, self.prompts_now
        )
        return has_lost or prompt_log.rerun(self.prompts_now) is not None

    def _advance_rerun(self) -> None:
        """Compute anew what came of points that are gone, once they have rested."""
        target, movie = self.writer.target, self.movie
        if target is None or movie is None or self._rest.isActive():
            return
        prompt_log, run, request = target.record(movie).prompt_log, self.run, None
        if run is None and not self.is_waiting:
            request = prompt_log.rerun(self.prompts_now)
        elif run is not None and not isinstance(run, CorrectionRun):
            if not prompt_log.has_lost(run.prompts, self.prompts_now):
                return
            # What comes of points that are gone need not be waited for.
            self._end_run(was_stopped=True)
            request = _remaining(run, self.prompts)
        if request is not None:
            self._pending.append(PendingRun(self.state, movie, self.prompts, request))

    def _decline_reruns(self) -> None:
        """Compute nothing anew by itself that a person has stopped."""
        self._rest.stop()
        target = self.writer.target
        if target is None or self.movie is None:
            return
        prompt_log = target.record(self.movie).prompt_log
        while (request := prompt_log.rerun(self.prompts_now)) is not None:
            prompt_log.decline_rerun(request.object_ids or (), self.prompts_now)

    def _advance_run(self) -> None:
        for pending in tuple(self._pending):
            session = pending.state.session
            if self.writer.run is None and session is not None and _is_ready(pending):
                self._pending.remove(pending)
                self._begin(pending, session)

    def _begin(self, pending: PendingRun, session: Session) -> None:
        request, view = pending.request, pending.view
        prompts = self.prompts if self._is_here(view) else pending.prompts
        try:
            session.prompts = prompts
            asked = request.frames, request.direction, request.object_ids
            plan = session.plan(*asked)
            steps = session.propagate(
                request.frames, direction=request.direction, objects=request.object_ids
            )
            self.writer.begin(pending, plan.prompts, plan.visits)
        except SamDecoderError as error:
            if request.is_rerun:
                self._decline_reruns()
            self.failed.emit(error)
        else:
            self._run(steps)

    def _advance_preview(self, session: Session) -> None:
        missing = self._missing_previews()
        if missing and not self.is_previewing:
            together, known = self.previews.asked(self.prompts_here)
            colours = object_colours(prompt.object_id for prompt in together)
            self._job_queue.preview(session, together, known, colours)

    def _advance_corrections(self, movie: MovieView, session: Session) -> None:
        is_click_shown = not (self.is_previewing or self._missing_previews())
        target = self.writer.target
        if target is None or self.is_busy or not is_click_shown:
            return
        if not target.record(movie).is_scanned:
            return
        if not self.corrections:
            return
        run = CorrectionRun.of(movie, target, self.corrections)
        try:
            steps = run.begin(session)
        except SamDecoderError as error:
            self._decline_corrections()
            self.failed.emit(error)
        else:
            self.writer.start(self.state, run)
            self._run(steps)

    def _run(self, steps: Iterator[FrameResult]) -> None:
        self._job_queue.stop("embedding")
        self._job_queue.run(steps)

    def _halt(self) -> None:
        """Stop what is under way on the movie of now, and what waits."""
        self._pending = [one for one in self._pending if not self._is_here(one.view)]
        if self.run is not None:
            self._end_run(was_stopped=True)

    def _end_run(self, *, was_stopped: bool) -> None:
        self._job_queue.stop("run")
        state = self.writer.running
        if state is not None:
            state.outcome = self.writer.end(was_stopped=was_stopped)

    def _give_up_runs(self, state: MovieState, reason: str) -> None:
        if any(pending.state is state for pending in self._pending):
            self._pending = [one for one in self._pending if one.state is not state]
            self.informed.emit(f"{state.name!r} {reason}; the run did not begin.")

    def _decline_corrections(self) -> None:
        """Let nothing start that a person has stopped, or that cannot succeed."""
        if self.writer.target is not None:
            self.writer.target.prompt_log.decline(self.corrections)
        # A preview that stayed would look like a label.
        self._settle(self.state, [p for one in self.corrections for p in one.prompts])
        self.corrections = ()

    def _advance_embedding(self, movie: MovieView, session: Session) -> None:
        is_free = not (self.is_busy or self.is_embedding)
        is_incomplete = len(self.embedded) < len(movie)
        if self.state.wants_embedding and is_free and is_incomplete:
            self._job_queue.embed(session.embed(focus=lambda: self.frame))

    def _leave(self) -> None:
        """Stop what only serves whoever looks at the movie of now."""
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
        """Let a run under way finish with the session that it has."""
        if state is self.state:
            for kind in ("preview", "embedding"):
                self._job_queue.stop(kind)
        self._stop_opening(state)
        session = state.detach_session()
        if session is not None:
            self._job_queue.retire(session)

    def _stop_opening(self, state: MovieState) -> None:
        if self._opening is not None and self._opening[0] is state:
            self._job_queue.stop("opening")
            self._opening = None

    # What comes back

    def _on_opened(self, session: Session) -> None:
        if self._opening is not None:
            state, opening = self._opening
            state.session, state.shown = session, opening.shown
            state.embedded = set(session.embedded)
            session.settings = self.settings

    def _on_embedded(self, step: EmbeddedFrame) -> None:
        self.embedded.add(step.frame)
        self.changed.emit()

    def _on_previewed(self, shown: ShownPreview) -> None:
        self.previews.add(shown)
        self.embedded.add(shown.preview.prompt.frame)
        self.previewed.emit()
        self.changed.emit()

    def _on_propagated(self, result: FrameResult) -> None:
        run, state = self.writer.run, self.writer.running
        if run is None or state is None:
            return
        try:
            self.writer.take(result, self._shown_frame(state, result))
        except SamDecoderError as error:
            # The data of the layer may have been replaced by others meanwhile.
            self._end_run(was_stopped=True)
            self.failed.emit(error)
        if state.view is not None and run.view.is_same_as(state.view):
            state.embedded.add(result.frame)
            self._settle(state, run.labelled_by(result))
        self.changed.emit()

    def _shown_frame(self, state: MovieState, result: FrameResult) -> int | None:
        if self.run is not None:
            return self.frame
        # Labels of another movie may be on the screen, and its own frame is not known.
        return None if state is self.state else result.frame

    def _settle(self, state: MovieState, prompts: Collection[Prompt]) -> None:
        """Show the labels of these prompts instead of their previews."""
        if prompts:
            state.previews.settle(prompts)
            self.previewed.emit()

    def _on_ended(self, kind: str, error: Exception | None) -> None:
        if error is not None:
            self._give_up(kind)
            self.failed.emit(error)
        if kind == "opening":
            self._opening = None
        if kind == "run":
            self._conclude(has_failed=error is not None)
        self.advance()

    def _conclude(self, *, has_failed: bool) -> None:
        run, state = self.writer.run, self.writer.running
        is_here = self.run is not None
        if run is None or state is None:
            return
        if state.view is not None and run.view.is_same_as(state.view):
            self._settle(state, tuple(run.prompts))
        self._end_run(was_stopped=has_failed)
        if not is_here:
            self.informed.emit(f"{state.name!r}: {state.outcome}")

    def _give_up(self, kind: str) -> None:
        """Want no more what has just failed, so that it is not tried for ever."""
        state = self.state if self._opening is None else self._opening[0]
        if kind in ("opening", "embedding"):
            state.wants_embedding = False
        if kind == "opening":
            self._pending = [one for one in self._pending if one.state is not state]
        if kind == "run" and self.run is not None:
            self._decline_corrections()
        if kind in ("opening", "preview") and state is self.state:
            self.previews.give_up(self._missing_previews())


def _is_ready(pending: PendingRun) -> bool:
    """Whether it is known what the Labels layer holds."""
    target = pending.state.target
    return target is None or target.record(pending.view).is_scanned


def _remaining(run: Run, prompts: PromptSet) -> RunRequest | None:
    """Ask again for a run with the objects that still have a positive point."""
    frames = run.request.frames
    left = {one.object_id for one in prompts if frames is None or one.frame in frames}
    ids = tuple(sorted(left & set(run.prompts.object_ids)))
    return replace(run.request, object_ids=ids) if ids else None
