"""The points of each movie of a batch: from one table, or from a file per movie."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from napari_sam_decoder.errors import PromptError
from napari_sam_decoder.formats import (
    MOVIE_COLUMNS,
    count_axes,
    read_points_by_movie,
)
from napari_sam_decoder.prompts import PromptSet, prompts_from_tables, read_points
from napari_sam_decoder.validation import as_expanded_path

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from napari_sam_decoder.formats import PointsTable
    from napari_sam_decoder.jobs.batch.movies import FoundMovie

__all__ = ["MoviePoints", "PointsSource"]

_NAME, _FOLDER = "{name}", "{folder}"


@dataclass(frozen=True)
class MoviePoints:
    """The points of a movie.

    Attributes
    ----------
    prompts : PromptSet
        Empty if there are none, and none are needed.
    sources : tuple of Path
        Files that they were read from.
    tables : tuple of Path
        Tables with a column for each axis of the movie's file, which are read at each
        position.
    """

    prompts: PromptSet = field(default_factory=PromptSet)
    sources: tuple[Path, ...] = ()
    tables: tuple[Path, ...] = ()


@dataclass(frozen=True)
class PointsSource:
    """Where the points of each movie are.

    Attributes
    ----------
    place : str
        A table with a column ``movie``; or the path of a table per movie, with
        ``{name}`` for the movie's name or ``{folder}`` for the folder that it is in.
    is_needed : bool
        Whether each movie must have points.
    """

    place: str
    is_needed: bool = field(default=True, kw_only=True)

    def of(self, movie: FoundMovie) -> MoviePoints:
        """Read the points of a movie.

        Raises
        ------
        PromptError
            If it has none but needs them, or its table is invalid.
        FormatError
            If the file cannot be read.
        """
        if not self._is_pattern:
            return self._of_table(movie)
        path = self._path_of(movie)
        if not self.is_needed and not path.exists():
            return MoviePoints()
        if not path.exists():
            raise PromptError(
                f"{movie.name} has no points: there is no {path}; add it, or use "
                "--auto (in Python auto=) to look for objects"
            )
        if count_axes(path) > MOVIE_COLUMNS:
            return MoviePoints(tables=(path,))
        return MoviePoints(read_points(path), (path,))

    def unknown(self, movies: Iterable[FoundMovie]) -> list[str]:
        """Names of movies that have points, but are not there.

        Raises
        ------
        PromptError, FormatError
            If the table of all movies cannot be used.
        """
        if self._is_pattern:
            return []
        known = {key for movie in movies for key in _keys(movie)}
        return [name for name in self._table if name not in known]

    @property
    def _is_pattern(self) -> bool:
        return _NAME in self.place or _FOLDER in self.place

    @cached_property
    def _table(self) -> dict[str, PointsTable]:
        if count_axes(self._table_path) > MOVIE_COLUMNS:
            raise PromptError(
                f"{self._table_path} has a column for each of more axes than a movie "
                "has; give such a table for each movie, as in --points-from "
                "'points/{name}.csv' (in Python points=)"
            )
        return read_points_by_movie(self._table_path)

    @property
    def _table_path(self) -> Path:
        return as_expanded_path(self.place, "points=", PromptError)

    def _path_of(self, movie: FoundMovie) -> Path:
        named = self.place.replace(_NAME, movie.name)
        named = named.replace(_FOLDER, str(movie.path.parent))
        return as_expanded_path(named, "points=", PromptError)

    def _of_table(self, movie: FoundMovie) -> MoviePoints:
        path, table = self._table_path, self._table
        tables = [table[key] for key in _keys(movie) if key in table]
        if not tables and self.is_needed:
            raise PromptError(
                f"{movie.name} has no points in {path}; add rows with "
                f"{movie.name!r} in the column movie, or use --auto (in Python auto=) "
                "to look for objects"
            )
        prompts = prompts_from_tables(tables) if tables else PromptSet()
        return MoviePoints(prompts, (path,))


def _keys(movie: FoundMovie) -> list[str]:
    """What a table may call a movie."""
    return list(dict.fromkeys((movie.name, movie.inside)))
