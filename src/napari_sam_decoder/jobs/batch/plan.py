"""What a batch has to do, and what became of it so far."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from napari_sam_decoder.errors import (
    FormatError,
    OptionError,
    SamDecoderError,
    first_line,
    one_line,
    wrap_write_errors,
)
from napari_sam_decoder.jobs.batch.movies import find_movies
from napari_sam_decoder.jobs.batch.outcomes import (
    BatchResult,
    MovieOutcome,
    MovieStatus,
)
from napari_sam_decoder.jobs.batch.page import batch_page
from napari_sam_decoder.jobs.batch.points import MoviePoints, PointsSource
from napari_sam_decoder.jobs.batch.records import plain
from napari_sam_decoder.jobs.batch.stamps import stamp
from napari_sam_decoder.jobs.batch.table import batch_table
from napari_sam_decoder.jobs.batch.work import MovieWork
from napari_sam_decoder.jobs.outputs import require_apart, require_folder, write_text
from napari_sam_decoder.jobs.provenance import describe_prompts
from napari_sam_decoder.jobs.segment import SegmentJob
from napari_sam_decoder.validation import as_expanded_path

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from napari_sam_decoder.jobs.batch.job import BatchJob
    from napari_sam_decoder.jobs.batch.movies import FoundMovie
    from napari_sam_decoder.jobs.batch.records import MovieRecord
    from napari_sam_decoder.model.sam import Sam

__all__ = ["Batch", "find_movies_of", "plan_movie"]

_LOG = logging.getLogger(__name__)

LABELS, VERDICTS, RECORDS = "labels", "verdicts", "records"
TABLE = "table.csv"


def find_movies_of(job: BatchJob) -> list[FoundMovie]:
    """Find the movies of a job, and make the folder for its results.

    Raises
    ------
    FormatError, OptionError
        If there are no movies, or the results cannot go where they should.
    """
    found = find_movies(job.movies.path, job.pattern, job.output)
    require_apart([job.output], [movie.path for movie in found])
    records = job.output / RECORDS
    with wrap_write_errors(job.output):
        is_ours = records.is_dir() or not job.output.exists()
        if not is_ours and any(job.output.iterdir()):
            raise FormatError(
                f"{job.output} holds something else than results of a batch; choose a "
                "new folder for the results"
            )
        records.mkdir(parents=True, exist_ok=True)
    require_folder(job.output / TABLE)
    return found


def plan_movie(
    job: BatchJob, movie: FoundMovie, points: PointsSource | None, model: Sam
) -> MovieWork:
    """Describe what is to be done for a movie.

    Parameters
    ----------
    job : BatchJob
        That it belongs to.
    movie : FoundMovie
        One of its movies.
    points : PointsSource, optional
        Where the points are.
    model : Sam
        What it will be segmented with.

    Raises
    ------
    SamDecoderError
        If its points or its file cannot be used.
    """
    found = MoviePoints() if points is None else points.of(movie)
    asked = SegmentJob(
        movie=replace(job.movies, path=movie.path, cache=_cache_of(job, movie)),
        prompts=found.prompts,
        output=job.output / LABELS / f"{movie.name}{job.suffix}",
        replace=True,
        report=job.output / VERDICTS / f"{movie.name}.csv",
        sources=found.sources,
        tables=found.tables,
        settings=job.settings,
        auto=job.auto,
    )
    record = job.output / RECORDS / f"{movie.name}.json"
    return MovieWork(movie.name, asked, record, _made_from(asked, model))


def _cache_of(job: BatchJob, movie: FoundMovie) -> str | Path | None:
    cache = job.movies.cache
    if cache is None or cache == "auto":
        return cache
    folder = as_expanded_path(cache, "cache=", OptionError)
    return folder / f"{movie.name}.zarr"


def _made_from(job: SegmentJob, model: Sam) -> dict[str, Any]:
    movie = job.movie
    # Earlier versions noted nothing of these.
    tables = {"tables": [stamp(one) for one in job.tables]} if job.tables else {}
    return plain(
        {
            "movie": stamp(movie.path),
            "points": describe_prompts(job.prompts),
            "auto": job.auto,
            "frames": (movie.start, movie.stop),
            "reading": movie.reading,
            "contrast": movie.contrast,
            "storage": movie.storage,
            "settings": asdict(job.settings),
            "model": model.identity,
            "decoder": model.decoder,
            **tables,
        }
    )


class Batch:
    """A batch in progress: what is left to do, and what became of each movie.

    Parameters
    ----------
    job : BatchJob
    model : Sam
        What the movies are segmented with.

    Attributes
    ----------
    model : Sam
    todo : list of MovieWork
        What an earlier run has not done, or has done from something else.

    Raises
    ------
    SamDecoderError
        If nothing can be done at all: there are no movies, the table of all points
        cannot be used, or the results cannot be written.
    """

    def __init__(self, job: BatchJob, model: Sam) -> None:
        self._job, self.model = job, model
        self._outcomes: dict[str, MovieOutcome] = {}
        self.todo: list[MovieWork] = []
        self._reasons: dict[str, str] = {}
        found = find_movies_of(job)
        points = None
        if job.points is not None:
            points = PointsSource(job.points, is_needed=not job.auto)
        missing = points.unknown(found) if points is not None else []
        for movie in found:
            self._outcomes[movie.name] = MovieOutcome(movie.name, MovieStatus.WAITING)
            with self.failing(movie.name):
                self._plan(plan_movie(job, movie, points, model))
        for name in missing:
            reason = (
                f"{job.points} has points in it, but {job.movies.path} has no such "
                "movie; check the column movie"
            )
            self._outcomes[name] = MovieOutcome(name, MovieStatus.FAILED, reason=reason)

    def done(self, work: MovieWork, record: MovieRecord) -> None:
        """Note that a movie is done."""
        reason = self._reasons.get(work.name, "")
        outcome = MovieOutcome(work.name, MovieStatus.DONE, record, reason)
        self._outcomes[work.name] = outcome

    @contextmanager
    def failing(self, name: str) -> Iterator[None]:
        """Note any error that is raised inside as the failure of a movie."""
        try:
            yield
        except Exception as error:  # noqa: BLE001 - the other movies go on
            _LOG.debug("%s failed", name, exc_info=True)
            reason = _describe(error)
            self._outcomes[name] = MovieOutcome(name, MovieStatus.FAILED, reason=reason)

    def write(self) -> BatchResult:
        """Write the table and the page of all movies as they are now.

        Raises
        ------
        FormatError
            If they cannot be written.
        """
        movies = tuple(outcome for _, outcome in sorted(self._outcomes.items()))
        folder, source = self._job.output, self._job.movies.path.resolve()
        result = BatchResult(movies, folder / TABLE, folder / "index.html")
        write_text(result.table, batch_table(movies))
        write_text(result.page, batch_page(movies, source.name))
        return result

    def _plan(self, work: MovieWork) -> None:
        earlier = None if self._job.replace else work.earlier()
        if earlier is not None:
            changed = earlier.differences(work.made_from)
            if not changed:
                kept = MovieOutcome(work.name, MovieStatus.KEPT, earlier)
                self._outcomes[work.name] = kept
                return
            work.require_replaceable(earlier)
            self._reasons[work.name] = f"again, with another {', '.join(changed)}"
        self.todo.append(work)


def _describe(error: Exception) -> str:
    """Say in one line why a movie cannot be segmented."""
    if isinstance(error, SamDecoderError):
        return one_line(error)
    if isinstance(error, MemoryError):
        return "there is too little memory; close other programs, and run it again"
    return (
        f"unexpected error: {type(error).__name__}: {first_line(error)}; this is a "
        "bug: please report it with the output of --verbose"
    )
