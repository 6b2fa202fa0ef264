"""What is done with the labels of a movie in the background, step by step."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

from qtpy.QtCore import QObject, Signal

from napari_sam_decoder.widgets.runs import ProgressEstimate

if TYPE_CHECKING:
    from collections.abc import Generator

    from napari_sam_decoder.widgets.job_queue import JobQueue
    from napari_sam_decoder.widgets.layers import MovieView
    from napari_sam_decoder.widgets.movie_state import MovieState

__all__ = ["LabelWork", "LabelWorker"]


@dataclass(eq=False)
class LabelWork(ABC):
    """Reads the labels of a movie, and makes something of them.

    Attributes
    ----------
    view : MovieView
        The movie.
    progress : ProgressEstimate
        In frames.
    """

    view: MovieView
    progress: ProgressEstimate = field(init=False)

    under_way: ClassVar[str]
    """What is being done, such as "labels are being measured"."""
    title: ClassVar[str]
    """The same as a noun, such as "measuring"."""

    def __post_init__(self) -> None:
        self.progress = ProgressEstimate(len(self.view) * self.passes)

    @property
    def passes(self) -> int:
        """How often each frame is looked at."""
        return 1

    @abstractmethod
    def steps(self) -> Generator[Any]:
        """Work in the background: None for each step, then what `finish` takes."""

    @abstractmethod
    def finish(self, state: MovieState, result: Any) -> None:
        """Show the result, in the GUI thread."""


class LabelWorker(QObject):
    """Does one thing with labels at a time, when somebody asks for it.

    Parameters
    ----------
    job_queue : JobQueue
        Has a thread for it.
    parent : QObject
        Takes it along when it is deleted.

    Attributes
    ----------
    running : LabelWork or None
        Under way.
    """

    changed = Signal()
    ended = Signal()
    failed = Signal(object)

    def __init__(self, job_queue: JobQueue, parent: QObject) -> None:
        super().__init__(parent)
        self._job_queue = job_queue
        self.running: LabelWork | None = None

    def start(self, state: MovieState, work: LabelWork) -> None:
        """Begin, in place of what is under way.

        Parameters
        ----------
        state : MovieState
            That of the movie.
        work : LabelWork
            What to do with its labels.
        """
        self.running = work
        take, end = partial(self._take, state, work), partial(self._end, work)
        self._job_queue.work_on_labels(work.steps, take, end)
        self.changed.emit()

    def stop(self) -> None:
        """Go no further; nothing is written."""
        self._job_queue.stop("label work")
        self.running = None
        self.changed.emit()

    def _take(self, state: MovieState, work: LabelWork, result: Any) -> None:
        if result is None:
            work.progress.step()
        else:
            work.finish(state, result)
        self.changed.emit()

    def _end(self, work: LabelWork, error: Exception | None) -> None:
        if self.running is work:
            self.running = None
        if error is not None:
            self.failed.emit(error)
        self.ended.emit()
