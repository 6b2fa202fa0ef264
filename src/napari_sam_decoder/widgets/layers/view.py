"""A napari image layer seen as a movie along one of its axes."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_sam_decoder.errors import MovieError
from napari_sam_decoder.widgets.layers.axes import (
    AxisChoice,
    AxisPlan,
    checked_axis,
    describe_axis,
    finest_pixels,
    is_depth,
)
from napari_sam_decoder.widgets.layers.planes import PlaneIndex, Planes
from napari_sam_decoder.widgets.layers.transforms import WorldMap

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari.layers import Image

__all__ = ["MovieView"]


@dataclass(frozen=True, eq=False)
class MovieView:
    """An image layer seen as a movie along one of its axes.

    Made by `MovieView.of`. Its pixels are those that the layer had then; where they
    lie in the world is asked of the layer each time.

    Attributes
    ----------
    layer : napari.layers.Image
    axis : int or None
        The data axis that counts the frames, None for a single picture.
    fixed : tuple of (axis, index)
        Where the layer is cut along axes that are neither frames, rows nor columns.
    data : array-like
        The layer's pixels, of a multiscale layer the finest level.
    """

    layer: Image
    axis: int | None
    fixed: tuple[tuple[int, int], ...]
    data: Any = field(repr=False)

    @classmethod
    def of(
        cls, layer: Image, axis: int | None = None, world_point: Sequence[float] = ()
    ) -> MovieView:
        """See a layer as a movie.

        Parameters
        ----------
        layer : napari.layers.Image
            A picture or a stack with any number of axes. No pixel is read.
        axis : int, optional
            The data axis that counts the frames; the first of `axis_choices` if absent.
        world_point : sequence of float, optional
            The viewer's position. Axes other than ``axis`` and the last two of the
            others are cut there; at their beginning if absent.

        Raises
        ------
        MovieError
            If there is no such axis, or its frames are only one pixel wide.
        """
        axis = checked_axis(layer, axis)
        view = cls(layer, axis, (), finest_pixels(layer))
        slices = view._slices_at(world_point)
        fixed = tuple((cut, slices[cut]) for cut in view._plan.cut_axes)
        return replace(view, fixed=fixed)

    def __len__(self) -> int:
        return 1 if self.axis is None else self.spatial_shape[self.axis]

    @property
    def frames(self) -> Planes:
        """The pixels, read one frame at a time: what `Movie` takes."""
        return Planes(self.data, self.axis, self.fixed)

    @property
    def axes(self) -> str:
        """What `Movie` calls the axes of `frames`, such as "TYX"."""
        colour = "C" if self.layer.rgb else ""
        if self.axis is None:
            return f"YX{colour}"
        frames = "Z" if is_depth(self.layer, self.axis) else "T"
        return f"{frames}YX{colour}"

    @property
    def frame_shape(self) -> tuple[int, int]:
        """(rows, columns) of every frame."""
        return self._plan.frame_shape

    @property
    def frame_axes(self) -> tuple[int, int]:
        """The data axes of rows and columns."""
        return self._plan.frame_axes

    @property
    def sliced_axes(self) -> tuple[int, ...]:
        """The data axes of frames and of all cuts, ascending."""
        return self._plan.sliced_axes

    @property
    def spatial_shape(self) -> tuple[int, ...]:
        """The shape that labels of the layer have: without its colours."""
        shape = tuple(int(length) for length in self.data.shape)
        return shape[:-1] if self.layer.rgb else shape

    def index(self, frame: int) -> PlaneIndex:
        """Return the index of a frame's plane in labels of `spatial_shape`."""
        return self.frames.index(frame)[: len(self.spatial_shape)]

    def origin(self, frame: int) -> tuple[int, ...]:
        """Return the data position of a frame's first pixel."""
        return tuple(
            0 if isinstance(place, slice) else place for place in self.index(frame)
        )

    def frame_at(self, world_point: Sequence[float]) -> int:
        """Find the frame that napari shows at a position of its sliders.

        Parameters
        ----------
        world_point : sequence of float
            In the layer's units, with at least as many axes as the layer; of more, the
            last ones count.

        Returns
        -------
        int
            The nearest frame where the position is outside the movie.
        """
        if self.axis is None:
            return 0
        return self._slices_at(world_point)[self.axis]

    def locate(self, world: np.ndarray) -> np.ndarray:
        """Find positions of the world in the movie.

        Parameters
        ----------
        world : (N, D) array of float
            In the layer's units. D may be larger than the layer's: the last ones count.

        Returns
        -------
        (N, 3) array of float
            Frame, row and column in data pixels; the frame of a picture is 0.
        """
        return self.along_movie(self.locate_data(world))

    def along_movie(self, positions: np.ndarray) -> np.ndarray:
        """Pick (N, 3) frame, row and column out of (N, D) data positions."""
        rows, columns = (positions[:, axis] for axis in self.frame_axes)
        frames = np.zeros(len(rows)) if self.axis is None else positions[:, self.axis]
        return np.stack([frames, rows, columns], axis=1)

    def locate_data(self, world: np.ndarray) -> np.ndarray:
        """Find positions of the world as `locate` does, but along every data axis."""
        last = np.asarray(world, dtype=float)[:, -len(self.spatial_shape) :]
        return WorldMap.of(self.layer).to_data(last)

    @property
    def cuts(self) -> tuple[tuple[AxisChoice, int], ...]:
        """Axes of several planes, of which the movie shows one: channels, for example.

        Each with the index at which the layer is cut.
        """
        described = (
            (describe_axis(self.layer, axis), index) for axis, index in self.fixed
        )
        return tuple((axis, index) for axis, index in described if axis.length > 1)

    def cut_at(self, axis: int, index: int) -> MovieView:
        """See another plane along an axis that is cut, such as another channel.

        Parameters
        ----------
        axis : int
            Of the layer's data axes, one of `cuts`.
        index : int
            Counted from 0.

        Raises
        ------
        MovieError
            If the axis is not cut, or there is no such plane.
        """
        lengths = {choice.index: choice.length for choice, _ in self.cuts}
        if not 0 <= index < lengths.get(axis, 0):
            known = ", ".join(
                f"axis {place} from 0 to {length - 1}"
                for place, length in lengths.items()
            )
            raise MovieError(
                f"{self.layer.name!r} is not cut at {index} along axis {axis}; choose "
                f"among {known or 'the frames, for there is nothing else'}"
            )
        fixed = {**dict(self.fixed), axis: index}
        return replace(self, fixed=tuple(fixed.items()))

    def is_same_as(self, other: MovieView) -> bool:
        """Whether both show the same pixels along the same axis."""
        return (
            self.layer is other.layer
            and self.data is other.data
            and (self.axis, self.fixed) == (other.axis, other.fixed)
        )

    @property
    def _plan(self) -> AxisPlan:
        return AxisPlan(self.spatial_shape, self.axis)

    def _slices_at(self, world_point: Sequence[float]) -> dict[int, int]:
        """Index along each sliced axis, where napari slices it."""
        ndim = len(self.spatial_shape)
        axes = list(self.sliced_axes)
        world_map = WorldMap.of(self.layer)
        world = world_map.to_world(np.zeros((1, ndim)))[0]
        known = np.asarray(world_point, dtype=float)[-ndim:]
        world[ndim - len(known) :] = known
        positions = world_map.slices_to_data(axes, world[axes])
        highest = np.array(self.spatial_shape)[axes] - 1
        nearest = np.clip(np.round(np.nan_to_num(positions)), 0, highest)
        return dict(zip(axes, nearest.astype(int).tolist(), strict=True))
