"""Segment a movie: read it and the prompts from files, write labels to a file."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_sam_decoder.atomic_files import restore_interrupted
from napari_sam_decoder.errors import FormatError, LabelsError, OptionError
from napari_sam_decoder.formats import open_labels, read_provenance, require_target
from napari_sam_decoder.jobs.automatic import (
    found_prompts,
    highest_id,
    require_search_frames,
)
from napari_sam_decoder.jobs.copy_on_write import CopyOnWriteLabels
from napari_sam_decoder.jobs.embed import embed_frames
from napari_sam_decoder.jobs.inputs import (
    MaskFile,
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
    no_progress,
    open_sink,
    require_apart,
    require_folder,
    sole_writer,
    write_text,
)
from napari_sam_decoder.jobs.project_labels import require_own_output, write_labels
from napari_sam_decoder.jobs.project_work import open_work
from napari_sam_decoder.jobs.provenance import describe_parents, record_provenance
from napari_sam_decoder.jobs.reports import Report
from napari_sam_decoder.labels import label_dtype
from napari_sam_decoder.project import RunRequest
from napari_sam_decoder.prompts import Prompt, PromptSet
from napari_sam_decoder.propagation import Direction, Settings
from napari_sam_decoder.propagation.division import mothers
from napari_sam_decoder.wording import listed

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping
    from pathlib import Path

    from napari_sam_decoder.formats import LabelSink, SinkCut
    from napari_sam_decoder.frames import ArrayLike
    from napari_sam_decoder.jobs.outputs import Progress
    from napari_sam_decoder.jobs.project_work import ProjectWork
    from napari_sam_decoder.model.sam import Sam
    from napari_sam_decoder.project import LabelsTarget
    from napari_sam_decoder.prompts import PaintedMask
    from napari_sam_decoder.propagation import FrameResult
    from napari_sam_decoder.session import Session

__all__ = [
    "SegmentJob",
    "Segmentation",
    "add_prompts",
    "existing_labels",
    "require_new",
    "segment_file",
    "segment_in",
    "with_earlier",
]


@dataclass(frozen=True)
class SegmentJob:
    """What to segment, and where the labels go.

    Attributes
    ----------
    movie : MovieOptions
    prompts : PromptSet
        May be empty if there are scribbles or masks.
    output : Path
        ``.tif`` or ``.zarr``. Objects that it already holds are kept.
    replace : bool
        Whether to start over instead.
    report : Path, optional
        ``.csv`` for the verdict and confidence of each object on each frame.
    sources : tuple of Path
        Files that the prompts were read from. Like the movie, they are never
        overwritten.
    masks : tuple of MaskFile
        Painted objects. Each object is painted in one file only on a given frame;
        prompts on the same frame refine it.
    settings : Settings
        How objects are followed.
    project : Path, optional
        A project file, which is continued, or made if there is none. The output then
        has all its labels; masks cannot be used.
    scribbles : tuple of ScribbleFile
        More prompts in files, which come behind the points.
    background : tuple of int
        Background objects: prompted and followed like all others, so that these do not
        take their pixels, but neither in the output nor in the report.
    auto : tuple of int
        Frames on which objects are looked for, one after the other: what is not in the
        labels yet gets an id of its own, and is carried through the movie before the
        next frame is searched. An object that seems to divide ends there, and its
        daughters are carried on. Not with a project.
    objects : tuple of int
        Which of the prompted objects are followed; all by default. On their frames
        prompts of the others count as background. Neither with a project nor with
        ``auto``.
    tables : tuple of Path
        Tables of points with a column for each axis of the movie's file, or for each
        but its channels. Points at other positions are left out.
    """

    movie: MovieOptions
    prompts: PromptSet
    output: Path
    replace: bool = False
    report: Path | None = None
    sources: tuple[Path, ...] = ()
    masks: tuple[MaskFile, ...] = ()
    settings: Settings = field(default_factory=Settings)
    project: Path | None = None
    scribbles: tuple[ScribbleFile, ...] = ()
    background: tuple[int, ...] = ()
    auto: tuple[int, ...] = ()
    objects: tuple[int, ...] = ()
    tables: tuple[Path, ...] = ()

    def __post_init__(self) -> None:
        require_kinds(self, movie=MovieOptions, prompts=PromptSet, settings=Settings)
        optional, several = ("report", "project"), ("sources", "tables")
        set_paths(self, "output", optional=optional, several=several)
        set_tuples(self, masks=MaskFile, scribbles=ScribbleFile)
        set_integers(self, "background", "auto", "objects")

    def check(self) -> None:
        """Refuse outputs that cannot be written, or would destroy a file.

        Raises
        ------
        OptionError, FormatError
            If one is refused.
        """
        require_target(self.output.absolute())
        outputs = [self.output]
        if self.report is not None:
            require_folder(self.report)
            outputs.append(self.report)
        if self.project is not None:
            require_folder(self.project)
            outputs.append(self.project)
            if self.auto:
                raise OptionError(
                    "objects that are looked for cannot go into a project; look for "
                    "them in the window, or leave the project out"
                )
            if self.masks:
                raise OptionError(
                    "masks cannot go into a project; paint the objects in the window, "
                    "or leave the project out"
                )
        if self.objects and (self.auto or self.project is not None):
            raise OptionError(
                "--objects (in Python objects=) chooses among prompts, so it goes "
                "neither with a project nor with looking for objects; leave one out"
            )
        painted = [masks.path for masks in self.masks]
        drawn = [scribbles.path for scribbles in self.scribbles]
        inputs = [self.movie.path, *self.sources, *self.tables, *painted, *drawn]
        require_apart(outputs, inputs)

    def chosen(self, known: tuple[int, ...]) -> tuple[int, ...]:
        """Return the objects to follow, of those that have prompts.

        Raises
        ------
        OptionError
            If one is asked for that has none.
        """
        missing = sorted(set(self.objects) - set(known))
        if missing:
            raise OptionError(
                f"there are no prompts of {listed('object', missing)}; check the ids, "
                "or show where the objects are"
            )
        return tuple(sorted(set(self.objects))) or known

    def with_prompts_of_files(self, frames: int) -> SegmentJob:
        """Read the scribbles, for a movie of so many frames.

        Raises
        ------
        SamDecoderError
            If one of the files cannot be used.
        """
        prompts = with_scribbles(self.prompts, self.scribbles, frames)
        return replace(self, prompts=prompts, scribbles=())

    def with_prompts_of_tables(self) -> SegmentJob:
        """Read the tables of points, as far as they are at the position of the movie.

        Raises
        ------
        SamDecoderError
            If one of them, or the movie, cannot be used.
        """
        prompts = PromptSet((*self.prompts, *points_at(self.tables, self.movie)))
        return replace(self, prompts=prompts, tables=())


def segment_file(
    job: SegmentJob, model: Sam | None = None, progress: Progress = no_progress
) -> Report:
    """Segment a movie from prompts, and write labels for all its frames.

    Parameters
    ----------
    job : SegmentJob
        What to segment, and where the labels go.
    model : Sam, optional
        From `load_sam`; by default the bundled model.
    progress : Progress, optional
        Gets one step per frame for embedding, then for propagation.

    Returns
    -------
    Report

    Raises
    ------
    SamDecoderError
        If an input cannot be used. The output is then unchanged.
    """
    require_job(job, SegmentJob)
    job.check()
    with sole_writer(job.output):
        report = _segment(job.with_prompts_of_tables(), model, progress)
    if job.report is not None:
        write_text(job.report, report.to_csv())
    return report


def _segment(job: SegmentJob, model: Sam | None, progress: Progress) -> Report:
    if job.project is not None:
        return _segment_in_project(job, job.project, model, progress)
    session, frames = job.movie.open(model, job.settings)
    with session:
        job = job.with_prompts_of_files(len(session.movie))
        add_prompts(job, session)
        require_background(job.background, session.prompts.object_ids)
        require_search_frames(job.auto, frames)
        chosen = job.chosen(session.prompts.object_ids)
        existing = existing_labels(job, chosen, session.labels_shape)
        # Propagation is lazy, but checks the prompts now, before any long work.
        shown = None
        if session.prompts or not job.auto:
            shown = session.propagate(frames, labels=existing, objects=chosen or None)
        dtype = session.labels_dtype if existing is None else existing.dtype
        with open_sink(job.output, session.movie, dtype) as sink:
            report = Report(None if job.report is None else session.movie)
            work = Segmentation(session, frames, sink, report, progress)
            visits = session.plan(frames, objects=chosen or None).visits if shown else 0
            work.carry_out(existing, shown, visits, job.auto)
            # Of objects that are not followed nothing is in the labels.
            followed = job.objects or session.prompts.object_ids
            made_from = (one for one in session.prompts if one.object_id in followed)
            noted = record_provenance(session, job.movie, frames, made_from)
            noted["objects"] = describe_parents(work.parents)
            sink.finish(with_earlier(noted, job.output, existing))
    return report


class Segmentation:
    """Carries objects through a movie: those that were shown, then those found.

    Parameters
    ----------
    session : Session
        Has the movie and the prompts.
    frames : range
        The frames to label.
    sink : LabelSink or SinkCut
        Takes the labels.
    report : Report
        Takes the verdicts.
    progress : Progress
        Gets one step per frame, and per batch of clicks of a search.

    Attributes
    ----------
    parents : dict of int to int
        Of objects into which others have divided.
    """

    def __init__(
        self,
        session: Session,
        frames: range,
        sink: LabelSink | SinkCut,
        report: Report,
        progress: Progress,
    ) -> None:
        self._session, self._frames, self._sink = session, frames, sink
        self._report, self._progress = report, progress
        self._highest = 0
        self.parents: dict[int, int] = {}
        # Background objects are not in the labels, but not to be found either.
        self._background: dict[int, np.ndarray] = {}

    def carry_out(
        self,
        existing: ArrayLike | None,
        shown: Iterator[FrameResult] | None,
        visits: int,
        auto: Iterable[int],
        above: int = 0,
    ) -> None:
        """Embed the frames, keep what is there, and add the objects.

        Parameters
        ----------
        existing : array-like, optional
            Labels that were there before.
        shown : iterator of FrameResult, optional
            Of the objects that were shown.
        visits : int
            How many these are.
        auto : iterable of int
            Frames on which further ones are looked for.
        above : int
            Their ids are higher than this.
        """
        self._highest, auto = above, tuple(auto)
        shape = self._session.movie.frame_shape
        self._background = {frame: np.zeros(shape, bool) for frame in auto}
        embed_frames(self._session, self._frames, self._progress)
        if existing is not None:
            for frame in range(existing.shape[0]):
                self._sink.write(frame, existing[frame])
        if shown is not None:
            self.take(shown, visits)
        for frame in auto:
            self.search(frame)
            self.divide()

    def take(self, results: Iterator[FrameResult], count: int) -> None:
        """Write each result as it comes; a later one for the same frame replaces it."""
        for result in self._progress(results, total=count, what="propagating"):
            wanted = result.wanted
            if result.frame in self._background:
                hidden = (result.labels != 0) & (wanted.labels == 0)
                self._background[result.frame] |= hidden
            self._sink.write(wanted.frame, wanted.labels)
            self._report.add(wanted)

    def search(self, frame: int) -> None:
        """Look for objects that are not in the labels yet, and carry them."""
        labels = self._sink
        now = np.asarray(labels[frame])
        occupied = (now != 0) | self._background[frame]
        above = self._highest_id
        prompts = found_prompts(self._session, frame, occupied, above, self._progress)
        if not prompts:
            return
        if frame > 0:
            masks = [prompt.mask for prompt in prompts if prompt.mask is not None]
            parents = mothers(masks, np.asarray(labels[frame - 1]), now)
            for prompt, parent in zip(prompts, parents, strict=True):
                if parent is not None:
                    self.parents[prompt.object_id] = parent
        self._carry(prompts, Direction.BOTH)

    def divide(self) -> None:
        """Make daughters of objects that seem to have divided, and carry them on."""
        while offers := self._offered_divisions():
            prompts: list[Prompt] = []
            above = self._highest_id
            for mother, frame, daughters in offers:
                self._end(mother, frame)
                for mask in daughters:
                    above += 1
                    self.parents[above] = mother
                    prompts.append(Prompt(above, frame, mask=mask))
            self._carry(prompts, Direction.FORWARD)

    def _offered_divisions(
        self,
    ) -> list[tuple[int, int, tuple[PaintedMask, PaintedMask]]]:
        """List the objects that have divided, with the frame and their halves."""
        shown: dict[int, int] = {}
        for prompt in self._session.prompts:
            last = shown.get(prompt.object_id, prompt.frame)
            shown[prompt.object_id] = max(last, prompt.frame)
        found = []
        for object_id, results in self._report.results.items():
            offers = {frame: one.daughters for frame, one in results.items()}
            first = min((frame for frame, one in offers.items() if one), default=None)
            if first is not None and first > shown.get(object_id, -1):
                daughters = offers[first]
                assert daughters is not None
                found.append((object_id, first, daughters))
        return found

    def _end(self, object_id: int, start: int) -> None:
        """Take an object out of the labels and the report from a frame on."""
        self._report.end(object_id, start)
        for frame in range(start, self._frames.stop):
            labels = np.array(self._sink[frame])
            self._sink.write(frame, np.where(labels == object_id, 0, labels))

    def _carry(self, prompts: Collection[Prompt], direction: Direction) -> None:
        """Carry objects that were not shown through the movie."""
        session = self._session
        for prompt in prompts:
            session.add_prompt(prompt)
        # Background objects go along, so that nothing takes their pixels.
        ids = (*(one.object_id for one in prompts), *sorted(session.background))
        visits = session.plan(self._frames, direction, ids).visits
        results = session.propagate(
            self._frames, direction=direction, labels=self._sink, objects=ids
        )
        self.take(results, visits)

    @property
    def _highest_id(self) -> int:
        known = self._session.prompts.object_ids
        return max(highest_id(self._sink), *known, self._highest)


def _segment_in_project(
    job: SegmentJob, path: Path, model: Sam | None, progress: Progress
) -> Report:
    with open_work(path, job.movie, model, job.settings) as work:
        job = job.with_prompts_of_files(len(work.cut))
        ids = job.prompts.object_ids
        require_background(job.background, ids)
        require_new(job, set(ids) - work.begun(job.prompts), work)
        require_own_output(job.output, work.project, replace=job.replace)
        target, report = segment_in(work, job, max(ids), ids, progress)
        write_labels(work.project, target.number, target.holder.data, job.output)
    return report


def segment_in(
    work: ProjectWork,
    job: SegmentJob,
    highest_id: int,
    replacing: tuple[int, ...],
    progress: Progress,
) -> tuple[LabelsTarget, Report]:
    """Segment the movie that is worked on in a project.

    Parameters
    ----------
    work : ProjectWork
        On the movie.
    job : SegmentJob
        Whose prompts are on it.
    highest_id : int
        That the labels must be able to hold.
    replacing : tuple of int
        Objects whose earlier prompts go.
    progress : Progress
        Gets one step per frame for embedding, then for propagation.

    Raises
    ------
    SamDecoderError
        If a prompt cannot be used.
    """
    report = Report(None if job.report is None else work.session.movie)
    ids = job.prompts.object_ids
    for prompt in job.prompts:
        prompt.check(work.session.movie)
    target = work.target(highest_id)
    is_whole = len(work.frames) == len(work.cut)
    frames = None if is_whole else work.frames
    request = RunRequest(frames=frames, object_ids=ids, replace=job.replace)
    work.add_prompts(job.prompts, replacing=replacing, background=job.background)
    results = work.run(target, request)
    embed_frames(work.session, work.frames, progress)
    visits = work.session.plan(frames, objects=ids).visits
    for result in progress(results, total=visits, what="propagating"):
        report.add(result.wanted)
    return target, report


def require_new(job: SegmentJob, object_ids: Iterable[int], work: ProjectWork) -> None:
    """Refuse objects that a project has already, unless they are to be replaced.

    Raises
    ------
    LabelsError
        Which names them.
    """
    clashing = sorted(set(object_ids) & work.object_ids)
    if clashing and not job.replace:
        raise LabelsError(
            f"{work.project.path} already has {listed('object', clashing)}; "
            "use another object id to add to it, correct to correct it, or --replace "
            "to segment it again"
        )


def add_prompts(job: SegmentJob, session: Session) -> None:
    """Give a session the prompts and background objects of a job.

    Raises
    ------
    SamDecoderError
        If they cannot be used.
    """
    for prompt in [*_painted(job.masks, len(session.movie)), *job.prompts]:
        session.add_prompt(prompt)
    session.background = job.background


def _painted(files: Iterable[MaskFile], frames: int) -> list[Prompt]:
    sources: dict[tuple[int, int], Path] = {}
    found: list[Prompt] = []
    for masks in files:
        for prompt in masks.prompts(frames):
            place = prompt.object_id, prompt.frame
            earlier = sources.setdefault(place, masks.path)
            if earlier != masks.path:
                raise OptionError(
                    f"object {place[0]} is painted on frame {place[1]} in both "
                    f"{earlier} and {masks.path}; remove it from one of them, or give "
                    "it another object id there"
                )
            found.append(prompt)
    return found


def existing_labels(
    job: SegmentJob,
    chosen: tuple[int, ...],
    shape: tuple[int, int, int],
    at: Mapping[str, int] | None = None,
) -> CopyOnWriteLabels | None:
    """Open the labels in the output, in a type that can hold the new objects too.

    Parameters
    ----------
    job : SegmentJob
        Names the output.
    chosen : tuple of int
        The new objects.
    shape : (int, int, int)
        Expected (T, Y, X).
    at : mapping of str to int, optional
        The position in an output of more axes.

    Raises
    ------
    LabelsError
        If they do not fit, or have one of the objects already.
    """
    restore_interrupted(job.output)
    if job.replace or not job.output.exists():
        return None
    labels = _open_existing(job.output, at)
    if tuple(labels.shape) != shape:
        raise LabelsError(
            f"{job.output} has labels of shape {tuple(labels.shape)}, but this movie "
            f"needs {shape}; choose another output, or --replace"
        )
    frames = range(labels.shape[0])
    taken = {int(value) for frame in frames for value in np.unique(labels[frame])}
    # The background objects of the labels have no pixels in them.
    wanted = frozenset(chosen).difference(job.background)
    taken |= wanted.intersection(read_provenance(job.output).get("background", ()))
    clashing = sorted(taken & set(chosen))
    if clashing:
        raise LabelsError(
            f"{job.output} already has {listed('object', clashing)}; use "
            "another object id to add to it, --replace to start over, or another output"
        )
    own = label_dtype(max(chosen, default=0))
    return CopyOnWriteLabels(labels, np.promote_types(labels.dtype, own))


def _open_existing(path: Path, at: Mapping[str, int] | None) -> ArrayLike:
    try:
        labels: ArrayLike = open_labels(path, at=at)
    except FormatError as error:
        raise LabelsError(
            f"{path} exists but cannot be added to ({error}); choose another output, "
            "or --replace"
        ) from error
    return labels


def with_earlier(
    noted: dict[str, Any], output: Path, existing: ArrayLike | None
) -> dict[str, Any]:
    """Add the prompts of objects that are kept: a correction needs them."""
    earlier = read_provenance(output) if existing is not None else {}
    if isinstance(earlier.get("prompts"), list):
        # Of a background object that is shown again, what is said now counts.
        new = frozenset(noted["background"])
        kept = [one for one in earlier["prompts"] if one.get("object_id") not in new]
        noted["prompts"] = [*kept, *noted["prompts"]]
        noted["background"] = sorted(new.union(earlier.get("background", ())))
        noted["objects"] = {**earlier.get("objects", {}), **noted["objects"]}
    return noted
