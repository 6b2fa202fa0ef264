"""Run a batch on the workers of dask.distributed."""

from __future__ import annotations

import os
import time
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from napari_sam_decoder.errors import (
    ClusterError,
    MissingExtraError,
    OptionError,
    first_line,
)
from napari_sam_decoder.jobs.batch.job import BatchJob
from napari_sam_decoder.jobs.batch.on_worker import (
    Network,
    embed_part,
    segment_movie,
)
from napari_sam_decoder.jobs.batch.plan import Batch
from napari_sam_decoder.jobs.batch.replacement import Replacement
from napari_sam_decoder.jobs.inputs import require_job
from napari_sam_decoder.jobs.outputs import no_progress

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from distributed import Client, Future

    from napari_sam_decoder.jobs.batch.outcomes import BatchResult
    from napari_sam_decoder.jobs.batch.work import MovieWork
    from napari_sam_decoder.jobs.inputs import MovieOptions
    from napari_sam_decoder.jobs.outputs import Progress
    from napari_sam_decoder.model.sam import Sam

__all__ = ["connect", "local_workers", "run_batch_on"]

FRAMES_PER_TASK = 32
"""A task that is lost with its worker goes on from the frames that are in the cache, so
this only has to be much longer than opening a movie takes."""

_LOST_WORKERS = 20
"""How many workers may be lost with a task before it is given up."""

_COMING_BACK = "1 day"
"""For how long dask waits for a worker that it starts again. By its own 15 s it closes
those that take longer on a busy machine; `Replacement` has more patience."""

_CONNECTING_S = 20
_LOOKING_S = 0.1


@contextmanager
def connect(address: str) -> Iterator[Client]:
    """Connect to a scheduler of dask.distributed.

    Parameters
    ----------
    address : str
        Such as ``tcp://10.0.0.1:8786``, or the path of a scheduler file (``.json``).

    Raises
    ------
    ClusterError
        If there is no scheduler.
    MissingExtraError
        If dask.distributed is not installed.
    """
    distributed = _distributed()
    where: dict[str, Any] = {"address": address}
    if address.endswith(".json"):
        where = {"scheduler_file": address}
    try:
        client = distributed.Client(**where, timeout=_CONNECTING_S)
    except (OSError, ValueError, TypeError) as error:
        raise ClusterError(
            f"there is no scheduler at {address} ({first_line(error)}); check the "
            "address, or start it with `dask scheduler`"
        ) from error
    with client:
        yield client


