"""Planes of labels as they were left, compressed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numcodecs import Blosc

if TYPE_CHECKING:
    from collections.abc import Iterator

    from napari_sam_decoder.project.label_difference import LabelDifference

__all__ = ["LabelSnapshot", "PlanePosition"]

PlanePosition = tuple[int, ...]
"""Where a plane lies along the sliced axes of labels."""


@dataclass(frozen=True, eq=False)
class _PackedPlane:
    content: bytes
    dtype: np.dtype
    shape: tuple[int, ...]

    @classmethod
    def of(cls, plane: np.ndarray) -> _PackedPlane:
        whole = np.ascontiguousarray(plane)
        return cls(_codec().encode(whole), whole.dtype, whole.shape)

    def plane(self) -> np.ndarray:
        pixels = np.frombuffer(_codec().decode(self.content), self.dtype)
        return pixels.reshape(self.shape)


def _codec() -> Blosc:
    # One per call, since planes are read in the background as well.
    return Blosc("zstd", clevel=1, shuffle=Blosc.SHUFFLE)


class LabelSnapshot:
    """Labels as they were last known, plane by plane, about 30 kB for a megapixel.

    Parameters
    ----------
    is_blank : bool, default False
        Whether planes that were never put here are known to be 0.
    """

    def __init__(self, *, is_blank: bool = False) -> None:
        self._is_blank = is_blank
        self._packed: dict[PlanePosition, _PackedPlane] = {}
        self._later: dict[PlanePosition, list[LabelDifference]] = {}

    @property
    def is_blank(self) -> bool:
        """Whether planes that were never put here are known to be 0."""
        return self._is_blank

    def __contains__(self, place: PlanePosition) -> bool:
        return self._is_blank or place in self._packed

    def __iter__(self) -> Iterator[PlanePosition]:
        """Iterate over the positions of all planes that were put here or changed."""
        return iter(tuple({**self._packed, **self._later}))

    def put(self, place: PlanePosition, plane: np.ndarray) -> None:
        """Keep a plane as it is now.

        Parameters
        ----------
        place : tuple of int
            Where it lies along the sliced axes.
        plane : (Y, X) array of int
            A copy is kept, compressed.
        """
        self._packed[place] = _PackedPlane.of(plane)
        self._later.pop(place, None)

    def begin(self, place: PlanePosition, plane: np.ndarray) -> None:
        """Keep a plane unless it is known already."""
        if place not in self:
            self.put(place, plane)

    def patch(self, place: PlanePosition, difference: LabelDifference) -> None:
        """Take a change of a plane into account, if the plane is known."""
        if place in self:
            # Unpacking can wait until somebody asks for the plane.
            self._later.setdefault(place, []).append(difference)

    def plane(self, place: PlanePosition, now: np.ndarray) -> np.ndarray:
        """Return a plane as it was left, as far as it is known.

        Parameters
        ----------
        place : tuple of int
            Where it lies along the sliced axes.
        now : (Y, X) array of int
            As it is now; returned if nothing else is known.

        Returns
        -------
        (Y, X) array of int
            Not to be changed.
        """
        packed = self._packed.get(place)
        if packed is not None and packed.shape != now.shape:
            return now
        if packed is None and not self._is_blank:
            return now
        known = np.zeros_like(now) if packed is None else packed.plane()
        later = self._later.pop(place, None)
        if later:
            known = known.copy()
            for difference in later:
                difference.apply(known)
            self.put(place, known)
        return known
