"""Projects that are opened from a file, with the movie that they belong to."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from napari.layers import Image

from napari_sam_decoder.errors import ProjectError, SamDecoderError
from napari_sam_decoder.formats import as_movie_path
from napari_sam_decoder.jobs import MovieOptions, movie_as_read, whole_movie
from napari_sam_decoder.project.journal_lines import read_header
from napari_sam_decoder.widgets.layers import finest_pixels

if TYPE_CHECKING:
    from typing import Any

    from napari.components import ViewerModel

    from napari_sam_decoder.jobs import WholeMovie
    from napari_sam_decoder.project import ProjectHeader
    from napari_sam_decoder.widgets.workbench import Workbench

__all__ = ["MovieNotFoundError", "is_of_current_movie", "movie_of", "open_project"]


class MovieNotFoundError(ProjectError):
    """The movie of a project is not where it was."""


def open_project(bench: Workbench, path: Path, movie: str | Path | None = None) -> None:
    """Show the movie of a project, and go on with the project in the background.

    Parameters
    ----------
    bench : Workbench
        Of the viewer.
    path : Path
        Of the project.
    movie : str or Path, optional
        Where its movie is now; by default where it was.

    Raises
    ------
    ProjectError
        If the file is no project, or the movie was in no file.
    MovieNotFoundError
        If the movie is not where it was.
    """
    header = read_header(path)
    layer = _shown(bench.viewer, header, movie)
    if layer is None:
        data, options = movie_of(path, header, movie)
        layer = bench.viewer.add_image(data, **options)
    if bench.movie is None or bench.movie.layer is not layer:
        bench.choose_movie(layer)
    bench.resume(path)


def is_of_current_movie(
    bench: Workbench, path: Path, movie: str | Path | None = None
) -> bool:
    """Whether a project would take the place of what is worked on.

    Parameters
    ----------
    bench : Workbench
        Of the viewer.
    path : Path
        Of the project.
    movie : str or Path, optional
        Where its movie is now; by default where it was.

    Raises
    ------
    ProjectError
        If the file is no project.
    """
    own = bench.controller.state.project.path
    if bench.movie is None or (own is not None and own.absolute() == path.absolute()):
        return False
    return _shown(bench.viewer, read_header(path), movie) is bench.movie.layer


def movie_of(
    path: Path, header: ProjectHeader, movie: str | Path | None = None
) -> tuple[Any, dict[str, Any]]:
    """Open the movie of a project, as pixels and options of an image layer.

    Parameters
    ----------
    path : Path
        Of the project.
    header : ProjectHeader
        Its first line.
    movie : str or Path, optional
        Where the movie is now; by default where it was.

    Raises
    ------
    ProjectError
        If it was never in a file.
    MovieNotFoundError
        If it is not where it was.
    """
    source = header.movie.source if movie is None else str(movie)
    if source is None:
        raise ProjectError(
            f"the movie {header.movie.name!r} of {path.name} was in no file: open it, "
            "choose it in the dock, and open the project again"
        )
    try:
        opened = _as_it_was_read(path, header, source)
    except SamDecoderError as error:
        raise MovieNotFoundError(
            f"the movie of {path.name} is not at {source} any more ({error}): open it, "
            "choose it in the dock, and open the project again"
        ) from error
    is_rgb = opened.axes.endswith("C")
    return opened.data, {"name": header.movie.name, "rgb": is_rgb}


def _as_it_was_read(path: Path, header: ProjectHeader, source: str) -> WholeMovie:
    """Open the movie with the channel and position that the project remembers."""
    movie = MovieOptions(as_movie_path(source, ProjectError))
    with suppress(SamDecoderError):
        opened = whole_movie(movie)
        if tuple(opened.data.shape) == header.movie.shape:
            return opened
    # Only now, since reading a whole project may take a while.
    return whole_movie(movie_as_read(path, movie))


def _shown(
    viewer: ViewerModel, header: ProjectHeader, movie: str | Path | None
) -> Image | None:
    """Find the movie among the layers: by its file, else by its shape and name."""
    source = header.movie.source if movie is None else str(movie)
    images = [layer for layer in viewer.layers if isinstance(layer, Image)]
    for layer in images:
        path = getattr(layer.source, "path", None)
        is_its_file = path is not None and source and Path(path) == Path(source)
        # A file of more axes may be shown as a whole, or in several layers.
        if is_its_file and finest_pixels(layer).shape == header.movie.shape:
            return layer
    for layer in images:
        if finest_pixels(layer).shape == header.movie.shape and source is None:
            return layer
    return None
