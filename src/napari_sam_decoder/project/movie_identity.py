"""Which movie a project belongs to, known by its pixels."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_sam_decoder.axes import COLOUR_COUNTS
from napari_sam_decoder.cache import parts_digest
from napari_sam_decoder.frames.movie import as_array, as_pixels
from napari_sam_decoder.frames.reduced import bands

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

__all__ = ["MovieIdentity", "describe_difference", "movie_digest", "plane_digests"]

SAMPLED_PLANES = 16


@dataclass(frozen=True)
class MovieIdentity:
    """A movie, as far as one can tell it from another.

    Attributes
    ----------
    source : str or None
        Path or address of its file; None for an array in memory.
    name : str
        What people call it.
    shape : tuple of int
        Length of each axis.
    dtype : str
        Dtype of a pixel, such as ``"uint16"``.
    digest : str
        From `movie_digest`.
    """

    source: str | None
    name: str
    shape: tuple[int, ...]
    dtype: str
    digest: str

    @classmethod
    def of(
        cls,
        data: Any,
        name: str,
        source: str | None = None,
        planes: Iterable[bytes] | None = None,
    ) -> MovieIdentity:
        """Identify a movie.

        Parameters
        ----------
        data : array-like
            See `plane_digests`.
        name, source
            As in the attributes.
        planes : iterable of bytes, optional
            From `plane_digests`; computed if not given.
        """
        array = as_array(data)
        shape = tuple(map(int, array.shape))
        digest = movie_digest(array, planes)
        return cls(source, name, shape, _dtype_name(array.dtype), digest)

    def to_json(self) -> dict[str, Any]:
        """Return the fields as values that JSON preserves."""
        return {**asdict(self), "shape": list(self.shape)}

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> MovieIdentity:
        """Restore it; unknown fields are ignored.

        Raises
        ------
        KeyError, TypeError, ValueError
            If a field is missing or of another type.
        """
        source = stored["source"]
        name, dtype, digest = stored["name"], stored["dtype"], stored["digest"]
        shape = tuple(stored["shape"])
        texts = [name, dtype, digest] + ([] if source is None else [source])
        if not all(isinstance(text, str) for text in texts):
            raise TypeError("source, name, dtype and digest of the movie are texts")
        if not all(type(length) is int and length >= 0 for length in shape):
            raise ValueError(f"{shape} is not a shape")
        return cls(source, name, shape, dtype, digest)


def plane_digests(data: Any) -> Iterator[bytes]:
    """Hash planes spread evenly over a movie, one at a time.

    Parameters
    ----------
    data : array-like
        In memory or not, of any number of axes. A plane has the last two, or three
        where the last are colours.

    Yields
    ------
    bytes
        Digest of a plane; 16 of them, or as many as there are planes.
    """
    array = as_array(data)
    shape = tuple(map(int, array.shape))
    colours = len(shape) > 2 and shape[-1] in COLOUR_COUNTS
    leading = shape[: max(0, len(shape) - (3 if colours else 2))]
    for place in _sampled_places(leading):
        plane_shape = shape[len(leading) :]
        yield parts_digest(_parts(array, place, plane_shape), plane_shape)


def _parts(
    array: Any, place: tuple[int, ...], shape: tuple[int, ...]
) -> Iterator[np.ndarray]:
    """Read a plane, band by band if it is large."""
    for band in bands((shape[0], prod(shape[1:]))):
        rows, _ = band.place
        part = as_pixels(array[(*place, rows)], (band.shape[0], *shape[1:]))
        # Of the same pixels on a machine of the other byte order, too.
        yield part.astype(part.dtype.newbyteorder("<"), copy=False)


def movie_digest(data: Any, planes: Iterable[bytes] | None = None) -> str:
    """Hash the shape, the dtype and some planes of a movie.

    Parameters
    ----------
    data : array-like
        See `plane_digests`. The digest is the same for the same pixels, however they
        are stored.
    planes : iterable of bytes, optional
        All that `plane_digests` yields, for those who go through it themselves to be
        able to stop.

    Returns
    -------
    str
        64 hexadecimal digits.
    """
    array = as_array(data)
    described = f"{tuple(map(int, array.shape))} {_dtype_name(array.dtype)}"
    state = hashlib.sha256(described.encode())
    for digest in plane_digests(array) if planes is None else planes:
        state.update(digest)
    return state.hexdigest()


def describe_difference(stored: MovieIdentity, found: MovieIdentity) -> str | None:
    """Say in what a movie differs from that of a project.

    Parameters
    ----------
    stored : MovieIdentity
        That of the project.
    found : MovieIdentity
        The one that was opened.

    Returns
    -------
    str or None
        Part of a sentence, such as "its shape is (5, 8, 8) instead of (9, 8, 8)"; None
        if it has the same pixels. Name and source may differ.
    """
    if stored.shape != found.shape:
        return f"its shape is {found.shape} instead of {stored.shape}"
    if stored.dtype != found.dtype:
        return f"its pixels are of type {found.dtype} instead of {stored.dtype}"
    if stored.digest != found.digest:
        return "it has the same shape and type, but other pixels"
    return None


def _sampled_places(leading: tuple[int, ...]) -> list[tuple[int, ...]]:
    count = int(np.prod(leading, dtype=np.int64))
    if count == 0:
        return []
    numbers = np.linspace(0, count - 1, min(count, SAMPLED_PLANES)).round().astype(int)
    return [
        tuple(int(index) for index in np.unravel_index(number, leading))
        if leading
        else ()
        for number in numbers
    ]


def _dtype_name(dtype: Any) -> str:
    return str(np.dtype(dtype).newbyteorder("=").name)
