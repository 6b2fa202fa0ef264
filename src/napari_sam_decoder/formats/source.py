"""What a file gives: lazy pixels, the names of their axes, and their size."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_sam_decoder.errors import FormatError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

__all__ = [
    "AxisChoice",
    "FrameArray",
    "MovieSource",
    "choose_axes",
    "scale_of",
    "spread_key",
]

MOVIE_AXES = ("YX", "YXC", "TYX", "TYXC", "ZYX", "ZYXC")
# tifffile's letters for samples of a pixel, and for axes that nobody has named.
SPELLINGS = str.maketrans({"S": "C", "I": "T", "Q": "T"})


@dataclass(frozen=True, eq=False)
class MovieSource:
    """A movie, a volume or a picture in a file.

    Attributes
    ----------
    data : array-like
        With ``shape``, ``dtype``, ``ndim``, and indexing that reads no more than the
        frames that are asked for. Frames come as numpy arrays.
    axes : {"TYX", "ZYX", "YX", "TYXC", "ZYXC", "YXC"} or None
        None if the file does not say.
    scale : tuple of float or None
        Size of a pixel along each axis but C, in the units of the file; None if the
        file does not say.
    name : str
        Name of the file without its folder and suffix.
    """

    data: Any
    axes: str | None
    scale: tuple[float, ...] | None
    name: str


class FrameArray:
    """Frames behind one array-like face; each is read when it is asked for.

    Parameters
    ----------
    shape : tuple of int
        (T, Y, X) or (T, Y, X, C).
    dtype : dtype
    read : callable
        From the number of a frame to its pixels; may be called from any thread.
    """

    def __init__(
        self, shape: tuple[int, ...], dtype: Any, read: Callable[[int], np.ndarray]
    ) -> None:
        self.shape = shape
        self.dtype = np.dtype(dtype)
        self._read = read

    def __len__(self) -> int:
        return self.shape[0]

    def __repr__(self) -> str:
        return f"FrameArray({self.shape}, {self.dtype})"

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    def __getitem__(self, key: Any) -> np.ndarray:
        first, *rest = spread_key(key, self.ndim)
        frames = np.arange(len(self))[first]
        if frames.ndim == 0:
            frame: np.ndarray = self._read(int(frames))[tuple(rest)]
            return frame
        if frames.size == 0:
            nothing = np.empty((0, *self.shape[1:]), self.dtype)
            return nothing[(slice(None), *rest)]
        return np.stack([self._read(int(index))[tuple(rest)] for index in frames])

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.asarray(self[:], dtype=dtype)


@dataclass(frozen=True)
class AxisChoice:
    """Which axes of an array make up a movie.

    Attributes
    ----------
    axes : str
        One of `MOVIE_AXES`.
    kept : tuple of int
        Their positions in the array; every other axis has length 1.
    """

    axes: str
    kept: tuple[int, ...]


def choose_axes(axes: str, shape: tuple[int, ...], path: Path) -> AxisChoice:
    """Find the movie among named axes, without those of length 1 if need be.

    Parameters
    ----------
    axes : str
        A letter for each axis, as tifffile and OME spell them.
    shape : tuple of int
        Length of each axis.
    path : Path
        For the message.

    Returns
    -------
    AxisChoice

    Raises
    ------
    FormatError
        If the rest is still no movie.
    """
    spelled = axes.upper().translate(SPELLINGS)
    if spelled in MOVIE_AXES:
        return AxisChoice(spelled, tuple(range(len(axes))))
    kept = tuple(
        index
        for index, letter in enumerate(spelled)
        if letter in "YX" or shape[index] > 1
    )
    chosen = "".join(spelled[index] for index in kept)
    if chosen not in MOVIE_AXES:
        lengths = ", ".join(
            f"{letter}={length}" for letter, length in zip(axes, shape, strict=True)
        )
        raise FormatError(
            f"{path} has the axes {axes} ({lengths}), which are no movie of T or Z, Y, "
            "X and colours last; export one channel or one time point to its own file"
        )
    return AxisChoice(chosen, kept)


def scale_of(sizes: Mapping[str, Any], axes: str) -> tuple[float, ...] | None:
    """Put known sizes of a pixel in the order of the axes.

    Parameters
    ----------
    sizes : mapping of str to number
        By letter; text that reads as a number will do.
    axes : str
        One of `MOVIE_AXES`.

    Returns
    -------
    tuple of float or None
        Without C; 1.0 where an axis has no usable size, None if none has.
    """
    letters = axes.removesuffix("C")
    known = {letter: _positive(sizes.get(letter)) for letter in letters}
    if not any(known.values()):
        return None
    return tuple(known[letter] or 1.0 for letter in letters)


def spread_key(key: Any, ndim: int) -> tuple[Any, ...]:
    """Write an index out: at least one part, and none of them an ellipsis."""
    parts = key if isinstance(key, tuple) else (key,)
    if not any(part is Ellipsis for part in parts):
        return parts or (slice(None),)
    place = next(index for index, part in enumerate(parts) if part is Ellipsis)
    missing = (slice(None),) * (ndim - len(parts) + 1)
    return (*parts[:place], *missing, *parts[place + 1 :])


def _positive(size: Any) -> float | None:
    try:
        value = float(size)
    except (TypeError, ValueError):
        return None
    return value if np.isfinite(value) and value > 0 else None
