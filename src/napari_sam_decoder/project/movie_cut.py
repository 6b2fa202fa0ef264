"""A movie as a cut through an array, without any pixels."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Self

from napari_sam_decoder.errors import ProjectError

__all__ = ["MovieCut"]

_FRAME_AXES = 2


@dataclass(frozen=True)
class MovieCut:
    """Frames along one axis of an array, at fixed places along others.

    Attributes
    ----------
    spatial_shape : tuple of int
        Of the whole array, without colours.
    axis : int or None
        The axis that counts the frames, None for a single picture.
    fixed : tuple of (axis, index)
        Where the array is cut along its other axes.
    """

    spatial_shape: tuple[int, ...]
    axis: int | None
    fixed: tuple[tuple[int, int], ...] = ()

    @classmethod
    def of_scope(cls, spatial_shape: tuple[int, ...], scope: tuple[int, ...]) -> Self:
        """Return the cut that `scope_of` names.

        Parameters
        ----------
        spatial_shape : tuple of int
            Of the whole array.
        scope : tuple of int
            Its axis, or -1, and pairs of axis and index.

        Raises
        ------
        ProjectError
            If it does not fit the array.
        """
        along, rest = scope[:1], scope[1:]
        fixed = tuple(zip(rest[::2], rest[1::2], strict=False))
        axes = [axis for axis in (*along, *rest[::2]) if axis >= 0]
        fits = (
            len(along) == 1
            and len(rest) % 2 == 0
            and len(set(axes)) == len(axes) == len(spatial_shape) - _FRAME_AXES
            and all(axis < len(spatial_shape) for axis in axes)
            and all(0 <= index < spatial_shape[axis] for axis, index in fixed)
        )
        if not fits:
            raise ProjectError(
                f"the project is damaged: it has results at {scope} of labels of shape "
                f"{spatial_shape}; restore the file from a backup"
            )
        return cls(spatial_shape, None if along[0] < 0 else along[0], fixed)

    def __len__(self) -> int:
        return 1 if self.axis is None else self.spatial_shape[self.axis]

    @cached_property
    def sliced_axes(self) -> tuple[int, ...]:
        """The axes of frames and cuts, ascending."""
        along = () if self.axis is None else (self.axis,)
        return tuple(sorted((*along, *(axis for axis, _ in self.fixed))))

    @cached_property
    def frame_axes(self) -> tuple[int, int]:
        """Rows and columns."""
        every = range(len(self.spatial_shape))
        rows, columns = (axis for axis in every if axis not in self.sliced_axes)
        return rows, columns

    @cached_property
    def frame_shape(self) -> tuple[int, int]:
        """Number of rows and columns."""
        rows, columns = self.frame_axes
        return self.spatial_shape[rows], self.spatial_shape[columns]

    def index(self, frame: int) -> tuple[int | slice, ...]:
        """Index of a frame in the array."""
        places = dict(self.fixed)
        if self.axis is not None:
            places[self.axis] = frame
        axes = range(len(self.spatial_shape))
        return tuple(places.get(axis, slice(None)) for axis in axes)

    def origin(self, frame: int) -> tuple[int, ...]:
        """Position of a frame's first pixel in the array."""
        return tuple(
            0 if isinstance(place, slice) else place for place in self.index(frame)
        )
