"""Everything that was done on a movie, in recorded tables."""

from __future__ import annotations

from collections.abc import Callable, Iterator, MutableMapping
from typing import TYPE_CHECKING, Any, Protocol

from napari_sam_decoder.project.changes import (
    Change,
    EntryChange,
    Key,
    LabelsChange,
    RowsChange,
)

if TYPE_CHECKING:
    from napari_sam_decoder.project.label_difference import LabelDifference

__all__ = ["COMPOSITE", "ROWS", "Document", "LabelStore", "Table"]

ROWS = ("points", "shapes", "scribbles")
"""The lists of rows that a document has."""
COMPOSITE = "composite"
"""The option that names the channels seen as red, green and blue."""

Recorder = Callable[[Change], None]
Listener = Callable[[Any, Any, Any], None]


class Table(MutableMapping[Any, Any]):
    """A dictionary of immutable values whose changes are recorded.

    Made by `Document.table`.
    """

    def __init__(self, name: str, scope: tuple[int, ...], record: Recorder) -> None:
        self.name = name
        self.scope = scope
        self._record = record
        self._entries: dict[Key, Any] = {}
        self._listeners: list[Listener] = []

    def __getitem__(self, key: Key) -> Any:
        return self._entries[key]

    def __iter__(self) -> Iterator[Any]:
        return iter(tuple(self._entries))

    def __len__(self) -> int:
        return len(self._entries)

    def __setitem__(self, key: Key, value: Any) -> None:
        before = self._entries.get(key)
        if before != value:
            self.put(key, value)
            self._record(EntryChange(self.name, self.scope, key, before, value))

    def __delitem__(self, key: Key) -> None:
        before = self._entries[key]
        self.put(key, None)
        self._record(EntryChange(self.name, self.scope, key, before, None))

    def subscribe(self, listener: Listener) -> None:
        """Call back with (key, before, after) whenever an entry changes."""
        self._listeners.append(listener)

    def put(self, key: Key, value: Any) -> None:
        """Set an entry without recording it; None removes it."""
        before = self._entries.get(key)
        if value is None:
            self._entries.pop(key, None)
        else:
            self._entries[key] = value
        for listener in self._listeners:
            listener(key, before, value)


class LabelStore(Protocol):
    """Labels whose planes can be changed."""

    def apply(
        self,
        sliced: tuple[int, ...],
        place: tuple[int, ...],
        difference: LabelDifference,
    ) -> None:
        """Change the pixels of one plane."""


class Document:
    """The tables and rows of a movie, and its labels.

    The labels themselves lie elsewhere, see `attach`. All that is changed through the
    document is passed on; what `apply` changes is not.

    Parameters
    ----------
    record : callable
        Called with each `Change` that was made.
    note : callable
        Called with each `Change` that belongs to no step.
    """

    def __init__(self, record: Recorder, note: Recorder) -> None:
        self._record = record
        self._note = note
        self._tables: dict[tuple[str, tuple[int, ...]], Table] = {}
        self._rows: dict[str, tuple[Any, ...]] = dict.fromkeys(ROWS, ())
        self._stores: dict[int, LabelStore] = {}

    def table(self, name: str, *scope: int) -> Table:
        """Return a table, made if it is new.

        Parameters
        ----------
        name : str
            Says what its values are.
        *scope : int
            Distinguishes tables of one name.
        """
        known = self._tables.get((name, scope))
        if known is None:
            known = self._tables[name, scope] = Table(name, scope, self._record)
        return known

    @property
    def tables(self) -> tuple[Table, ...]:
        """All tables."""
        return tuple(self._tables.values())

    def rows(self, name: str) -> tuple[Any, ...]:
        """Return the rows of "points", "shapes" or "scribbles"."""
        return self._rows[name]

    def set_rows(self, name: str, rows: tuple[Any, ...]) -> None:
        """Replace the rows of "points", "shapes" or "scribbles"."""
        change = RowsChange.between(name, self._rows[name], rows)
        if change is not None:
            self._rows[name] = rows
            self._record(change)

    def attach(self, target: int, store: LabelStore) -> None:
        """Let changes of labels go to a store."""
        self._stores[target] = store

    def record_labels(self, change: LabelsChange) -> None:
        """Record pixels that have been written already."""
        self._record(change)

    def note_labels(self, change: LabelsChange) -> None:
        """Tell of pixels that were there before anything was done."""
        self._note(change)

    def apply(self, change: Change) -> None:
        """Make a change without recording it."""
        if isinstance(change, EntryChange):
            self.table(change.table, *change.scope).put(change.key, change.after)
        elif isinstance(change, RowsChange):
            self._rows[change.rows] = change.apply(self._rows[change.rows])
        elif change.target in self._stores:
            store = self._stores[change.target]
            store.apply(change.sliced, change.place, change.difference)
