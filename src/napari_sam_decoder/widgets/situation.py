"""What one dock works on, what is wanted of it, and what is under way."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QObject, Signal

from napari_sam_decoder.prompts import PromptSet
from napari_sam_decoder.widgets.engine import Engine
from napari_sam_decoder.widgets.mending import Mending
from napari_sam_decoder.widgets.options import ModelOptions
from napari_sam_decoder.widgets.previews import PreviewBook
from napari_sam_decoder.widgets.recorder import Recorder

if TYPE_CHECKING:
    from napari.components import ViewerModel

    from napari_sam_decoder.prompts import Prompt
    from napari_sam_decoder.session import Session
    from napari_sam_decoder.widgets.background import Opening
    from napari_sam_decoder.widgets.corrections import Correction
    from napari_sam_decoder.widgets.layers import MovieView
    from napari_sam_decoder.widgets.runs import RunRequest

__all__ = ["Situation"]


class Situation(QObject):
    """Movie, points, wishes, previews and results of one dock.

    Parameters
    ----------
    viewer : ViewerModel
        Where results are shown.
    parent : QObject
        Takes it along when it is deleted.
    """

    changed = Signal()
    previewed = Signal()
    failed = Signal(object)

    def __init__(self, viewer: ViewerModel, parent: QObject) -> None:
        super().__init__(parent)
        self.movie: MovieView | None = None
        self.frame = 0
        self.prompts = PromptSet()
        self.negatives = PromptSet()
        self.corrections: tuple[Correction, ...] = ()
        self.options = ModelOptions()
        self.embedded: set[int] = set()
        self.previews = PreviewBook()
        self.recorder = Recorder(viewer, self)
        self.outcome = ""
        self._session: Session | None = None
        self._opening: Opening | None = None
        self._wants_embedding: bool | None = None
        self._wanted_run: RunRequest | None = None
        self._engine = Engine(self)

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
    def is_running(self) -> bool:
        """Whether a propagation is wanted or under way, or a correction under way."""
        return self._wanted_run is not None or self.recorder.run is not None

    @property
    def is_mending(self) -> bool:
        """Whether a correction is under way."""
        return isinstance(self.recorder.run, Mending)

    @property
    def is_idle(self) -> bool:
        """Whether nothing is under way that a person waits for."""
        kinds = ("opening", "preview", "ids")
        return not (self.is_running or any(map(self._engine.is_busy, kinds)))

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

    def _is_anything_wanted(self) -> bool:
        return bool(
            self._wanted_run
            or self._wants_embedding
            or self.corrections
            or self._missing_previews()
        )
