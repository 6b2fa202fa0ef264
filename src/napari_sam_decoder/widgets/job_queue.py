"""The background jobs of the dock, and the threads that run them."""

from __future__ import annotations

import logging
import threading
from collections import deque
from contextlib import closing, suppress
from dataclasses import dataclass, field
from functools import partial
from math import inf
from time import monotonic
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QCoreApplication, QEventLoop, QObject, Qt, QTimer, Signal, Slot

from napari_sam_decoder.widgets.freed_memory import give_back_memory
from napari_sam_decoder.widgets.model_cache import (
    ModelCache,
    computing,
    show_prompts,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Mapping

    import numpy as np

    from napari_sam_decoder.embedding import EmbeddedFrame
    from napari_sam_decoder.prompts import Prompt
    from napari_sam_decoder.propagation import FrameResult
    from napari_sam_decoder.session import Session
    from napari_sam_decoder.widgets.model_cache import SessionRequest, ShownPreview
    from napari_sam_decoder.widgets.movie_state import ModelOptions

__all__ = ["Job", "JobQueue", "JobThread", "wait_until"]

POLL_MS = 20
GIVE_BACK_EVERY_S = 60


def wait_until(is_done: Callable[[], bool], timeout: float) -> bool:
    """Keep the window alive until something is done.

    Parameters
    ----------
    is_done : callable
        Called every 20 ms.
    timeout : float
        Seconds.

    Returns
    -------
    bool
        Whether it was done in time.
    """
    loop, poll, limit = QEventLoop(), QTimer(), QTimer()
    poll.timeout.connect(lambda: loop.quit() if is_done() else None)
    limit.setSingleShot(True)
    limit.timeout.connect(loop.quit)
    poll.start(POLL_MS)
    limit.start(round(timeout * 1000))
    loop.exec_()
    return is_done()


_LOG = logging.getLogger(__name__)


@dataclass(eq=False)
class Job:
    """Steps to take in the background, and callbacks for the GUI thread.

    Attributes
    ----------
    steps : callable
        Makes the generator; called, advanced and closed in the background.
    on_step : callable
        Gets each value that the generator yields, unless the job was stopped.
    on_end : callable
        Called once and last, with the error that ended the job or None.
    on_drop : callable
        Gets each value that `on_step` does not, in any thread, to release what it
        holds.
    """

    steps: Callable[[], Generator[Any]]
    on_step: Callable[[Any], None]
    on_end: Callable[[Exception | None], None]
    on_drop: Callable[[Any], None] = lambda _: None
    _stopped: threading.Event = field(default_factory=threading.Event)
    _has_report: threading.Event = field(default_factory=threading.Event)

    @property
    def is_stopped(self) -> bool:
        """Whether `stop` was called; only the end will still be reported."""
        return self._stopped.is_set()

    def stop(self) -> None:
        """Stop after the step under way, whose result is dropped."""
        self._stopped.set()

    def mark_reported(self) -> None:
        """Note that there is something to report."""
        self._has_report.set()

    def wait_for_report(self, seconds: float) -> bool:
        """Wait until there is something to report; False if that took too long."""
        return self._has_report.wait(seconds)


class JobThread(QObject):
    """A thread that runs one job after another, and exists only while there are jobs.

    Create it in the GUI thread, and `close` it: otherwise the application owns it.

    Parameters
    ----------
    gives_back_memory : bool, default False
        Whether its jobs leave much free memory, which is given back to the system once
        a minute at most.
    """

    _reported = Signal(object)

    def __init__(self, *, gives_back_memory: bool = False) -> None:
        super().__init__(QCoreApplication.instance())
        self._gives_back_memory, self._given_back_at = gives_back_memory, -inf
        self._guard = threading.Lock()
        self._waiting: deque[Job] = deque()
        self._current: Job | None = None
        self._is_closed = False
        self._reported.connect(self._deliver, Qt.ConnectionType.QueuedConnection)

    def start(self, job: Job) -> None:
        """Run a job after those that were started before.

        Parameters
        ----------
        job : Job
            Not started before.
        """
        with self._guard:
            self._waiting.append(job)
            is_idle = self._current is None
            if is_idle:
                self._current = self._waiting.popleft()
        if is_idle:
            # Not a daemon: Python must not shut down during a step.
            threading.Thread(target=self._work, name="napari-sam-decoder").start()

    def wait_for_step(self, job: Job, seconds: float) -> None:
        """Block the window until the first report of a job, and deliver it.

        Parameters
        ----------
        job : Job
            Started before.
        seconds : float
            To wait at most.
        """
        if job.wait_for_report(seconds):
            QCoreApplication.sendPostedEvents(self)

    def close(self) -> None:
        """Stop all jobs without a report; does not wait for the step under way."""
        with self._guard:
            self._is_closed = True
            for job in (*self._waiting, self._current):
                if job is not None:
                    job.stop()
            is_idle = self._current is None
        if is_idle:
            self.deleteLater()

    def _work(self) -> None:
        while self._current is not None:
            error = self._run(self._current)
            self._report(self._current, None, error)
            with self._guard:
                self._current = self._waiting.popleft() if self._waiting else None
                is_closed = self._is_closed
        if is_closed:
            # This is carried out by the GUI thread.
            with suppress(RuntimeError):
                self.deleteLater()
        if self._gives_back_memory:
            self._give_back_memory()

    def _give_back_memory(self) -> None:
        now = monotonic()
        if now - self._given_back_at >= GIVE_BACK_EVERY_S:
            self._given_back_at = now
            give_back_memory()

    def _run(self, job: Job) -> Exception | None:
        try:
            if not _is_over(job):
                with closing(job.steps()) as steps:
                    for value in steps:
                        if _is_over(job):
                            job.on_drop(value)
                            break
                        self._report(job, value)
        except Exception as error:  # noqa: BLE001 - on_end decides about it
            _LOG.debug("a job in the background has failed", exc_info=True)
            return error
        return None

    def _report(self, job: Job, *news: Any) -> None:
        try:
            self._reported.emit((job, news))
        except RuntimeError:
            # Qt objects raise it once the application is gone.
            _drop(job, news)
        job.mark_reported()

    # A slot of this object, so that its events can be delivered ahead of all others.
    @Slot(object)  # type: ignore[untyped-decorator, unused-ignore]
    def _deliver(self, report: tuple[Job, tuple[Any, ...]]) -> None:
        job, news = report
        is_end = len(news) == 2
        if self._is_closed or (job.is_stopped and not is_end):
            _drop(job, news)
        elif is_end:
            job.on_end(news[1])
        else:
            job.on_step(news[0])


def _drop(job: Job, news: tuple[Any, ...]) -> None:
    """Nobody hears of a step any more."""
    if len(news) == 1:
        job.on_drop(news[0])


def _is_over(job: Job) -> bool:
    """Whether to stop; at exit Python waits for the step under way."""
    return job.is_stopped or not threading.main_thread().is_alive()


def _abandon(session: Session) -> None:
    """Let go of a session that was opened too late."""
    session.close(wait=False)


class JobQueue(QObject):
    """Opens sessions, embeds, previews and propagates: one job of each kind at a time.

    One thread opens sessions and decodes previews, one embeds and propagates, one scans
    labels, one measures or saves them, one downloads models, and one trains decoders,
    so that a click never waits for a run. All signals arrive in the GUI thread.

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
        self._quick, self._scanning, self._downloading = (JobThread() for _ in range(3))
        self._long, self._learning, self._working_on_labels = (
            JobThread(gives_back_memory=True) for _ in range(3)
        )
        self._models = ModelCache()
        self._jobs: dict[str, Job] = {}
        self._scans: set[Job] = set()

    def is_busy(self, kind: str) -> bool:
        """Whether a job is waiting or under way.

        Parameters
        ----------
        kind : {"opening", "preview", "embedding", "run", "label work", "learning"}
            The name of what was called to start it.
        """
        return kind in self._jobs

    @property
    def is_scanning(self) -> bool:
        """Whether labels are being scanned."""
        return bool(self._scans)

    def stop(self, kind: str) -> None:
        """Stop the job of a kind, if there is one, without any further signal.

        Parameters
        ----------
        kind : str
            As for `is_busy`.
        """
        job = self._jobs.pop(kind, None)
        if job is not None:
            job.stop()

    def take_reports(self, kind: str) -> None:
        """Deliver what the job of a kind has reported so far, if there is one.

        Parameters
        ----------
        kind : str
            As for `is_busy`.
        """
        if kind in self._jobs:
            QCoreApplication.sendPostedEvents(self._thread_for(kind))

    def wait_for_step(self, kind: str, seconds: float) -> None:
        """Block the window until the first step of a job, if there is one.

        Parameters
        ----------
        kind : str
            As for `is_busy`.
        seconds : float
            To wait at most.
        """
        job = self._jobs.get(kind)
        if job is not None:
            self._thread_for(kind).wait_for_step(job, seconds)

    def close(self) -> None:
        """Stop everything, without any further signal."""
        self.blockSignals(True)
        self._jobs.clear()
        self._scans.clear()
        at_work = self._quick, self._long, self._scanning, self._learning
        for thread in (*at_work, self._working_on_labels, self._downloading):
            thread.close()

    def load_ahead(self, options: ModelOptions, frame_shape: tuple[int, int]) -> None:
        """Load the network that the next session will need; see `ModelCache.load`.

        An error is not reported: opening the session will meet it as well.
        """
        steps = partial(self._models.load, options, frame_shape)
        self._replace("loading", steps, lambda _: None, lambda _: None)

    def open(self, opening: SessionRequest) -> None:
        """Open a session; emits `opened`."""
        steps = partial(self._models.open_session, opening)
        self._begin("opening", steps, self.opened.emit, _abandon)

    def retire(self, session: Session) -> None:
        """Close a session once no run needs it any more."""

        def closing() -> Generator[None]:
            session.close()
            yield

        self._long.start(Job(closing, lambda _: None, lambda _: None))

    def scan(
        self,
        steps: Callable[[], Generator[Any]],
        on_step: Callable[[Any], None],
        on_end: Callable[[Exception | None], None],
    ) -> Job:
        """Scan labels, on a thread of its own; see `Job` for the arguments.

        Earlier scans go on.

        Returns
        -------
        Job
            May be stopped.
        """

        def end(error: Exception | None) -> None:
            self._scans.discard(job)
            on_end(error)

        job = Job(steps, on_step, end)
        self._scans.add(job)
        self._scanning.start(job)
        return job

    def work_on_labels(
        self,
        steps: Callable[[], Generator[Any]],
        on_step: Callable[[Any], None],
        on_end: Callable[[Exception | None], None],
    ) -> None:
        """Do something with labels in place of what is done with some; see `Job`.

        Nothing is reported of what was replaced or stopped.
        """
        self._replace("label work", steps, on_step, on_end)

    def learn(
        self,
        steps: Callable[[], Generator[Any]],
        on_step: Callable[[Any], None],
        on_end: Callable[[Exception | None], None],
    ) -> None:
        """Train a decoder in place of a training under way; as `work_on_labels`."""
        self._replace("learning", steps, on_step, on_end)

    def _replace(
        self,
        kind: str,
        steps: Callable[[], Generator[Any]],
        on_step: Callable[[Any], None],
        on_end: Callable[[Exception | None], None],
    ) -> None:
        def end(error: Exception | None) -> None:
            if self._jobs.get(kind) is job:
                del self._jobs[kind]
                on_end(error)

        self.stop(kind)
        job = Job(steps, on_step, end)
        self._jobs[kind] = job
        self._thread_for(kind).start(job)

    def download(self, job: Job) -> None:
        """Run a job that downloads, after those that were started before."""
        self._downloading.start(job)

    def preview(
        self,
        session: Session,
        prompts: tuple[Prompt, ...],
        known: tuple[ShownPreview, ...],
        colours: Mapping[int, np.ndarray],
    ) -> None:
        """Decode prompts in place of a preview under way; emits `previewed`."""
        steps = partial(show_prompts, session, prompts, known, colours)
        self._begin("preview", steps, self.previewed.emit)

    def embed(self, steps: Iterator[EmbeddedFrame]) -> None:
        """Take the steps of an embedding; emits `embedded`."""
        self._begin("embedding", partial(computing, steps), self.embedded.emit)

    def run(self, steps: Iterator[FrameResult]) -> None:
        """Take the steps of a propagation; emits `propagated`."""
        self._begin("run", partial(computing, steps), self.propagated.emit)

    def _begin(
        self,
        kind: str,
        steps: Callable[[], Generator[Any]],
        on_step: Callable[[Any], None],
        on_drop: Callable[[Any], None] = lambda _: None,
    ) -> None:
        def end(error: Exception | None) -> None:
            self._finish(kind, job, error)

        if kind in self._jobs:
            self._jobs[kind].stop()
        job = Job(steps, on_step, end, on_drop)
        self._jobs[kind] = job
        self._thread_for(kind).start(job)

    def _thread_for(self, kind: str) -> JobThread:
        own = {
            "embedding": self._long,
            "run": self._long,
            "label work": self._working_on_labels,
            "learning": self._learning,
        }
        return own.get(kind, self._quick)

    def _finish(self, kind: str, job: Job, error: Exception | None) -> None:
        """Report the end of a job, unless it was stopped or replaced."""
        if self._jobs.get(kind) is job:
            del self._jobs[kind]
            self.ended.emit(kind, error)
