"""The steps in which a document was changed, undone and redone in order."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import takewhile
from typing import TYPE_CHECKING, Any

from napari_sam_decoder.project.changes import LabelsChange
from napari_sam_decoder.project.document import Document

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
    from typing import Self

    from napari_sam_decoder.project.changes import Change

__all__ = ["DEFAULT_LIMIT", "History", "Operation", "Step"]

DEFAULT_LIMIT = 256 * 2**20
"""Bytes for what can be undone and redone."""


class _Footprint:
    """What some changes change, to tell whether others can be made before them."""

    def __init__(self) -> None:
        self._parts = 0
        self._touched: set[Hashable] = set()
        self._cuts: dict[int, set[tuple[int, ...]]] = {}

    def follow(self, parts: Sequence[Sequence[Change]]) -> None:
        """Look at the parts that have come since."""
        for part in parts[self._parts :]:
            self._add(part)
        self._parts = len(parts)

    @classmethod
    def of(cls, changes: Sequence[Change]) -> Self:
        """Look at some changes."""
        footprint = cls()
        footprint.follow([changes])
        return footprint

    def commutes_with(self, other: _Footprint) -> bool:
        """Whether it makes no difference which of them is made first."""
        if not self._touched.isdisjoint(other._touched):
            return False
        # Planes along other axes cross each other.
        common = self._cuts.keys() & other._cuts.keys()
        return all(len(self._cuts[one] | other._cuts[one]) == 1 for one in common)

    def _add(self, changes: Sequence[Change]) -> None:
        for change in changes:
            self._touched.add(change.touched)
            if isinstance(change, LabelsChange):
                self._cuts.setdefault(change.target, set()).add(change.sliced)


@dataclass(eq=False)
class Step:
    """One action.

    Attributes
    ----------
    number : int
        Ascending in the order in which steps began.
    title : str
        What was done, as a menu shows it.
    kind : str
        Such as "points", "paint", "run" or "correction".
    details : dict
        Plain values that say how it can be done again.
    group : int
        The number of the step that caused it, or its own; steps of one group that
        follow each other are undone together.
    parts : list of sequence of Change
        In the order in which they were made.
    size : int
        Approximate bytes in memory.
    """

    number: int
    title: str
    kind: str
    details: dict[str, Any] = field(default_factory=dict)
    group: int = 0
    parts: list[Sequence[Change]] = field(default_factory=list)
    size: int = 0
    _footprint: _Footprint = field(default_factory=_Footprint, repr=False)

    @property
    def changes(self) -> list[Change]:
        """Its changes, in the order in which they were made."""
        return [change for part in self.parts for change in part]

    def add(self, changes: Sequence[Change], size: int) -> None:
        """Let it grow.

        Parameters
        ----------
        changes : sequence of Change
            Not changed any more; may be decoded when they are first needed.
        size : int
            Approximate bytes in memory.
        """
        self.parts.append(changes)
        self.size += size

    @property
    def footprint(self) -> _Footprint:
        """What its changes change."""
        # A run asks for it at each frame, so nothing is looked at twice.
        self._footprint.follow(self.parts)
        return self._footprint


@dataclass(frozen=True, eq=False)
class Operation:
    """Something that happened to a history, enough to let it happen to another one.

    Attributes
    ----------
    kind : str
        "step", "extend", "undo", "redo", "note" or "trim".
    step : Step or None
        The one that is new or grows.
    changes : sequence of Change
        Those that were made now.
    size : int
        Approximate bytes of these in memory.
    after : int or None
        The step behind which a new one was placed; None for the end.
    count : int
        Steps that were undone, redone, or forgotten.
    is_redo_lost : bool
        Whether nothing can be redone any more.
    """

    kind: str
    step: Step | None = None
    changes: Sequence[Change] = ()
    size: int = 0
    after: int | None = None
    count: int = 0
    is_redo_lost: bool = False


class History:
    """What was done to a document, in steps.

    Changes of the document outside of `step` and `extend` cannot be undone.

    Parameters
    ----------
    limit : int
        Bytes; beyond them, the oldest steps are forgotten.

    Attributes
    ----------
    document : Document
        Everything that steps change.
    """

    def __init__(self, limit: int = DEFAULT_LIMIT) -> None:
        self.document = Document(self._record, self._note)
        self._limit = limit
        self._done: list[Step] = []
        self._undone: list[Step] = []
        self._changes: list[Change] | None = None
        self._recorded: Step | None = None
        self._last_number = 0
        self._size = 0
        self._listeners: list[Callable[[Operation], None]] = []

    def subscribe(self, listener: Callable[[Operation], None]) -> None:
        """Call back with every operation from now on."""
        self._listeners.append(listener)

    @property
    def done(self) -> tuple[Step, ...]:
        """What can be undone, the oldest first."""
        return tuple(self._done)

    @property
    def undone(self) -> tuple[Step, ...]:
        """What can be redone, that which comes next last."""
        return tuple(self._undone)

    @property
    def size(self) -> int:
        """Approximate bytes of all steps."""
        return self._size

    @property
    def limit(self) -> int:
        """Bytes that they may take; the oldest are forgotten beyond."""
        return self._limit

    @limit.setter
    def limit(self, limit: int) -> None:
        self._limit = limit
        self._trim()

    @property
    def last_group(self) -> tuple[Step, ...]:
        """What `undo` would take back, the earliest first."""
        return tuple(self._last_group(self._done))

    @property
    def next_group(self) -> tuple[Step, ...]:
        """What `redo` would do again, the earliest first."""
        return tuple(self._last_group(self._undone)[::-1])

    @property
    def next_undo(self) -> Step | None:
        """The step that names what `undo` would take back, if there is any."""
        group = self._last_group(self._done)
        return group[0] if group else None

    @property
    def next_redo(self) -> Step | None:
        """The step that names what `redo` would do again, if there is any."""
        group = self._last_group(self._undone)
        return group[-1] if group else None

    @contextmanager
    def step(
        self,
        title: str,
        kind: str,
        details: dict[str, Any] | None = None,
        cause: Step | None = None,
    ) -> Iterator[Step]:
        """Record everything that changes within as one step.

        A step without changes is dropped. If an error is raised within, all is as
        before. Within another step, changes count as part of that one.

        Parameters
        ----------
        title, kind, details
            As in `Step`.
        cause : Step, optional
            Is undone together with the new one.

        Yields
        ------
        Step
            For `extend`.
        """
        step = self.open_step(title, kind, details or {})
        if self._changes is not None:
            yield self._recorded or step
            return
        with self._recording(step) as changes:
            yield step
        if changes:
            self._add(step, changes, cause)

    @contextmanager
    def extend(self, step: Step) -> Iterator[None]:
        """Record everything that changes within as a part of a step.

        If something that was done since has changed the same, it becomes a step of its
        own.

        Parameters
        ----------
        step : Step
            Done, or not recorded yet.
        """
        if self._changes is not None:
            yield
            return
        with self._recording(step) as changes:
            yield
        if changes:
            self._extend(step, changes)

    @contextmanager
    def note(self) -> Iterator[None]:
        """Record everything that changes within as one thing that cannot be undone."""
        if self._changes is not None:
            yield
            return
        with self._recording() as changes:
            yield
        if changes:
            self._emit(Operation("note", changes=tuple(changes), size=_size(changes)))

    def open_step(
        self,
        title: str,
        kind: str,
        details: dict[str, Any],
        cause: Step | None = None,
    ) -> Step:
        """Make a step that grows by `extend`, as results arrive.

        Parameters
        ----------
        title, kind, details
            As in `Step`.
        cause : Step, optional
            Is undone together with it.
        """
        return Step(0, title, kind, details, 0 if cause is None else cause.group)

    def undo(self, breathe: Callable[[], None] = lambda: None) -> tuple[Step, ...]:
        """Take back the last step, with those that belong to it.

        Parameters
        ----------
        breathe : callable
            Called often meanwhile; must not change the document.

        Returns
        -------
        tuple of Step
            The latest first; empty if there is none.
        """
        group = self._last_group(self._done)[::-1]
        if group:
            self._apply(_inverses(group), breathe)
            self._repeat_undo(len(group))
            self._emit(Operation("undo", count=len(group)))
        return tuple(group)

    def redo(self, breathe: Callable[[], None] = lambda: None) -> tuple[Step, ...]:
        """Do again what was undone last.

        Parameters
        ----------
        breathe : callable
            As for `undo`.

        Returns
        -------
        tuple of Step
            The earliest first; empty if there is none.
        """
        group = self._last_group(self._undone)[::-1]
        if group:
            changes = [change for step in group for change in step.changes]
            self._apply(changes, breathe)
            self._repeat_redo(len(group))
            self._emit(Operation("redo", count=len(group)))
        return tuple(group)

    def repeat(self, operation: Operation, *, is_applied: bool = False) -> None:
        """Let an operation of another history happen to this one.

        Parameters
        ----------
        operation : Operation
            The next one in order.
        is_applied : bool, default False
            Whether the document shows it already.
        """
        if not is_applied:
            self._apply(self._changes_of(operation))
        if operation.is_redo_lost:
            self._lose_redo()
        if operation.kind == "undo":
            self._repeat_undo(operation.count)
        elif operation.kind == "redo":
            self._repeat_redo(operation.count)
        elif operation.kind == "trim":
            self._forget(operation.count)
        elif operation.step is not None:
            self._repeat_step(operation.step, operation)

    def _changes_of(self, operation: Operation) -> Sequence[Change]:
        """What an operation makes of the document."""
        if operation.kind == "undo":
            return _inverses(_last(self._done, operation.count))
        if operation.kind == "redo":
            steps = _last(self._undone, operation.count)
            return [change for step in steps for change in step.changes]
        return operation.changes

    def _record(self, change: Change) -> None:
        if self._changes is None:
            self._note(change)
        else:
            self._changes.append(change)

    def _note(self, change: Change) -> None:
        self._emit(Operation("note", changes=(change,), size=change.size))

    @contextmanager
    def _recording(self, step: Step | None = None) -> Iterator[list[Change]]:
        changes: list[Change] = []
        self._changes, self._recorded = changes, step
        try:
            yield changes
        except BaseException:
            self._apply([change.inverse() for change in reversed(changes)])
            changes.clear()
            raise
        finally:
            self._changes = self._recorded = None

    def _add(
        self, step: Step, changes: list[Change], cause: Step | None = None
    ) -> None:
        self._last_number = step.number = self._last_number + 1
        step.add(tuple(changes), _size(changes))
        place = self._place_behind(cause, changes)
        is_joined = cause is not None and place is not None
        step.group = cause.group if cause is not None and is_joined else step.number
        index = len(self._done) if place is None else place
        after = None if index == len(self._done) else self._done[index - 1].number
        is_redo_lost = bool(self._undone)
        if is_redo_lost:
            self._lose_redo()
        self._insert(step, index)
        self._emit(
            Operation(
                "step",
                step,
                tuple(changes),
                step.size,
                after=after,
                is_redo_lost=is_redo_lost,
            )
        )
        self._trim()

    def _extend(self, step: Step, changes: list[Change]) -> None:
        if step.number == 0:
            cause = next((one for one in self._done if one.number == step.group), None)
            self._add(step, changes, cause)
            return
        newest = self._continuation(step)
        if newest is None:
            self._continue(step, changes)
            return
        if not self._is_apart(changes, self._done[self._done.index(newest) + 1 :]):
            self._continue(step, changes)
            return
        is_redo_lost = not self._is_apart(changes, self._undone)
        if is_redo_lost:
            self._lose_redo()
        size = _size(changes)
        newest.add(tuple(changes), size)
        self._size += size
        self._emit(
            Operation("extend", newest, tuple(changes), size, is_redo_lost=is_redo_lost)
        )
        self._trim()

    def _continuation(self, step: Step) -> Step | None:
        """The last part of a step that can still be undone, if there is any."""
        first = step.details.get("continues", step.number)
        parts = (
            one
            for one in reversed(self._done)
            if first in (one.number, one.details.get("continues"))
        )
        return next(parts, None)

    def _continue(self, step: Step, changes: list[Change]) -> None:
        first = step.details.get("continues", step.number)
        details = {**step.details, "continues": first}
        self._add(Step(0, step.title, step.kind, details), changes)

    def _place_behind(self, cause: Step | None, changes: list[Change]) -> int | None:
        """Find the place behind a cause, unless what came later is in the way."""
        if cause is None or cause not in self._done:
            return None
        index = self._done.index(cause) + 1
        while index < len(self._done) and self._done[index].group == cause.group:
            index += 1
        return index if self._is_apart(changes, self._done[index:]) else None

    def _is_apart(self, changes: Sequence[Change], steps: Sequence[Step]) -> bool:
        """Whether changes could as well have been made before some steps."""
        footprint = _Footprint.of(changes) if steps else None
        return footprint is None or all(
            one.footprint.commutes_with(footprint) for one in steps
        )

    def _insert(self, step: Step, index: int) -> None:
        self._done.insert(index, step)
        self._size += step.size

    def _apply(
        self, changes: Sequence[Change], breathe: Callable[[], None] = lambda: None
    ) -> None:
        """Make changes, all or none."""
        made = 0
        try:
            for change in changes:
                self.document.apply(change)
                made += 1
                breathe()
        except BaseException:
            for change in reversed(changes[:made]):
                self.document.apply(change.inverse())
            raise

    def _last_group(self, steps: list[Step]) -> list[Step]:
        """The steps at the end that belong together, in their order."""
        if not steps:
            return []
        group = steps[-1].group
        belonging = takewhile(lambda one: one.group == group, reversed(steps))
        return list(belonging)[::-1]

    def _lose_redo(self) -> None:
        self._size -= sum(step.size for step in self._undone)
        self._undone.clear()

    def _trim(self) -> None:
        """Forget the oldest steps beyond the limit, but never the last group.

        Where that is not enough, nothing can be redone any more.
        """
        count, size, last = 0, self._size, len(self._last_group(self._done))
        while size > self._limit and count < len(self._done) - last:
            size -= self._done[count].size
            count += 1
        is_redo_lost = size > self._limit and bool(self._undone)
        if is_redo_lost:
            self._lose_redo()
        self._forget(count)
        if count or is_redo_lost:
            self._emit(Operation("trim", count=count, is_redo_lost=is_redo_lost))

    def _forget(self, count: int) -> None:
        self._size -= sum(step.size for step in self._done[:count])
        del self._done[:count]

    def _repeat_undo(self, count: int) -> None:
        for _ in range(min(count, len(self._done))):
            self._undone.append(self._done.pop())

    def _repeat_redo(self, count: int) -> None:
        for _ in range(min(count, len(self._undone))):
            self._done.append(self._undone.pop())

    def _repeat_step(self, step: Step, operation: Operation) -> None:
        if operation.kind == "step":
            self._last_number = max(self._last_number, step.number)
            own = Step(step.number, step.title, step.kind, step.details, step.group)
            own.add(operation.changes, operation.size)
            self._insert(own, self._index_behind(operation.after))
            return
        # It is nearly always one of the last.
        for own in reversed(self._done):
            if own.number == step.number:
                own.add(operation.changes, operation.size)
                self._size += operation.size
                return

    def _index_behind(self, number: int | None) -> int:
        """The place behind a step; the end if there is none of that number."""
        if number is not None:
            for index, one in enumerate(self._done):
                if one.number == number:
                    return index + 1
        return len(self._done)

    def _emit(self, operation: Operation) -> None:
        for listener in self._listeners:
            listener(operation)


def _size(changes: Iterable[Change]) -> int:
    return sum(change.size for change in changes)


def _last(steps: list[Step], count: int) -> list[Step]:
    return steps[::-1][:count]


def _inverses(steps: Sequence[Step]) -> list[Change]:
    """What takes steps back, the first of which is the latest."""
    return [change.inverse() for step in steps for change in reversed(step.changes)]
