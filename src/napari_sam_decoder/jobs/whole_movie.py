"""A movie as the window shows it and a project keeps it: all positions in one array."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_sam_decoder.formats.movie_source import FrameArray
from napari_sam_decoder.project import MovieCut

if TYPE_CHECKING:
    from collections.abc import Mapping

    from napari_sam_decoder.formats import MovieSource
    from napari_sam_decoder.jobs.inputs import MovieOptions

__all__ = ["WholeMovie", "whole_movie"]


@dataclass(frozen=True, eq=False)
class WholeMovie:
    """A movie, or all positions of a file with a movie at each.

    Attributes
    ----------
    axes : str
        A letter for each axis, such as "TZYX", with a C for colours; empty if the file
        does not say.
    data : array-like
        Whose frames are read when they are asked for.
    along : str
        The axis along which objects are followed; empty where each is a picture.
    name : str
        Of the file.
    """

    axes: str
    data: Any
    along: str
    name: str

    def cut(self, place: Mapping[str, int]) -> MovieCut:
        """Return the movie at a position, by the letters of the other axes."""
        axes = self.axes.removesuffix("C")
        fixed = tuple(
            (axis, place[letter]) for axis, letter in enumerate(axes) if letter in place
        )
        axis = axes.index(self.along) if self.along else None
        return MovieCut(self.data.shape[: len(axes)], axis, fixed)


def whole_movie(movie: MovieOptions) -> WholeMovie:
    """Open a movie, or all positions of a file with a movie at each.

    Parameters
    ----------
    movie : MovieOptions
        Says along which axes, if at all.

    Raises
    ------
    SamDecoderError
        If the file cannot be used.
    """
    if not movie.each:
        source = movie.source()
        axes = source.axes or ""
        return WholeMovie(axes, source.data, axes[:1].replace("Y", ""), source.name)
    places = {tuple(movie.place_of(one).items()): one for one in movie.positions()}

    @lru_cache(maxsize=len(places))
    def opened(place: tuple[tuple[str, int], ...]) -> MovieSource:
        return places[place].source()

    first = opened(next(iter(places)))
    axes = first.axes or ""
    along = axes[0].replace("Y", "")
    own = {along: len(first.data)} if along else {}
    other = {letter: first.lengths[letter] for letter, _ in next(iter(places))}
    lengths = dict(sorted((own | other).items()))

    def read(number: int) -> np.ndarray:
        numbers = np.unravel_index(number, tuple(lengths.values()))
        at = dict(zip(lengths, map(int, numbers), strict=True))
        key = tuple((letter, at[letter]) for letter in other)
        data = opened(key).data
        return np.asarray(data[at[along]] if along else data[...])

    shape = (*lengths.values(), *first.data.shape[len(own) :])
    data = FrameArray(shape, first.data.dtype, read, counting=len(lengths))
    letters = "".join(lengths) + axes.removeprefix(along)
    return WholeMovie(letters, data, along, first.name)
