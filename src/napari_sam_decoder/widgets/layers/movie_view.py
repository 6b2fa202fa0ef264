"""A napari image layer seen as a movie along one of its axes."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Image

from napari_sam_decoder.axes import axis_letter
from napari_sam_decoder.errors import MovieError
from napari_sam_decoder.frames import PlaneIndex, Planes
from napari_sam_decoder.validation import as_integer
from napari_sam_decoder.widgets.layers.coordinates import WorldMap

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

__all__ = [
    "AxisChoice",
    "AxisPlan",
    "Limits",
    "MovieView",
    "axis_choices",
    "checked_axis",
    "describe_axis",
    "finest_pixels",
    "is_automatic",
    "is_depth",
    "shown_limits",
    "spatial_shape",
]

Limits = tuple[float, float]
"""Intensities that are black and white."""


def shown_limits(layer: Image) -> Limits | None:
    """Return the contrast limits of a layer; None if they mean nothing.

    That is so for colours, and if napari adjusts them for each frame.
    """
    # napari before 0.9 has no public name for it.
    before = getattr(layer, "_keep_auto_contrast", False)
    if layer.rgb or getattr(layer, "auto_contrast", before):
        return None
    low, high = layer.contrast_limits
    return float(low), float(high)


def is_automatic(view: MovieView, limits: Limits, frame: int) -> bool:
    """Whether limits are those that napari itself gives a layer.

    Parameters
    ----------
    view : MovieView
        Some of its pixels are read.
    limits : (float, float)
        Of its layer.
    frame : int
        One that napari has shown: for pixels that are not in memory, it measures the
        frame that it shows first.
    """
    return any(np.allclose(limits, found) for found in _automatic(view, frame))


def _automatic(view: MovieView, frame: int) -> Iterator[Limits]:
    if view.layer.multiscale:
        # napari measures the coarsest level.
        yield _limits_of(view.layer.data[-1], view)
        return
    dtype = np.dtype(view.data.dtype)
    if isinstance(view.data, np.ndarray):
        pass
    elif dtype.kind in "ui":
        info = np.iinfo(dtype)
        yield float(info.min), float(info.max)
    else:
        yield 0.0, 1.0
    yield _limits_of(view.data, view)
    for shown in {frame, len(view) // 2, 0}:
        plane = view.frames[slice(None) if view.axis is None else shown]
        yield _limits_of(plane, view)


def _limits_of(pixels: Any, view: MovieView) -> Limits:
    """Ask napari which limits it gives to pixels."""
    low, high = Image(pixels, rgb=view.layer.rgb, multiscale=False).contrast_limits
    return float(low), float(high)


SMALLEST_SIDE = 2
MOST_CHANNELS_GUESSED = 8
"""A nameless axis of more entries is taken for time or depth."""


@dataclass(frozen=True)
class AxisChoice:
    """An axis along which a layer could be propagated.

    Attributes
    ----------
    index : int
        Of the layer's data axes.
    name : str
        The layer's label for it, or "axis 0" where it has none.
    length : int
        Number of frames.
    """

    index: int
    name: str
    length: int


@dataclass(frozen=True)
class AxisPlan:
    """Which axes of an array are sliced, and which are the rows and columns.

    Attributes
    ----------
    shape : tuple of int
        Of the array, without colours.
    axis : int or None
        The axis that counts the frames, None for a picture.
    named : tuple of int
        The axes that are named for rows and columns, ascending.
    """

    shape: tuple[int, ...]
    axis: int | None
    named: tuple[int, ...] = ()

    @property
    def frame_axes(self) -> tuple[int, int]:
        """Rows and columns: by their names, else the last two that are not frames."""
        is_named = len(self.named) == 2 and self.axis not in self.named
        rows, columns = self.named if is_named else self._others[-2:]
        return rows, columns

    @property
    def frame_shape(self) -> tuple[int, int]:
        """Number of (rows, columns)."""
        rows, columns = self.frame_axes
        return self.shape[rows], self.shape[columns]

    @property
    def cut_axes(self) -> tuple[int, ...]:
        """The axes that are neither frames, rows nor columns."""
        return tuple(axis for axis in self._others if axis not in self.frame_axes)

    @property
    def sliced_axes(self) -> tuple[int, ...]:
        """The axes of frames and cuts, ascending."""
        return tuple(
            axis for axis in range(len(self.shape)) if axis not in self.frame_axes
        )

    @property
    def has_pictures(self) -> bool:
        """Whether the frames are more than a line of pixels."""
        return min(self.frame_shape) >= SMALLEST_SIDE

    @property
    def _others(self) -> list[int]:
        return [axis for axis in range(len(self.shape)) if axis != self.axis]


def axis_choices(layer: Image) -> tuple[AxisChoice, ...]:
    """List the axes along which a layer could be propagated, most likely first.

    Parameters
    ----------
    layer : napari.layers.Image
        With any number of axes.

    Returns
    -------
    tuple of AxisChoice
        An axis named for time, then one named for depth, then the others as they
        come. Empty for a single picture. An axis of one frame is listed only where
        there is no longer one.
    """
    shape = spatial_shape(layer)
    if len(shape) == 2:
        return ()
    choices = [
        AxisChoice(axis, _axis_name(layer, axis), length)
        for axis, length in enumerate(shape)
        if AxisPlan(shape, axis, _named_axes(layer)).has_pictures
    ]
    longer = [choice for choice in choices if choice.length > 1]
    return tuple(sorted(longer or choices, key=lambda choice: _rank(choice.name)))


def describe_axis(layer: Image, axis: int) -> AxisChoice:
    """Name an axis of a layer and its length."""
    return AxisChoice(axis, _axis_name(layer, axis), spatial_shape(layer)[axis])


def checked_axis(layer: Image, axis: int | None) -> int | None:
    """Return the axis to follow, or the likeliest one; None for a picture.

    Raises
    ------
    MovieError
        If there is no such axis, its frames are only one pixel wide, or the layer is
        empty.
    """
    shape = spatial_shape(layer)
    if 0 in shape:
        raise MovieError(
            f"'{layer.name}' of shape {shape} is empty; choose another layer"
        )
    if axis is None:
        axis = next((choice.index for choice in axis_choices(layer)), None)
    else:
        axis = _existing_axis(layer, axis)
    plan = AxisPlan(shape, axis, _named_axes(layer))
    if (axis is None and len(shape) > 2) or not plan.has_pictures:
        raise MovieError(
            f"'{layer.name}' of shape {shape} has frames of only one pixel in height "
            "or width; choose another axis or another layer"
        )
    return axis


def is_depth(layer: Image, axis: int) -> bool:
    """Whether an axis is named for depth."""
    return _letter(_axis_name(layer, axis)) == "Z"


def spatial_shape(layer: Image) -> tuple[int, ...]:
    """Return the shape of a layer without its colours, at the finest level."""
    return tuple(int(length) for length in finest_pixels(layer).shape[: layer.ndim])


def finest_pixels(layer: Image) -> Any:
    """Return the array of a layer, of a multiscale layer the largest."""
    return layer.data[0] if layer.multiscale else layer.data


def _existing_axis(layer: Image, axis: int) -> int:
    if layer.ndim == 2:
        raise MovieError(
            f"'{layer.name}' is a single picture without an axis to follow; leave the "
            "axis out"
        )
    number = as_integer(axis, "an axis", MovieError)
    if number not in range(layer.ndim):
        raise MovieError(
            f"'{layer.name}' has no axis {axis}; choose one from 0 to {layer.ndim - 1}"
        )
    return number


def _axis_name(layer: Image, axis: int) -> str:
    """Return the layer's label; napari fills in "-1" or "axis -1" where it has none."""
    label = str(layer.axis_labels[axis]).strip()
    is_named = label and not re.fullmatch(r"(axis )?-?\d+", label)
    return label if is_named else f"axis {axis}"


