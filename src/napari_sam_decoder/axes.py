"""Selecting the axes of an array that make up a movie.

Letters are those of OME: T, Z, C (channels of a microscope), Y, X and S (samples of a
pixel, which are its colours). In the axes of a movie the colours are called C. An array
of more axes holds many movies; a position along the other axes says which one.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_sam_decoder.errors import MovieError, OptionError
from napari_sam_decoder.validation import as_integer

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

__all__ = [
    "AT_OPTION",
    "CHANNEL_OPTION",
    "COLOUR_COUNTS",
    "MOVIE_AXES",
    "AxesSelection",
    "SelectedArray",
    "as_position",
    "axis_letter",
    "axis_letters",
    "colours_or_channels",
    "expand_index",
    "numbered_list",
    "position_letter",
    "position_name",
    "resolve_entry",
    "select_axes",
]

MOVIE_AXES = ("YX", "YXC", "TYX", "TYXC", "ZYX", "ZYXC")
COLOUR_COUNTS = (1, 3, 4)
"""Grey, RGB, RGBA."""

CHANNEL_OPTION = "--channel (in Python channel=)"
AT_OPTION = "--at (in Python at=)"

_ORDER = "TZYXCS"
"""In which order the axes of a movie are, whatever their order in the array."""

_WORDS = {
    "T": ("t", "time", "times", "timepoint", "frame", "frames"),
    "Z": ("z", "depth", "plane", "planes", "slice", "slices"),
    "C": ("c", "ch", "channel", "channels"),
    "Y": ("y", "row", "rows", "height"),
    "X": ("x", "col", "cols", "column", "columns", "width"),
    "S": ("s", "rgb", "rgba", "sample", "samples", "band", "bands"),
}
_LETTERS = {word: letter for letter, words in _WORDS.items() for word in words}


@dataclass(frozen=True)
class AxesSelection:
    """The axes of an array that make up a movie.

    Attributes
    ----------
    axes : str
        One of `MOVIE_AXES`.
    kept : tuple of int
        Their positions among the axes of the array, in the order of the movie.
    fixed : tuple of (axis, index)
        The index taken along each other axis.
    position : mapping of str to int
        What was asked for along axes of several entries, by letter.
    """

    axes: str
    kept: tuple[int, ...]
    fixed: tuple[tuple[int, int], ...] = ()
    position: Mapping[str, int] = field(default_factory=dict)

    def of(self, data: Any) -> Any:
        """Return the movie in an array, as a numpy view or a lazy wrapper."""
        if isinstance(data, np.ndarray):
            cuts = dict(self.fixed)
            index = tuple(cuts.get(axis, slice(None)) for axis in range(data.ndim))
            return data[index].transpose(np.argsort(np.argsort(self.kept)))
        is_whole = not self.fixed and self.kept == tuple(range(len(self.kept)))
        return data if is_whole else SelectedArray(data, self)


class SelectedArray:
    """A lazy view of an array, restricted to some of its axes.

    Parameters
    ----------
    data : array-like
        With a shape, a dtype, and indexing by integers and slices.
    pick : AxesSelection
    """

    def __init__(self, data: Any, pick: AxesSelection) -> None:
        self._data = data
        self._pick = pick

    def __len__(self) -> int:
        return self.shape[0]

    def __repr__(self) -> str:
        return f"PickedArray({self.shape}, {self.dtype})"

    @property
    def shape(self) -> tuple[int, ...]:
        """Length of each axis."""
        return tuple(int(self._data.shape[axis]) for axis in self._pick.kept)

    @property
    def dtype(self) -> np.dtype:
        """Type of one pixel."""
        dtype: np.dtype = np.dtype(self._data.dtype)
        return dtype

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self._pick.kept)

    def __getitem__(self, key: Any) -> np.ndarray:
        parts = expand_index(key, self.ndim)
        if not all(isinstance(part, slice | int | np.integer) for part in parts):
            selected: np.ndarray = self[:][key]
            return selected
        kept = dict(zip(self._pick.kept, parts, strict=False))
        index = {axis: slice(None) for axis in self._pick.kept} | kept
        cuts = index | dict(self._pick.fixed)
        found = np.asarray(self._data[tuple(cuts[axis] for axis in sorted(cuts))])
        left = [axis for axis in self._pick.kept if isinstance(index[axis], slice)]
        return found.transpose(np.argsort(np.argsort(left)))

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.asarray(self[:], dtype=dtype)


def select_axes(
    letters: str,
    shape: Sequence[int],
    channel: int | str | None = None,
    names: Sequence[str] = (),
    at: Mapping[str, int] | None = None,
) -> AxesSelection:
    """Find the movie among named axes; axes of length 1 are dropped if necessary.

    Parameters
    ----------
    letters : str
        One per axis, in any order.
    shape : sequence of int
        Length of each axis.
    channel : int or str, optional
        The entry of C to take, or of S without C: its number from 0, or its name.
    names : sequence of str, optional
        Names of the channels.
    at : mapping of str to int, optional
        The position along other axes, see `as_position`.

    Returns
    -------
    AxesSelection

    Raises
    ------
    MovieError
        If the channel or the position does not exist or must be chosen, or the rest is
        not a movie.
    OptionError
        If the position is not one.
    """
    letters = letters.upper()
    if len(letters) != len(shape) or len(set(letters)) != len(letters):
        raise MovieError(
            f"axes {letters!r} do not fit an array of shape {tuple(shape)}; use one of "
            f"{', '.join(MOVIE_AXES)} with a letter for each axis"
        )
    cuts = _channel_cut(letters, shape, channel, names)
    cuts |= _position_cuts(letters, shape, at)
    left = [axis for axis in range(len(letters)) if axis not in cuts]
    if _spelled(letters, left) not in MOVIE_AXES:
        cuts |= {axis: 0 for axis in left if _is_idle(letters[axis], shape[axis])}
        left = [axis for axis in left if axis not in cuts]
    axes = _spelled(letters, left)
    if axes not in MOVIE_AXES:
        raise MovieError(
            f"the axes {_described(letters, shape)} are not a movie of T or Z, Y, X "
            f"and colours; {_remedy(letters, shape, left)}name them with --axes (in "
            "Python axes=)"
        )
    kept = sorted(left, key=lambda axis: _ORDER.index(letters[axis]))
    lengths = dict(zip(letters, shape, strict=True))
    position = {
        letter: number
        for letter, number in as_position(at).items()
        if lengths[letter] > 1
    }
    return AxesSelection(axes, tuple(kept), tuple(sorted(cuts.items())), position)


def as_position(at: Mapping[str, int] | None) -> dict[str, int]:
    """Check a position along axes that are not those of the movie.

    Parameters
    ----------
    at : mapping of str to int, optional
        Numbers from 0, by the letters or names of axes, such as ``{"z": 5}``.

    Returns
    -------
    dict of str to int
        By letters, in alphabetical order.

    Raises
    ------
    OptionError
        If it is not such a mapping, or names rows, columns or channels.
    """
    if at is None:
        return {}
    if not hasattr(at, "items"):
        raise OptionError(
            f"a position is a number for each axis, as in {{'z': 5}}, not {at!r}"
        )
    found: dict[str, int] = {}
    for name, number in at.items():
        letter = position_letter(name)
        if letter is None or letter in found:
            given = ", ".join(f"{one}={place}" for one, place in at.items())
            raise OptionError(
                f"{AT_OPTION} takes one number for each axis that is neither row nor "
                f"column, such as z=5, not {given}"
            )
        found[letter] = as_integer(number, f"the position along {letter}", OptionError)
    return dict(sorted(found.items()))


def position_letter(name: object) -> str | None:
    """Return the letter of an axis along which there are positions; None for others.

    Parameters
    ----------
    name : str
        A letter or a name, such as "z" or "plane".

    Raises
    ------
    OptionError
        If it is the axis of the channels.
    """
    letter = axis_letter(str(name)) or str(name).strip().upper()
    if letter in ("C", "S"):
        raise OptionError(
            f"a channel is not a position; choose it with {CHANNEL_OPTION}"
        )
    return letter if len(letter) == 1 and letter not in "YX" else None


def position_name(position: Mapping[str, int]) -> str:
    """Spell a position, such as "T=3 Z=5"; empty for none."""
    return " ".join(f"{letter}={number}" for letter, number in position.items())


def colours_or_channels(letters: str, shape: Sequence[int]) -> str:
    """Rename a last axis C of 1, 3 or 4 entries to S: it holds colours."""
    are_colours = letters[-1:] == "C" and shape[-1] in COLOUR_COUNTS
    return f"{letters[:-1]}S" if are_colours and "S" not in letters else letters


def axis_letters(names: Iterable[Any]) -> str | None:
    """Convert names of axes, such as "time" or "y", to letters; None if unclear.

    Parameters
    ----------
    names : iterable
        None for an axis without a name.
    """
    letters = [axis_letter(str(name)) for name in names]
    is_clear = all(letters) and len(set(letters)) == len(letters)
    return "".join(letters) if is_clear else None


def axis_letter(name: str) -> str:
    """Convert the name of an axis to its letter; empty if it is unknown."""
    return _LETTERS.get(name.strip().lower(), "")


def resolve_entry(
    wanted: int | str, count: int, names: Sequence[str], what: str, option: str
) -> int:
    """Find the entry that was chosen by its number or its name.

    Parameters
    ----------
    wanted : int or str
        Numbers count from 0; the case of names is ignored where it is unambiguous.
    count : int
        Number of entries.
    names : sequence of str
        Names of the entries; may be empty.
    what : str
        What is chosen, such as "channel".
    option : str
        Named in messages.

    Raises
    ------
    MovieError
        If no entry matches, or several do.
    """
    if not isinstance(wanted, str):
        number = as_integer(wanted, f"the number of a {what}", MovieError)
        if 0 <= number < count:
            return number
    text = str(wanted)
    exact = [place for place, name in enumerate(names) if name == text]
    alike = [place for place, name in enumerate(names) if name.lower() == text.lower()]
    found = exact or alike
    if len(found) != 1:
        raise MovieError(
            f"there is no {what} {wanted!r}, or more than one; choose with {option}: "
            f"{numbered_list(count, names)}"
        )
    return found[0]


def numbered_list(count: int, names: Sequence[str], shown: int = 8) -> str:
    """List the first few entries by number, with their names if they have any."""
    texts = [
        f"{place} ({names[place]})" if place < len(names) else str(place)
        for place in range(min(count, shown))
    ]
    return ", ".join([*texts, "..."] if count > shown else texts)


def expand_index(key: Any, ndim: int) -> tuple[Any, ...]:
    """Expand an index: at least one part, none of them an ellipsis."""
    parts = key if isinstance(key, tuple) else (key,)
    if not any(part is Ellipsis for part in parts):
        return parts or (slice(None),)
    place = next(index for index, part in enumerate(parts) if part is Ellipsis)
    missing = (slice(None),) * (ndim - len(parts) + 1)
    return (*parts[:place], *missing, *parts[place + 1 :])


def _channel_cut(
    letters: str, shape: Sequence[int], channel: int | str | None, names: Sequence[str]
) -> dict[int, int]:
    axis = letters.find("C") if "C" in letters else letters.find("S")
    count = int(shape[axis]) if axis >= 0 else 1
    if channel is not None:
        place = resolve_entry(channel, count, names, "channel", CHANNEL_OPTION)
        return {axis: place} if axis >= 0 else {}
    are_colours = axis >= 0 and "C" not in letters and count in COLOUR_COUNTS
    if count > 1 and not are_colours:
        # Too many for colours, so these are channels, whatever the letter.
        named = letters if "C" in letters else letters.replace("S", "C")
        raise MovieError(
            f"the axes {_described(named, shape)} hold {count} channels: choose one "
            f"with {CHANNEL_OPTION}: {numbered_list(count, names)}"
        )
    return {axis: 0} if "C" in letters else {}


def _position_cuts(
    letters: str, shape: Sequence[int], at: Mapping[str, int] | None
) -> dict[int, int]:
    cuts = {}
    for letter, number in as_position(at).items():
        axis = letters.find(letter)
        if axis < 0:
            raise MovieError(
                f"there is no axis {letter} in {_described(letters, shape)}; leave it "
                f"out of {AT_OPTION} or --each (each=), or name the axes with --axes "
                "(axes=)"
            )
        if not 0 <= number < shape[axis]:
            raise MovieError(
                f"there is no position {number} along {letter} in "
                f"{_described(letters, shape)}; choose one from 0 to {shape[axis] - 1} "
                f"with {AT_OPTION}"
            )
        cuts[axis] = number
    return cuts


def _remedy(letters: str, shape: Sequence[int], left: Sequence[int]) -> str:
    """What to do about more than one axis that counts frames."""
    counting = [letters[axis] for axis in left if letters[axis] not in "YXCS"]
    if len(counting) < 2 or not {"Y", "X"} <= set(letters):
        return ""
    # Most often objects are followed through time.
    other = next(letter for letter in reversed(counting) if letter != "T").lower()
    return (
        f"choose a position along one of {', '.join(counting)} with {AT_OPTION}, such "
        f"as {other}=0, or "
    )


def _spelled(letters: str, left: Sequence[int]) -> str:
    """Spell the remaining axes as those of a movie, in its order."""
    rest = sorted((letters[axis] for axis in left), key=f"{_ORDER}{letters}".index)
    return "".join(rest).replace("S", "C")


def _is_idle(letter: str, length: int) -> bool:
    return length == 1 and letter not in "YX"


def _described(letters: str, shape: Sequence[int]) -> str:
    lengths = ", ".join(
        f"{letter}={length}" for letter, length in zip(letters, shape, strict=True)
    )
    return f"{letters} ({lengths})"
