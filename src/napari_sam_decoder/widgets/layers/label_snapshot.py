"""The planes of a Labels layer as they were last left, to see what others changed."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numcodecs import Blosc

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["KEPT_BYTES", "LabelSnapshot", "PackedPlane", "Place"]

Place = tuple[int, ...]
"""Where a plane lies along the sliced axes of a layer."""

KEPT_BYTES = 256 * 2**20
"""Room for compressed planes, about 30 kB for a megapixel of labels.

Of planes beyond that, the oldest ones, only a checksum is kept: then a change is seen,
but not where it is.
"""


@dataclass(frozen=True, eq=False)
class PackedPlane:
    """A plane in few bytes; made by `PackedPlane.of`."""

    content: bytes
    dtype: np.dtype
    shape: tuple[int, ...]

    @classmethod
    def of(cls, plane: np.ndarray) -> PackedPlane:
        """Compress a (Y, X) array of int."""
        whole = np.ascontiguousarray(plane)
        return cls(_codec().encode(whole), whole.dtype, whole.shape)

    def plane(self) -> np.ndarray:
        """Return the plane; not to be changed."""
        pixels = np.frombuffer(_codec().decode(self.content), self.dtype)
        return pixels.reshape(self.shape)


class LabelSnapshot:
    """Labels as they were last left, plane by plane.

    Parameters
    ----------
    is_blank : bool, default False
        Whether planes that were not put here are known to be 0.
    room : int
        Bytes for compressed planes.
    """

    def __init__(self, *, is_blank: bool = False, room: int = KEPT_BYTES) -> None:
        self._is_blank = is_blank
        self._room = room
        self._packed: dict[Place, PackedPlane] = {}
        self._digests: dict[Place, bytes] = {}
        self._size = 0

    def __contains__(self, place: Place) -> bool:
        return self._is_blank or place in self._packed or place in self._digests

    def __iter__(self) -> Iterator[Place]:
        """Go through the places of all planes that were put here."""
        yield from (*self._packed, *self._digests)

    def put(self, place: Place, plane: np.ndarray) -> None:
        """Keep a plane as it is now.

        Parameters
        ----------
        place : tuple of int
            Where it lies along the sliced axes.
        plane : (Y, X) array of int
            A copy is kept, compressed.
        """
        self._drop(place)
        packed = PackedPlane.of(plane)
        self._packed[place] = packed
        self._size += len(packed.content)
        while self._size > self._room and len(self._packed) > 1:
            oldest = next(iter(self._packed))
            digest = _digest(self._packed[oldest].plane())
            self._drop(oldest)
            self._digests[oldest] = digest

    def begin(self, place: Place, plane: np.ndarray) -> None:
        """Keep a plane unless one is known there."""
        if place not in self:
            self.put(place, plane)

    def changed(
        self, place: Place, now: np.ndarray, left: np.ndarray
    ) -> np.ndarray | None:
        """Find the pixels that are not as they were left.

        Parameters
        ----------
        place : tuple of int
            Where the plane lies along the sliced axes.
        now : (Y, X) array of int
            As it is now.
        left : (Y, X) array of int
            As `plane` gives it.

        Returns
        -------
        (Y, X) array of bool or None
            None where nothing has changed, or where the plane is not known. All of it
            where only a checksum is known.
        """
        digest = self._digests.get(place)
        if digest is not None:
            return None if digest == _digest(now) else np.ones(now.shape, bool)
        changed: np.ndarray = left != now
        return changed if changed.any() else None

    def plane(self, place: Place, now: np.ndarray) -> np.ndarray:
        """Return a plane as it was left, as far as it is known.

        Parameters
        ----------
        place : tuple of int
            Where it lies along the sliced axes.
        now : (Y, X) array of int
            As it is now; taken for what was left where nothing is known.

        Returns
        -------
        (Y, X) array of int
            Not to be changed.
        """
        packed = self._packed.get(place)
        if packed is not None and packed.shape == now.shape:
            return packed.plane()
        if packed is None and self._is_blank and place not in self._digests:
            return np.zeros_like(now)
        return now

    def _drop(self, place: Place) -> None:
        packed = self._packed.pop(place, None)
        if packed is not None:
            self._size -= len(packed.content)
        self._digests.pop(place, None)


def _codec() -> Blosc:
    # One per call: it holds no state, and planes are read in the background as well.
    return Blosc("zstd", clevel=1, shuffle=Blosc.SHUFFLE)


def _digest(plane: np.ndarray) -> bytes:
    # Whatever the type of the labels, for they may be replaced by others.
    pixels = np.ascontiguousarray(plane, dtype=np.int64)
    return hashlib.blake2b(pixels.tobytes(), digest_size=16).digest()
