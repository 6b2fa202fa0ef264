"""The table of a batch: a row per movie and object."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from napari_sam_decoder.jobs.batch.outcomes import MovieOutcome

__all__ = ["COLUMNS", "batch_table"]

COLUMNS = (
    *("movie", "status", "object_id", "frames", "doubtful_frames", "absent_frames"),
    *("mean_confidence", "lowest_confidence", "movie_seconds", "reason"),
)


def batch_table(movies: Iterable[MovieOutcome]) -> str:
    """Return the table as CSV, with a header; a movie without objects has one row."""
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(COLUMNS)
    for movie in movies:
        writer.writerows(_rows(movie))
    return table.getvalue()


def _rows(movie: MovieOutcome) -> Iterator[list[object]]:
    record = movie.record
    said = [movie.name, movie.status.value]
    seconds = "" if record is None else f"{record.seconds:.1f}"
    if record is None or not record.objects:
        yield [*said, *[""] * 6, seconds, movie.reason]
        return
    for one in record.objects:
        counts = [one.object_id, one.frames, one.doubtful, one.absent]
        sure = [_number(one.mean_confidence), _number(one.lowest_confidence)]
        yield [*said, *counts, *sure, seconds, movie.reason]


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"
