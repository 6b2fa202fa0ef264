"""What is exchanged with other programs: labels, and what is known of their objects."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_sam_decoder.errors import LabelsError, OptionError
from napari_sam_decoder.formats.object_ids import as_ids, id_dtype
from napari_sam_decoder.validation import as_finite_array, as_instance, as_integer

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["LabelMovie", "checked_scale"]


@dataclass(frozen=True, eq=False)
class LabelMovie:
    """Labels of a movie or volume, and what is known of their objects.

    Attributes
    ----------
    frames : (T, Y, X) or (Z, Y, X) array-like of int
        Object ids, 0 for background; read frame by frame.
    axes : {"TYX", "ZYX"}
    scale : (float, float, float), optional
        Size of a pixel along each axis; None if unknown.
    unit : str
        Of the scale in Y and X, as OME spells it, such as "micrometer"; empty if
        unknown.
    names : mapping of int to str
        Of objects that have one.
    parents : mapping of int to int
        The object that has divided into this one and others.
    provenance : mapping
        How the labels were made, as plain values.

    Raises
    ------
    LabelsError
        If the frames are no stack of integers, or an object descends from itself.
    OptionError
        If there are no such axes, or the scale is not three numbers above 0.
    """

    frames: Any
    axes: str = "TYX"
    scale: tuple[float, ...] | None = None
    unit: str = ""
    names: Mapping[int, str] = field(default_factory=dict)
    parents: Mapping[int, int] = field(default_factory=dict)
    provenance: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        shape, dtype = (getattr(self.frames, one, None) for one in ("shape", "dtype"))
        if shape is None or len(shape) != 3 or np.dtype(dtype).kind not in "buif":
            raise LabelsError(
                "frames= takes an array of whole numbers with three axes, as in "
                f"np.zeros((9, 48, 64), int), not {_shown(self.frames)}"
            )
        axes: Any = self.axes
        if not isinstance(axes, str) or axes[1:] != "YX":
            raise OptionError(f"labels have the axes TYX or ZYX, not {axes!r}")
        if self.scale is not None:
            object.__setattr__(self, "scale", checked_scale(self.scale))
        as_instance(self.unit, str, "unit=", OptionError)
        self._check_parents()

    def _check_parents(self) -> None:
        for child in self.parents:
            line = [as_integer(child, "an object id", LabelsError)]
            while line[-1] in self.parents:
                line.append(self.parents[line[-1]])
                if line[-1] == child:
                    raise LabelsError(
                        f"object {child} descends from itself in parents=; give each "
                        "object the one that has divided into it"
                    )
                if line[-1] in line[:-1]:
                    break

    def __len__(self) -> int:
        return int(self.frames.shape[0])

    @property
    def shape(self) -> tuple[int, int, int]:
        """Lengths of (T or Z, Y, X)."""
        frames, rows, columns = map(int, self.frames.shape)
        return frames, rows, columns

    @property
    def dtype(self) -> np.dtype:
        """Of the object ids: unsigned, of 32 bits at most."""
        return id_dtype(np.dtype(self.frames.dtype))

    def frame(self, index: int) -> np.ndarray:
        """Return the (Y, X) object ids of a frame.

        Raises
        ------
        LabelsError
            If it holds something else.
        """
        return as_ids(np.asarray(self.frames[index]), f"frame {index} of the labels")


def checked_scale(scale: Any) -> tuple[float, float, float]:
    """Accept the size of a pixel along each axis.

    Raises
    ------
    OptionError
        If it is not three numbers above 0.
    """
    found = as_finite_array(scale, "scale=", OptionError)
    if found.shape != (3,) or not (found > 0).all():
        raise OptionError(
            "scale= takes a number above 0 for each of the three axes, as in "
            f"(1, 0.5, 0.5), not {scale!r}"
        )
    first, row, column = found.tolist()
    return first, row, column


def _shown(value: Any) -> str:
    shape = getattr(value, "shape", None)
    if shape is None:
        return repr(value)[:60]
    return f"one of {getattr(value, 'dtype', None)} and shape {tuple(shape)}"
