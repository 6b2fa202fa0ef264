"""What one dock works on, what is wanted of it, and what is under way."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QObject, QTimer, Signal

from napari_sam_decoder.widgets.engine import Engine
from napari_sam_decoder.widgets.ids import IdBook
from napari_sam_decoder.widgets.layers import shown_limits, unused_notices
from napari_sam_decoder.widgets.mending import Mending
from napari_sam_decoder.widgets.notices import ledger_notices
from napari_sam_decoder.widgets.recorder import Recorder
from napari_sam_decoder.widgets.work import ViewerWork

if TYPE_CHECKING:
    from napari.components import ViewerModel

    from napari_sam_decoder.prompts import Prompt, PromptSet
    from napari_sam_decoder.widgets.background import Opening
    from napari_sam_decoder.widgets.corrections import Correction
    from napari_sam_decoder.widgets.layers import Limits, MovieView
    from napari_sam_decoder.widgets.options import ModelOptions
    from napari_sam_decoder.widgets.previews import PreviewBook
    from napari_sam_decoder.widgets.runs import Run
    from napari_sam_decoder.widgets.work import MovieWork, WantedRun

__all__ = ["Situation"]

REST_MS = 500
"""How long points must rest before objects are computed anew because of them."""


class Situation(QObject):
    """The movie of now with its work, and what is under way on it and on others.

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
        self.recorder = Recorder(viewer, self)
        self.all_work = ViewerWork.of(viewer)
        self._opening: tuple[MovieWork, Opening] | None = None
        self._wanted: list[WantedRun] = []
        self._viewer = viewer
        self._engine = Engine(self)
        self.ids = IdBook(viewer, self.all_work, self._engine)
        self._rest = QTimer(self)
        self._rest.setSingleShot(True)
        self._rest.setInterval(REST_MS)

    @property
    def work(self) -> MovieWork:
        """What has been done on the movie of now, and what is wanted for it."""
        return self.recorder.work

    @property
    def prompts(self) -> PromptSet:
        """All that says where an object is."""
        return self.work.objects.reading.prompts

    @property
    def negatives(self) -> PromptSet:
        """Negative points alone on their frames."""
        return self.work.objects.reading.negatives

    @property
    def options(self) -> ModelOptions:
        """How frames become embeddings, and these become masks."""
        return self.work.options

    @property
    def contrast(self) -> Limits | None:
        """What the network sees as black and white; None before that is settled."""
        session = self.work.session
        if session is None:
            return None
        return session.movie.contrast.low, session.movie.contrast.high

    @property
    def is_contrast_shown(self) -> bool:
        """Whether that is what the layer showed when it was settled."""
        return self.contrast is not None and self.contrast == self.work.shown

    @property
    def new_limits(self) -> Limits | None:
        """Limits of the layer that a person has changed since; None if none were.

        Nor are there any where the contrast was set for the network alone.
        """
        is_by_layer = self.options.contrast in (None, self.work.shown)
        if self.movie is None or self.contrast is None or not is_by_layer:
            return None
        limits = shown_limits(self.movie.layer)
        return None if limits in (self.work.shown, self.contrast) else limits

    @property
    def embedded(self) -> set[int]:
        """Frames whose embedding is known."""
        return self.work.embedded

    @property
    def previews(self) -> PreviewBook:
        """What is known of prompts before they are propagated."""
        return self.work.previews

    @property
    def outcome(self) -> str:
        """What came of the last run on the movie of now."""
        return self.work.outcome

    @property
    def is_opening(self) -> bool:
        """Whether the model is being loaded or the cache opened."""
        return self._engine.is_busy("opening")

    @property
    def is_embedding(self) -> bool:
        """Whether frames are being embedded ahead of time."""
        return self._engine.is_busy("embedding")

    @property
    def is_previewing(self) -> bool:
        """Whether prompts on the current frame are being decoded."""
        return self._engine.is_busy("preview")

    @property
    def is_looking(self) -> bool:
        """Whether labels are being looked through, or an object removed from them."""
        return self._engine.is_looking

    @property
    def is_busy(self) -> bool:
        """Whether a run or correction is wanted or under way, on whatever movie."""
        return bool(self._wanted) or self.recorder.run is not None

    @property
    def is_running(self) -> bool:
        """Whether a run is wanted or under way here, or a correction under way."""
        return self.is_waiting or self.run is not None

    @property
    def is_waiting(self) -> bool:
        """Whether a run is wanted on the movie of now."""
        return any(self._is_here(wanted.view) for wanted in self._wanted)

    @property
    def run(self) -> Run | None:
        """The run or correction under way on the movie of now."""
        run = self.recorder.run
        return run if run is not None and self._is_here(run.view) else None

    @property
    def run_elsewhere(self) -> Run | None:
        """The run or correction under way on another movie, or on another plane."""
        return self.recorder.run if self.run is None else None

    @property
    def is_mending(self) -> bool:
        """Whether a correction is under way on the movie of now."""
        return isinstance(self.run, Mending)

    @property
    def is_idle(self) -> bool:
        """Whether nothing is under way that a person waits for."""
        kinds = ("opening", "preview")
        is_open = any(map(self._engine.is_busy, kinds))
        is_quiet = not (is_open or self._engine.is_looking or self._rest.isActive())
        return is_quiet and not self.is_busy

    @property
    def prompts_here(self) -> tuple[Prompt, ...]:
        """The prompts on the current frame."""
        return tuple(prompt for prompt in self.prompts if prompt.frame == self.frame)

    @property
    def present(self) -> tuple[Prompt, ...]:
        """All that is said by points now."""
        return (*self.prompts, *self.negatives)

    @property
    def notices(self) -> tuple[str, ...]:
        """Which points are not in the labels, why, and what to do about it."""
        target = self.recorder.target
        if self.movie is None or target is None:
            return unused_notices(self.negatives)
        if self.is_running:
            return ()
        correcting = {prompt for one in self.corrections for prompt in one.prompts}
        open_prompts = [one for one in self.present if one not in correcting]
        return ledger_notices(
            target.record(self.movie).ledger, open_prompts, self.present
        )

    def _is_here(self, view: MovieView) -> bool:
        return self.movie is not None and view.is_same_as(self.movie)

    def _find_corrections(self) -> None:
        self.corrections = ()
        target = self.recorder.target
        if self.movie is not None and target is not None:
            self.corrections = target.corrections(self.movie, self.present)

    def _missing_previews(self) -> tuple[Prompt, ...]:
        return self.previews.missing(self.prompts_here)

    def _is_session_needed(self) -> bool:
        """Whether the movie of now cannot do without one."""
        return bool(
            self.is_waiting
            or self.work.wants_embedding
            or self.corrections
            or self._missing_previews()
        )
