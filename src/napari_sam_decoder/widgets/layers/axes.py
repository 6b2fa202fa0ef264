"""The axes of a napari image layer, and which of them a movie can follow."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from napari_sam_decoder.axes import letter_of
from napari_sam_decoder.errors import MovieError

if TYPE_CHECKING:
    from napari.layers import Image

__all__ = [
    "AxisChoice",
    "AxisPlan",
    "axis_choices",
    "checked_axis",
    "describe_axis",
    "finest_pixels",
    "is_depth",
    "spatial_shape",
]

SMALLEST_SIDE = 2


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
    """

    shape: tuple[int, ...]
    axis: int | None

    @property
    def frame_axes(self) -> tuple[int, int]:
        """The last two axes that do not count frames: rows, columns."""
        rows, columns = self._others[-2:]
        return rows, columns

    @property
    def frame_shape(self) -> tuple[int, int]:
        """Number of (rows, columns)."""
        rows, columns = self.frame_axes
        return self.shape[rows], self.shape[columns]

    @property
    def cut_axes(self) -> tuple[int, ...]:
        """The axes that are neither frames, rows nor columns."""
        return tuple(self._others[:-2])

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
        if AxisPlan(shape, axis).has_pictures
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
        If there is no such axis, or its frames are only one pixel wide.
    """
    shape = spatial_shape(layer)
    if axis is None:
        axis = next((choice.index for choice in axis_choices(layer)), None)
    else:
        _require_axis(layer, axis)
    plan = AxisPlan(shape, axis)
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


def _require_axis(layer: Image, axis: int) -> None:
    if layer.ndim == 2:
        raise MovieError(
            f"'{layer.name}' is a single picture without an axis to follow; leave the "
            "axis out"
        )
    if axis not in range(layer.ndim):
        raise MovieError(
            f"'{layer.name}' has no axis {axis}; choose one from 0 to {layer.ndim - 1}"
        )


def _axis_name(layer: Image, axis: int) -> str:
    """Return the layer's label; napari fills in "-1" or "axis -1" where it has none."""
    label = str(layer.axis_labels[axis]).strip()
    is_named = label and not re.fullmatch(r"(axis )?-?\d+", label)
    return label if is_named else f"axis {axis}"


def _letter(name: str) -> str:
    """Make a letter out of the first word of a name such as "Time (s)"."""
    return letter_of(re.split(r"[^a-z]", name.lower(), maxsplit=1)[0])


def _rank(name: str) -> int:
    return {"T": 0, "Z": 1}.get(_letter(name), 2)
