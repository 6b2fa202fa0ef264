"""Correct labels: read them and the corrections from files, write a file."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_sam_decoder.errors import LabelsError, OptionError
from napari_sam_decoder.formats import open_labels, require_target
from napari_sam_decoder.jobs.copy_on_write import CopyOnWriteLabels
from napari_sam_decoder.jobs.inputs import (
    require_background,
    set_paths,
    with_scribbles,
)
from napari_sam_decoder.jobs.outputs import (
    no_progress,
    open_sink,
    require_apart,
    require_folder,
    write_text,
)
from napari_sam_decoder.jobs.project_labels import (
    require_own_output,
    require_project,
    write_labels,
)
from napari_sam_decoder.jobs.project_work import open_work
from napari_sam_decoder.jobs.provenance import Provenance, record_provenance
from napari_sam_decoder.jobs.reports import Report
from napari_sam_decoder.labels import label_dtype, without_objects
from napari_sam_decoder.prompts import Prompt, PromptSet
from napari_sam_decoder.propagation import legs_around
from napari_sam_decoder.validation import as_integer

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence
    from pathlib import Path

    from napari_sam_decoder.jobs.inputs import MovieOptions, ScribbleFile
    from napari_sam_decoder.jobs.outputs import Progress
    from napari_sam_decoder.model.sam import Sam
    from napari_sam_decoder.propagation import FrameResult
    from napari_sam_decoder.session import Session

__all__ = ["CorrectJob", "CorrectResult", "correct_file"]

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
        means that the object is not on the frame.
    prompts : PromptSet, optional
        The prompts that the labels were made from. By default they are read from the
        labels, together with the settings.
    output : Path, optional
        ``.tif`` or ``.zarr``. By default the labels are replaced.
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
    """

    movie: MovieOptions
    labels: Path | None
    corrections: PromptSet
    painted: tuple[ObjectAndFrame, ...] = ()
    prompts: PromptSet | None = None
    output: Path | None = None
    report: Path | None = None
    sources: tuple[Path, ...] = ()
    project: Path | None = None
    scribbles: tuple[ScribbleFile, ...] = ()
    background: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        set_paths(self, optional=("labels", "output", "report", "project"))

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
        if not (self.places or self.scribbles):
            raise OptionError(
                "there is no correction; give --points, --box, --lasso, --scribbles or "
                "--painted"
            )
        self._check_labels()
        drawn = [file.path for file in self.scribbles]
        inputs = [self.movie.path, *self.sources, *drawn]
        outputs = []
        if self.target is not None:
            require_target(self.target.absolute())
            outputs.append(self.target)
            if self.labels is not None and (
                self.target.resolve() != self.labels.resolve()
            ):
                inputs.append(self.labels)
        if self.report is not None:
            require_folder(self.report)
            outputs.append(self.report)
        if self.project is not None:
            outputs.append(self.project)
        require_apart(outputs, inputs)

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

    def provenance(self) -> Provenance:
        """What the labels were made from.

        Raises
        ------
        FormatError, LabelsError
            If the labels have a provenance that cannot be read.
        """
        if self.prompts is not None or self.labels is None:
            return Provenance(self.prompts or PromptSet())
        return Provenance.read_if_noted(self.labels)


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
    job.check()
    if job.project is not None:
        done = _correct_in_project(job, job.project, model, progress)
    elif job.labels is not None:
        done = _correct_labels(job, job.labels, model, progress)
    if job.report is not None:
        write_text(job.report, done.report.to_csv())
    return done


def _correct_in_project(
    job: CorrectJob, path: Path, model: Sam | None, progress: Progress
) -> CorrectResult:
    require_project(path)
    with open_work(path, job.movie, model) as work:
        report = Report(None if job.report is None else work.session.movie)
        job = job.with_prompts_of_files(len(work.cut))
        require_own_output(job.output, work.project, replace=False)
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
        if job.output is not None:
            write_labels(work.project, target.number, target.holder.data, job.output)
    return CorrectResult(report, len(work.cut), known)


def _correct_labels(
    job: CorrectJob, path: Path, model: Sam | None, progress: Progress
) -> CorrectResult:
    noted = job.provenance()
    session, frames = job.movie.with_contrast(noted.contrast).open(
        model, noted.settings
    )
    with session:
        job = job.with_prompts_of_files(len(session.movie))
        labels = _open_writable(path, job.places, session)
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
        made_from = record_provenance(session, job.movie, frames, session.prompts)
        made_from["objects"] = dict(noted.objects)
        _save(job.output or path, labels, session, made_from)
    return CorrectResult(report, len(labels), len(noted.prompts))


def _open_writable(
    path: Path, places: Iterable[ObjectAndFrame], session: Session
) -> CopyOnWriteLabels:
    labels = open_labels(path, session.labels_shape)
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


def _save(
    target: Path,
    labels: CopyOnWriteLabels,
    session: Session,
    made_from: dict[str, Any],
) -> None:
    with open_sink(target, session.movie, labels.dtype) as sink:
        for frame in range(len(labels)):
            sink.write(frame, without_objects(labels[frame], session.background))
        sink.finish(made_from)
