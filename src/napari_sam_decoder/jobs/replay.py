"""Replay a project: its stored labels, or all of its history computed again."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from napari_sam_decoder.axes import as_position
from napari_sam_decoder.errors import OptionError, ProjectError, SamDecoderError
from napari_sam_decoder.formats import as_movie_path, require_target
from napari_sam_decoder.jobs.inputs import (
    MovieOptions,
    require_job,
    require_kinds,
    set_paths,
)
from napari_sam_decoder.jobs.outputs import no_progress, require_apart, sole_writer
from napari_sam_decoder.jobs.project_labels import (
    choose_target,
    require_own_output,
    require_project,
    write_all_labels,
    write_labels,
)
from napari_sam_decoder.jobs.project_work import identify, require_same_movie
from napari_sam_decoder.jobs.recompute import FrameDifference, Recomputation
from napari_sam_decoder.jobs.whole_movie import whole_movie
from napari_sam_decoder.project import Project, find_decoder, is_learned
from napari_sam_decoder.project.journal import is_open, read_journal
from napari_sam_decoder.weights.catalogue import AUTO_DECODER, DECODERS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import numpy as np

    from napari_sam_decoder.jobs.outputs import Progress
    from napari_sam_decoder.model.sam import Sam

__all__ = [
    "ModelLoader",
    "ReplayJob",
    "ReplayResult",
    "movie_as_read",
    "project_movie",
    "replay_project",
]


class ModelLoader(Protocol):
    """A function that loads a network by its names, as `load_sam` does."""

    def __call__(self, model: str, *, decoder: str, precision: str) -> Sam:
        """Load a network."""


@dataclass(frozen=True)
class ReplayJob:
    """Which project to replay, and where its labels go.

    Attributes
    ----------
    project : Path
        Is only read, also while a window works on it.
    output : Path
        ``.tif`` or ``.zarr``.
    target : str, optional
        Name of the labels, if the project has several.
    replace : bool
        Whether the output may replace labels that are not from the project.
    recompute : bool
        Whether to compute runs and corrections again.
    movie : MovieOptions, optional
        For that; by default as the project names it.
    """

    project: Path
    output: Path
    target: str | None = None
    replace: bool = False
    recompute: bool = False
    movie: MovieOptions | None = None

    def __post_init__(self) -> None:
        require_kinds(self, movie=MovieOptions)
        set_paths(self, "project", "output")

    def check(self) -> None:
        """Refuse outputs that cannot be written, or would destroy a file.

        Raises
        ------
        OptionError, FormatError, ProjectError
            If one is refused, or there is no project.
        """
        require_project(self.project)
        require_target(self.output.absolute())
        inputs = [self.project]
        if self.movie is not None:
            inputs.append(self.movie.path)
        require_apart([self.output], inputs)


@dataclass(frozen=True)
class ReplayResult:
    """What a replay found out.

    Attributes
    ----------
    steps : int
        That can be undone.
    damage : str or None
        Which part of the project could not be used.
    differences : tuple of FrameDifference or None
        Where results that were computed again are not as they are stored; None if
        nothing was computed.
    """

    steps: int
    damage: str | None
    differences: tuple[FrameDifference, ...] | None = None


def replay_project(
    job: ReplayJob, load: ModelLoader | None = None, progress: Progress = no_progress
) -> ReplayResult:
    """Write the labels of a project to a file.

    Parameters
    ----------
    job : ReplayJob
        Which project, and where its labels go.
    load : ModelLoader, optional
        Loads the networks that the project names; `load_sam` by default.
    progress : Progress, optional
        Gets one step per result that is computed again.

    Returns
    -------
    ReplayResult

    Raises
    ------
    SamDecoderError
        If the project or the movie cannot be used. The output is then unchanged.
    """
    require_job(job, ReplayJob)
    job.check()
    with sole_writer(job.output):
        return _replay(job, load or _load_sam, progress)


def _replay(job: ReplayJob, load: ModelLoader, progress: Progress) -> ReplayResult:
    project, labels = Project.open(job.project, is_read_only=True)
    require_own_output(job.output, project, replace=job.replace)
    number = choose_target(project.history.document, job.target)
    differences = None
    if job.recompute:
        again = _recompute(job, project, load, progress)
        labels, differences = again.labels, tuple(again.differences)
    _write(project, number, labels[number], job.output)
    return ReplayResult(len(project.history.done), project.damage, differences)


def _write(project: Project, number: int, labels: np.ndarray, path: Path) -> None:
    """Write labels with all of their axes if the project is of several positions."""
    reading = project.history.document.table("options").get("reading", {})
    each = as_position(dict.fromkeys(reading.get("each") or (), 0))
    if not each:
        write_labels(project, number, labels, path)
        return
    left = [letter for letter in "TZ" if letter not in each]
    letters = sorted((*each, *left[: labels.ndim - 2 - len(each)]))
    write_all_labels(project, number, labels, f"{''.join(letters)}YX", path)


def project_movie(path: Path, movie: MovieOptions | None = None) -> MovieOptions:
    """Find the movie of a project that is to be continued in a window.

    Parameters
    ----------
    path : Path
        Of the project.
    movie : MovieOptions, optional
        Where it is now; by default where it was.

    Returns
    -------
    MovieOptions
        With which it is read as it was.

    Raises
    ------
    ProjectError
        If there is no such project, it is open somewhere, its movie is gone, or has
        other pixels.
    SamDecoderError
        If the movie cannot be read.
    """
    require_project(path)
    project, _ = Project.open(path, is_read_only=True)
    if is_open(path):
        raise ProjectError(
            f"the project {path} is open in another window or process; close it there, "
            "or work on a copy"
        )
    return _found_movie(project, movie)


def movie_as_read(path: Path, movie: MovieOptions) -> MovieOptions:
    """Fill in how the movie of a project was read, such as its channel and position.

    Parameters
    ----------
    path : Path
        Of the project; it may be open elsewhere.
    movie : MovieOptions
        Where it is now. What it says itself stays.

    Raises
    ------
    ProjectError
        If the project cannot be read.
    """
    project, _ = Project.open(path, is_read_only=True)
    return _as_it_was_read(movie, project)


def _found_movie(project: Project, movie: MovieOptions | None) -> MovieOptions:
    found = _as_it_was_read(movie or _movie_of(project), project)
    require_same_movie(project, identify(found))
    return found


def _movie_of(project: Project) -> MovieOptions:
    """Return the movie that a project names, read as it was.

    Raises
    ------
    ProjectError
        If it was an array in memory, or its file is gone.
    """
    source = None if project.header is None else project.header.movie.source
    if source is None:
        raise ProjectError(
            f"{project.path} does not say where its movie is; give the file of the "
            "movie as well"
        )
    if "://" not in source and not Path(source).exists():
        raise ProjectError(
            f"the movie of {project.path} is not at {source} any more; give the file "
            "of the movie as well"
        )
    return _as_it_was_read(MovieOptions(as_movie_path(source, ProjectError)), project)


def _as_it_was_read(movie: MovieOptions, project: Project) -> MovieOptions:
    """Fill in what was asked for when the project was made."""
    stored = project.history.document.table("options").get("reading", {})
    given = {"each": None, **movie.reading}
    missing = {
        name: stored.get(name)
        for name, value in given.items()
        if value is None and stored.get(name) is not None
    }
    return replace(movie, **missing)


def _recompute(
    job: ReplayJob, project: Project, load: ModelLoader, progress: Progress
) -> Recomputation:
    movie = _found_movie(project, job.movie)
    again = Recomputation(
        read_journal(job.project),
        whole_movie(movie).data,
        _ModelFinder(load, project),
        movie.cache,
    )
    for _ in progress(again.carry_out(), total=again.total, what="recomputing"):
        pass
    return again


class _ModelFinder:
    """Finds the networks that steps were computed with, by their identity."""

    def __init__(self, load: ModelLoader, project: Project) -> None:
        self._load = load
        options = project.history.document.table("options")
        named = options.get("settings", {}).get("model", {})
        self._model = str(named.get("model") or "mobile_sam")
        self._project = project.path
        self._decoder = str(named.get("decoder") or AUTO_DECODER)
        self._known: dict[tuple[str, str], Sam] = {}

    def __call__(self, details: Mapping[str, Any]) -> Sam:
        weights, _, precision = str(details["model"]).rpartition(" ")
        key = weights, str(details["decoder"])
        if key not in self._known:
            for sam in self._candidates(key[1], precision):
                self._known[sam.weights, sam.decoder] = sam
                if key in self._known:
                    break
            else:
                raise OptionError(
                    f"the project was computed with {details['model']} and decoder "
                    f"{details['decoder']}; name their files with --model and --decoder"
                )
        return self._known[key]

    def _candidates(self, identity: str, precision: str) -> Iterator[Sam]:
        name = identity.partition(" sha256:")[0]
        others = self._decoder, AUTO_DECODER, *DECODERS
        # What was learned lies beside the project.
        learned = [find_decoder(name, self._project)] if is_learned(name) else []
        for decoder in dict.fromkeys((*learned, *others)):
            try:
                yield self._load(self._model, decoder=decoder, precision=precision)
            except OptionError:
                raise
            except SamDecoderError:
                # This decoder is for another model.
                continue


def _load_sam(model: str, *, decoder: str, precision: str) -> Sam:
    from napari_sam_decoder.weights.registry import load_sam

    return load_sam(model, decoder=decoder, precision=precision)
