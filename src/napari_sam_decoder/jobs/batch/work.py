"""One movie of a batch: what is to be done for it, and doing it."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from napari_sam_decoder.axes import position_name
from napari_sam_decoder.errors import LabelsError, wrap_write_errors
from napari_sam_decoder.formats import open_labels
from napari_sam_decoder.jobs.batch.records import (
    MovieRecord,
    read_record,
    write_record,
)
from napari_sam_decoder.jobs.batch.stamps import stamp
from napari_sam_decoder.jobs.batch.summary import (
    count_doubtful,
    draw_pictures,
    summarise_objects,
)
from napari_sam_decoder.jobs.outputs import no_progress
from napari_sam_decoder.jobs.positions import segment_each
from napari_sam_decoder.jobs.segment import segment_file

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from napari_sam_decoder.jobs.batch.records import Picture
    from napari_sam_decoder.jobs.inputs import MovieOptions
    from napari_sam_decoder.jobs.outputs import Progress
    from napari_sam_decoder.jobs.reports import Report
    from napari_sam_decoder.jobs.segment import SegmentJob
    from napari_sam_decoder.model.sam import Sam

__all__ = ["MovieWork"]


@dataclass(frozen=True)
class MovieWork:
    """What is to be done for a movie of a batch; can be sent to another process.

    Attributes
    ----------
    name : str
    job : SegmentJob
        May ask for more frames than the movie has.
    record : Path
        Where its record goes.
    made_from : mapping of str to value
        All that the labels depend on, as plain values.
    """

    name: str
    job: SegmentJob
    record: Path
    made_from: Mapping[str, Any]

    def earlier(self) -> MovieRecord | None:
        """Return the record of an earlier run, if it is still good for anything.

        Raises
        ------
        FormatError
            If it cannot be read.
        """
        return read_record(self.record) if self.job.output.exists() else None

    def require_replaceable(self, earlier: MovieRecord) -> None:
        """Refuse to make labels again that somebody has changed since.

        Raises
        ------
        LabelsError
            If they are not as the earlier run wrote them.
        """
        if stamp(self.job.output) != earlier.labels:
            changed = ", ".join(earlier.differences(self.made_from))
            raise LabelsError(
                f"{self.job.output} was changed since it was written, but would be "
                f"made again, with another {changed}; move it to keep it, or --replace "
                "(in Python replace=True) to start over"
            )

    def existing_part(self) -> MovieOptions:
        """Return the movie with the frames that are asked for and exist.

        Raises
        ------
        OptionError
            If it has none of them.
        SamDecoderError
            If it cannot be read.
        """
        asked = self.job.movie
        first, *_ = asked.positions()
        movie, _ = replace(first, start=0, stop=None).read()
        stop = len(movie) if asked.stop is None else min(asked.stop, len(movie))
        replace(first, stop=stop).read()
        return replace(asked, stop=stop)

    def segment(self, model: Sam, progress: Progress = no_progress) -> MovieRecord:
        """Segment the movie, and write labels, verdicts and, at last, the record.

        Parameters
        ----------
        model : Sam
            From `load_sam`.
        progress : Progress, optional
            Gets one step per frame for embedding, then for propagation.

        Raises
        ------
        SamDecoderError
            If an input cannot be used or the disk cannot be written. Earlier labels
            are then unchanged.
        """
        started = time.perf_counter()
        options = self.existing_part()
        first, *_ = options.positions()
        movie, frames = first.read()
        searched = tuple(frame for frame in self.job.auto if frame < len(movie))
        job = replace(self.job, movie=options, auto=searched or self.job.auto)
        self._make_folders()
        if options.each:
            reports = segment_each(job, model, progress)
        else:
            reports = {"": segment_file(job, model, progress)}
        record = MovieRecord(
            made_from=self.made_from,
            labels=stamp(job.output),
            frames=(frames.start, frames.stop),
            seconds=round(time.perf_counter() - started, 1),
            objects=summarise_objects(reports.values()),
            pictures=self._pictures(options, reports),
        )
        write_record(self.record, record)
        return record

    def _pictures(
        self, options: MovieOptions, reports: Mapping[str, Report]
    ) -> tuple[Picture, ...]:
        """Draw the movie, or that position of it where most is doubtful."""
        name = max(reports, key=lambda one: count_doubtful(reports[one]))
        here = next(
            one
            for one in options.positions()
            if position_name(options.place_of(one)) == name
        )
        movie, frames = here.read()
        labels = open_labels(self.job.output, at=options.place_of(here) or None)
        return draw_pictures(reports[name], movie, labels, frames, name)

    def _make_folders(self) -> None:
        for path in (self.job.output, self.job.report, self.record):
            if path is not None:
                with wrap_write_errors(path):
                    path.parent.mkdir(parents=True, exist_ok=True)
