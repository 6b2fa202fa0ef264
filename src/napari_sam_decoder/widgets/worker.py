"""A background thread that takes a generator's steps and reports them to the window.

superqt's workers are not used for three reasons: a `RuntimeError`, which is what torch
raises, ends them without a word; a cancelled generator is never closed; and two that
overlap leave Python's handling of warnings patched for good.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from contextlib import closing, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QCoreApplication, QObject, Qt, Signal, Slot

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

__all__ = ["Job", "Lane"]

_LOG = logging.getLogger(__name__)


@dataclass(eq=False)
class Job:
    """Steps to take in the background, and who hears of them in the GUI thread.

    Attributes
    ----------
    steps : callable
        Makes the generator; called, advanced and closed in the background.
    on_step : callable
        Gets each value that the generator yields, unless the job was stopped.
    on_end : callable
        Called once and last, with the error that ended the job or None.
    """

    steps: Callable[[], Generator[Any]]
    on_step: Callable[[Any], None]
    on_end: Callable[[Exception | None], None]
    _stopped: threading.Event = field(default_factory=threading.Event)
    _has_news: threading.Event = field(default_factory=threading.Event)

    @property
    def is_stopped(self) -> bool:
        """Whether `stop` was called; nothing more will come but the end."""
        return self._stopped.is_set()

    def stop(self) -> None:
        """Ask for no more steps; the one under way is finished and forgotten."""
        self._stopped.set()

    def announce(self) -> None:
        """Note that there is something to report."""
        self._has_news.set()

    def wait_for_news(self, seconds: float) -> bool:
        """Wait until there is something to report; False if the time is over."""
        return self._has_news.wait(seconds)


class Lane(QObject):
    """One thread that does one job after another, there only while there are jobs.

    Make it in the GUI thread, and `close` it: the application owns it otherwise.
    """

    _reported = Signal(object)

    def __init__(self) -> None:
        super().__init__(QCoreApplication.instance())
        self._guard = threading.Lock()
        self._waiting: deque[Job] = deque()
        self._current: Job | None = None
        self._is_closed = False
        self._reported.connect(self._hear, Qt.ConnectionType.QueuedConnection)

    def start(self, job: Job) -> None:
        """Do a job after those that were started before.

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
            # Not a daemon: Python must not fall apart under a step that is under way.
            threading.Thread(target=self._work, name="napari-sam-decoder").start()

    def hurry(self, job: Job, seconds: float) -> None:
        """Keep the window waiting for the first news of a job, and report them.

        Parameters
        ----------
        job : Job
            Started before.
        seconds : float
            To wait at most.
        """
        if job.wait_for_news(seconds):
            QCoreApplication.sendPostedEvents(self)

    def close(self) -> None:
        """Stop all jobs and report no more; does not wait for the step under way."""
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
            # The thread of the window does it; here it would be the wrong one.
            with suppress(RuntimeError):
                self.deleteLater()

    def _run(self, job: Job) -> Exception | None:
        try:
            if not _is_over(job):
                with closing(job.steps()) as steps:
                    for value in steps:
                        if _is_over(job):
                            break
                        self._report(job, value)
        except Exception as error:  # noqa: BLE001 - whoever listens decides about it
            _LOG.debug("a job in the background has failed", exc_info=True)
            return error
        return None

    def _report(self, job: Job, *news: Any) -> None:
        # Qt objects raise RuntimeError once the application is gone.
        with suppress(RuntimeError):
            self._reported.emit((job, news))
        job.announce()

    # As a slot of its own, what comes for it can be delivered ahead of all else.
    @Slot(object)  # type: ignore[untyped-decorator, unused-ignore]
    def _hear(self, report: tuple[Job, tuple[Any, ...]]) -> None:
        job, news = report
        if self._is_closed:
            return
        if len(news) == 2:
            job.on_end(news[1])
        elif not job.is_stopped:
            job.on_step(news[0])


def _is_over(job: Job) -> bool:
    """Whether to take no more steps; at exit Python waits for the one under way."""
    return job.is_stopped or not threading.main_thread().is_alive()
