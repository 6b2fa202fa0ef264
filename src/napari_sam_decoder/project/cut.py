"""A movie as a cut through an array, as far as labels need to know it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from napari_sam_decoder.project.label_snapshot import PlanePosition

__all__ = ["Cut", "PlaneAxes", "axes_of", "place_of", "scope_of"]


class Cut(Protocol):
    """Frames along one axis of an array, at fixed places along others."""

    @property
    def axis(self) -> int | None:
        """The axis that counts the frames, None for a single picture."""

    @property
    def fixed(self) -> tuple[tuple[int, int], ...]:
        """(axis, index) where the array is cut along its other axes."""

    @property
    def spatial_shape(self) -> tuple[int, ...]:
        """Of the whole array, without colours."""

    @property
    def frame_axes(self) -> tuple[int, int]:
        """Rows and columns."""

    @property
    def frame_shape(self) -> tuple[int, int]:
        """Number of rows and columns."""

    @property
    def sliced_axes(self) -> tuple[int, ...]:
        """The axes of frames and cuts, ascending."""

    def __len__(self) -> int:
        """Number of frames."""

    def index(self, frame: int) -> tuple[Any, ...]:
        """Index of a frame in the array."""

    def origin(self, frame: int) -> tuple[Any, ...]:
        """Position of a frame's first pixel in the array."""


@dataclass(frozen=True)
class PlaneAxes:
    """Which axes of an array span a plane, and along which ones it is cut.

    Attributes
    ----------
    sliced : tuple of int
        Ascending; one index along each is the position of a plane.
    shown : (int, int)
        Rows and columns.
    """

    sliced: tuple[int, ...]
    shown: tuple[int, int]

    @classmethod
    def of(cls, sliced: tuple[int, ...]) -> PlaneAxes:
        """Name the axes of planes by those along which they are cut."""
        rows, columns = (axis for axis in range(len(sliced) + 2) if axis not in sliced)
        return cls(sliced, (rows, columns))

    def index(self, place: PlanePosition) -> tuple[int | slice, ...]:
        """Return the index of a plane in the array."""
        index: list[int | slice] = [slice(None)] * (len(self.sliced) + len(self.shown))
        for axis, position in zip(self.sliced, place, strict=True):
            index[axis] = position
        return tuple(index)


def axes_of(cut: Cut) -> PlaneAxes:
    """Return the axes of the frames of a cut."""
    return PlaneAxes(cut.sliced_axes, cut.frame_axes)


def place_of(cut: Cut, frame: int) -> PlanePosition:
    """Return where a frame lies along the sliced axes."""
    origin = cut.origin(frame)
    return tuple(int(origin[axis]) for axis in cut.sliced_axes)


def scope_of(cut: Cut) -> tuple[int, ...]:
    """Name a cut by whole numbers: its axis, and where it is fixed."""
    axis = -1 if cut.axis is None else cut.axis
    return (axis, *(number for pair in cut.fixed for number in pair))
