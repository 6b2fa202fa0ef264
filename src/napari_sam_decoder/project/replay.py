"""A history brought back from a project file, and the checkpoint that shortens that."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeVar, overload

import numpy as np

from napari_sam_decoder.project.array_labels import ArrayLabels
from napari_sam_decoder.project.changes import (
    Change,
    EntryChange,
    LabelsChange,
    RowsChange,
)
from napari_sam_decoder.project.cut import PlaneAxes
from napari_sam_decoder.project.document import ROWS
from napari_sam_decoder.project.encoding import (
    decode_changes,
    decode_operation,
    encode_changes,
)
from napari_sam_decoder.project.history import History
from napari_sam_decoder.project.journal import CHECKPOINT, read_journal
from napari_sam_decoder.project.label_difference import LabelDifference
from napari_sam_decoder.project.label_snapshot import LabelSnapshot

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from napari_sam_decoder.project.document import Document, LabelStore
    from napari_sam_decoder.project.journal import JournalContents
    from napari_sam_decoder.project.journal_lines import StoredOp
    from napari_sam_decoder.project.label_snapshot import PlanePosition
    from napari_sam_decoder.project.target_record import TargetRecord

__all__ = ["make_checkpoint", "replay"]

Store = TypeVar("Store", bound="LabelStore")


class _StoredChanges(Sequence[Change]):
    """Changes that are decoded when they are first needed."""

    def __init__(self, stored: StoredOp) -> None:
        self._stored = stored

    @overload
    def __getitem__(self, index: int) -> Change: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[Change]: ...

    def __getitem__(self, index: int | slice) -> Change | Sequence[Change]:
        return self._decoded()[index]

    def __len__(self) -> int:
        return len(self._decoded())

    def __iter__(self) -> Iterator[Change]:
        return iter(self._decoded())

    def _decoded(self) -> tuple[Change, ...]:
        # Not kept: few of the old steps are ever undone, and they take much room.
        return decode_changes(self._stored.decode().get("changes", ()))


def replay(
    contents: JournalContents,
    history: History,
    make_store: Callable[[TargetRecord], Store],
) -> dict[int, Store]:
    """Let everything that is in a project file happen to a history.

    Parameters
    ----------
    contents : JournalContents
        Of the file.
    history : History
        New.
    make_store : callable
        Makes the labels of each target, blank.

    Returns
    -------
    dict of int to store
        The labels of each target.

    Raises
    ------
    ProjectError
        If something in the file cannot be understood.
    """
    stores: dict[int, Store] = {}

    def attach(number: int, before: object, after: TargetRecord | None) -> None:
        if before is None and after is not None:
            stores[number] = make_store(after)
            history.document.attach(number, stores[number])

    history.document.table("targets").subscribe(attach)
    for stored in contents.older:
        _repeat_older(history, stored)
    for stored in contents.recent:
        _repeat_recent(history, stored)
    return stores


def _repeat_older(history: History, stored: StoredOp) -> None:
    """Only what can be undone is needed of an operation before a checkpoint."""
    if stored.kind not in (CHECKPOINT, "note"):
        operation = decode_operation(
            stored.head(), _StoredChanges(stored), len(stored.raw)
        )
        history.repeat(operation, is_applied=True)


def _repeat_recent(history: History, stored: StoredOp) -> None:
    encoded = stored.decode()
    changes = encoded.pop("changes", ())
    for change in decode_changes(changes, with_before=False):
        history.document.apply(change)
    if stored.kind not in (CHECKPOINT, "note"):
        kept = _StoredChanges(stored) if changes else ()
        operation = decode_operation(encoded, kept, len(stored.raw))
        history.repeat(operation, is_applied=bool(changes))


class _PackedLabels:
    """Labels that are kept compressed, plane by plane."""

    def __init__(self, record: TargetRecord) -> None:
        self._record = record
        self._sliced: tuple[int, ...] | None = None
        self._planes = LabelSnapshot()
        self._whole: ArrayLabels | None = None

    def apply(
        self,
        sliced: tuple[int, ...],
        place: PlanePosition,
        difference: LabelDifference,
    ) -> None:
        self._sliced = sliced if self._sliced is None else self._sliced
        if sliced != self._sliced and self._whole is None:
            self._unpack()
        if self._whole is not None:
            self._whole.apply(sliced, place, difference)
            return
        self._planes.begin(place, self._blank())
        self._planes.patch(place, difference)

    def changes(self, number: int) -> Iterator[LabelsChange]:
        """Yield what makes these labels out of blank ones."""
        for place, plane in self._all_planes():
            difference = LabelDifference.between(np.zeros_like(plane), plane)
            if difference is not None and self._sliced is not None:
                yield LabelsChange(number, self._sliced, place, difference)

    def _blank(self) -> np.ndarray:
        shown = PlaneAxes.of(self._sliced or ()).shown
        shape = [self._record.shape[axis] for axis in shown]
        return np.zeros(shape, self._record.dtype)

    def _unpack(self) -> None:
        """Planes along other axes cross each other, so that all must be in one."""
        whole = ArrayLabels(self._record)
        axes = PlaneAxes.of(self._sliced or ())
        for place in self._planes:
            whole.data[axes.index(place)] = self._planes.plane(place, self._blank())
        self._whole = whole

    def _all_planes(self) -> Iterator[tuple[PlanePosition, np.ndarray]]:
        if self._whole is None:
            for place in self._planes:
                yield place, self._planes.plane(place, self._blank())
            return
        axes = PlaneAxes.of(self._sliced or ())
        lengths = [self._record.shape[axis] for axis in axes.sliced]
        for place in np.ndindex(*lengths):
            yield place, self._whole.data[axes.index(place)]


def make_checkpoint(path: Path) -> dict[str, object]:
    """Return an op with the whole state at the end of a project file.

    Parameters
    ----------
    path : Path
        Of the file; all that was done is in it.

    Raises
    ------
    ProjectError
        If it cannot be read.
    """
    history = History()
    stores = replay(read_journal(path), history, _PackedLabels)
    changes = [*_state(history.document)]
    for number, store in stores.items():
        changes += store.changes(number)
    return {"op": CHECKPOINT, "changes": encode_changes(changes)}


def _state(document: Document) -> Iterator[Change]:
    """Yield what makes all but the pixels out of nothing."""
    for table in document.tables:
        for key, value in table.items():
            yield EntryChange(table.name, table.scope, key, None, value)
    for name in ROWS:
        change = RowsChange.between(name, (), document.rows(name))
        if change is not None:
            yield change
