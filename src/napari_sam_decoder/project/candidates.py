"""Objects that were found, for a person to choose among before they are objects."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache, reduce
from typing import TYPE_CHECKING, Self

import numpy as np

from napari_sam_decoder.errors import PromptError
from napari_sam_decoder.frames import PlacedMask, Window
from napari_sam_decoder.project.cut import place_of
from napari_sam_decoder.project.prompt_rows import ScribbleRow
from napari_sam_decoder.prompts import PaintedMask
from napari_sam_decoder.validation import as_integer

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from napari_sam_decoder.project.cut import Cut
    from napari_sam_decoder.project.document import Document

__all__ = ["Candidate", "Candidates"]

SMALLEST = "smallest candidate"
"""The option with the pixels that a candidate needs to be kept by itself."""
_KEPT_MASKS = 2**11


@dataclass(frozen=True)
class Candidate:
    """Something that may become an object.

    Attributes
    ----------
    sliced : tuple of int
        The axes of the whole image along which it is cut into planes, ascending.
    place : tuple of int
        Where its plane lies along them.
    mask : PaintedMask
        Of that plane.
    choice : bool or None
        Whether a person keeps it; None where its size decides.
    parent : int or None
        The object that seems to have divided into it and another one.
    """

    sliced: tuple[int, ...]
    place: tuple[int, ...]
    mask: PaintedMask
    choice: bool | None = None
    parent: int | None = None

    @classmethod
    def on(
        cls, cut: Cut, frame: int, mask: PaintedMask, parent: int | None = None
    ) -> Self:
        """Make the candidate of a mask on a frame of a movie."""
        return cls(cut.sliced_axes, place_of(cut, frame), mask, parent=parent)

    @property
    def area(self) -> int:
        """Number of its pixels."""
        return self.mask.area

    @property
    def placed(self) -> PlacedMask:
        """The mask, where it is in the frame."""
        return _placed(self.mask)

    def frame_in(self, cut: Cut) -> int | None:
        """Return its frame of a movie; None if it lies on no frame of that."""
        if self.sliced != cut.sliced_axes or self.mask.shape != cut.frame_shape:
            return None
        at = dict(zip(self.sliced, self.place, strict=True))
        if any(at[axis] != index for axis, index in cut.fixed):
            return None
        return 0 if cut.axis is None else at[cut.axis]

    def confirmed_as(self, object_id: int) -> ScribbleRow:
        """Return the row that fixes an object as this mask."""
        return ScribbleRow(self.sliced, self.place, self.mask, object_id, is_whole=True)


class Candidates(Mapping[int, Candidate]):
    """The candidates of a document by their numbers, all found in one search.

    What changes them belongs into a step of the history.

    Parameters
    ----------
    document : Document
        Of a movie.
    """

    def __init__(self, document: Document) -> None:
        self._table = document.table("candidates")
        self._options = document.table("options")

    def __getitem__(self, number: int) -> Candidate:
        found: Candidate = self._table[number]
        return found

    def __iter__(self) -> Iterator[int]:
        return iter(sorted(self._table))

    def __len__(self) -> int:
        return len(self._table)

    @property
    def smallest(self) -> int:
        """Pixels that a candidate needs, unless a person chooses it."""
        return int(self._options.get(SMALLEST, 0))

    def set_smallest(self, pixels: int) -> None:
        """Let those with fewer pixels be dropped, also in later searches."""
        self._options[SMALLEST] = pixels

    def is_kept(self, number: int) -> bool:
        """Whether a candidate is to become an object."""
        one = self[number]
        return one.area >= self.smallest if one.choice is None else one.choice

    @property
    def kept(self) -> dict[int, Candidate]:
        """Those that are to become objects."""
        return {number: one for number, one in self.items() if self.is_kept(number)}

    def frame_in(self, cut: Cut) -> int | None:
        """Return the frame of a movie on which they are; None if on none of that."""
        frames = {one.frame_in(cut) for one in self.values()}
        return frames.pop() if len(frames) == 1 else None

    def number_at(self, row: int, column: int) -> int | None:
        """Return the number of the one that has a pixel of the frame, if any has."""
        for number, one in self.items():
            if one.placed.has(row, column):
                return number
        return None

    def require(self, number: int) -> Candidate:
        """Return a candidate.

        Raises
        ------
        PromptError
            If there is none of that number.
        """
        asked = as_integer(number, "a candidate", PromptError)
        if asked not in self._table:
            known = f"there are 1 to {max(self)}" if self else "look for objects first"
            raise PromptError(f"there is no candidate {asked}: {known}")
        return self[asked]

    def replace(self, found: Iterable[Candidate]) -> None:
        """Take others in place of those that are there, numbered from 1."""
        self.clear()
        for number, one in enumerate(found, start=1):
            self._table[number] = one

    def choose(self, number: int, *, is_kept: bool) -> None:
        """Keep or drop a candidate, whatever its size."""
        self._table[number] = replace(self[number], choice=is_kept)

    def merge(self, numbers: Collection[int]) -> int:
        """Make one candidate of several, which is kept; return its number."""
        number = min(numbers)
        masks = [self[one].placed for one in numbers]
        boxes = [box for mask in masks if (box := mask.extent) is not None]
        around = reduce(Window.joined, boxes)
        pixels = np.any([mask.seen_in(around) for mask in masks], axis=0)
        first = self[number]
        joined = PaintedMask.placed(PlacedMask(pixels, around), first.mask.shape)
        for one in numbers:
            del self._table[one]
        self._table[number] = replace(first, mask=joined, choice=True)
        return number

    def clear(self) -> None:
        """Forget all of them."""
        for number in self:
            del self._table[number]


@lru_cache(maxsize=_KEPT_MASKS)
def _placed(mask: PaintedMask) -> PlacedMask:
    """Unpack a mask once: a preview tells masks apart by their arrays."""
    box = mask.extent or Window(0, 0, 1, 1)
    return PlacedMask(mask.seen_in(box), box)
