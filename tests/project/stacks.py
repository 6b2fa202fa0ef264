"""Cuts through arrays that do not exist."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Stack:
    """Frames along one axis of an array, which is cut along others."""

    spatial_shape: tuple[int, ...] = (5, 12, 14)
    axis: int | None = 0
    fixed: tuple[tuple[int, int], ...] = ()

    @property
    def frame_axes(self):
        others = [n for n in range(len(self.spatial_shape)) if n != self.axis]
        return tuple(others[-2:])

    @property
    def frame_shape(self):
        return tuple(self.spatial_shape[axis] for axis in self.frame_axes)

    @property
    def sliced_axes(self):
        axes = range(len(self.spatial_shape))
        return tuple(axis for axis in axes if axis not in self.frame_axes)

    def __len__(self):
        return 1 if self.axis is None else self.spatial_shape[self.axis]

    def index(self, frame):
        places = {**dict(self.fixed), self.axis: frame}
        axes = range(len(self.spatial_shape))
        return tuple(places.get(axis, slice(None)) for axis in axes)

    def origin(self, frame):
        return tuple(0 if isinstance(one, slice) else one for one in self.index(frame))
