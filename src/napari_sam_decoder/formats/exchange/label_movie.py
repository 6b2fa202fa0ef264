"""What is exchanged with other programs: labels, and what is known of their objects."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["LabelMovie"]


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
    """

    frames: Any
    axes: str = "TYX"
    scale: tuple[float, ...] | None = None
    unit: str = ""
    names: Mapping[int, str] = field(default_factory=dict)
    parents: Mapping[int, int] = field(default_factory=dict)
    provenance: Mapping[str, Any] = field(default_factory=dict)

    def __len__(self) -> int:
        return int(self.frames.shape[0])

    @property
    def shape(self) -> tuple[int, int, int]:
        """Lengths of (T or Z, Y, X)."""
        frames, rows, columns = map(int, self.frames.shape)
        return frames, rows, columns

    @property
    def dtype(self) -> np.dtype:
        """Of the object ids."""
        dtype: np.dtype = np.dtype(self.frames.dtype)
        return dtype

    def frame(self, index: int) -> np.ndarray:
        """Return the (Y, X) object ids of a frame."""
        return np.asarray(self.frames[index])
