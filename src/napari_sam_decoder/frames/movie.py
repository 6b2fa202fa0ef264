"""A movie, a volume or a picture, read one frame at a time."""

from __future__ import annotations

from copy import copy
from functools import cached_property
from math import prod
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np

from napari_sam_decoder.axes import (
    COLOUR_COUNTS,
    AxesSelection,
    as_position,
    axis_letters,
    colours_or_channels,
    select_axes,
)
from napari_sam_decoder.errors import MovieError
from napari_sam_decoder.frames.contrast import Contrast
from napari_sam_decoder.frames.reduced import ReducedArray, bands
from napari_sam_decoder.wording import listed

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from napari_sam_decoder.frames.window import Window

__all__ = ["ArrayLike", "Movie", "as_array", "as_pixels", "guess_axes"]


@runtime_checkable
class ArrayLike(Protocol):
    """What numpy, dask and zarr arrays have in common, and all that a movie needs."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Length of each axis."""

    @property
    def dtype(self) -> Any:
        """Type of one pixel."""

    def __getitem__(self, key: Any, /) -> Any:
        """Return one frame, lazily or not."""


def as_array(data: Any) -> ArrayLike:
    """Convert data to an array; lazy arrays with a shape and a numpy dtype stay lazy.

    Parameters
    ----------
    data : array-like
        Torch tensors become numpy arrays, which share their memory where possible.

    Raises
    ------
    MovieError
        If they are not an array of numbers.
    """
    _refuse_what_holds_several(data)
    if isinstance(data, np.ma.MaskedArray):
        raise MovieError(
            "a masked array has pixels without a value; fill them in, as in "
            "movie.filled(0)"
        )
    if isinstance(data, ArrayLike) and _is_readable(data):
        return data
    array = _as_numpy(data)
    if array.dtype.kind not in "buif":
        raise MovieError(
            f"pixels of type {array.dtype} are not intensities; convert the movie to "
            "an array of integers or floats"
        )
    return array


def as_pixels(frame: Any, shape: tuple[int, ...]) -> np.ndarray:
    """Return a frame as a numpy array in native byte order.

    Parameters
    ----------
    frame : array-like
        Result of indexing a movie.
    shape : tuple of int
        Expected shape.

    Raises
    ------
    MovieError
        If the frame has another shape or no numeric dtype.
    """
    pixels = _as_numpy(frame)
    if pixels.shape != shape or pixels.dtype.kind not in "buif":
        raise MovieError(
            f"the movie declares frames of shape {shape}, but one has shape "
            f"{pixels.shape} and type {pixels.dtype}; convert the movie to a numpy "
            "array first"
        )
    return pixels.astype(pixels.dtype.newbyteorder("="), copy=False)


def _refuse_what_holds_several(data: Any) -> None:
    """Reject zarr and HDF5 groups, data sets, dictionaries and .npz files."""
    keys = getattr(data, "keys", None)
    if callable(keys) and not hasattr(data, "shape"):
        names = ", ".join(sorted(str(name) for name in keys())[:8]) or "none so far"
        raise MovieError(
            f"{type(data).__name__} is not an array but holds several; pass one of "
            f"them (there are: {names})"
        )


def _is_readable(data: ArrayLike) -> bool:
    try:
        np.dtype(data.dtype)
    except TypeError:
        return False
    try:
        return bool(tuple(map(int, data.shape)) == tuple(data.shape))
    except (TypeError, ValueError, OverflowError) as error:
        raise MovieError(
            f"the shape {data.shape} is not known; compute it first, as in "
            "dask's movie.compute_chunk_sizes()"
        ) from error


def _as_numpy(data: Any) -> np.ndarray:
    try:
        if hasattr(data, "detach") and hasattr(data, "dtype"):
            return _from_torch(data)
        return np.asarray(data)
    # Torch raises a RuntimeError here.
    except (TypeError, ValueError, RuntimeError) as error:
        raise MovieError(
            f"{type(data).__name__} cannot be converted to a numpy array ({error}); "
            "convert the movie first"
        ) from error


