"""Starts the background work that is wanted as soon as it is possible.

Wishes are plain values. Whenever something happens, `advance` looks at them:

1. A wish or an event (a point, the slider, a finished job) changes a value.
2. `advance` opens a session for the movie and options of now, if there is none.
3. With a session, it starts the run, the preview, the corrections and the embedding
   that are wanted and not under way. Each runs in the background with a copy of what it
   needs. Nobody asks for a correction: points that have come since a run are one.
4. Steps come back as signals and change values; the end of a job leads to 2 again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_sam_decoder.errors import SamDecoderError
from napari_sam_decoder.prompts import PromptSet
from napari_sam_decoder.widgets.background import Opening
from napari_sam_decoder.widgets.colours import object_colours
from napari_sam_decoder.widgets.mending import Mending
from napari_sam_decoder.widgets.situation import Situation

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from napari.components import ViewerModel
    from napari.layers import Labels
    from qtpy.QtCore import QObject

    from napari_sam_decoder.embedding import EmbeddedFrame
    from napari_sam_decoder.prompts import Prompt
    from napari_sam_decoder.propagation import FrameResult
    from napari_sam_decoder.session import Session
    from napari_sam_decoder.widgets.background import ShownPreview
    from napari_sam_decoder.widgets.layers import MovieView
    from napari_sam_decoder.widgets.options import ModelOptions
    from napari_sam_decoder.widgets.runs import RunRequest

__all__ = ["Conductor"]

GLANCE_S = 0.08


class Conductor(Situation):
    """The situation of one dock, and the work that it needs.

    Parameters
    ----------
    viewer : ViewerModel
        Where results are shown.
    parent : QObject
        Takes it along when it is deleted.
    """

    def __init__(self, viewer: ViewerModel, parent: QObject) -> None:
        super().__init__(viewer, parent)
        self._engine.opened.connect(self._on_opened)
        self._engine.embedded.connect(self._on_embedded)
        self._engine.previewed.connect(self._on_previewed)
        self._engine.found_ids.connect(self._on_found_ids)
        self._engine.propagated.connect(self._on_propagated)
        self._engine.ended.connect(self._on_ended)

    def close(self) -> None:
        """Stop everything and let go of the layers."""
        self._engine.close()
        self.recorder.run = None
        self.recorder.release()
        if self._session is not None:
            self._session.close()

    # Wishes

    def set_movie(self, movie: MovieView | None) -> None:
        """Work on another movie, or on none."""
        self.movie = movie
        self.prompts = self.negatives = PromptSet()
        self._forget_session()
        if movie is None:
            self.recorder.release()
        else:
            self.recorder.follow(movie)

    def set_options(self, options: ModelOptions) -> None:
        """Use another model, device, contrast or cache from now on."""
        if options != self.options:
            self.options = options
            self._forget_session()
            self.advance()

    def set_prompts(self, prompts: PromptSet, negatives: PromptSet) -> None:
        """Take prompts as they are now; the first ones start the embedding.

        Parameters
        ----------
        prompts : PromptSet
            All that says where an object is.
        negatives : PromptSet
            Negative points alone on their frames.
        """
        if [*prompts, *negatives] != [*self.prompts, *self.negatives]:
            self.outcome = ""
        self.prompts, self.negatives = prompts, negatives
        if len(prompts) and self._wants_embedding is None:
            self._wants_embedding = True
        self.advance()

    def hurry_preview(self) -> None:
        """Let a preview that takes no longer than a glance come before all painting.

        While the window is painted, decoding takes three times as long.
        """
        if self.frame in self.embedded and not self.is_running:
            self._engine.hurry("preview", GLANCE_S)

    def set_frame(self, frame: int) -> None:
        """Look at another frame."""
        self.frame = frame
        self.advance()

    def choose_labels(self, layer: Labels, *, is_own: bool) -> None:
        """Let results go to a Labels layer."""
        if self.movie is None:
            return
        notices = self.recorder.choose(self.movie, layer, () if is_own else None)
        self.outcome = " ".join(notices)
        if not is_own:
            self._engine.look_for_ids(layer.data)

    def embed(self) -> None:
        """Embed all frames, those around the current one first."""
        self._wants_embedding = True
        self.advance()

    def stop_embedding(self) -> None:
        """Embed no more ahead of time; what is embedded stays."""
        self._wants_embedding = False
        self._engine.stop("embedding")
        self.changed.emit()

    def propagate(self, request: RunRequest) -> None:
        """Carry objects through the movie, as soon as that is possible."""
        self._halt()
        self._wanted_run = request
        self.advance()

    def correct(self) -> None:
        """Start corrections that were stopped, or that have failed, once more."""
        if self.recorder.target is not None:
            self.recorder.target.ledger.reconsider()
        self.advance()

    def stop(self) -> None:
        """Stop the run or correction, and those that wait; what is done stays."""
        self._halt()
        self._find_corrections()
        self._decline_corrections()
        self.advance()

    def advance(self) -> None:
        """Start what is wanted and possible."""
        self._find_corrections()
        if self.movie is not None and self._is_anything_wanted():
            if self._session is None:
                self._open(self.movie)
            else:
                self._advance_run(self.movie, self._session)
                self._advance_preview(self._session)
                self._advance_corrections(self.movie, self._session)
                self._advance_embedding(self.movie, self._session)
        self.changed.emit()

    # How wishes come true

    def _open(self, movie: MovieView) -> None:
        if self._opening is None:
            self._opening = Opening(movie, self.options)
            self._engine.open(self._opening)

    def _advance_run(self, movie: MovieView, session: Session) -> None:
        request = self._wanted_run
        if request is None or not self.recorder.is_ready:
            return
        self._wanted_run = None
        try:
            session.prompts = request.choose(self.prompts)
            plan = session.plan(request.frames, request.direction)
            steps = session.propagate(request.frames, direction=request.direction)
            self.recorder.begin(movie, plan.prompts, request, plan.visits)
        except SamDecoderError as error:
            self.failed.emit(error)
        else:
            self._run(steps)

    def _advance_preview(self, session: Session) -> None:
        missing = self._missing_previews()
        if missing and not self.is_previewing:
            colours = object_colours(prompt.object_id for prompt in missing)
            self._engine.preview(session, missing, colours)

    def _advance_corrections(self, movie: MovieView, session: Session) -> None:
        is_click_shown = not (self.is_previewing or self._missing_previews())
        target = self.recorder.target
        if target is None or self.is_running or not is_click_shown:
            return
        if not self.corrections:
            return
        mending = Mending.of(movie, target, self.corrections)
        try:
            steps = mending.begin(session)
        except SamDecoderError as error:
            self._decline_corrections()
            self.failed.emit(error)
        else:
            self.recorder.run = mending
            self._run(steps)

    def _run(self, steps: Iterator[FrameResult]) -> None:
        self._engine.stop("embedding")
        self._engine.run(steps)

    def _halt(self) -> None:
        self._wanted_run = None
        self._engine.stop("run")
        if self.recorder.run is not None:
            self.outcome = self.recorder.end(was_stopped=True)

    def _decline_corrections(self) -> None:
        """Let nothing start that a person has stopped, or that cannot succeed."""
        if self.recorder.target is not None:
            self.recorder.target.ledger.decline(self.corrections)
        self.corrections = ()

    def _advance_embedding(self, movie: MovieView, session: Session) -> None:
        is_free = not (self.is_running or self.is_embedding)
        if self._wants_embedding and is_free and len(self.embedded) < len(movie):
            self._engine.embed(session.embed(focus=lambda: self.frame))

    def _forget_session(self) -> None:
        """Let a run under way finish with the session that it has."""
        for kind in ("opening", "preview", "embedding"):
            self._engine.stop(kind)
        if self._session is not None:
            self._engine.retire(self._session)
        self._session = self._opening = None
        self.embedded = set()
        self.previews.clear()
        if self.recorder.target is not None:
            self.recorder.target.ledger.clear()

    # What comes back

    def _on_opened(self, session: Session) -> None:
        self._session = session
        self.embedded = set(session.embedded)

    def _on_embedded(self, step: EmbeddedFrame) -> None:
        self.embedded.add(step.frame)
        self.changed.emit()

    def _on_previewed(self, shown: ShownPreview) -> None:
        self.previews.add(shown)
        self.embedded.add(shown.preview.prompt.frame)
        self.previewed.emit()
        self.changed.emit()

    def _on_found_ids(self, ids: frozenset[int]) -> None:
        if self.recorder.target is not None:
            self.recorder.target.foreign_ids = ids

    def _on_propagated(self, result: FrameResult) -> None:
        run = self.recorder.run
        is_here = run is not None and run.view is self.movie
        self.recorder.take(result, self.frame if is_here else None)
        if run is not None and is_here:
            self.embedded.add(result.frame)
            self._settle(run.settled_by(result))
        self.changed.emit()

    def _settle(self, prompts: Collection[Prompt]) -> None:
        """Show the labels of these prompts instead of their previews."""
        if prompts:
            self.previews.settle(prompts)
            self.previewed.emit()

    def _on_ended(self, kind: str, error: Exception | None) -> None:
        if error is not None:
            self._give_up(kind)
            self.failed.emit(error)
        if kind == "run" and self.recorder.run is not None:
            self._settle(tuple(self.recorder.run.prompts))
            self.outcome = self.recorder.end(was_stopped=error is not None)
        self.advance()

    def _give_up(self, kind: str) -> None:
        """Want no more what has just failed, so that it is not tried for ever."""
        if kind in ("opening", "embedding"):
            self._wants_embedding = False
        if kind in ("opening", "ids"):
            self._wanted_run = None
        if kind == "run":
            self._decline_corrections()
        if kind == "ids":
            self.recorder.release()
        if kind in ("opening", "preview"):
            self.previews.give_up(self._missing_previews())
        if kind == "opening":
            self._opening = None
