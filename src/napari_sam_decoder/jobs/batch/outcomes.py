"""What became of each movie of a batch."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from napari_sam_decoder.jobs.batch.records import MovieRecord

__all__ = ["BatchResult", "MovieOutcome", "MovieStatus"]


class MovieStatus(StrEnum):
    """How far a movie is."""

    DONE = "done"
    KEPT = "kept"
    FAILED = "failed"
    WAITING = "waiting"


@dataclass(frozen=True)
class MovieOutcome:
    """What became of a movie.

    Attributes
    ----------
    name : str
        Its path within the folder, see `BatchJob`.
    status : MovieStatus
        Done now, kept from before, failed, or still waiting.
    record : MovieRecord, optional
        Of a movie that is done, now or before.
    reason : str
        Why it failed, and what helps; or why it was done again.
    """

    name: str
    status: MovieStatus
    record: MovieRecord | None = None
    reason: str = ""


@dataclass(frozen=True)
class BatchResult:
    """What became of all movies.

    Attributes
    ----------
    movies : tuple of MovieOutcome
        In the order of their names.
    table : Path
        CSV with a row per movie and object.
    page : Path
        The same as a web page, with pictures and plots.
    """

    movies: tuple[MovieOutcome, ...]
    table: Path
    page: Path

    def with_status(self, status: MovieStatus) -> tuple[MovieOutcome, ...]:
        """Return the movies of one status."""
        return tuple(movie for movie in self.movies if movie.status is status)
