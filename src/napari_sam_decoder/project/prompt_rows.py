"""What a person has put on a movie: points and shapes, one row each."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["PointRow", "ShapeRow"]


@dataclass(frozen=True, slots=True)
class PointRow:
    """One point.

    Attributes
    ----------
    position : tuple of float
        In data pixels of the whole image, one number per axis, colours left out.
    object_id : int
        1 or more.
    is_positive : bool
        True on the object, False beside it.
    hypothesis : int
        1 to 3 for the picked mask, 0 to choose automatically.
    """

    position: tuple[float, ...]
    object_id: int
    is_positive: bool = True
    hypothesis: int = 0


@dataclass(frozen=True, slots=True)
class ShapeRow:
    """One shape, such as a box around an object.

    Attributes
    ----------
    kind : str
        As napari names it: "rectangle", "polygon", "path", ...
    vertices : tuple of tuple of float
        In data pixels of the whole image, one number per axis.
    object_id : int
        1 or more.
    is_positive : bool
        True on the object, False beside it.
    hypothesis : int
        1 to 3 for the picked mask, 0 to choose automatically.
    """

    kind: str
    vertices: tuple[tuple[float, ...], ...]
    object_id: int
    is_positive: bool = True
    hypothesis: int = 0