def _from_torch(tensor: Any) -> np.ndarray:
    """Convert a tensor, whatever its device and gradient; share memory if possible."""
    # numpy has no bfloat16.
    known = tensor.float() if str(tensor.dtype) == "torch.bfloat16" else tensor
    array: np.ndarray = known.numpy(force=True)
    return array


SAMPLED_FRAMES = 16
SAMPLED_PIXELS_PER_FRAME = 65_536
SAMPLED_SIDE = 1024
"""Of a movie with coarser levels, one with at least so many pixels is sampled."""


class _CutArray:
    """An array of frames, cut to a window; of lazy arrays only that is read."""

    def __init__(self, data: ArrayLike, window: Window, row_axis: int) -> None:
        self._data, self._place = data, window.place
        self._row_axis = row_axis
        self.shape = (
            *data.shape[:row_axis],
            *window.shape,
            *data.shape[row_axis + 2 :],
        )
        self.dtype = data.dtype

    def __getitem__(self, key: Any) -> Any:
        if not self._row_axis:
            return self._data[self._place]
        if hasattr(self._data, "ndim"):
            return self._data[(key, *self._place)]
        return as_array(self._data[key])[self._place]


class Movie:
    """A movie, a volume or a picture, read one frame at a time.

    Parameters
    ----------
    data : array-like
        (T, Y, X), (Z, Y, X) or (Y, X), with or without a last axis of 1, 3 or 4
        channels (grey, RGB, or RGBA, whose alpha is ignored), or more axes with
        ``axes`` and ``at``. Booleans, integers or floats in any byte order and memory
        layout, from numpy, dask, zarr, torch or anything else that has a shape, a dtype
        and indexing.
    axes : str, optional
        A letter for each axis, in any order: "TYX", "ZYX" or "YX", with a C for
        colours, or more of them. With ``channel``, C stands for channels instead. By
        default taken from the names of the axes, as xarray has them, else guessed from
        the shape, see `guess_axes`.
    channel : int, optional
        Index along C to take, from 0; the movie is then grey.
    contrast : (float, float), optional
        Intensities shown as black and white. By default robust percentiles of up to
        16 frames spread over the movie, or for computed tomography the window of soft
        tissue. One setting holds for the whole movie, since stretching each frame on
        its own makes the embeddings flicker.
    scale : sequence of float, optional
        Size of a pixel along each axis except C; kept with labels of the movie.
    unit : str
        Of the scale in Y and X, such as "micrometer".
    coarser : sequence of array-like
        The same movie with smaller frames, from larger to smaller, where there is such
        a pyramid: what is only looked at as a whole is read from there. Those that have
        other lengths along other axes are not used.
    at : mapping of str to int, optional
        The position along axes that are not those of the movie, from 0, as in
        ``{"z": 5}``.
    position : mapping of str to int, optional
        Where the array itself was cut out of a larger one: embeddings of movies at
        different positions are kept apart.

    Raises
    ------
    MovieError
        If the array is empty, not a movie, or has too many channels.
    """

    def __init__(
        self,
        data: Any,
        *,
        axes: str | None = None,
        channel: int | str | None = None,
        contrast: Sequence[float] | None = None,
        scale: Sequence[float] | None = None,
        unit: str = "",
        coarser: Sequence[Any] = (),
        at: Mapping[str, int] | None = None,
        position: Mapping[str, int] | None = None,
    ) -> None:
        array = as_array(data)
        pick = _pick(array, axes, channel, at)
        self._data = pick.of(array)
        self.axes = pick.axes
        levels = [pick.of(as_array(one)) for one in coarser]
        self._coarser = [one for one in levels if self._is_smaller(one)]
        self.scale = None if scale is None else tuple(map(float, scale))
        self.unit = unit
        self.position = as_position({**(position or {}), **pick.position})
        self._set_contrast = None if contrast is None else Contrast.of(contrast)

    def __len__(self) -> int:
        return self.shape[0] if self.has_frame_axis else 1

    def __repr__(self) -> str:
        return f"Movie({self.axes} {self.shape}, {self.dtype})"

    @property
    def shape(self) -> tuple[int, ...]:
        """Length of each axis, in the order of `axes`."""
        return tuple(int(length) for length in self._data.shape)

    @property
    def dtype(self) -> np.dtype:
        """Dtype of a pixel, in native byte order."""
        dtype: np.dtype = np.dtype(self._data.dtype).newbyteorder("=")
        return dtype

    @property
    def has_frame_axis(self) -> bool:
        """False for a single image, which counts as a movie of one frame."""
        return self.axes[0] != "Y"

    @property
    def frame_shape(self) -> tuple[int, int]:
        """(rows, columns) of every frame."""
        row_axis = self.axes.index("Y")
        return self.shape[row_axis], self.shape[row_axis + 1]

    @cached_property
    def contrast(self) -> Contrast:
        """The intensities shown as black and white in `rgb`.

        Raises
        ------
        MovieError
            If none were set, and there is no number in the frames that are looked at.
        """
        return self._set_contrast or self._measure_contrast()

    def cut(self, window: Window) -> Movie:
        """Return the same movie cut to a window, shown with the same contrast."""
        row_axis = self.axes.index("Y")
        movie = copy(self)
        movie._data = _CutArray(self._data, window, row_axis)
        movie._set_contrast = movie.contrast = self.contrast
        return movie

    def overview(self, side: int) -> Movie:
        """Return the movie with frames that are small enough to be looked at whole.

        Parameters
        ----------
        side : int
            In pixels; frames with less than twice as many stay as they are.

        Returns
        -------
        Movie
            Its longer side has ``side`` pixels to twice as many. Frames are read from
            the coarsest level that has as many, averaged band by band, and the latest
            are remembered.
        """
        level = self._level(side)
        factor = max(level.frame_shape) // side
        if level is self and factor < 2:
            return self
        movie = copy(level)
        movie._data = ReducedArray(
            level.part, level.shape, level.axes.index("Y"), factor, level.dtype
        )
        movie._set_contrast = movie.contrast = self.contrast
        return movie

    @property
    def limits(self) -> tuple[Contrast, ...]:
        """The contrast, or that of each channel of a composite."""
        return (self.contrast,)

    def levels(self) -> Iterator[Movie]:
        """Yield the movie at its coarser levels, from larger to smaller."""
        for data in self._coarser:
            level = copy(self)
            level._data, level._coarser = data, []
            yield level

    def _level(self, side: int) -> Movie:
        """Return the movie at the coarsest level with at least so many pixels a side.

        It has the contrast of the movie if that has been set or measured.
        """
        level = self
        for coarser in self.levels():
            if max(coarser.frame_shape) >= side:
                level = coarser
        return level

    def _is_smaller(self, data: ArrayLike) -> bool:
        """Whether an array is the movie with smaller frames."""
        row_axis = self.axes.index("Y")
        shape = tuple(int(length) for length in data.shape)
        frame, own = shape[row_axis : row_axis + 2], self.frame_shape
        rest = [(*one[:row_axis], *one[row_axis + 2 :]) for one in (shape, self.shape)]
        return rest[0] == rest[1] and max(frame) < max(own)

    def part(self, frame: int, window: Window) -> np.ndarray:
        """Return a window of one frame as stored; of lazy arrays only that is read."""
        cut = _CutArray(self._data, window, self.axes.index("Y"))
        shape = cut.shape[1:] if self.has_frame_axis else cut.shape
        return as_pixels(cut[frame], shape)

    def raw(self, frame: int) -> np.ndarray:
        """Return one frame as stored, in native byte order.

        Parameters
        ----------
        frame : int
            0 <= frame < len(movie).

        Returns
        -------
        array
            (Y, X) or (Y, X, C), in the movie's own dtype.

        Raises
        ------
        MovieError
            If there is no such frame.
        """
        if not 0 <= frame < len(self):
            raise MovieError(
                f"there is no frame {frame}: the movie has frames 0 to {len(self) - 1}"
            )
        found = self._data[frame] if self.has_frame_axis else self._data[:]
        return as_pixels(found, self.shape[1:] if self.has_frame_axis else self.shape)

    def rgb(self, frame: int) -> np.ndarray:
        """Return one frame as the network sees it: (Y, X, 3) uint8."""
        return self.as_rgb(self.raw(frame))

    def as_rgb(self, pixels: np.ndarray) -> np.ndarray:
        """Convert a frame from `raw` to what the network sees: (Y, X, 3) uint8."""
        stretched = self.contrast.apply(_colour_channels(pixels))
        if stretched.ndim == 2:
            stretched = stretched[..., np.newaxis]
        return np.ascontiguousarray(
            np.broadcast_to(stretched, (*stretched.shape[:2], 3))
        )

    def _measure_contrast(self) -> Contrast:
        frames = np.unique(
            np.linspace(0, len(self) - 1, min(len(self), SAMPLED_FRAMES)).astype(int)
        )
        level = self._level(SAMPLED_SIDE)
        sample = np.concatenate([level._sample(int(frame)) for frame in frames])
        if sample.size == 0:
            raise MovieError(
                f"no pixel of {listed('frame', frames.tolist())} is a number: all are "
                "NaN or infinite; check how the movie was written, or set contrast "
                "limits if other frames are to be seen"
            )
        return Contrast.measure(sample)

    def _sample(self, frame: int) -> np.ndarray:
        """Take every n-th value of a frame."""
        start, parts = 0, []
        colours = self.shape[-1:] if self.axes.endswith("C") else ()
        size = prod((*self.frame_shape, *(min(count, 3) for count in colours)))
        step = max(1, size // SAMPLED_PIXELS_PER_FRAME)
        for band in bands(self.frame_shape):
            pixels = _colour_channels(self.part(frame, band)).ravel()
            parts.append(pixels[-start % step :: step].astype(np.float64))
            start += pixels.size
        values = np.concatenate(parts)
        return values[np.isfinite(values)]


def guess_axes(shape: tuple[int, ...]) -> str:
    """Guess the axes of an array from its shape alone.

    Parameters
    ----------
    shape : tuple of int
        Two axes are (Y, X); three are (Y, X, C) if the last has 3 or 4 entries and
        the others more, else (T, Y, X); four are (T, Y, X, C) if the last has 1, 3 or
        4 entries.

    Returns
    -------
    str
        As `Movie` takes them.

    Raises
    ------
    MovieError
        If nothing fits.
    """
    if len(shape) == 2:
        return "YX"
    if len(shape) == 3:
        is_colour = shape[-1] in (3, 4) and min(shape[:2]) > 4
        return "YXC" if is_colour else "TYX"
    if len(shape) == 4 and shape[-1] in COLOUR_COUNTS:
        return "TYXC"
    raise MovieError(
        f"an array of shape {shape} is not a movie by itself: expected (Y, X), "
        "(T, Y, X) or (T, Y, X, C) with 1, 3 or 4 colours; name its axes with --axes "
        "(in Python axes=), as in TCZYX, choose one of several channels with "
        "--channel (channel=), and a position along other axes with --at (at=)"
    )


def _pick(
    data: ArrayLike,
    axes: str | None,
    channel: int | str | None,
    at: Mapping[str, int] | None,
) -> AxesSelection:
    shape = tuple(map(int, data.shape))
    if np.dtype(data.dtype).kind not in "buif":
        raise MovieError(
            f"pixels of type {data.dtype} are not intensities; convert the movie to "
            "integers or floats"
        )
    if 0 in shape:
        raise MovieError(
            f"the movie is empty: its shape is {shape}; load it again, with its pixels"
        )
    return select_axes(_letters(data, shape, axes, channel), shape, channel, at=at)


def _letters(
    data: ArrayLike, shape: tuple[int, ...], axes: str | None, channel: int | str | None
) -> str:
    """Name the axes; C stands for channels only if one is chosen."""
    if axes is not None:
        asked = str(axes).upper()
        return asked if channel is not None else asked.replace("C", "S")
    named = axis_letters(getattr(data, "dims", None) or (None,))
    letters = named or guess_axes(shape)
    if channel is not None and not (named or letters.endswith("C")):
        raise MovieError(
            f"which axis of the shape {shape} holds the channels is not known; name "
            "the axes with --axes (in Python axes=), as in TCYX"
        )
    return colours_or_channels(letters, shape)


def _colour_channels(frame: np.ndarray) -> np.ndarray:
    """Drop alpha, since transparency is not an intensity."""
    return frame[..., :3] if frame.ndim == 3 else frame
