"""What a reader returns: lazy pixels, their axes and their scale."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_sam_decoder.axes import (
    AT_OPTION,
    expand_index,
    numbered_list,
    resolve_entry,
    select_axes,
)
from napari_sam_decoder.errors import FormatError, MovieError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

__all__ = [
    "SERIES_OPTION",
    "UNIT_SYMBOLS",
    "FrameArray",
    "LazyFrame",
    "MovieSource",
    "OpenOptions",
    "StoredArray",
    "pixel_scale",
    "unit_name",
    "wrap_movie_errors",
]

SERIES_OPTION = "--series (in Python series=)"


@dataclass(frozen=True, eq=False)
class MovieSource:
    """A movie, a volume or a picture in a file.

    Attributes
    ----------
    data : array-like
        With ``shape``, ``dtype``, ``ndim`` and indexing, which reads only the requested
        frames and returns numpy arrays.
    axes : {"TYX", "ZYX", "YX", "TYXC", "ZYXC", "YXC"} or None
        None if the file does not say.
    scale : tuple of float or None
        Size of a pixel along each axis except C, in the units of the file; None if
        the file does not say.
    name : str
        Name of the file without its folder and suffix.
    unit : str
        Of the scale in Y and X, as OME-Zarr spells it; empty if the file does not say.
    coarser : tuple of array-like
        The same movie at coarser levels, where the file has such a pyramid.
    position : mapping of str to int
        Where it was cut out of an array of more axes, by the letters of these.
    lengths : mapping of str to int
        Of the axes of that array, by letter; empty if the file does not name them.
    sizes : mapping of str to float
        Size of a pixel along these, as far as the file says.
    """

    data: Any
    axes: str | None
    scale: tuple[float, ...] | None
    name: str
    unit: str = ""
    coarser: tuple[Any, ...] = ()
    position: Mapping[str, int] = field(default_factory=dict)
    lengths: Mapping[str, int] = field(default_factory=dict)
    sizes: Mapping[str, float] = field(default_factory=dict)

    def __repr__(self) -> str:
        axes = self.axes or "unknown axes"
        return (
            f"MovieSource({self.name!r}, {axes} {self.data.shape}, {self.data.dtype})"
        )


class FrameArray:
    """An array-like of frames, each of which is read when it is requested.

    Parameters
    ----------
    shape : tuple of int
        (T, Y, X) or (T, Y, X, C), or with further leading axes.
    dtype : dtype
    read : callable
        Returns a frame or a `LazyFrame`, given its number; called from any thread.
    counting : int, default 1
        How many leading axes count the frames, in C order.
    """

    def __init__(
        self,
        shape: tuple[int, ...],
        dtype: Any,
        read: Callable[[int], np.ndarray | LazyFrame],
        counting: int = 1,
    ) -> None:
        self.shape = shape
        self.dtype = np.dtype(dtype)
        self._read = read
        self._counting = counting

    def __len__(self) -> int:
        return self.shape[0]

    def __repr__(self) -> str:
        return f"FrameArray({self.shape}, {self.dtype})"

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    def __getitem__(self, key: Any) -> np.ndarray:
        parts = expand_index(key, self.ndim)
        parts += (slice(None),) * (self._counting - len(parts))
        counted = [
            _chosen(part, length)
            for length, part in zip(self.shape, parts[: self._counting], strict=False)
        ]
        rest = parts[self._counting :]
        places = product(*(np.ravel(numbers).tolist() for numbers in counted))
        frames: list[np.ndarray] = [
            self._read(self._number(place))[rest] for place in places
        ]
        lengths = tuple(len(numbers) for numbers in counted if numbers.ndim)
        if not frames:
            nothing = np.empty(self.shape[self._counting :], self.dtype)[rest]
            return np.empty((*lengths, *nothing.shape), self.dtype)
        if not lengths:
            return frames[0]
        return np.stack(frames).reshape(*lengths, *frames[0].shape)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.asarray(self[:], dtype=dtype)

    def _number(self, place: tuple[int, ...]) -> int:
        number = 0
        for index, length in zip(place, self.shape, strict=False):
            number = number * length + index
        return number


def _chosen(part: Any, length: int) -> np.ndarray:
    """Numbers that a part of an index chooses; there may be very many others."""
    if isinstance(part, slice | int | np.integer):
        return np.asarray(range(length)[part])
    chosen = np.asarray(part)
    if chosen.dtype.kind == "b":
        chosen = np.flatnonzero(chosen)
    return np.asarray([range(length)[one] for one in chosen.tolist()], int)


@dataclass(frozen=True, eq=False)
class LazyFrame:
    """A frame of which only the requested part is read, as far as its file allows.

    Attributes
    ----------
    read : callable
        Takes an index of the frame: a tuple of integers and slices.
    """

    read: Callable[[tuple[Any, ...]], np.ndarray]

    def __getitem__(self, key: tuple[Any, ...]) -> np.ndarray:
        return self.read(key)


@dataclass(frozen=True)
class OpenOptions:
    """What to take from a file.

    Attributes
    ----------
    axes : str, optional
        A letter per axis, which overrides what the file says: T, Z, Y, X, and C for
        colours, or for channels if one of them is chosen. Axes of length 1, and the
        channel axis, may be left out.
    channel : int or str, optional
        Number, from 0, or name of a channel. Readers take one; several are one after
        the other.
    series : int or str, optional
        Number, from 0, or name of one of several movies in a file.
    are_ids : bool
        Whether values are object ids, so that no palette turns them into colours.
    at : mapping of str to int, optional
        The position along axes that are not those of the movie, see `as_position`.
    """

    axes: str | None = None
    channel: Any = None
    series: int | str | None = None
    are_ids: bool = False
    at: Mapping[str, int] | None = None

    def require_series(self, names: Sequence[str], path: Path) -> int:
        """Return the index of the chosen series, or of the only one.

        Parameters
        ----------
        names : sequence of str
            Names of all series of the file, at least one.
        path : Path
            Named in messages.

        Raises
        ------
        FormatError
            If no series matches, or several do, or one of several must be chosen.
        """
        chosen = self.series_index(names, path)
        if chosen is None and len(names) > 1:
            raise FormatError(
                f"{path} holds {len(names)} images; choose one with {SERIES_OPTION}: "
                f"{numbered_list(len(names), names)}"
            )
        return chosen or 0

    def series_index(self, names: Sequence[str], path: Path) -> int | None:
        """Return the index of the chosen series; None if none is chosen.

        Parameters
        ----------
        names : sequence of str
            Names of all series of the file.
        path : Path
            Named in messages.

        Raises
        ------
        FormatError
            If no series matches, or several do.
        """
        if self.series is None:
            return None
        with wrap_movie_errors(path):
            return resolve_entry(
                self.series, len(names), names, "series", SERIES_OPTION
            )


@dataclass(frozen=True, eq=False)
class StoredArray:
    """An array in a file, with the metadata of its axes.

    Attributes
    ----------
    data : array-like
        With a shape, a dtype and indexing by integers and slices, which reads no more
        than necessary.
    letters : str or None
        One per axis, as for `select_axes`; None if the file does not say.
    sizes : mapping of str to number
        Size of a pixel along each of these axes.
    channels : tuple of str
        Names of the channels, if the file has them.
    unit : str
        Of the sizes in Y and X, as the file spells it.
    coarser : tuple of array-like
        The same at coarser levels, with as many axes.
    """

    data: Any
    letters: str | None = None
    sizes: Mapping[str, Any] = field(default_factory=dict)
    channels: tuple[str, ...] = ()
    unit: str = ""
    coarser: tuple[Any, ...] = ()

    def as_movie(self, options: OpenOptions, path: Path, name: str) -> MovieSource:
        """Return the requested movie.

        Raises
        ------
        FormatError
            If it is not a movie, or one of several must be chosen.
        """
        with wrap_movie_errors(path):
            letters = self._letters(options)
            if letters is None:
                return self._without_axes(options, name)
            shape, channel = self.data.shape, options.channel
            pick = select_axes(letters, shape, channel, self.channels, options.at)
        noted = self.letters or letters
        sizes = {
            letter: size
            for axis, letter in enumerate(letters)
            if (size := _positive(self.sizes.get(noted[axis]))) is not None
        }
        return MovieSource(
            pick.of(self.data),
            pick.axes,
            pixel_scale(sizes, pick.axes),
            name,
            unit_name(self.unit),
            tuple(pick.of(one) for one in self.coarser),
            pick.position,
            dict(zip(letters, map(int, shape), strict=True)),
            sizes,
        )

    def _without_axes(self, options: OpenOptions, name: str) -> MovieSource:
        if options.channel not in (None, 0):
            raise MovieError(
                "it does not say which axis holds the channels; name the axes with "
                "--axes (in Python axes=), as in TCYX"
            )
        if options.at:
            raise MovieError(
                f"it does not name the axes that {AT_OPTION} speaks of; name them with "
                "--axes (in Python axes=), as in TZYX"
            )
        return MovieSource(self.data, None, None, name)

    def _letters(self, options: OpenOptions) -> str | None:
        """Name the axes as the user does, else as the file does."""
        shape = tuple(self.data.shape)
        if options.axes is None:
            return self.letters
        typed = str(options.axes).upper()
        if options.channel is None:
            typed = typed.replace("C", "S")
        if len(typed) == len(shape):
            return typed
        return self._fill_in_letters(typed, options)

    def _fill_in_letters(self, typed: str, options: OpenOptions) -> str:
        """Assign the given letters to all but the channel and axes of length 1."""
        shape, letters = self.data.shape, self.letters or "?" * self.data.ndim
        is_channel = [
            letter == "C" and options.channel is not None and "C" not in typed
            for letter in letters
        ]
        left = [
            axis
            for axis in range(len(shape))
            if shape[axis] != 1 and not is_channel[axis]
        ]
        if len(left) != len(typed):
            raise MovieError(
                f"axes {options.axes!r} do not fit an array of shape {tuple(shape)}; "
                "give a letter for each axis"
            )
        spare = iter("ABDEFGHIJKLMNOPQRUVW")
        named = dict(zip(left, typed, strict=True))
        return "".join(
            named.get(axis) or ("C" if is_channel[axis] else next(spare))
            for axis in range(len(shape))
        )


@contextmanager
def wrap_movie_errors(path: Path) -> Iterator[None]:
    """Name the file in errors about a movie.

    Raises
    ------
    FormatError
        In place of a `MovieError` raised inside.
    """
    try:
        yield
    except MovieError as error:
        raise FormatError(f"{path}: {error}") from error


def pixel_scale(sizes: Mapping[str, Any], axes: str) -> tuple[float, ...] | None:
    """Arrange sizes of a pixel in the order of the axes.

    Parameters
    ----------
    sizes : mapping of str to number
        By letter; numbers may be text.
    axes : str
        One of `MOVIE_AXES`.

    Returns
    -------
    tuple of float or None
        Without C; 1.0 for an axis without a valid size, None if no axis has one.
    """
    letters = axes.removesuffix("C")
    known = {letter: _positive(sizes.get(letter)) for letter in letters}
    if not any(known.values()):
        return None
    return tuple(known[letter] or 1.0 for letter in letters)


_PREFIXES = {
    "yotta": "Y",
    "zetta": "Z",
    "exa": "E",
    "peta": "P",
    "tera": "T",
    "giga": "G",
    "mega": "M",
    "kilo": "k",
    "hecto": "h",
    "": "",
    "deci": "d",
    "centi": "c",
    "milli": "m",
    "micro": "\u00b5",
    "nano": "n",
    "pico": "p",
    "femto": "f",
    "atto": "a",
    "zepto": "z",
    "yocto": "y",
}
UNIT_SYMBOLS = {
    **{f"{prefix}meter": f"{sign}m" for prefix, sign in _PREFIXES.items()},
    "angstrom": "\u00c5",
    "inch": "in",
    "foot": "ft",
    "yard": "yd",
    "mile": "mi",
    "parsec": "pc",
}
"""What OME-XML calls the units of length that OME-Zarr knows."""
_UNIT_NAMES = {
    **{symbol: name for name, symbol in UNIT_SYMBOLS.items()},
    **{name.replace("meter", "metre"): name for name in UNIT_SYMBOLS},
    **dict.fromkeys(("um", "\u03bcm", "micron", "microns"), "micrometer"),
}


def unit_name(noted: str) -> str:
    """Spell a unit of length as OME-Zarr does; others stay, pixels become empty."""
    unit = noted.strip()
    # Mm is not mm.
    known = _UNIT_NAMES.get(unit) or _UNIT_NAMES.get(unit.lower(), unit)
    return "" if known in ("pixel", "pixels") else known


def _positive(size: Any) -> float | None:
    try:
        value = float(size)
    except (TypeError, ValueError):
        return None
    return value if np.isfinite(value) and value > 0 else None
