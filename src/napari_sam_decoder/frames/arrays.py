"""What is taken for an array, and how one of its frames becomes one of numpy."""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

import numpy as np

from napari_sam_decoder.errors import MovieError

__all__ = ["ArrayLike", "as_array", "as_pixels"]


@runtime_checkable
class ArrayLike(Protocol):
    """What numpy, dask and zarr arrays share, and all that a movie needs."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Length of each axis."""

    @property
    def dtype(self) -> Any:
        """Type of one pixel."""

    def __getitem__(self, key: Any, /) -> Any:
        """Return one frame, lazily or not."""


def as_array(data: Any) -> ArrayLike:
    """Take data as an array; lazily, if they have a shape and a type that numpy knows.

    Parameters
    ----------
    data : array-like
        Tensors of torch are taken to the memory of numpy, shared where that is
        possible.

    Raises
    ------
    MovieError
        If they are no array of numbers.
    """
    _refuse_what_holds_several(data)
    if isinstance(data, np.ma.MaskedArray):
        raise MovieError(
            "a masked array has pixels without a value; give them one, as in "
            "movie.filled(0)"
        )
    if isinstance(data, ArrayLike) and _is_readable(data):
        return data
    array = _as_numpy(data)
    if array.dtype.kind not in "buif":
        raise MovieError(
            f"pixels of type {array.dtype} are no intensities; convert the movie to "
            "an array of integers or floats"
        )
    return array


def as_pixels(frame: Any, shape: tuple[int, ...]) -> np.ndarray:
    """Return a frame as a plain array in the byte order of this machine.

    Parameters
    ----------
    frame : array-like
        What indexing a movie gave.
    shape : tuple of int
        What it must have.

    Raises
    ------
    MovieError
        If it is something else.
    """
    pixels = _as_numpy(frame)
    if pixels.shape != shape or pixels.dtype.kind not in "buif":
        raise MovieError(
            f"the movie promises frames of shape {shape}, but one has shape "
            f"{pixels.shape} and type {pixels.dtype}; convert the movie to an array of "
            "numpy first"
        )
    return pixels.astype(pixels.dtype.newbyteorder("="), copy=False)


def _refuse_what_holds_several(data: Any) -> None:
    """Refuse groups of zarr and HDF5, data sets, dictionaries and .npz files."""
    keys = getattr(data, "keys", None)
    if callable(keys) and not hasattr(data, "shape"):
        names = ", ".join(sorted(str(name) for name in keys())[:8]) or "none so far"
        raise MovieError(
            f"{type(data).__name__} is no array but holds some; give one of them "
            f"(there are: {names})"
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
            f"the lengths {data.shape} are not known; compute them first, as in "
            "movie.compute_chunk_sizes() of dask"
        ) from error


def _as_numpy(data: Any) -> np.ndarray:
    try:
        if hasattr(data, "detach") and hasattr(data, "dtype"):
            return _from_torch(data)
        return np.asarray(data)
    # Libraries refuse in their own ways, torch with a RuntimeError.
    except (TypeError, ValueError, RuntimeError) as error:
        raise MovieError(
            f"{type(data).__name__} cannot form one array of numpy ({error}); convert "
            "the movie first"
        ) from error


def _from_torch(tensor: Any) -> np.ndarray:
    """Share the memory of a tensor, on whatever device and with whatever gradient."""
    # numpy has no bfloat16.
    known = tensor.float() if str(tensor.dtype) == "torch.bfloat16" else tensor
    array: np.ndarray = known.numpy(force=True)
    return array
