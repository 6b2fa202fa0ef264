"""What a person has put on a movie: points, shapes and scribbles, one row each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from napari_sam_decoder.project.cut import place_of
from napari_sam_decoder.prompts import Scribble

if TYPE_CHECKING:
    from napari_sam_decoder.project.cut import Cut
    from napari_sam_decoder.prompts import PaintedMask

__all__ = ["PointRow", "ScribbleRow", "ShapeRow"]


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


@dataclass(frozen=True, slots=True)
class ScribbleRow:
    """One scribble, such as a stroke of the brush, or a mask that looked right.

    Attributes
    ----------
    sliced : tuple of int
        The axes of the whole image along which it is cut into planes, ascending.
    place : tuple of int
        Where the plane lies along them.
    pixels : PaintedMask
        Of that plane, at least one unless it is whole.
    object_id : int
        1 or more.
    is_positive : bool
        True on the object, False beside it.
    after : int
        How many points of the object had been given on that plane before it.
    hypothesis : int
        1 to 3 for the picked mask, 0 to choose automatically.
    is_whole : bool
        Whether the pixels are the whole object, as a person has confirmed it. What else
        shows the object on that plane came before, and counts no more.
    """

    sliced: tuple[int, ...]
    place: tuple[int, ...]
    pixels: PaintedMask
    object_id: int
    is_positive: bool = True
    after: int = 0
    hypothesis: int = 0
    is_whole: bool = False

    @classmethod
    def confirming(
        cls, cut: Cut, frame: int, mask: PaintedMask, object_id: int
    ) -> Self:
        """Make the row of a mask that is right as it is, perhaps an empty one."""
        place = place_of(cut, frame)
        return cls(cut.sliced_axes, place, mask, object_id, is_whole=True)

    @classmethod
    def on(cls, cut: Cut, frame: int, scribble: Scribble, object_id: int) -> Self:
        """Make the row of a scribble on a frame of a movie."""
        return cls(
            cut.sliced_axes,
            place_of(cut, frame),
            scribble.pixels,
            object_id,
            scribble.is_positive,
            scribble.after,
        )

    @property
    def scribble(self) -> Scribble:
        """The scribble, wherever it lies."""
        return Scribble(self.pixels, self.is_positive, self.after)
