"""The background work of one dock: lanes, so that a click never waits for a run."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject, Signal

from napari_sam_decoder.widgets.background import (
    ModelShelf,
    computing,
    show_prompts,
)
from napari_sam_decoder.widgets.worker import Job, Lane

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Mapping

    import numpy as np

    from napari_sam_decoder.embedding import EmbeddedFrame
    from napari_sam_decoder.prompts import Prompt
    from napari_sam_decoder.propagation import FrameResult
    from napari_sam_decoder.session import Session
    from napari_sam_decoder.widgets.background import Opening, ShownPreview

__all__ = ["Engine"]


class Engine(QObject):
    """Opens sessions, embeds, shows prompts and propagates, one job of each at a time.

    Opening and previews take turns on the quick lane, embedding and propagation on the
    long one; a third goes through labels. All signals arrive in the GUI thread.

    Parameters
    ----------
    parent : QObject
        Takes it along when it is deleted.
    """

    opened = Signal(object)
    embedded = Signal(object)
    previewed = Signal(object)
    propagated = Signal(object)
    ended = Signal(str, object)

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._quick, self._long, self._third = Lane(), Lane(), Lane()
        self._shelf = ModelShelf()
        self._jobs: dict[str, Job] = {}
        self._looks: set[Job] = set()

    def is_busy(self, kind: str) -> bool:
        """Whether a job is waiting or under way.

        Parameters
        ----------
        kind : {"opening", "preview", "embedding", "run"}
            The name of what was called to start it.
        """
        return kind in self._jobs

    @property
    def is_looking(self) -> bool:
        """Whether labels are being gone through."""
        return bool(self._looks)

    def stop(self, kind: str) -> None:
        """Stop the job of a kind, if there is one; nothing more is heard of it.

        Parameters
        ----------
        kind : str
            As for `is_busy`.
        """
        job = self._jobs.pop(kind, None)
        if job is not None:
            job.stop()

    def hurry(self, kind: str, seconds: float) -> None:
        """Keep the window waiting for the first step of a job, if there is one.

        Parameters
        ----------
        kind : str
            As for `is_busy`.
        seconds : float
            To wait at most.
        """
        job = self._jobs.get(kind)
        if job is not None:
            self._lane(kind).hurry(job, seconds)

    def close(self) -> None:
        """Stop everything; no signal comes any more."""
        self.blockSignals(True)
        self._jobs.clear()
        self._looks.clear()
        for lane in (self._quick, self._long, self._third):
            lane.close()

    def open(self, opening: Opening) -> None:
        """Open a session, for `opened`."""
        self._begin(
            "opening", partial(self._shelf.open_session, opening), self.opened.emit
        )

    def retire(self, session: Session) -> None:
        """Close a session once no run needs it any more."""

        def closing() -> Generator[None]:
            session.close()
            yield

        self._long.start(Job(closing, lambda _: None, lambda _: None))

    def look(
        self,
        steps: Callable[[], Generator[Any]],
        on_step: Callable[[Any], None],
        on_end: Callable[[Exception | None], None],
    ) -> None:
        """Go through labels, on a lane of its own; see `Job` for the arguments.

        Those that were asked for before go on.
        """

        def end(error: Exception | None) -> None:
            self._looks.discard(job)
            on_end(error)

        job = Job(steps, on_step, end)
        self._looks.add(job)
        self._third.start(job)

    def preview(
        self,
        session: Session,
        prompts: tuple[Prompt, ...],
        known: tuple[ShownPreview, ...],
        colours: Mapping[int, np.ndarray],
    ) -> None:
        """Show prompts, for `previewed`, in place of a preview under way."""
        steps = partial(show_prompts, session, prompts, known, colours)
        self._begin("preview", steps, self.previewed.emit)

    def embed(self, steps: Iterator[EmbeddedFrame]) -> None:
        """Take the steps of an embedding, for `embedded`."""
        self._begin("embedding", partial(computing, steps), self.embedded.emit)

    def run(self, steps: Iterator[FrameResult]) -> None:
        """Take the steps of a propagation, for `propagated`."""
        self._begin("run", partial(computing, steps), self.propagated.emit)

    def _begin(
        self,
        kind: str,
        steps: Callable[[], Generator[Any]],
        on_step: Callable[[Any], None],
    ) -> None:
        if kind in self._jobs:
            self._jobs[kind].stop()
        job = Job(steps, on_step, lambda error: self._finish(kind, job, error))
        self._jobs[kind] = job
        self._lane(kind).start(job)

    def _lane(self, kind: str) -> Lane:
        return self._long if kind in ("embedding", "run") else self._quick

    def _finish(self, kind: str, job: Job, error: Exception | None) -> None:
        """Report the end of a job, unless it was stopped or another took its place."""
        if self._jobs.get(kind) is job:
            del self._jobs[kind]
            self.ended.emit(kind, error)