@contextmanager
def local_workers(count: int) -> Iterator[Client]:
    """Start workers on this machine, which share its cores.

    Parameters
    ----------
    count : int
        How many.

    Raises
    ------
    ClusterError
        If they cannot be started.
    MissingExtraError
        If dask.distributed is not installed.
    """
    distributed = _distributed()
    import dask

    threads = str(max(1, (os.cpu_count() or 1) // count))
    before_start = "distributed.nanny.pre-spawn-environ"
    settings = {
        "distributed.scheduler.allowed-failures": _LOST_WORKERS,
        "distributed.deploy.lost-worker-timeout": _COMING_BACK,
        f"{before_start}.OMP_NUM_THREADS": threads,
        f"{before_start}.MKL_NUM_THREADS": threads,
    }
    with dask.config.set(settings):
        try:
            cluster = distributed.LocalCluster(
                n_workers=count, threads_per_worker=1, dashboard_address=":0"
            )
        except (OSError, RuntimeError) as error:
            raise ClusterError(
                f"{count} workers cannot be started ({first_line(error)}); try fewer"
            ) from error
        with cluster, distributed.Client(cluster) as client:
            yield client


def run_batch_on(
    client: Client,
    job: BatchJob,
    load_model: Callable[[], Sam],
    progress: Progress = no_progress,
) -> BatchResult:
    """Segment all movies of a folder on the workers of a cluster.

    The frames of all movies are embedded in parts side by side, straight into the
    caches; then each movie is segmented by one worker. A worker that is lost costs no
    more than the frames, or the movie, that it was working on. Movies, caches and
    results must be at the same paths on all machines.

    Parameters
    ----------
    client : distributed.Client
        Connected to a scheduler.
    job : BatchJob
        What to segment, and where the results go.
    load_model : callable
        Loads the network, here and once on each worker, such as `load_sam`.
    progress : Progress, optional
        Gets one step per task: for each part of the frames of a movie, then for the
        movie.

    Returns
    -------
    BatchResult
        The same as from `run_batch`.

    Raises
    ------
    ClusterError
        If the scheduler is lost, or worker after worker of this machine. What is done
        is kept, and another run goes on.
    SamDecoderError
        As `run_batch`.
    """
    require_job(job, BatchJob)
    if job.movies.cache is None:
        raise OptionError(
            "workers hand embeddings on in a cache; leave --cache none (in Python "
            "cache=None) out"
        )
    model = load_model()
    batch = Batch(job, model)
    try:
        tasks = _Tasks(client, batch, Network(load_model, model.identity))
        for work in list(batch.todo):
            with batch.failing(work.name):
                tasks.add(work)
        for _ in progress(tasks.finished(), total=tasks.total, what="tasks"):
            pass
    finally:
        result = batch.write()
    return result


@dataclass
class _Embedding:
    """A movie that is being embedded."""

    work: MovieWork
    parts: int
    has_failed: bool = False


class _Tasks:
    """The tasks of a batch on a cluster.

    Parameters
    ----------
    client : distributed.Client
        Runs the tasks.
    batch : Batch
        Takes what becomes of the movies.
    network : Network
        What the workers use.
    """

    def __init__(self, client: Client, batch: Batch, network: Network) -> None:
        from distributed import LocalCluster, as_completed

        self._client, self._batch, self._network = client, batch, network
        self._futures = as_completed()
        is_here = isinstance(client.cluster, LocalCluster)
        self._replacement = Replacement(client.cluster if is_here else None)
        self._embedding: dict[str, tuple[_Embedding, MovieOptions]] = {}
        self._segmenting: dict[str, MovieWork] = {}
        self.total = 0

    def add(self, work: MovieWork) -> None:
        """Submit the tasks that embed a movie, or one that does it all.

        Raises
        ------
        SamDecoderError
            If the movie or its cache cannot be opened.
        """
        if work.job.movie.each:
            # Each position has a cache of its own: one worker does it all.
            self._segment(work)
            self.total += 1
            return
        session, frames = work.existing_part().open(self._batch.model)
        with session:
            cache = session.cache_path
        movie = replace(work.job.movie, cache=cache)
        work = replace(work, job=replace(work.job, movie=movie))
        starts = frames[::FRAMES_PER_TASK]
        state = _Embedding(work, len(starts))
        for start in starts:
            stop = min(start + FRAMES_PER_TASK, frames.stop)
            part = replace(movie, start=start, stop=stop)
            key = self._submit(embed_part, part)
            self._embedding[key] = state, part
        self.total += len(starts) + 1

    def finished(self) -> Iterator[None]:
        """Wait for all tasks, and submit those that can follow; yields after each."""
        for future in self._completed():
            # Nobody but a scheduler that has gone cancels them.
            if future.cancelled():
                raise _lost_scheduler()
            if future.key in self._embedding:
                self._after_embedding(future)
            else:
                self._after_segmenting(future)
            self._replacement.note_progress()
            yield

    def _completed(self) -> Iterator[Future]:
        """Yield tasks as they are finished; look after the workers meanwhile."""
        while not self._futures.is_empty():
            if self._futures.has_ready():
                yield next(self._futures)
            else:
                time.sleep(_LOOKING_S)
                self._replacement.look()

    def _after_embedding(self, future: Future) -> None:
        state, part = self._embedding.pop(future.key)
        state.parts -= 1
        what = f"embedding frames {part.start} to {(part.stop or 0) - 1}"
        state.has_failed |= not self._succeeds(state.work, future, what)
        if not state.parts and not state.has_failed:
            # Before the frames of other movies, so that this one is done soon.
            self._segment(state.work, priority=1)

    def _segment(self, work: MovieWork, priority: int = 0) -> None:
        key = self._submit(segment_movie, work, priority=priority)
        self._segmenting[key] = work

    def _after_segmenting(self, future: Future) -> None:
        work = self._segmenting.pop(future.key)
        if self._succeeds(work, future, "segmenting"):
            self._batch.done(work, future.result())

    def _succeeds(self, work: MovieWork, future: Future, what: str) -> bool:
        """Whether a task was done; if not, its movie has failed."""
        from distributed import KilledWorker

        done = False
        with self._batch.failing(work.name):
            try:
                future.result()
                done = True
            except KilledWorker as error:
                raise ClusterError(
                    f"{work.name}: worker after worker was lost while {what}; most "
                    "often memory runs out: use fewer workers on a machine, and run "
                    "it again to go on from there"
                ) from error
        return done

    def _submit(
        self, task: Callable[..., Any], asked: object, priority: int = 0
    ) -> str:
        future = self._client.submit(
            task, self._network, asked, pure=False, priority=priority
        )
        self._futures.add(future)
        return str(future.key)


def _lost_scheduler() -> ClusterError:
    return ClusterError(
        "the scheduler was lost; start it again, and run the same command: it goes on "
        "from what is done"
    )


def _distributed() -> Any:
    try:
        import distributed
    except ImportError as error:
        raise MissingExtraError(
            "a cluster needs dask.distributed: pip install "
            "'napari-sam-decoder[cluster]'"
        ) from error
    return distributed
