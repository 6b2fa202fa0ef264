"""One movie of a batch: what is to be done for it, and doing it."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from napari_sam_decoder.errors import LabelsError, wrap_write_errors
from napari_sam_decoder.formats import open_labels
from napari_sam_decoder.jobs.batch.records import (
    MovieRecord,
    read_record,
    write_record,
)
from napari_sam_decoder.jobs.batch.stamps import stamp
from napari_sam_decoder.jobs.batch.summary import draw_pictures, summarise_objects
from napari_sam_decoder.jobs.outputs import no_progress
from napari_sam_decoder.jobs.segment import segment_file

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from napari_sam_decoder.jobs.inputs import MovieOptions
    from napari_sam_decoder.jobs.outputs import Progress
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
        movie, _ = replace(asked, start=0, stop=None).read()
        stop = len(movie) if asked.stop is None else min(asked.stop, len(movie))
        existing = replace(asked, stop=stop)
        existing.read()
        return existing

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
        movie, frames = options.read()
        searched = tuple(frame for frame in self.job.auto if frame < len(movie))
        job = replace(self.job, movie=options, auto=searched or self.job.auto)
        self._make_folders()
        report = segment_file(job, model, progress)
        labels = open_labels(job.output)
        record = MovieRecord(
            made_from=self.made_from,
            labels=stamp(job.output),
            frames=(frames.start, frames.stop),
            seconds=round(time.perf_counter() - started, 1),
            objects=summarise_objects(report),
            pictures=draw_pictures(report, movie, labels, frames),
        )
        write_record(self.record, record)
        return record

    def _make_folders(self) -> None:
        for path in (self.job.output, self.job.report, self.record):
            if path is not None:
                with wrap_write_errors(path):
                    path.parent.mkdir(parents=True, exist_ok=True)
