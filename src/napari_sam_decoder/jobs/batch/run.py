"""Run a batch in this process, one movie after the other."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from napari_sam_decoder.jobs.batch.job import BatchJob
from napari_sam_decoder.jobs.batch.plan import Batch
from napari_sam_decoder.jobs.inputs import require_job
from napari_sam_decoder.jobs.outputs import no_progress

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from napari_sam_decoder.jobs.batch.outcomes import BatchResult
    from napari_sam_decoder.jobs.outputs import Progress
    from napari_sam_decoder.model.sam import Sam

__all__ = ["run_batch"]

T = TypeVar("T")


def run_batch(
    job: BatchJob, model: Sam | None = None, progress: Progress = no_progress
) -> BatchResult:
    """Segment all movies of a folder that are missing in the results.

    A movie that fails does not keep the others from being done. Each is complete in
    itself: stop at any time, and run the same job again to go on.

    Parameters
    ----------
    job : BatchJob
        What to segment, and where the results go.
    model : Sam, optional
        From `load_sam`; by default the bundled model.
    progress : Progress, optional
        Gets one step per movie, and within each those of `segment_file`.

    Returns
    -------
    BatchResult

    Raises
    ------
    SamDecoderError
        If nothing can be done at all: there are no movies, the table of all points
        cannot be used, or the results cannot be written.
    """
    require_job(job, BatchJob)
    batch = Batch(job, model or _bundled_model())
    try:
        for work in progress(batch.todo, total=len(batch.todo), what="movies"):
            within = _within(work.name, progress)
            with batch.failing(work.name):
                batch.done(work, work.segment(batch.model, within))
    finally:
        # When it is stopped, too: what is done so far can be looked at.
        result = batch.write()
    return result


def _within(name: str, progress: Progress) -> Progress:
    def named(steps: Iterable[T], *, total: int, what: str) -> Iterator[T]:
        yield from progress(steps, total=total, what=f"{name}: {what}")

    return named


def _bundled_model() -> Sam:
    from napari_sam_decoder.weights.registry import load_sam

    return load_sam()
