"""What has changed in a plane of labels, compressed."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Self

import numpy as np

from napari_sam_decoder.errors import ProjectError
from napari_sam_decoder.project.compression import decompress_bounded

if TYPE_CHECKING:
    from collections.abc import Collection

__all__ = ["LabelDifference"]

_NARROW, _WIDE = np.dtype("<u4"), np.dtype("<i8")
_LEVEL = 1


@dataclass(frozen=True, slots=True)
class LabelDifference:
    """The pixels of a plane that have another label; made by `LabelDifference.between`.

    Attributes
    ----------
    window : (row, row stop, column, column stop)
        The smallest part of the plane that holds all of them.
    content : bytes
        Runs along the rows of the window, compressed by zlib: the width of a number in
        bytes (4 or 8), then as many numbers for the lengths of the runs, for the labels
        before, and for those after. Where nothing has changed, both are 0.
    is_reversed : bool
        Whether before and after are swapped.
    """

    window: tuple[int, int, int, int]
    content: bytes
    is_reversed: bool = False

    @classmethod
    def between(cls, before: np.ndarray, after: np.ndarray) -> Self | None:
        """Compare two planes.

        Parameters
        ----------
        before, after : (Y, X) arrays of int
            Of the same shape.

        Returns
        -------
        LabelDifference or None
            None if they are equal.
        """
        changed = before != after
        rows = np.flatnonzero(changed.any(axis=1))
        if rows.size == 0:
            return None
        columns = np.flatnonzero(changed[rows[0] : rows[-1] + 1].any(axis=0))
        window = (
            int(rows[0]),
            int(rows[-1]) + 1,
            int(columns[0]),
            int(columns[-1]) + 1,
        )
        inside = _slices(window)
        return cls(window, _encode(changed[inside], before[inside], after[inside]))

    def inverse(self) -> Self:
        """Return the difference that takes this one back."""
        return replace(self, is_reversed=not self.is_reversed)

    def at(self, row: int, column: int) -> Self:
        """Return the same difference further down and to the right."""
        top, bottom, left, right = self.window
        moved = (top + row, bottom + row, left + column, right + column)
        return replace(self, window=moved)

    def apply(self, plane: np.ndarray) -> None:
        """Give the changed pixels of a plane their label after, in place.

        Parameters
        ----------
        plane : (Y, X) array of int
            As it was before.

        Raises
        ------
        ProjectError
            If the difference is damaged, or outside the plane.
        """
        height, width = self._size_within(plane.shape)
        lengths, before, after = _runs(self.content, height * width)
        if self.is_reversed:
            before, after = after, before
        # Most of a window stays as it is, so only what changes is unpacked.
        is_meant = before != after
        starts, counts = (np.cumsum(lengths) - lengths)[is_meant], lengths[is_meant]
        shifts = starts - (np.cumsum(counts) - counts)
        places = np.repeat(shifts, counts) + np.arange(counts.sum())
        rows = places // width
        columns = places - rows * width
        values = np.repeat(after[is_meant].astype(plane.dtype), counts)
        plane[_slices(self.window)][rows, columns] = values

    def apply_where_unchanged(
        self, plane: np.ndarray, *, but_not: Collection[int] = ()
    ) -> None:
        """Do so only where a pixel still has its label before.

        Parameters
        ----------
        plane : (Y, X) array of int
            Changed in place.
        but_not : collection of int
            Labels that are not given; pixels get 0 instead.
        """
        before, after = self.unpacked(plane.shape)
        here = plane[_slices(self.window)]
        if but_not:
            after = np.where(np.isin(after, list(but_not)), 0, after)
        is_meant = (before != after) & (here == before.astype(plane.dtype))
        np.copyto(here, after.astype(plane.dtype), where=is_meant)

    def overlaps(self, other: LabelDifference) -> bool:
        """Whether the windows of two differences share a pixel."""
        top, bottom, left, right = self.window
        top2, bottom2, left2, right2 = other.window
        return top < bottom2 and top2 < bottom and left < right2 and left2 < right

    def unpacked(self, shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
        """Return the labels of the window before and after, equal where unchanged.

        Parameters
        ----------
        shape : (Y, X)
            Of the plane.

        Returns
        -------
        before, after : (rows, columns) arrays of int
        """
        size = self._size_within(shape)
        before, after = _decode(self.content, size)
        return (after, before) if self.is_reversed else (before, after)

    def _size_within(self, shape: tuple[int, ...]) -> tuple[int, int]:
        """Number of rows and columns of the window, which must lie in a plane."""
        top, bottom, left, right = self.window
        is_inside = 0 <= top < bottom <= shape[0] and 0 <= left < right <= shape[1]
        if not is_inside:
            raise ProjectError(
                f"a change of labels at rows {top} to {bottom} and columns {left} to "
                f"{right} does not fit planes of shape {shape}"
            )
        return bottom - top, right - left


def _slices(window: tuple[int, int, int, int]) -> tuple[slice, slice]:
    top, bottom, left, right = window
    return slice(top, bottom), slice(left, right)


def _encode(here: np.ndarray, before: np.ndarray, after: np.ndarray) -> bytes:
    """Encode runs; only the pixels that have changed are looked at."""
    places = np.flatnonzero(here)
    was, now = before[here].astype(np.int64), after[here].astype(np.int64)
    is_apart = np.diff(places) != 1
    is_new = is_apart | (was[1:] != was[:-1]) | (now[1:] != now[:-1])
    first = np.concatenate([[0], np.flatnonzero(is_new) + 1])
    # Behind them, and at the beginning of the window, nothing has changed.
    behind = places[np.append(is_apart, places[-1] + 1 < here.size)] + 1
    still = behind if places[0] == 0 else np.append(0, behind)
    starts = np.concatenate([places[first], still])
    nothing = np.zeros(still.size, np.int64)
    values = np.stack([np.append(was[first], nothing), np.append(now[first], nothing)])
    order = np.argsort(starts)
    lengths = np.diff(starts[order], append=here.size)
    numbers = np.vstack([lengths, values[:, order]])
    is_narrow = numbers.min() >= 0 and numbers.max() <= np.iinfo(_NARROW).max
    dtype = _NARROW if is_narrow else _WIDE
    packed: bytes = numbers.astype(dtype).tobytes()
    return zlib.compress(bytes([dtype.itemsize]) + packed, _LEVEL)


def _runs(content: bytes, pixels: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the lengths of runs, and their labels before and after."""
    unpacked = decompress_bounded(content, 1 + 3 * _WIDE.itemsize * pixels)
    width = unpacked[0] if unpacked else 0
    if width not in (4, 8) or len(unpacked) == 1 or (len(unpacked) - 1) % (3 * width):
        raise _damaged()
    dtype = _NARROW if width == _NARROW.itemsize else _WIDE
    numbers = np.frombuffer(unpacked[1:], dtype)
    lengths, before, after = numbers.reshape(3, -1)
    if lengths.min() < 0 or int(lengths.sum(dtype=np.float64)) != pixels:
        raise _damaged()
    return lengths.astype(np.int64), before, after


def _decode(content: bytes, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    lengths, before, after = _runs(content, size[0] * size[1])
    return (
        np.repeat(before, lengths).reshape(size),
        np.repeat(after, lengths).reshape(size),
    )


def _damaged() -> ProjectError:
    return ProjectError(
        "a change of labels in the project file is damaged; restore the file from a "
        "backup"
    )
