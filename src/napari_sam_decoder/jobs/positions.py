"""Segment a file of more axes: at each position of some axes a movie of its own."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_sam_decoder.axes import position_name
from napari_sam_decoder.errors import OptionError, PromptError
from napari_sam_decoder.formats import read_provenance
from napari_sam_decoder.jobs.automatic import highest_id, require_search_frames
from napari_sam_decoder.jobs.inputs import require_background, require_job
from napari_sam_decoder.jobs.outputs import (
    named,
    no_progress,
    open_sink,
    sole_writer,
    write_text,
)
from napari_sam_decoder.jobs.position_labels import BY_POSITION, as_one_table
from napari_sam_decoder.jobs.project_labels import (
    require_own_output,
    write_all_labels,
)
from napari_sam_decoder.jobs.project_work import open_work
from napari_sam_decoder.jobs.provenance import describe_parents, record_provenance
from napari_sam_decoder.jobs.reports import Report
from napari_sam_decoder.jobs.segment import (
    Segmentation,
    SegmentJob,
    add_prompts,
    existing_labels,
    require_new,
    segment_in,
)
from napari_sam_decoder.jobs.whole_movie import whole_movie
from napari_sam_decoder.labels import label_dtype
from napari_sam_decoder.propagation import Direction, plan

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from napari_sam_decoder.formats import LabelSink
    from napari_sam_decoder.frames import ArrayLike
    from napari_sam_decoder.jobs.outputs import Progress
    from napari_sam_decoder.model.sam import Sam

__all__ = ["segment_each"]


def segment_each(
    job: SegmentJob, model: Sam | None = None, progress: Progress = no_progress
) -> dict[str, Report]:
    """Segment the movie at each position, and write labels with all of these axes.

    Parameters
    ----------
    job : SegmentJob
        Its movie says along which axes. Prompts and files of three axes count at each
        position, points of its tables at theirs. Positions without any stay empty.
    model : Sam, optional
        From `load_sam`; by default the bundled model.
    progress : Progress, optional
        As for `segment_file`, for one position after the other.

    Returns
    -------
    dict of str to Report
        By position, such as "Z=5".

    Raises
    ------
    SamDecoderError
        If an input cannot be used. The output is then unchanged.
    """
    require_job(job, SegmentJob)
    job.check()
    if job.objects:
        raise OptionError(
            "--objects (in Python objects=) chooses among the objects of one movie: "
            "take one position with --at (at=), or leave it out"
        )
    with sole_writer(job.output):
        works = _prepare(job)
        if job.project is not None:
            reports = _write_in_project(job, job.project, works, model, progress)
        else:
            reports = _write(job, works, model, progress)
    if job.report is not None:
        write_text(job.report, as_one_table(reports))
    return reports


@dataclass(frozen=True, eq=False)
class _Work:
    """What is to be done at a position.

    Attributes
    ----------
    job : SegmentJob
        With the movie there, and the prompts.
    place : dict of str to int
        The position along the axes of the run.
    existing : array-like, optional
        Labels that were there before.
    """

    job: SegmentJob
    place: Mapping[str, int]
    existing: ArrayLike | None

    @property
    def is_empty(self) -> bool:
        """Whether nothing is shown there, and nothing looked for."""
        return not (self.job.prompts or self.job.masks or self.job.auto)


def _prepare(job: SegmentJob) -> list[_Work]:
    """Read and check all prompts before any long work."""
    asked = job.movie
    movies = asked.positions()
    movie, frames = movies[0].read()
    require_search_frames(job.auto, frames)
    job = job.with_prompts_of_files(len(movie))
    shape = (len(movie), *movie.frame_shape)
    works = []
    for one in movies:
        here = replace(job, movie=one).with_prompts_of_tables()
        for prompt in here.prompts:
            prompt.check(movie)
        if here.prompts:
            plan(here.prompts, frames, Direction.BOTH, None)
        place = asked.place_of(one)
        existing = None
        if job.project is None:
            existing = existing_labels(here, here.prompts.object_ids, shape, place)
        works.append(_Work(here, place, existing))
    if all(work.is_empty for work in works):
        raise PromptError(
            "there is no prompt at any position; check the points, or the axes of "
            "their table"
        )
    ids = {key for work in works for key in work.job.prompts.object_ids}
    if not job.masks:
        require_background(job.background, ids)
    return works


def _write(
    job: SegmentJob, works: Sequence[_Work], model: Sam | None, progress: Progress
) -> dict[str, Report]:
    movie, _ = works[0].job.movie.read()
    each = {letter: works[-1].place[letter] + 1 for letter in works[0].place}
    reports: dict[str, Report] = {}
    notes: list[dict[str, Any]] = []
    with open_sink(job.output, movie, _dtype(works), each) as sink:
        highest = _highest_known_id(works) if job.auto else 0
        for work in works:
            name = position_name(work.place)
            if work.is_empty:
                _keep(work, sink)
                continue
            noted, reports[name], model = _segment(
                work, sink, model, named(progress, name), highest
            )
            if job.auto:
                # What is found at the next position is something else.
                highest = max(highest, highest_id(sink.at(work.place)))
            notes.append(noted)
        has_kept = any(work.existing is not None for work in works)
        earlier = read_provenance(job.output) if has_kept else {}
        sink.finish(_joined(notes, earlier, job, sink))
    return reports


def _highest_known_id(works: Iterable[_Work]) -> int:
    """Return the highest id that is prompted or in labels, at whichever position."""
    ids = [key for work in works for key in work.job.prompts.object_ids]
    there = (work.existing for work in works if work.existing is not None)
    return max([*ids, *map(highest_id, there)], default=0)


def _write_in_project(
    job: SegmentJob,
    path: Path,
    works: Sequence[_Work],
    model: Sam | None,
    progress: Progress,
) -> dict[str, Report]:
    """Segment each position in a project, all of them or none."""
    reports: dict[str, Report] = {}
    whole = whole_movie(job.movie)
    ids = {key for one in works for key in one.job.prompts.object_ids}
    with open_work(path, job.movie, model, job.settings) as work:
        require_new(job, ids, work)
        require_own_output(job.output, work.project, replace=job.replace)
        # What is replaced goes from all positions at once.
        left = tuple(sorted(ids))
        for one in [one for one in works if not one.is_empty]:
            name = position_name(one.place)
            with work.at(one.job.movie, whole.cut(one.place)):
                here = named(progress, name)
                target, reports[name] = segment_in(work, one.job, max(ids), left, here)
            left = ()
        labels = target.holder.data
        write_all_labels(work.project, target.number, labels, whole.axes, job.output)
    return reports


def _segment(
    work: _Work, sink: LabelSink, model: Sam | None, progress: Progress, above: int
) -> tuple[dict[str, Any], Report, Sam]:
    job = work.job
    session, frames = job.movie.open(model, job.settings)
    with session:
        add_prompts(job, session)
        shown, visits = None, 0
        if session.prompts:
            shown = session.propagate(frames, labels=work.existing)
            visits = session.plan(frames).visits
        report = Report(None if job.report is None else session.movie)
        part = sink.at(work.place)
        segmentation = Segmentation(session, frames, part, report, progress)
        segmentation.carry_out(work.existing, shown, visits, job.auto, above)
        noted = record_provenance(session, job.movie, frames, session.prompts)
        noted["objects"] = describe_parents(segmentation.parents)
        return noted, report, session.model


def _keep(work: _Work, sink: LabelSink) -> None:
    if work.existing is not None:
        part = sink.at(work.place)
        for frame in range(len(part)):
            part.write(frame, np.asarray(work.existing[frame]))


def _dtype(works: Iterable[_Work]) -> np.dtype:
    ids = (key for work in works for key in work.job.prompts.object_ids)
    own = label_dtype(max(ids, default=0))
    there = (work.existing.dtype for work in works if work.existing is not None)
    return np.result_type(own, *there)


def _joined(
    notes: Sequence[Mapping[str, Any]],
    earlier: Mapping[str, Any],
    job: SegmentJob,
    sink: LabelSink,
) -> dict[str, Any]:
    """Join what is noted of each position, and what was noted before."""
    common = {key: value for key, value in notes[0].items() if key not in BY_POSITION}
    source = job.movie.positions()[0].source()
    kept = [dict(one) for one in earlier.get("positions", ())]
    for note in notes:
        now = {key: note[key] for key in BY_POSITION}
        for one in [one for one in kept if one.get("at") == now["at"]]:
            now["prompts"] = [*one["prompts"], *now["prompts"]]
            kept.remove(one)
        kept.append(now)
    return {
        **common,
        "axes": sink.axes,
        "scale": [source.sizes.get(letter, 1.0) for letter in sink.axes]
        if source.sizes
        else None,
        "positions": kept,
        "objects": {
            key: one
            for note in (earlier, *notes)
            for key, one in note.get("objects", {}).items()
        },
        "background": sorted({*job.background, *earlier.get("background", ())}),
    }
