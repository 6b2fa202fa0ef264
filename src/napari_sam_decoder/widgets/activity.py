"""Shows how far long jobs are in napari's activity dock."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from napari.utils import cancelable_progress
from qtpy.QtCore import QEvent, QObject, QTimer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from qtpy.QtWidgets import QWidget

    from napari_sam_decoder.widgets.controller import Controller
    from napari_sam_decoder.widgets.runs import ProgressEstimate

__all__ = ["ActivityBars", "LongJob", "long_jobs"]

SHOW_MS = 250
"""What is over sooner is not shown; also the time between two updates."""


@dataclass(frozen=True)
class LongJob:
    """A job that a person may wait for.

    Attributes
    ----------
    key : object
        What tells it from others, and is the same as long as it goes on.
    title : str
        What is done.
    done, total : int
        Steps; 0 in all if that is not known.
    stop : callable
        Ends it.
    """

    key: object
    title: str
    done: int
    total: int
    stop: Callable[[], None]


def long_jobs(controller: Controller) -> Iterator[LongJob]:
    """Find what is under way, on any movie.

    Parameters
    ----------
    controller : Controller
        Of the docks.
    """
    run, running = controller.writer.run, controller.writer.running
    if run is not None and running is not None:
        title = f"{running.name}: {run.title}"
        yield _counted(run, title, run.progress, controller.stop)
    if controller.is_embedding and controller.movie is not None:
        state, length = controller.state, len(controller.movie)
        title = f"{state.name}: embedding"
        done = len(state.embedded)
        yield LongJob("embedding", title, done, length, controller.stop_embedding)
    learning = controller.learning.running
    if learning is not None:
        title = f"{learning.state.name}: {learning.part.lower()}"
        key = (learning, learning.part)
        yield _counted(key, title, learning.progress, controller.stop_learning)
    work = controller.label_worker.running
    if work is not None:
        title = f"{work.view.layer.name}: {work.title}"
        yield _counted(work, title, work.progress, controller.stop_label_work)
    yield from _downloads(controller)


def _counted(
    key: object, title: str, progress: ProgressEstimate, stop: Callable[[], None]
) -> LongJob:
    return LongJob(key, title, progress.done, progress.total or 0, stop)


def _downloads(controller: Controller) -> Iterator[LongJob]:
    downloads = controller.downloads
    for name, one in downloads.by_name.items():
        if one.is_running:
            # A progress bar of Qt counts to 2**31.
            done, total = one.done // 1024, one.total // 1024

            def stop(name: str = name) -> None:
                downloads.cancel(name)

            yield LongJob(one, f"Download of {name}", done, total, stop)


class _Bar(cancelable_progress):
    """A bar whose button ends a job; napari's own waits for the next iteration."""

    def cancel(self) -> None:
        """End the job."""
        self.is_canceled = True
        if self.cancel_callback is not None:
            self.cancel_callback()


class ActivityBars(QObject):
    """A progress bar of napari for each long job, for as long as that goes on.

    Parameters
    ----------
    controller : Controller
        Of the docks.
    window : QWidget
        That of napari.
    """

    def __init__(self, controller: Controller, window: QWidget) -> None:
        super().__init__(window)
        self._controller = controller
        self._bars: dict[object, _Bar] = {}
        self._is_showing = False
        # napari draws the whole window at each step of a bar, so this must neither
        # happen often nor within what a job calls.
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(SHOW_MS)
        self._timer.timeout.connect(self._show)
        controller.changed.connect(self._show_soon)
        controller.downloads.changed.connect(self._show_soon)
        window.installEventFilter(self)

    def eventFilter(self, _: QObject, event: QEvent) -> bool:
        """Take all bars away before napari's dock for them is gone."""
        if event.type() == QEvent.Type.Close:
            self._take_away(set())
        return False

    def close(self) -> None:
        """Take all bars away, for good."""
        self._controller.changed.disconnect(self._show_soon)
        self._controller.downloads.changed.disconnect(self._show_soon)
        self._timer.stop()
        self._take_away(set())
        self.deleteLater()

    def _show_soon(self) -> None:
        if not self._timer.isActive():
            self._timer.start()

    def _show(self) -> None:
        if not self.parent().isVisible():
            return
        if self._is_showing:
            # A bar is being drawn.
            self._show_soon()
            return
        self._is_showing = True
        try:
            jobs = tuple(long_jobs(self._controller))
            self._take_away({job.key for job in jobs})
            for job in jobs:
                self._show_job(job)
        finally:
            self._is_showing = False

    def _show_job(self, job: LongJob) -> None:
        bar = self._bars.get(job.key)
        if bar is None:
            bar = self._bars[job.key] = _Bar(
                desc=job.title,
                total=job.total,
                cancel_callback=job.stop,
                # What is longer pushes the button out of sight.
                bar_format="|{remaining} left",
            )
        if bar.total != job.total:
            bar.total = job.total
        if job.done != bar.n:
            bar.update(job.done - bar.n)

    def _take_away(self, staying: set[object]) -> None:
        for key in [*self._bars.keys() - staying]:
            self._bars.pop(key).close()
