"""What a preview shows on a frame, and which part of that is new."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, reduce
from typing import TYPE_CHECKING

import numpy as np

from napari_sam_decoder.frames import Window
from napari_sam_decoder.widgets.layers import (
    NEGATIVE_VALUE,
    POSITIVE_VALUE,
    Outline,
    mark_scribbles,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from napari_sam_decoder.frames import PlacedMask
    from napari_sam_decoder.prompts import Scribble

__all__ = ["MOST_OF_A_BYTE", "PreviewPicture"]

MOST_OF_A_BYTE = min(POSITIVE_VALUE, NEGATIVE_VALUE) - 1
"""Objects whose pixels fit into a byte, beside those of scribbles."""
LARGEST_VALUE = 2**16 - 1
TRACED_TOGETHER = 1024 * 1024
"""Pixels that are traced at once; objects that are farther apart are traced singly."""


@dataclass(frozen=True, eq=False)
class PreviewPicture:
    """Masks and scribbles on a frame.

    Attributes
    ----------
    frame : int
    cover : Window
        The part of the frame that is filled.
    masks : mapping of object id to PlacedMask
        Where they overlap, the last is shown.
    scribbles : tuple of Scribble
        Over the masks.
    """

    frame: int
    cover: Window
    masks: Mapping[int, PlacedMask]
    scribbles: tuple[Scribble, ...] = ()

    @cached_property
    def values(self) -> dict[int, int]:
        """The pixel value of each object."""
        return _values_of(self.masks)

    @property
    def dtype(self) -> type[np.unsignedinteger]:
        """Bytes where they suffice: napari makes a colour for each possible value.

        Whenever a colour changes it does so again, which takes a tenth of a second for
        values of two bytes, and only with numba can it draw larger ones.
        """
        return np.uint8 if len(self.masks) <= MOST_OF_A_BYTE else np.uint16

    def labels(self, part: Window) -> np.ndarray:
        """Draw (rows, columns) pixel values of a part of the frame."""
        labels = self._filled(part)
        mark_scribbles(labels, self.scribbles, part)
        return labels

    def continues(self, before: PreviewPicture) -> bool:
        """Whether all that it has in common with an earlier one looks the same."""
        both = [key for key in self.masks if key in before.masks]
        place = self.frame, self.cover, self.dtype
        return (
            place == (before.frame, before.cover, before.dtype)
            and both == [key for key in before.masks if key in self.masks]
            and all(self.values[key] == before.values[key] for key in both)
        )

    def unlike(self, before: PreviewPicture | None) -> frozenset[int]:
        """Objects that have another mask than in an earlier one, or only in one."""
        known: Mapping[int, PlacedMask] = {} if before is None else before.masks
        return frozenset(
            key
            for key in self.masks.keys() | known.keys()
            if not _is_same(self.masks.get(key), known.get(key))
        )

    def changes(self, before: PreviewPicture) -> Window | None:
        """Find where it differs from one that it continues; None where it is alike."""
        unlike = self.unlike(before)
        strokes = {*self.scribbles} ^ {*before.scribbles}
        if not unlike and self.scribbles != before.scribbles:
            strokes = {*self.scribbles, *before.scribbles}
        boxes = [
            *self.boxes(unlike),
            *before.boxes(unlike),
            *filter(None, (one.pixels.extent for one in strokes)),
        ]
        return reduce(Window.joined, boxes) if boxes else None

    def touching(self, part: Window) -> frozenset[int]:
        """Objects of which something may be in a part of the frame."""
        return frozenset(
            key
            for key, mask in self.masks.items()
            if mask.extent and mask.extent.shared(part)
        )

    def outline(self, object_ids: Collection[int]) -> Outline:
        """Trace some objects, as far as no others lie on them."""
        boxes = list(self.boxes(object_ids))
        if not boxes:
            return Outline.empty()
        around = reduce(Window.joined, boxes)
        if around.rows * around.columns <= TRACED_TOGETHER:
            return self._traced(around).of_objects(object_ids)
        parts = [
            self._traced(box).of_objects([key])
            for key in object_ids
            for box in self.boxes([key])
        ]
        return reduce(Outline.joined, parts)

    def _traced(self, part: Window) -> Outline:
        traced = Outline.of(self._filled(part), part.origin)
        return traced.renumbered(self.values)

    def _filled(self, part: Window) -> np.ndarray:
        labels = np.zeros(part.shape, self.dtype)
        for key, mask in self.masks.items():
            shared = mask.extent and mask.extent.shared(part)
            if shared:
                here = labels[shared.within(part).place]
                here[mask.seen_in(shared)] = self.values[key]
        return labels

    def boxes(self, object_ids: Collection[int]) -> Iterator[Window]:
        """Yield the bounding boxes of those objects that have pixels."""
        for key in object_ids:
            box = self.masks[key].extent if key in self.masks else None
            if box is not None:
                yield box


def _is_same(one: PlacedMask | None, other: PlacedMask | None) -> bool:
    return (
        one is not None
        and other is not None
        and one.pixels is other.pixels
        and one.window == other.window
    )


def _values_of(object_ids: Collection[int]) -> dict[int, int]:
    """Give a pixel value to each object: its id, unless that is too large or taken."""
    largest = MOST_OF_A_BYTE if len(object_ids) <= MOST_OF_A_BYTE else LARGEST_VALUE
    allowed = {*range(1, largest + 1)} - {POSITIVE_VALUE, NEGATIVE_VALUE}
    own = allowed & {*object_ids}
    others = sorted({*object_ids} - own)
    free = sorted(allowed - own, reverse=True)
    return {one: one for one in own} | dict(zip(others, free, strict=False))
