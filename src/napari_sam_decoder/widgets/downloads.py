"""Downloads models in the background, one after the other."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from qtpy.QtCore import QObject, Signal

from napari_sam_decoder.widgets.job_queue import Job

if TYPE_CHECKING:
    from collections.abc import Generator

    from napari_sam_decoder.widgets.job_queue import JobQueue

__all__ = ["Downloads", "ModelDownload"]


@dataclass(eq=False)
class ModelDownload:
    """A download that waits, is under way, or has failed.

    Attributes
    ----------
    name : str
        Of the model, in `MODELS`.
    done, total : int
        Bytes that have arrived, and in all; 0 while that is not known. Once they are
        equal, the hash is checked.
    error : Exception, optional
        What ended it.
    """

    name: str
    done: int = 0
    total: int = 0
    error: Exception | None = None

    @property
    def is_running(self) -> bool:
        """Whether it waits or is under way."""
        return self.error is None

    @property
    def progress(self) -> str:
        """How far it is, in a few words."""
        if not self.done:
            return "waiting…"
        if self.done == self.total:
            return "checking…"
        done, total = round(self.done / 1e6), round(self.total / 1e6)
        return f"{done} / {total} MB" if self.total else f"{done} MB"

    def steps(self) -> Generator[tuple[int, int]]:
        """Download, in the background."""
        from napari_sam_decoder.weights.registry import download_steps

        yield from download_steps(self.name)


class Downloads(QObject):
    """Downloads models when somebody asks for it.

    Parameters
    ----------
    job_queue : JobQueue
        Has a thread for it.
    parent : QObject
        Takes it along when it is deleted.

    Attributes
    ----------
    by_name : dict of str to ModelDownload
        Those that wait, are under way or have failed, by the names of their models.
    """

    changed = Signal()
    failed = Signal(object)

    def __init__(self, job_queue: JobQueue, parent: QObject) -> None:
        super().__init__(parent)
        self._job_queue = job_queue
        self._jobs: dict[str, Job] = {}
        self.by_name: dict[str, ModelDownload] = {}

    @property
    def is_busy(self) -> bool:
        """Whether any waits or is under way."""
        return bool(self._jobs)

    def start(self, name: str) -> None:
        """Download a model after those that were asked for before.

        Parameters
        ----------
        name : str
            A name in `MODELS`; nothing is done if it is being downloaded.
        """
        if name in self._jobs:
            return
        download = ModelDownload(name)
        take, end = partial(self._take, download), partial(self._end, download)
        self._jobs[name] = Job(download.steps, take, end)
        self.by_name[name] = download
        self._job_queue.download(self._jobs[name])
        self.changed.emit()

    def cancel(self, name: str) -> None:
        """Download a model no further; nothing of it is kept."""
        job = self._jobs.pop(name, None)
        if job is not None:
            job.stop()
            del self.by_name[name]
            self.changed.emit()

    def _take(self, download: ModelDownload, news: tuple[int, int]) -> None:
        download.done, download.total = news
        self.changed.emit()

    def _end(self, download: ModelDownload, error: Exception | None) -> None:
        if self.by_name.get(download.name) is not download:
            # It was cancelled.
            return
        del self._jobs[download.name]
        download.error = error
        if error is None:
            del self.by_name[download.name]
        else:
            self.failed.emit(error)
        self.changed.emit()