def _named_axes(layer: Image) -> tuple[int, ...]:
    """The axes of a layer that are named for rows and columns."""
    letters = [_letter(_axis_name(layer, axis)) for axis in range(layer.ndim)]
    found = [axis for axis, letter in enumerate(letters) if letter in ("Y", "X")]
    return tuple(found) if len({letters[axis] for axis in found}) == 2 else ()


def _letter(name: str) -> str:
    """Make a letter out of the first word of a name such as "Time (s)"."""
    return axis_letter(re.split(r"[^a-z]", name.lower(), maxsplit=1)[0])


def _rank(name: str) -> int:
    return {"T": 0, "Z": 1}.get(_letter(name), 2)


@dataclass(frozen=True, eq=False)
class MovieView:
    """An image layer seen as a movie along one of its axes.

    Made by `MovieView.of`. Its pixels are those that the layer had then; their
    placement in the world is read from the layer each time.

    Attributes
    ----------
    layer : napari.layers.Image
    axis : int or None
        The data axis that counts the frames, None for a single picture.
    fixed : tuple of (axis, index)
        Where the layer is cut along axes that are neither frames, rows nor columns.
    data : array-like
        The layer's pixels, of a multiscale layer the finest level.
    coarser : tuple of array-like
        Its other levels, as far as they have the same frames.
    """

    layer: Image
    axis: int | None
    fixed: tuple[tuple[int, int], ...]
    data: Any = field(repr=False)
    coarser: tuple[Any, ...] = field(default=(), repr=False)

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
        return replace(view, fixed=fixed, coarser=view._levels())

    def __len__(self) -> int:
        return 1 if self.axis is None else self.spatial_shape[self.axis]

    @cached_property
    def frames(self) -> Planes:
        """The pixels, read one frame at a time: what `Movie` takes."""
        return Planes(self.data, self.axis, self.fixed)

    @property
    def coarser_frames(self) -> tuple[Planes, ...]:
        """The same frames at the coarser levels."""
        return tuple(Planes(one, self.axis, self.fixed) for one in self.coarser)

    def _levels(self) -> tuple[Any, ...]:
        levels = self.layer.data[1:] if self.layer.multiscale else ()
        axes = list(self.sliced_axes)
        own = np.array(self.spatial_shape)[axes]
        return tuple(
            level
            for level in levels
            if np.array_equal(np.array(level.shape)[axes], own)
        )

    @property
    def axes(self) -> str:
        """What `Movie` calls the axes of `frames`, such as "TYX"."""
        colour = "C" if self.layer.rgb else ""
        if self.axis is None:
            return f"YX{colour}"
        frames = "Z" if is_depth(self.layer, self.axis) else "T"
        return f"{frames}YX{colour}"

    @property
    def position(self) -> dict[str, int]:
        """What `Movie` calls the place of the cut, as far as its axes have names."""
        letters = {_letter(axis.name): index for axis, index in self.cuts}
        return {one: index for one, index in letters.items() if one in ("T", "Z")}

    @cached_property
    def frame_shape(self) -> tuple[int, int]:
        """(rows, columns) of every frame."""
        return self._plan.frame_shape

    @cached_property
    def frame_axes(self) -> tuple[int, int]:
        """The data axes of rows and columns."""
        return self._plan.frame_axes

    @cached_property
    def sliced_axes(self) -> tuple[int, ...]:
        """The data axes of frames and of all cuts, ascending."""
        return self._plan.sliced_axes

    @cached_property
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

    @property
    def position_axes(self) -> tuple[AxisChoice, ...]:
        """The axes of `cuts`, but those that are named for channels."""
        axes = (axis for axis, _ in self.cuts)
        return tuple(axis for axis in axes if _letter(axis.name) != "C")

    @property
    def channel_axes(self) -> tuple[AxisChoice, ...]:
        """The axes of `cuts` that are named for channels, else the short nameless."""
        axes = [axis for axis, _ in self.cuts]
        named = [axis for axis in axes if _letter(axis.name) == "C"]
        nameless = [axis for axis in axes if not _letter(axis.name)]
        short = [axis for axis in nameless if axis.length <= MOST_CHANNELS_GUESSED]
        return tuple(named or short)

    @property
    def place(self) -> str:
        """Where the movie is cut, such as "z 3, c 1"; empty if nowhere."""
        return ", ".join(f"{axis.name} {index}" for axis, index in self.cuts)

    def each(self, axes: Iterable[int]) -> Iterator[MovieView]:
        """Yield the movie at each position along some axes.

        Parameters
        ----------
        axes : iterable of int
            Data axes of the layer, each one of `cuts`.

        Raises
        ------
        MovieError
            If one of them is not cut.
        """
        lengths = {choice.index: choice.length for choice, _ in self.cuts}
        asked = tuple(dict.fromkeys(axes))
        for numbers in product(*(range(lengths.get(axis, 1)) for axis in asked)):
            view = self
            for axis, index in zip(asked, numbers, strict=True):
                view = view.cut_at(axis, index)
            yield view

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
        axis = as_integer(axis, "an axis", MovieError)
        index = as_integer(index, "a plane", MovieError)
        lengths = {choice.index: choice.length for choice, _ in self.cuts}
        if not 0 <= index < lengths.get(axis, 0):
            known = ", ".join(
                f"axis {place} from 0 to {length - 1}"
                for place, length in lengths.items()
            )
            raise MovieError(
                f"{self.layer.name!r} is not cut at {index} along axis {axis}; choose "
                f"among {known or 'the frames, since nothing else is cut'}"
            )
        fixed = {**dict(self.fixed), axis: index}
        return replace(self, fixed=tuple(fixed.items()))

    def on(self, layer: Image) -> MovieView:
        """See another layer of the same shape along the same axis, cut at the same."""
        view = replace(self, layer=layer, data=finest_pixels(layer), coarser=())
        return replace(view, coarser=view._levels())

    def is_same_as(self, other: MovieView) -> bool:
        """Whether both show the same pixels along the same axis."""
        return (
            self.layer is other.layer
            and self.data is other.data
            and (self.axis, self.fixed) == (other.axis, other.fixed)
        )

    @cached_property
    def _plan(self) -> AxisPlan:
        return AxisPlan(self.spatial_shape, self.axis, _named_axes(self.layer))

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
