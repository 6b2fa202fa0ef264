"""Planes of labels as they were left, compressed."""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING

import numpy as np
from numcodecs import Blosc

from napari_sam_decoder.frames import Window

if TYPE_CHECKING:
    from collections.abc import Iterator

    from napari_sam_decoder.project.label_difference import LabelDifference

__all__ = ["LabelSnapshot", "PlanePosition"]

PlanePosition = tuple[int, ...]
"""Where a plane lies along the sliced axes of labels."""


TILE = 512
"""Side of the parts of a plane that are compressed each by itself; those without any
label take no memory and no time."""


@dataclass(frozen=True, eq=False)
class _PackedTile:
    content: bytes
    dtype: np.dtype
    shape: tuple[int, ...]

    @classmethod
    def of(cls, tile: np.ndarray) -> _PackedTile:
        whole = np.ascontiguousarray(tile)
        return cls(_codec().encode(whole), whole.dtype, whole.shape)

    def pixels(self) -> np.ndarray:
        pixels = np.frombuffer(_codec().decode(self.content), self.dtype)
        return pixels.reshape(self.shape)


class _PackedPlane:
    """A plane in tiles, at first without any label."""

    def __init__(self, shape: tuple[int, ...], dtype: np.dtype) -> None:
        self.shape, self.dtype = shape, dtype
        self._tiles: dict[Window, _PackedTile] = {}

    @classmethod
    def of(cls, plane: np.ndarray) -> _PackedPlane:
        packed = cls(plane.shape, plane.dtype)
        packed._put(plane, packed._whole)
        return packed

    def plane(self) -> np.ndarray:
        return self._part(self._whole)

    def apply(self, difference: LabelDifference) -> None:
        """Change some pixels; only their tiles are unpacked."""
        top, bottom, left, right = difference.window
        # A difference beyond the plane is refused where it is applied.
        changed = Window(top, left, bottom - top, right - left).shared(self._whole)
        around = reduce(Window.joined, _tiles_of(changed or self._whole, self.shape))
        part = self._part(around)
        difference.at(-around.row, -around.column).apply(part)
        self._put(part, around)

    def is_like(self, plane: np.ndarray) -> bool:
        """Whether a plane of the same shape has the same labels."""
        for tile in _tiles_of(self._whole, self.shape):
            packed, here = self._tiles.get(tile), plane[tile.place]
            if packed is None:
                if here.any():
                    return False
            elif not np.array_equal(packed.pixels(), here):
                return False
        return True

    @property
    def _whole(self) -> Window:
        return Window.of_frame((self.shape[0], self.shape[1]))

    def _part(self, window: Window) -> np.ndarray:
        part = np.zeros(window.shape, self.dtype)
        for tile, packed in self._tiles.items():
            shared = tile.shared(window)
            if shared is not None:
                here = packed.pixels()[shared.within(tile).place]
                part[shared.within(window).place] = here
        return part

    def _put(self, part: np.ndarray, window: Window) -> None:
        """Keep the pixels of a window that consists of whole tiles."""
        for tile in _tiles_of(window, self.shape):
            here = part[tile.within(window).place]
            if here.any():
                self._tiles[tile] = _PackedTile.of(here)
            else:
                self._tiles.pop(tile, None)


def _tiles_of(window: Window, shape: tuple[int, ...]) -> Iterator[Window]:
    """Yield the tiles that share pixels with a window."""
    for row in range(window.row // TILE * TILE, window.row + window.rows, TILE):
        first = window.column // TILE * TILE
        for column in range(first, window.column + window.columns, TILE):
            rows, columns = min(TILE, shape[0] - row), min(TILE, shape[1] - column)
            yield Window(row, column, rows, columns)


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
        packed = self._known(place, now)
        return now if packed is None else packed.plane()

    def is_as_left(self, place: PlanePosition, now: np.ndarray) -> bool:
        """Whether a plane is as it was left, as far as it is known.

        Parameters
        ----------
        place : tuple of int
            Where it lies along the sliced axes.
        now : (Y, X) array of int
            As it is now.
        """
        packed = self._known(place, now)
        return packed is None or packed.is_like(now)

    def _known(self, place: PlanePosition, now: np.ndarray) -> _PackedPlane | None:
        """Return what is known of a plane, with all its changes."""
        packed = self._packed.get(place)
        if packed is not None and packed.shape != now.shape:
            return None
        later = self._later.pop(place, [])
        if packed is None:
            if not self._is_blank:
                return None
            packed = _PackedPlane(now.shape, now.dtype)
            if later:
                self._packed[place] = packed
        for difference in later:
            packed.apply(difference)
        return packed
