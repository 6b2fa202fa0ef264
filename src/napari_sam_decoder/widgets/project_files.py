"""Keeps what is done on each movie in a file, and finds what was kept before."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

from qtpy.QtCore import QObject, Signal

from napari_sam_decoder.errors import MovieError, ProjectError, SamDecoderError
from napari_sam_decoder.project import (
    MovieIdentity,
    Project,
    ProjectHeader,
    describe_difference,
    find_projects,
    new_project_path,
    plane_digests,
)
from napari_sam_decoder.widgets.job_queue import Job, JobThread
from napari_sam_decoder.widgets.layers import finest_pixels

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from pathlib import Path

    import numpy as np
    from napari.layers import Image

    from napari_sam_decoder.project import Operation
    from napari_sam_decoder.widgets.movie_state import MovieState

__all__ = ["OpenedProject", "ProjectFiles"]

OpenedProject = tuple[Project, "dict[int, np.ndarray]"]
"""A project, and its labels by the number of the target."""


class ProjectFiles(QObject):
    """Identifies movies, and writes what is done on them into project files.

    A file is made with the first action. An older one of the same movie is offered and
    never written to, unless it is opened.

    Parameters
    ----------
    parent : QObject
        Takes it along when it is deleted.
    """

    changed = Signal()
    failed = Signal(object)
    _not_saved = Signal(object)

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._thread = JobThread()
        self._jobs: dict[MovieState, Job] = {}
        self._followed: WeakSet[MovieState] = WeakSet()
        self._is_closed = False
        # Emitted by the thread that writes a file.
        self._not_saved.connect(self.failed.emit)

    @property
    def is_busy(self) -> bool:
        """Whether a movie is being identified, or a project opened."""
        return bool(self._jobs)

    def close(self) -> None:
        """Stop identifying movies, and release the files of those that are followed."""
        for state in tuple(self._followed):
            state.project.close()
            state.followed = None
        self._is_closed = True
        self._jobs.clear()
        self._thread.close()

    def follow(self, state: MovieState) -> None:
        """Keep what is done on a movie from now on.

        Parameters
        ----------
        state : MovieState
            Its identity is found out in the background, if it is not known.
        """
        if state.identity is not None:
            self._reopen(state)
        if state.followed is not state.project:
            state.followed = state.project
            self._followed.add(state)
            listener = partial(self._on_operation, state, state.project)
            state.project.history.subscribe(listener)
        if state.identity is None and state.view is not None:
            self._begin(state, partial(_identify, state.view.layer), self._identified)

    def release(self, state: MovieState) -> None:
        """Release the file of a movie that is gone, until it is followed again."""
        self._followed.discard(state)
        state.project.close()

    def keep_again(self, state: MovieState) -> None:
        """Try again to keep what is done on a movie in a file."""
        if state.identity is not None:
            self._reopen(state)
        state.is_keeping_off = False
        self._keep(state)

    def _reopen(self, state: MovieState) -> None:
        try:
            state.project.reopen(on_failure=self._not_saved.emit)
        except SamDecoderError as error:
            self.failed.emit(error)

    def open(
        self,
        state: MovieState,
        path: Path,
        on_opened: Callable[[OpenedProject], None],
    ) -> None:
        """Open a project of a movie in the background.

        Parameters
        ----------
        state : MovieState
            Of the movie.
        path : Path
            Of the project.
        on_opened : callable
            Called in the GUI thread once it is open. If nobody can take it any more,
            it is closed.
        """

        def take(_: MovieState, opened: OpenedProject) -> None:
            on_opened(opened)

        steps = partial(self._open, state, path)
        self._begin(state, steps, take, lambda opened: opened[0].close())

    def _open(self, state: MovieState, path: Path) -> Generator[OpenedProject]:
        identity = state.identity
        if identity is None:
            if state.view is None:
                raise MovieError("there is no movie: open the one of the project first")
            for found in _identify(state.view.layer):
                identity = found
        project, labels = Project.open(path, on_failure=self._not_saved.emit)
        try:
            _require_same(project, identity, path)
        except ProjectError:
            project.close()
            raise
        yield project, labels

    def _begin(
        self,
        state: MovieState,
        steps: Callable[[], Generator[object]],
        on_step: Callable[[MovieState, Any], None],
        on_drop: Callable[[Any], None] = lambda _: None,
    ) -> None:
        def end(error: Exception | None) -> None:
            # A project may be waiting to be opened, behind what finds out the identity.
            if self._jobs.get(state) is job:
                del self._jobs[state]
            if error is not None:
                self.failed.emit(error)
            self.changed.emit()

        job = Job(steps, partial(on_step, state), end, on_drop)
        self._jobs[state] = job
        self._thread.start(job)
        self.changed.emit()

    def _identified(self, state: MovieState, identity: object) -> None:
        if isinstance(identity, MovieIdentity):
            state.identity = identity
            self._branch_off(state, identity)
            self._reopen(state)
            self._look_for_older(state, identity)
            self._keep(state)

    def _branch_off(self, state: MovieState, identity: MovieIdentity) -> None:
        """Leave the project of pixels that were replaced as it is."""
        project = state.project
        header = project.header
        if header is None or describe_difference(header.movie, identity) is None:
            return
        path = new_project_path(identity)
        try:
            project.branch_off(
                path,
                ProjectHeader(identity, header.model, header.contrast),
                on_failure=self._not_saved.emit,
            )
        except SamDecoderError as error:
            self.failed.emit(error)

    def _look_for_older(self, state: MovieState, identity: MovieIdentity) -> None:
        try:
            found = find_projects(identity.digest)
        except OSError:
            found = []
        in_use = {one.project.path for one in (*self._followed, state)}
        own = {path.absolute() for path in in_use if path is not None}
        state.offers = tuple(one for one in found if one.path not in own)

    def _on_operation(
        self, state: MovieState, project: Project, operation: Operation
    ) -> None:
        if operation.kind == "step" and project is state.project:
            self._keep(state)

    def _keep(self, state: MovieState) -> None:
        """Make a file for what was done on a movie, once there is something."""
        project, identity = state.project, state.identity
        is_wanted = bool(project.history.done) and project.path is None
        if not is_wanted or identity is None or state.is_keeping_off or self._is_closed:
            return
        path = new_project_path(identity)
        header = ProjectHeader(identity, str(state.options.model), state.contrast)
        try:
            project.start(path, header, on_failure=self._not_saved.emit)
        except SamDecoderError as error:
            # Told once, not with every action.
            state.is_keeping_off = True
            self.failed.emit(ProjectError(f"what you do is not saved: {error}"))
        self.changed.emit()


def _identify(layer: Image) -> Generator[MovieIdentity]:
    """Find out which movie a layer holds; a few planes are read."""
    data = finest_pixels(layer)
    planes = list(plane_digests(data))
    source = getattr(layer.source, "path", None)
    yield MovieIdentity.of(
        data, str(layer.name), None if source is None else str(source), planes
    )


def _require_same(project: Project, identity: MovieIdentity | None, path: Path) -> None:
    header = project.header
    if header is None or identity is None:
        return
    difference = describe_difference(header.movie, identity)
    if difference is not None:
        raise ProjectError(
            f"{path.name} belongs to another movie ({header.movie.name!r}): "
            f"{difference}; choose that movie, or another project"
        )
