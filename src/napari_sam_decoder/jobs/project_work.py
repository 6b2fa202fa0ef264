"""A project that is continued without a window, by the rules of the window."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import asdict, replace
from functools import partial
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from napari_sam_decoder.errors import (
    FormatError,
    OptionError,
    ProjectError,
    PromptError,
    wrap_os_errors,
)
from napari_sam_decoder.jobs.provenance import stored_settings
from napari_sam_decoder.jobs.whole_movie import whole_movie
from napari_sam_decoder.labels import label_dtype
from napari_sam_decoder.project import (
    BOX,
    COMPOSITE,
    LASSO,
    ROWS,
    Correction,
    CorrectionRun,
    LabelsTarget,
    MovieCut,
    MovieIdentity,
    ObjectRecord,
    PointRow,
    Project,
    ProjectHeader,
    Run,
    ScribbleRow,
    ShapeRow,
    TargetRecord,
    background_objects,
    describe_difference,
    ended_confirmations,
    find_decoder,
    made_with,
    read_document,
    require_unlocked,
    scope_of,
)
from napari_sam_decoder.project.array_labels import ArrayLabels
from napari_sam_decoder.weights.catalogue import AUTO_DECODER
from napari_sam_decoder.wording import listed

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping
    from pathlib import Path

    from napari_sam_decoder.frames import Movie
    from napari_sam_decoder.jobs.inputs import MovieOptions
    from napari_sam_decoder.model.sam import Sam
    from napari_sam_decoder.project import History, PromptReading, RunRequest, Step
    from napari_sam_decoder.prompts import Prompt, PromptSet
    from napari_sam_decoder.propagation import FrameResult, Settings
    from napari_sam_decoder.session import Session

__all__ = [
    "ProjectWork",
    "cut_of",
    "identify",
    "open_work",
    "prepare_run",
    "require_same_movie",
    "settings_of",
    "stored_model",
]

LABELS_NAME = "SAM labels"
"""Of labels that a project has from a command, as of those from the window."""


def cut_of(movie: Movie) -> MovieCut:
    """Return a movie from a file as a cut of its whole array."""
    shape = movie.shape[:-1] if movie.axes.endswith("C") else movie.shape
    return MovieCut(shape, 0 if movie.has_frame_axis else None)


def identify(movie: MovieOptions) -> MovieIdentity:
    """Find out which movie a file holds; a few of its planes are read.

    Parameters
    ----------
    movie : MovieOptions
        How it is read.

    Raises
    ------
    SamDecoderError
        If the file cannot be used.
    """
    if len(movie.channels) > 1:
        raise OptionError(
            "a project is about one channel, or a movie in colours; choose one with "
            "--channel (in Python channel=), or leave the project out"
        )
    source = whole_movie(movie)
    with wrap_os_errors(f"cannot read {movie.path}", FormatError):
        return MovieIdentity.of(source.data, source.name, str(movie.path.absolute()))


def require_same_movie(project: Project, found: MovieIdentity) -> None:
    """Refuse a movie that is not that of a project.

    Raises
    ------
    ProjectError
        Which names the difference.
    """
    if project.header is None:
        return
    stored = project.header.movie
    difference = describe_difference(stored, found)
    if difference is not None:
        raise ProjectError(
            f"{project.path} belongs to another movie ({stored.name!r}): {difference}; "
            "give that movie, read in the same way, or another project"
        )


class ProjectWork:
    """What a command does on a movie in a project.

    Made by `open_work`.

    Parameters
    ----------
    project : Project
        Open for writing.
    labels : dict of int to array
        Of its targets.
    session : Session
        On the movie of the project.
    frames : range
        The frames to use.
    cut : MovieCut
        The movie within that of the project.
    """

    def __init__(
        self,
        project: Project,
        labels: dict[int, Any],
        session: Session,
        frames: range,
        cut: MovieCut,
    ) -> None:
        self.project = project
        self.history = project.history
        self.session = session
        self.frames = frames
        self.cut = cut
        self._labels = labels
        self._target: LabelsTarget | None = None

    @contextmanager
    def at(self, movie: MovieOptions, cut: MovieCut) -> Iterator[None]:
        """Work on the movie at another position of the project's for a while.

        Parameters
        ----------
        movie : MovieOptions
            That movie.
        cut : MovieCut
            Where it is.

        Raises
        ------
        SamDecoderError
            If it cannot be opened.
        """
        before = self.session, self.frames, self.cut
        limits = _last_contrast(self.history, cut)
        session, frames = movie.with_contrast(limits).open(
            self.session.model, self.session.settings
        )
        try:
            with session:
                self.session, self.frames, self.cut = session, frames, cut
                yield
        finally:
            self.session, self.frames, self.cut = before

    @contextmanager
    def as_a_whole(self) -> Iterator[None]:
        """Undo what is done within if an error ends it."""
        before = len(self.history.done)
        try:
            yield
        except BaseException:
            while len(self.history.done) > before:
                self.history.undo()
            raise

    def note_options(self, options: MovieOptions) -> None:
        """Let the window go on with the same model, settings and contrast."""
        contrast = self.session.movie.contrast
        table = self.history.document.table("options")
        with self.history.note():
            if not options.each:
                table["contrast"] = [contrast.low, contrast.high]
            table["reading"] = options.reading
            table.setdefault("axis", self.cut.axis)
            table["settings"] = {
                "only_current": False,
                "replace": False,
                **table.get("settings", {}),
                "model": _model_values(self.session),
                "propagation": asdict(self.session.settings),
            }

    def target(self, highest_id: int) -> LabelsTarget:
        """Return the labels that results go to, new ones if there are none.

        Parameters
        ----------
        highest_id : int
            The largest that they must be able to hold.

        Raises
        ------
        LabelsError
            If they cannot.
        """
        targets = self.history.document.table("targets")
        options = self.history.document.table("options")
        number = options.get("target", max(targets, default=1))
        if number not in targets:
            dtype = label_dtype(highest_id)
            record = TargetRecord(LABELS_NAME, self.cut.spatial_shape, str(dtype))
            self._labels[number] = ArrayLabels(record).data
            with self.history.note():
                targets[number] = record
                options["target"] = number
        record = targets[number]
        if self._target is None or self._target.number != number:
            self._target = LabelsTarget(
                SimpleNamespace(data=self._labels[number]),
                self.cut,
                self.history,
                number,
                is_own=record.is_own,
                is_recorded=True,
            )
        self._target.view = self.cut
        self._target.check(self.cut, highest_id)
        return self._target

    @property
    def object_ids(self) -> frozenset[int]:
        """All objects that the project has, from commands, points or labels."""
        document = self.history.document
        named = (row.object_id for one in ROWS for row in document.rows(one))
        tables = (
            table for table in document.tables if table.name in ("objects", "ids")
        )
        return frozenset((*named, *(one for table in tables for one in table)))

    def begun(self, prompts: PromptSet) -> frozenset[int]:
        """Return the objects that have these very prompts and no pixels.

        This is what a process that was killed leaves. To segment them is to go on.
        """
        here = self.reading.prompts
        return frozenset(
            one
            for one in prompts.object_ids
            if here.of_object(one) == prompts.of_object(one)
            and not any((labels == one).any() for labels in self._labels.values())
        )

    @property
    def reading(self) -> PromptReading:
        """The prompts that the rows of the project give."""
        return read_document(self.cut, self.history.document)

    def add_prompts(
        self,
        prompts: PromptSet,
        *,
        replacing: Collection[int] = (),
        background: Collection[int] = (),
    ) -> Step:
        """Add points, shapes and scribbles, with their objects, as one step.

        Parameters
        ----------
        prompts : PromptSet
            Without masks.
        replacing : collection of int
            Objects whose earlier points, shapes and scribbles go.
        background : collection of int
            Those that are background objects from now on.

        Raises
        ------
        PromptError
            If one of the objects is locked.
        """
        document = self.history.document
        require_unlocked(document, (*prompts.object_ids, *replacing))
        objects = document.table("objects")
        keys = [[one.object_id, one.frame] for one in prompts]
        title = f"Add prompts of {listed('object', prompts.object_ids)}"
        with self.history.step(title, "prompts", {"prompts": keys}) as step:
            for object_id in set(prompts.object_ids) - set(objects):
                objects[object_id] = ObjectRecord(f"object {object_id}")
            for object_id in sorted({*replacing, *background}):
                adopted = ObjectRecord(f"object {object_id}", is_created=False)
                known = objects.get(object_id, adopted)
                is_background = object_id in background
                objects[object_id] = replace(known, is_background=is_background)
            before = {name: document.rows(name) for name in ROWS}
            for name, rows in before.items():
                kept = (row for row in rows if row.object_id not in replacing)
                document.set_rows(name, tuple(kept))
            # Counted before the new points are there.
            reading = self.reading
            for name, rows_of in (
                ("points", self._points),
                ("shapes", self._outlines),
                ("scribbles", partial(self._scribbles, reading)),
            ):
                new = [row for one in prompts for row in rows_of(one)]
                document.set_rows(name, (*document.rows(name), *new))
            self._end_confirmations(before)
        return step

    def _end_confirmations(self, before: Mapping[str, tuple[Any, ...]]) -> None:
        """Let masks that looked right be corrected where something is shown since."""
        document = self.history.document
        now = {name: document.rows(name) for name in ROWS}
        ended = ended_confirmations(self.cut, before, now)
        kept = tuple(row for row in now["scribbles"] if row not in ended)
        document.set_rows("scribbles", kept)
        keys = set(ended.values())
        for table in document.tables:
            if table.name == "made" and table.scope[1:] == scope_of(self.cut):
                for key in keys & {*table}:
                    if table[key].is_settled:
                        del table[key]

    def _points(self, prompt: Prompt) -> Iterator[PointRow]:
        number = prompt.hypothesis or 0
        for point, sign in zip(prompt.points, prompt.signs or (), strict=True):
            position = self._position(prompt.frame, point)
            yield PointRow(position, prompt.object_id, sign, number)

    def _outlines(self, prompt: Prompt) -> Iterator[ShapeRow]:
        outline = prompt.lasso or ()
        if prompt.box is not None:
            top, left, bottom, right = prompt.box
            outline = (top, left), (top, right), (bottom, right), (bottom, left)
        if outline:
            kind = LASSO if prompt.box is None else BOX
            vertices = tuple(self._position(prompt.frame, one) for one in outline)
            number = prompt.hypothesis or 0
            yield ShapeRow(kind, vertices, prompt.object_id, hypothesis=number)

    def _scribbles(
        self, reading: PromptReading, prompt: Prompt
    ) -> Iterator[ScribbleRow]:
        before = reading.point_count(prompt.object_id, prompt.frame)
        for one in prompt.scribbles:
            placed = replace(one, after=before + one.after)
            yield ScribbleRow.on(self.cut, prompt.frame, placed, prompt.object_id)

    def _position(self, frame: int, point: Collection[float]) -> tuple[float, ...]:
        place = [float(one) for one in self.cut.origin(frame)]
        for axis, value in zip(self.cut.frame_axes, point, strict=True):
            place[axis] = float(value)
        return tuple(place)

    def run(self, target: LabelsTarget, request: RunRequest) -> Iterator[FrameResult]:
        """Start a propagation from the prompts of the project.

        Parameters
        ----------
        target : LabelsTarget
            Where the results go.
        request : RunRequest
            What is asked for.

        Raises
        ------
        SamDecoderError
            If it cannot be started.

        Returns
        -------
        iterator of FrameResult
            Recorded as they are taken, with the labels as they are then.
        """
        prompts = self.reading.prompts
        request = request.without_locked(prompts, self.history.document)
        run, steps = prepare_run(self.session, target, request, prompts)
        run.open_step(self.history, None)
        with run.recording():
            target.begin(self.cut, run.prompts, request)
        return _recorded(run, steps, self.history)

    def find_corrections(
        self, target: LabelsTarget, new: PromptSet, frames: range
    ) -> tuple[Correction, ...]:
        """Find what new points correct.

        Parameters
        ----------
        target : LabelsTarget
            What is to be corrected.
        new : PromptSet
            Added already.
        frames : range
            The only ones that may change.

        Raises
        ------
        PromptError
            If a point corrects nothing.
        """
        keys = {(one.object_id, one.frame) for one in new}
        reading = self.reading
        found = target.corrections(self.cut, (*reading.prompts, *reading.negatives))
        corrections = []
        for one in found:
            meant = tuple(p for p in one.prompts if (p.object_id, p.frame) in keys)
            start = max(one.frames.start, frames.start)
            stop = min(one.frames.stop, frames.stop)
            if meant:
                corrections.append(Correction(meant, range(start, stop)))
        settled = {(p.object_id, p.frame) for one in corrections for p in one.prompts}
        for object_id, frame in sorted(keys - settled):
            raise PromptError(
                f"object {object_id} cannot be corrected on frame {frame}: the project "
                "has no labels of it there, or its points are not all there any more; "
                "run segment first, or correct it on another frame"
            )
        return tuple(corrections)

    def correct(
        self,
        target: LabelsTarget,
        corrections: tuple[Correction, ...],
        cause: Step,
    ) -> Iterator[FrameResult]:
        """Start corrections.

        Parameters
        ----------
        target : LabelsTarget
            What is corrected.
        corrections : tuple of Correction
            From `find_corrections`.
        cause : Step
            That added their points; undone together with them.

        Raises
        ------
        SamDecoderError
            If they cannot be started.

        Returns
        -------
        iterator of FrameResult
            As for `run`.
        """
        run = CorrectionRun.of(self.cut, target, corrections)
        steps = run.begin(self.session)
        run.made_with = made_with(self.session)
        run.open_step(self.history, cause)
        return _recorded(run, steps, self.history)


@contextmanager
def open_work(
    path: Path,
    movie: MovieOptions,
    model: Sam | None = None,
    settings: Settings | None = None,
) -> Iterator[ProjectWork]:
    """Open a project to go on with it, or start it if there is none.

    Parameters
    ----------
    path : Path
        Of its file.
    movie : MovieOptions
        How the movie is read. Of one with several positions the first is opened; see
        `ProjectWork.at`.
    model : Sam, optional
        The bundled one by default.
    settings : Settings, optional
        Those of the project by default.

    Yields
    ------
    ProjectWork
        Saved and closed at the end. If an error ends it, all is undone, and a new file
        is deleted again.

    Raises
    ------
    ProjectError
        If the project cannot be read or written, is open somewhere else, or belongs to
        another movie.
    SamDecoderError
        If the movie cannot be used.
    """
    is_new = not path.exists()
    project, labels = (Project(), {}) if is_new else Project.open(path)
    try:
        found = identify(movie)
        require_same_movie(project, found)
        _require_no_composite(project)
        first, *_ = movie.positions()
        with_contrast = first.with_contrast(_contrast_of(project))
        session, frames = with_contrast.open(model, settings or settings_of(project))
        cut = cut_of(session.movie)
        if movie.each:
            cut = whole_movie(movie).cut(movie.place_of(first))
        with session:
            if is_new:
                project.start(path, _header(found, session))
            work = ProjectWork(project, labels, session, frames, cut)
            with work.as_a_whole():
                work.note_options(movie)
                yield work
        is_saved, failure = project.flush(), project.failure
    except BaseException:
        is_ours = project.is_kept and is_new
        project.close()
        if is_ours:
            path.unlink(missing_ok=True)
        raise
    project.close()
    if failure is not None and not is_saved:
        raise failure


def _require_no_composite(project: Project) -> None:
    channels = project.history.document.table("options").get(COMPOSITE, ())
    if channels:
        raise ProjectError(
            f"{project.path} sees {len(channels)} channels as colours, which only the "
            "window can: continue there, or end the composite there first"
        )


def prepare_run(
    session: Session, target: LabelsTarget, request: RunRequest, prompts: PromptSet
) -> tuple[Run, Iterator[FrameResult]]:
    """Prepare a propagation, of which nothing is recorded yet.

    Parameters
    ----------
    session : Session
        Is given the prompts.
    target : LabelsTarget
        Where the results are to go.
    request : RunRequest
        What is asked for.
    prompts : PromptSet
        Of all objects.

    Raises
    ------
    SamDecoderError
        If prompts or frames cannot be used.
    """
    session.prompts = prompts
    asked = request.frames, request.direction, request.object_ids
    plan = session.plan(*asked)
    steps = session.propagate(
        request.frames, direction=request.direction, objects=request.object_ids
    )
    run = Run(
        target.view, target, plan.prompts, request.replace, request, made_with(session)
    )
    return run, steps


def settings_of(project: Project) -> Settings:
    """Return the settings of propagation that a project was made with."""
    options = project.history.document.table("options")
    values = options.get("settings", {}).get("propagation", {})
    try:
        return stored_settings(values)
    except (AttributeError, OptionError, TypeError) as error:
        raise ProjectError(
            f"the settings in {project.path} cannot be used ({error}); restore the "
            "file from a backup"
        ) from error


def stored_model(path: Path) -> tuple[str, str] | None:
    """Return the names of the model and the decoder that a project was made with.

    Raises
    ------
    ProjectError
        If it cannot be read.
    """
    project, _ = Project.open(path, is_read_only=True)
    options = project.history.document.table("options")
    named = options.get("settings", {}).get("model")
    if named is None:
        return None
    return str(named["model"]), find_decoder(str(named["decoder"]), path)


def _contrast_of(project: Project) -> tuple[float, float] | None:
    limits = project.history.document.table("options").get("contrast")
    return None if limits is None else (float(limits[0]), float(limits[1]))


def _last_contrast(history: History, cut: MovieCut) -> tuple[float, float] | None:
    """The contrast with which labels were made on a cut last; None for the first."""
    fixed = [list(pair) for pair in cut.fixed]
    for step in reversed(history.done):
        if step.details.get("fixed") == fixed and "contrast" in step.details:
            low, high = step.details["contrast"]
            return float(low), float(high)
    return None


def _recorded(
    run: Run, steps: Iterator[FrameResult], history: History
) -> Iterator[FrameResult]:
    """Write each result, and yield it with the labels as they are then."""
    background = background_objects(history.document)
    for result in steps:
        run.record(result)
        labels = run.target.labels(run.view, result.frame)
        yield replace(result.with_labels(labels), background=background)


def _header(movie: MovieIdentity, session: Session) -> ProjectHeader:
    contrast = session.movie.contrast
    return ProjectHeader(movie, session.model.identity, (contrast.low, contrast.high))


def _model_values(session: Session) -> dict[str, Any]:
    contrast = session.movie.contrast
    model, decoder = session.model.origin
    return {
        "model": model or "mobile_sam",
        "decoder": decoder or AUTO_DECODER,
        "device": "auto",
        "precision": "auto",
        "contrast": [contrast.low, contrast.high],
        "cache": "auto",
    }
