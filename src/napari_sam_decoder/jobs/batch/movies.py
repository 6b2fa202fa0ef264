"""Which movies a batch has, and what each is called."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from napari_sam_decoder.errors import FormatError, OptionError, wrap_read_errors
from napari_sam_decoder.formats import is_movie, is_remote

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["FoundMovie", "find_movies"]


@dataclass(frozen=True)
class FoundMovie:
    """A movie of a folder.

    Attributes
    ----------
    path : Path
        Its file or folder.
    name : str
        Its path within the folder that was searched, with ``/``. The suffix is left
        out, unless that would give two movies the same name.
    inside : str
        The same, always with the suffix.
    """

    path: Path
    name: str
    inside: str


def find_movies(folder: Path, pattern: str, output: Path) -> list[FoundMovie]:
    """Find the movies of a folder, in the order of their names.

    Parameters
    ----------
    folder : Path
        Where to look.
    pattern : str
        What is a movie, such as ``*``, ``*.tif`` or ``*/frames``; anything else that it
        matches is passed over.
    output : Path
        Where results go. Nothing in it is a movie.

    Raises
    ------
    FormatError
        If the folder cannot be read, is an address, or has no movie.
    OptionError
        If the pattern cannot be used.
    """
    if is_remote(folder):
        raise FormatError(
            f"{folder} is an address, and a batch needs a folder; segment each movie "
            "by its own address instead"
        )
    if not folder.is_dir():
        raise FormatError(f"there is no folder {folder}; check the path")
    place, results = folder.resolve(), output.resolve()
    if results == place or results in place.parents:
        raise OptionError(
            f"{output} has the movies in it, so the results cannot go there; give them "
            "a folder of their own with -o (in Python output=)"
        )
    with wrap_read_errors(folder):
        found = sorted(_matches(folder, pattern, results))
    if not found:
        raise FormatError(
            f"nothing in {folder} that matches {pattern!r} is a movie; check the path, "
            "or choose with --movies (in Python pattern=), as in '*/frames' where each "
            "movie is a folder of pictures called frames"
        )
    return list(_named(folder, found))


def _matches(folder: Path, pattern: str, output: Path) -> Iterator[Path]:
    try:
        matches = list(folder.glob(pattern))
    except (ValueError, NotImplementedError, IndexError) as error:
        raise OptionError(
            f"{pattern!r} is not a pattern of movies; give one within the folder, such "
            "as '*.tif' or '*/frames'"
        ) from error
    for path in matches:
        inside = path.relative_to(folder).parts
        is_hidden = any(part.startswith(".") for part in inside)
        place = path.resolve()
        is_output = output == place or output in place.parents
        if inside and not is_hidden and not is_output and is_movie(path):
            yield path


def _named(folder: Path, paths: list[Path]) -> Iterator[FoundMovie]:
    short = {path: _short_name(folder, path) for path in paths}
    uses = Counter(short.values())
    for path, name in short.items():
        whole = path.relative_to(folder).as_posix()
        yield FoundMovie(path, name if uses[name] == 1 else whole, whole)


def _short_name(folder: Path, path: Path) -> str:
    inside = path.relative_to(folder)
    has_suffix = path.is_file() or path.suffix.lower() == ".zarr"
    return (inside.with_suffix("") if has_suffix else inside).as_posix()
