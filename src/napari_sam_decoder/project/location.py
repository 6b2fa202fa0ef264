"""Where project files lie, and which there are for a movie."""

from __future__ import annotations

import logging
import os
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

from napari_sam_decoder.atomic_files import atomic_write
from napari_sam_decoder.errors import ProjectError, SamDecoderError, wrap_os_errors
from napari_sam_decoder.project.journal import is_open
from napari_sam_decoder.project.journal_lines import ProjectHeader, read_header

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from napari_sam_decoder.project.movie_identity import MovieIdentity

__all__ = [
    "PROJECTS_VARIABLE",
    "SUFFIX",
    "ProjectSummary",
    "copy_decoders",
    "find_decoder",
    "find_projects",
    "is_learned",
    "new_decoder_path",
    "new_project_path",
    "projects_root",
    "require_replaceable",
]

_LOG = logging.getLogger(__name__)

PROJECTS_VARIABLE = "NAPARI_SAM_DECODER_PROJECTS"
SUFFIX = ".samproject"
_LEARNED, _DECODER = ".learned-", ".safetensors"
_DIGITS = 12
_LONGEST_NAME = 60


@dataclass(frozen=True)
class ProjectSummary:
    """What is known of a project without reading more than its first line.

    Attributes
    ----------
    path : Path
        Of its file.
    header : ProjectHeader
    saved_at : datetime
        When it was last written, in UTC.
    is_open : bool
        Whether a window or process writes to it now.
    size : int
        In bytes.
    """

    path: Path
    header: ProjectHeader
    saved_at: datetime
    is_open: bool
    size: int


def projects_root() -> Path:
    """Return the folder of the projects for which the user gave no path.

    It is the one that the environment variable ``NAPARI_SAM_DECODER_PROJECTS`` names,
    or else ``napari-sam-decoder/projects`` in the user's data folder.
    """
    chosen = os.environ.get(PROJECTS_VARIABLE)
    if chosen:
        return Path(chosen).expanduser().resolve()
    from platformdirs import user_data_path

    return user_data_path("napari-sam-decoder", appauthor=False) / "projects"


def new_project_path(movie: MovieIdentity) -> Path:
    """Return an unused path for a project of a movie.

    Parameters
    ----------
    movie : MovieIdentity
        Whose name and digest become part of the path.

    Returns
    -------
    Path
        In `projects_root`: the beginning of the digest, the name of the movie and a
        number.
    """
    stem = f"{movie.digest[:_DIGITS]}-{_safe(movie.name)}"
    paths = (projects_root() / f"{stem}-{number}{SUFFIX}" for number in count(1))
    return next(path for path in paths if not path.exists())


def new_decoder_path(project: Path) -> Path:
    """Return an unused path, beside a project, for a decoder learned from its movie."""
    paths = (
        project.with_name(f"{project.stem}{_LEARNED}{number}{_DECODER}")
        for number in count(1)
    )
    return next(path for path in paths if not path.exists())


def is_learned(decoder: str | Path) -> bool:
    """Whether a decoder belongs to the project of one movie."""
    name = Path(decoder).name
    return name.endswith(_DECODER) and _LEARNED in name


def find_decoder(decoder: str, project: Path | None) -> str:
    """Find a decoder that lies beside a project, wherever that was moved.

    Parameters
    ----------
    decoder : str
        Its name or path when it was chosen.
    project : Path, optional
        Where the project is now.

    Returns
    -------
    str
        The path beside the project if it was learned and lies there, else as given.
    """
    if project is None or not is_learned(decoder):
        return decoder
    # The project may come from a computer with other separators.
    beside = project.with_name(re.split(r"[/\\]", decoder)[-1])
    return str(beside) if beside.is_file() else decoder


def find_projects(digest: str) -> list[ProjectSummary]:
    """List the projects of a movie in `projects_root`.

    Parameters
    ----------
    digest : str
        Of the movie, from `movie_digest`.

    Returns
    -------
    list of ProjectSummary
        The last written first. Files that cannot be read are left out.
    """
    paths = projects_root().glob(f"{digest[:_DIGITS]}-*{SUFFIX}")
    found = [one for path in paths for one in _summaries(path)]
    of_movie = [one for one in found if one.header.movie.digest == digest]
    return sorted(of_movie, key=lambda one: one.saved_at, reverse=True)


def require_replaceable(
    destination: Path, project: Path | None, *, overwrite: bool = False
) -> None:
    """Refuse to copy a project to where it would destroy something.

    Parameters
    ----------
    destination : Path
        Of the copy.
    project : Path, optional
        Of the project, whose file may be gone.
    overwrite : bool, default False
        Whether a file may be replaced.

    Raises
    ------
    ProjectError
        If there is a file that may not be replaced, or the project itself, or one that
        is open somewhere.
    """
    if not destination.exists():
        return
    if project is not None and project.exists() and destination.samefile(project):
        raise ProjectError(f"{destination} is the project itself; choose another name")
    if not overwrite:
        raise ProjectError(f"{destination} exists; choose another name")
    if is_open(destination):
        raise ProjectError(
            f"the project {destination} is open in another window or process; close "
            "it there, or choose another name"
        )


def copy_decoders(decoders: Iterable[str], project: Path, destination: Path) -> None:
    """Copy learned decoders that lie beside a project to where that is copied.

    Parameters
    ----------
    decoders : iterable of str
        Names or paths; those that are not beside the project are left out.
    project, destination : Path
        The project and its copy.

    Raises
    ------
    ProjectError
        If one cannot be copied.
    """
    for decoder in decoders:
        found = Path(find_decoder(decoder, project))
        copy = destination.with_name(found.name)
        is_beside = is_learned(decoder) and found.is_file() and not copy.exists()
        if is_beside:
            said = f"cannot copy the decoder {found} to {copy}"
            with wrap_os_errors(said, ProjectError), atomic_write(copy) as partial:
                partial.write_bytes(found.read_bytes())


def _summaries(path: Path) -> Iterator[ProjectSummary]:
    """Yield the summary of a file, unless it is no project."""
    try:
        header, status = read_header(path), path.stat()
    except (OSError, SamDecoderError) as error:
        _LOG.info("a project was left out: %s", error)
        return
    saved_at = datetime.fromtimestamp(status.st_mtime, UTC)
    yield ProjectSummary(path, header, saved_at, is_open(path), status.st_size)


def _safe(name: str) -> str:
    """Keep of a name what every file system takes."""
    words = re.sub(r"[^\w.]+", "_", name).strip("._")
    return words.encode()[:_LONGEST_NAME].decode(errors="ignore") or "movie"
