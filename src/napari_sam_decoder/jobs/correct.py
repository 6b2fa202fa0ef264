"""Correct labels: read them and the corrections from files, write a file.

Labels with more axes than a movie are corrected at one position, or at several.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_sam_decoder.axes import position_name
from napari_sam_decoder.errors import LabelsError, OptionError
from napari_sam_decoder.formats import open_labels, require_target
from napari_sam_decoder.jobs.copy_on_write import CopyOnWriteLabels
from napari_sam_decoder.jobs.inputs import (
    MovieOptions,
    ScribbleFile,
    points_at,
    require_background,
    require_job,
    require_kinds,
    set_integers,
    set_paths,
    set_tuples,
    with_scribbles,
)
from napari_sam_decoder.jobs.outputs import (
    named,
    no_progress,
    open_sink,
    require_apart,
    require_folder,
    require_unused,
    sole_writer,
    write_text,
)
from napari_sam_decoder.jobs.position_labels import (
    as_one_table,
    has_positions,
    write_positions,
)
from napari_sam_decoder.jobs.project_labels import (
    require_own_output,
    require_project,
    write_all_labels,
    write_labels,
)
from napari_sam_decoder.jobs.project_work import open_work
from napari_sam_decoder.jobs.provenance import Provenance, record_provenance
from napari_sam_decoder.jobs.reports import Report
from napari_sam_decoder.jobs.whole_movie import whole_movie
from napari_sam_decoder.labels import label_dtype, without_objects
from napari_sam_decoder.prompts import Prompt, PromptSet
from napari_sam_decoder.propagation import legs_around
from napari_sam_decoder.validation import as_integer

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path
    from typing import Any

    from napari_sam_decoder.frames import Movie
    from napari_sam_decoder.jobs.outputs import Progress
    from napari_sam_decoder.jobs.project_work import ProjectWork
    from napari_sam_decoder.model.sam import Sam
    from napari_sam_decoder.project import LabelsTarget
    from napari_sam_decoder.propagation import FrameResult
    from napari_sam_decoder.session import Session

__all__ = ["CorrectJob", "CorrectResult", "correct_each", "correct_file"]

ObjectAndFrame = tuple[int, int]


@dataclass(frozen=True)
class CorrectJob:
    """Which labels to correct, where they are wrong, and where the result goes.

    Attributes
    ----------
    movie : MovieOptions
        Only the frames that it selects may change.
    labels : Path, optional
        The labels to correct. Left out for a project, which has its own.
    corrections : PromptSet
        New prompts. May be empty if `painted` or `scribbles` is not.
    painted : tuple of (object_id, frame)
        Where the labels were edited by hand. They are taken as correct there; no pixel
        means that the object is not on the frame, and changes no other.
    prompts : PromptSet, optional
        The prompts that the labels were made from. By default they are read from the
        labels, together with the settings.
    output : Path, optional
        ``.tif`` or ``.zarr``. By default the labels are replaced.
    replace : bool
        Whether the output may replace something else than the labels that are
        corrected, or than those of the project.
    report : Path, optional
        ``.csv`` for the verdict and confidence on every recomputed frame.
    sources : tuple of Path
        Files that the prompts were read from. Like the movie, they are never
        overwritten.
    project : Path, optional
        A project whose labels are corrected instead of those in a file.
    scribbles : tuple of ScribbleFile
        More corrections in files, which come behind the points.
    background : tuple of int
        Background objects besides those of the labels, whose masks are not in them:
        these are followed again from their prompts, as far as these are stored.
    tables : tuple of Path
        Tables of points with a column for each axis of the movie's file, or for each
        but its channels. Points at other positions are left out.
    """

    movie: MovieOptions
    labels: Path | None
    corrections: PromptSet
    painted: tuple[ObjectAndFrame, ...] = ()
    prompts: PromptSet | None = None
    output: Path | None = None
    replace: bool = False
    report: Path | None = None
    sources: tuple[Path, ...] = ()
    project: Path | None = None
    scribbles: tuple[ScribbleFile, ...] = ()
    background: tuple[int, ...] = ()
    tables: tuple[Path, ...] = ()

    def __post_init__(self) -> None:
        require_kinds(
            self, movie=MovieOptions, corrections=PromptSet, prompts=PromptSet
        )
        set_paths(
            self,
            optional=("labels", "output", "report", "project"),
            several=("sources", "tables"),
        )
        set_tuples(self, scribbles=ScribbleFile, painted=tuple)
        set_integers(self, "background")

    @property
    def target(self) -> Path | None:
        """Where the corrected labels go; None if only into the project."""
        return self.output or self.labels

    @property
    def places(self) -> list[ObjectAndFrame]:
        """(object_id, frame) of each correction, painted ones first; none of files."""
        clicked = ((prompt.object_id, prompt.frame) for prompt in self.corrections)
        return list(dict.fromkeys([*self.painted, *clicked]))

    def check(self) -> None:
        """Refuse a job without corrections, or one that would destroy a file.

        Raises
        ------
        OptionError, FormatError
            If it is refused.
        """
        for object_id, frame in self.painted:
            as_integer(object_id, "a painted object", OptionError)
            as_integer(frame, "a painted frame", OptionError)
        if not (self.places or self.scribbles or self.tables):
            raise OptionError(
                "there is no correction; give --points, --box, --lasso, --scribbles or "
                "--painted"
            )
        self._check_labels()
        drawn = [file.path for file in self.scribbles]
        inputs = [self.movie.path, *self.sources, *self.tables, *drawn]
        outputs = []
        if self.target is not None:
            require_target(self.target.absolute())
            outputs.append(self.target)
        if self.labels is not None and self._goes_elsewhere:
            inputs.append(self.labels)
        if self.report is not None:
            require_folder(self.report)
            outputs.append(self.report)
        if self.project is not None:
            outputs.append(self.project)
        require_apart(outputs, inputs)
        if self.output is not None and self._goes_elsewhere and not self.replace:
            require_unused(self.output)

    @property
    def _goes_elsewhere(self) -> bool:
        """Whether labels in a file are corrected into another one."""
        return (
            self.output is not None
            and self.labels is not None
            and self.output.resolve() != self.labels.resolve()
        )

    def _check_labels(self) -> None:
        if self.project is None:
            if self.labels is None:
                raise OptionError("there is nothing to correct; give --labels")
        elif self.labels is not None or self.painted or self.prompts is not None:
            raise OptionError(
                "a project has its own labels and prompts; leave --labels, --painted "
                "and --prompts out, and paint in the window"
            )

    def with_prompts_of_files(self, frames: int) -> CorrectJob:
        """Read the scribbles, for a movie of so many frames.

        Raises
        ------
        SamDecoderError
            If one of the files cannot be used.
        """
        corrections = with_scribbles(self.corrections, self.scribbles, frames)
        return replace(self, corrections=corrections, scribbles=())

    def with_points_of_tables(self) -> CorrectJob:
        """Read the tables of points, as far as they are at the position of the movie.

        Raises
        ------
        SamDecoderError
            If one of them, or the movie, cannot be used.
        """
        points = points_at(self.tables, self.movie)
        corrections = PromptSet((*self.corrections, *points))
        return replace(self, corrections=corrections, tables=())

    def provenance(self, at: Mapping[str, int] | None = None) -> Provenance:
        """What the labels were made from.

        Parameters
        ----------
        at : mapping of str to int, optional
            The position in labels of more axes.

        Raises
        ------
        FormatError, LabelsError
            If the labels have a provenance that cannot be read.
        """
        if self.prompts is not None or self.labels is None:
            return Provenance(self.prompts or PromptSet())
        return Provenance.read_if_noted(self.labels, at)


@dataclass(frozen=True, eq=False)
class CorrectResult:
    """What a correction changed.

    Attributes
    ----------
    report : Report
        Covers the recomputed frames only.
    frames : int
        Length of the movie.
    known_prompts : int
        Number of earlier prompts. Each keeps the object fixed on its frame.
    """

    report: Report
    frames: int
    known_prompts: int


def correct_file(
    job: CorrectJob, model: Sam | None = None, progress: Progress = no_progress
) -> CorrectResult:
    """Correct labels in a file, recomputing only the frames concerned.

    Parameters
    ----------
    job : CorrectJob
        Which labels to correct, where they are wrong, and where the result goes.
    model : Sam, optional
        From `load_sam`; by default the bundled model.
    progress : Progress, optional
        Gets one step per recomputed frame. There may be fewer than its total.

    Returns
    -------
    CorrectResult

    Raises
    ------
    SamDecoderError
        If an input cannot be used. The output is then unchanged.
    """
    require_job(job, CorrectJob)
    job.check()
    with sole_writer(job.target):
        if job.project is not None:
            done = _correct_in_project(
                job.with_points_of_tables(), job.project, model, progress
            )
        elif job.labels is not None:
            (done,) = _correct_labels(job, job.labels, model, progress).values()
    if job.report is not None:
        write_text(job.report, done.report.to_csv())
    return done


def correct_each(
    job: CorrectJob, model: Sam | None = None, progress: Progress = no_progress
) -> dict[str, CorrectResult]:
    """Correct labels of more axes at each position where something is corrected.

    Parameters
    ----------
    job : CorrectJob
        Its movie says along which axes. Prompts and files of three axes count at each
        position, points of its tables at theirs.
    model : Sam, optional
        From `load_sam`; by default the bundled model.
    progress : Progress, optional
        As for `correct_file`, for one position after the other.

    Returns
    -------
    dict of str to CorrectResult
        By position, such as "Z=5".

    Raises
    ------
    SamDecoderError
        If an input cannot be used. The output is then unchanged.
    """
    require_job(job, CorrectJob)
    job.check()
    done: dict[str, CorrectResult] = {}
    with sole_writer(job.target):
        if job.project is not None:
            done = _correct_each_in_project(job, job.project, model, progress)
        elif job.labels is not None:
            done = _correct_labels(job, job.labels, model, progress)
    if job.report is not None:
        reports = {name: one.report for name, one in done.items()}
        write_text(job.report, as_one_table(reports))
    return done


def _correct_in_project(
    job: CorrectJob, path: Path, model: Sam | None, progress: Progress
) -> CorrectResult:
    require_project(path)
    with open_work(path, job.movie, model) as work:
        require_own_output(job.output, work.project, replace=job.replace)
        target, result = _correct_here(work, job, progress)
        if job.output is not None:
            write_labels(work.project, target.number, target.holder.data, job.output)
    return result


def _correct_each_in_project(
    job: CorrectJob, path: Path, model: Sam | None, progress: Progress
) -> dict[str, CorrectResult]:
    """Correct each position in a project, all of them or none."""
    require_project(path)
    done: dict[str, CorrectResult] = {}
    works, whole = _works(job), whole_movie(job.movie)
    with open_work(path, job.movie, model) as work:
        require_own_output(job.output, work.project, replace=job.replace)
        for name, one in works.items():
            with work.at(one.movie, whole.cut(job.movie.place_of(one.movie))):
                here = named(progress, name)
                target, done[name] = _correct_here(work, one, here)
        if job.output is not None:
            labels = target.holder.data
            write_all_labels(
                work.project, target.number, labels, whole.axes, job.output
            )
    return done


def _correct_here(
    work: ProjectWork, job: CorrectJob, progress: Progress
) -> tuple[LabelsTarget, CorrectResult]:
    """Correct the movie that is worked on in a project."""
    report = Report(None if job.report is None else work.session.movie)
    job = job.with_prompts_of_files(len(work.cut))
    for prompt in job.corrections:
        prompt.check_inside(work.session.movie)
    _require_within(job.places, work.frames, len(work.cut))
    known = len(work.reading.prompts)
    ids = {*job.corrections.object_ids, *work.object_ids}
    require_background(job.background, ids)
    target = work.target(max(job.corrections.object_ids))
    cause = work.add_prompts(job.corrections, background=job.background)
    found = work.find_corrections(target, job.corrections, work.frames)
    every = PromptSet((*target.prompt_log.without(found), *job.corrections))
    most = _max_steps(job.places, every, work.frames)
    steps = work.correct(target, found, cause)
    for result in progress(steps, total=most, what="correcting"):
        report.add(result.wanted)
    return target, CorrectResult(report, len(work.cut), known)


@dataclass(frozen=True, eq=False)
class _Corrected:
    """Labels that are corrected and not written yet.

    Attributes
    ----------
    movie : Movie
    labels : CopyOnWriteLabels
        Without background objects.
    noted : dict
        Their provenance.
    result : CorrectResult
    """

    movie: Movie
    labels: CopyOnWriteLabels
    noted: dict[str, Any]
    result: CorrectResult


def _correct_labels(
    job: CorrectJob, path: Path, model: Sam | None, progress: Progress
) -> dict[str, CorrectResult]:
    """Correct labels in a file at all positions of the job, by their names."""
    are_several = has_positions(path)
    if job.movie.each and not are_several:
        raise OptionError(
            f"{path} is the labels of one movie; leave --each (in Python each=) out, "
            "and say which movie with --at (at=)"
        )
    works = _works(job)
    done = {}
    for name, work in works.items():
        at = (work.movie.at or {}) if are_several else None
        done[name] = _corrected(work, path, at, model, named(progress, name))
    target = job.output or path
    if are_several:
        parts = [(one.noted, one.labels) for one in done.values()]
        write_positions(path, target, parts)
    else:
        (one,) = done.values()
        with open_sink(target, one.movie, one.labels.dtype) as sink:
            for frame in range(len(one.labels)):
                sink.write(frame, one.labels[frame])
            sink.finish(one.noted)
    return {name: one.result for name, one in done.items()}


def _works(job: CorrectJob) -> dict[str, CorrectJob]:
    """The job at each position where there is something to correct."""
    works = {}
    for movie in job.movie.positions():
        here = replace(job, movie=movie).with_points_of_tables()
        if here.places or here.scribbles:
            works[position_name(job.movie.place_of(movie))] = here
    if not works:
        raise OptionError(
            "there is no correction at this position, or at any; check the points, or "
            "the axes of their table"
        )
    return works


def _corrected(
    job: CorrectJob,
    path: Path,
    at: Mapping[str, int] | None,
    model: Sam | None,
    progress: Progress,
) -> _Corrected:
    movie, _ = job.movie.read()
    noted = job.provenance(None if at is None else movie.position)
    session, frames = job.movie.with_contrast(noted.contrast).open(
        model, noted.settings
    )
    with session:
        job = job.with_prompts_of_files(len(session.movie))
        labels = _open_writable(path, job.places, session, at)
        _require_within(job.places, frames, len(session.movie))
        _restore_prompts(noted.prompts, session)
        session.background = noted.background.union(job.background)
        known = {*noted.prompts.object_ids, *(one for one, _ in job.places)}
        require_background(job.background, known)
        painted = _painted(job, labels, noted.prompts.object_ids)
        # Points after masks: they refine what is painted on the same frame.
        corrections = [*painted, *job.corrections]
        fixed = PromptSet((*session.prompts, *corrections))
        reach = _reach(job.places, fixed, frames)
        _follow_background(session, labels, reach, progress)
        results = session.correct(corrections, labels, frames)
        most = _max_steps(job.places, fixed, frames)
        steps = progress(results, total=most, what="correcting")
        report = Report(None if job.report is None else session.movie)
        _apply(steps, labels, report)
        _leave_out(labels, session.background)
        record = record_provenance(session, job.movie, frames, session.prompts)
        record["objects"] = dict(noted.objects)
    result = CorrectResult(report, len(labels), len(noted.prompts))
    return _Corrected(session.movie, labels, record, result)


def _leave_out(labels: CopyOnWriteLabels, background: frozenset[int]) -> None:
    for frame in range(len(labels)) if background else ():
        labels[frame] = without_objects(labels[frame], background)


def _open_writable(
    path: Path,
    places: Iterable[ObjectAndFrame],
    session: Session,
    at: Mapping[str, int] | None,
) -> CopyOnWriteLabels:
    labels = open_labels(path, session.labels_shape, at)
    highest = max(object_id for object_id, _ in places)
    dtype = np.promote_types(label_dtype(highest), labels.dtype)
    return CopyOnWriteLabels(labels, dtype)


def _require_within(
    places: Iterable[ObjectAndFrame], frames: range, length: int
) -> None:
    for object_id, frame in places:
        if frame in frames:
            continue
        what = f"object {object_id} is corrected on frame {frame}"
        if frame >= length:
            raise OptionError(
                f"{what}, but the movie has frames 0 to {length - 1}; correct it on "
                "one of them"
            )
        raise OptionError(
            f"{what}, outside the frames that may change ({frames.start}:"
            f"{frames.stop}); widen --frames, or correct it on another frame"
        )


def _restore_prompts(prompts: PromptSet, session: Session) -> None:
    """Give a session earlier prompts, also those with negative points only."""
    for prompt in prompts:
        prompt.check_inside(session.movie)
    session.prompts = prompts


def _painted(
    job: CorrectJob, labels: CopyOnWriteLabels, known: tuple[int, ...]
) -> Iterator[Prompt]:
    for object_id, frame in job.painted:
        mask = labels[frame] == object_id
        if not (mask.any() or object_id in known or _holds(labels, object_id)):
            raise LabelsError(
                f"{job.labels} has no object {object_id}, so it was not painted; check "
                "the object id"
            )
        yield Prompt(object_id, frame, mask=mask)


def _holds(labels: CopyOnWriteLabels, object_id: int) -> bool:
    return any((labels[frame] == object_id).any() for frame in range(len(labels)))


def _max_steps(
    places: Sequence[ObjectAndFrame], prompts: PromptSet, frames: range
) -> int:
    legs = [leg for place in places for leg in legs_around(prompts, *place, frames)]
    return len(places) + sum(len(leg.frames) for leg in legs)


def _reach(
    places: Iterable[ObjectAndFrame], prompts: PromptSet, frames: range
) -> set[int]:
    """All frames that corrections may change."""
    legs = [leg for place in places for leg in legs_around(prompts, *place, frames)]
    corrected = {frame for _, frame in places}
    return corrected.union(*(leg.frames for leg in legs))


def _follow_background(
    session: Session,
    labels: CopyOnWriteLabels,
    reach: Collection[int],
    progress: Progress,
) -> None:
    """Give labels the background objects that are not stored in them.

    They are followed from their prompts, together with the other objects, which have
    their masks in the labels wherever they were prompted.
    """
    every = session.prompts
    shown = [
        one for one in every if one.object_id in session.background and one.is_positive
    ]
    if not shown:
        return
    beside = [
        Prompt(one.object_id, one.frame, mask=labels[one.frame] == one.object_id)
        for one in every
        if one.object_id not in session.background
    ]
    ends = {*reach, *(one.frame for one in shown)}
    frames = range(min(ends), max(ends) + 1)
    session.prompts = PromptSet((*shown, *beside))
    try:
        visits = session.plan(frames).visits
        steps = session.propagate(frames)
        for result in progress(steps, total=visits, what="following background"):
            _fill_in(labels, result)
    finally:
        session.prompts = every


def _fill_in(labels: CopyOnWriteLabels, result: FrameResult) -> None:
    """Write the background objects of a result where labels hold nothing else."""
    now = labels[result.frame]
    background = [*result.background]
    is_free = (now == 0) | np.isin(now, background)
    is_background = np.isin(result.labels, background)
    cleared = without_objects(now, background)
    labels[result.frame] = np.where(is_free & is_background, result.labels, cleared)


def _apply(
    results: Iterable[FrameResult], labels: CopyOnWriteLabels, report: Report
) -> None:
    for result in results:
        labels[result.frame] = result.labels
        report.add(result.wanted)
