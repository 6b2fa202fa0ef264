"""What one dock works on, what is wanted of it, and what is under way."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QObject, Signal

from napari_sam_decoder.widgets.engine import Engine
from napari_sam_decoder.widgets.ids import IdBook
from napari_sam_decoder.widgets.mending import Mending
from napari_sam_decoder.widgets.recorder import Recorder
from napari_sam_decoder.widgets.work import ViewerWork

if TYPE_CHECKING:
    from napari.components import ViewerModel

    from napari_sam_decoder.prompts import Prompt, PromptSet
    from napari_sam_decoder.widgets.background import Opening
    from napari_sam_decoder.widgets.corrections import Correction
    from napari_sam_decoder.widgets.layers import MovieView
    from napari_sam_decoder.widgets.options import ModelOptions
    from napari_sam_decoder.widgets.previews import PreviewBook
    from napari_sam_decoder.widgets.runs import Run
    from napari_sam_decoder.widgets.work import MovieWork, WantedRun

__all__ = ["Situation"]


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
        return not (self.is_busy or is_open or self._engine.is_looking)

    @property
    def prompts_here(self) -> tuple[Prompt, ...]:
        """The prompts on the current frame."""
        return tuple(prompt for prompt in self.prompts if prompt.frame == self.frame)

    @property
    def unused(self) -> tuple[Prompt, ...]:
        """Negative points alone that correct nothing."""
        correcting = {prompt for one in self.corrections for prompt in one.prompts}
        return tuple(
            prompt
            for prompt in self.negatives
            if prompt not in correcting and not self._is_in_labels(prompt)
        )

    def _is_here(self, view: MovieView) -> bool:
        return self.movie is not None and view.is_same_as(self.movie)

    def _find_corrections(self) -> None:
        self.corrections = ()
        target = self.recorder.target
        if self.movie is not None and target is not None:
            present = (*self.prompts, *self.negatives)
            self.corrections = target.corrections(self.movie, present)

    def _is_in_labels(self, prompt: Prompt) -> bool:
        target = self.recorder.target
        return target is not None and target.ledger.holds(prompt)

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
