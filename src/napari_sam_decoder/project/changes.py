"""Changes of what was done on a movie, each with its inverse."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Self

from napari_sam_decoder.project.label_difference import LabelDifference
from napari_sam_decoder.project.prompt_rows import ScribbleRow

if TYPE_CHECKING:
    from collections.abc import Hashable

__all__ = ["Change", "EntryChange", "Key", "LabelsChange", "RowsChange"]

Key = Any
"""Of an entry: a number, a word, or a tuple of them."""

_SIZE = 200
"""Approximate bytes of a small change in memory."""

_RUN_SIZE = 40
"""The same of a run of the pixels of a scribble."""


@dataclass(frozen=True, slots=True)
class EntryChange:
    """One entry of a table is new, another, or gone.

    Attributes
    ----------
    table : str
    scope : tuple of int
        Which table of that name.
    key : int, str or tuple
    before, after : object
        Immutable; None where there is no entry.
    """

    table: str
    scope: tuple[int, ...]
    key: Key
    before: Any
    after: Any

    @property
    def touched(self) -> Hashable:
        """What it changes."""
        return self.table, self.scope, self.key

    @property
    def size(self) -> int:
        """Approximate bytes in memory."""
        values = (self.before, self.after)
        packed = (one for one in values if isinstance(one, LabelDifference))
        return _SIZE + sum(len(one.content) for one in packed)

    def inverse(self) -> Self:
        """Return the change that takes this one back."""
        return replace(self, before=self.after, after=self.before)


@dataclass(frozen=True, slots=True)
class RowsChange:
    """Some rows of a list are replaced by others.

    Attributes
    ----------
    rows : str
        "points", "shapes" or "scribbles".
    start : int
        The first row that changes.
    removed, inserted : tuple
        `PointRow`, `ShapeRow` or `ScribbleRow`.
    """

    rows: str
    start: int
    removed: tuple[Any, ...]
    inserted: tuple[Any, ...]

    @classmethod
    def between(
        cls, rows: str, before: tuple[Any, ...], after: tuple[Any, ...]
    ) -> Self | None:
        """Compare two lists of rows; None if they are equal."""
        if before == after:
            return None
        start = _common(before, after)
        end = _common(before[start:][::-1], after[start:][::-1])
        return cls(
            rows,
            start,
            before[start : len(before) - end],
            after[start : len(after) - end],
        )

    @property
    def touched(self) -> Hashable:
        """What it changes."""
        return self.rows

    @property
    def size(self) -> int:
        """Approximate bytes in memory."""
        rows = (*self.removed, *self.inserted)
        scribbles = (row for row in rows if isinstance(row, ScribbleRow))
        runs = sum(len(row.pixels.runs) for row in scribbles)
        return _SIZE * (1 + len(rows)) + _RUN_SIZE * runs

    def inverse(self) -> Self:
        """Return the change that takes this one back."""
        return replace(self, removed=self.inserted, inserted=self.removed)

    def apply(self, rows: tuple[Any, ...]) -> tuple[Any, ...]:
        """Return the rows after the change."""
        stop = self.start + len(self.removed)
        return (*rows[: self.start], *self.inserted, *rows[stop:])


def _common(first: tuple[Any, ...], second: tuple[Any, ...]) -> int:
    """Count the equal rows at the beginning."""
    count = 0
    for one, other in zip(first, second, strict=False):
        if one != other:
            break
        count += 1
    return count


@dataclass(frozen=True, slots=True)
class LabelsChange:
    """Pixels of one plane of labels have another label.

    Attributes
    ----------
    target : int
        Which labels.
    sliced : tuple of int
        The axes along which they are cut into planes, ascending.
    place : tuple of int
        Where the plane lies along them.
    difference : LabelDifference
    """

    target: int
    sliced: tuple[int, ...]
    place: tuple[int, ...]
    difference: LabelDifference

    @property
    def touched(self) -> Hashable:
        """What it changes."""
        return self.target, self.sliced, self.place

    @property
    def size(self) -> int:
        """Approximate bytes in memory."""
        return _SIZE + len(self.difference.content)

    def inverse(self) -> Self:
        """Return the change that takes this one back."""
        return replace(self, difference=self.difference.inverse())


Change = EntryChange | RowsChange | LabelsChange
