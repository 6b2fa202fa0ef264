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

    from napari_sam_decoder.project.changes import Change

__all__ = ["DEFAULT_LIMIT", "History", "Operation", "Step"]

DEFAULT_LIMIT = 256 * 2**20
"""Bytes for what can be undone and redone."""


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
    def touched(self) -> set[Hashable]:
        """What its changes change."""
        return {change.touched for change in self.changes}

    def commutes_with(self, changes: Sequence[Change]) -> bool:
        """Whether it makes no difference which of them is made first."""
        touched = self.touched
        if not touched.isdisjoint(change.touched for change in changes):
            return False
        # Planes along other axes cross each other.
        cuts = {(one.target, one.sliced) for one in _of_labels(changes)}
        own = {(one.target, one.sliced) for one in _of_labels(self.changes)}
        return all(
            sliced == other
            for target, sliced in cuts
            for target2, other in own
            if target == target2
        )


def _of_labels(changes: Sequence[Change]) -> Iterator[LabelsChange]:
    for change in changes:
        if isinstance(change, LabelsChange):
            yield change


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
        self.document = Document(self._note)
        self._limit = limit
        self._done: list[Step] = []
        self._undone: list[Step] = []
        self._changes: list[Change] | None = None
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
        step = Step(self._last_number + 1, title, kind, details or {})
        if self._changes is not None:
            yield step
            return
        with self._recording() as changes:
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
        with self._recording() as changes:
            yield
        if changes:
            self._extend(step, changes)

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

    def undo(self) -> tuple[Step, ...]:
        """Take back the last step, with those that belong to it.

        Returns
        -------
        tuple of Step
            The latest first; empty if there is none.
        """
        group = self._last_group(self._done)
        for step in reversed(group):
            self._done.remove(step)
            self._take_back(step.changes)
            self._undone.append(step)
        if group:
            self._emit(Operation("undo", count=len(group)))
        return tuple(reversed(group))

    def redo(self) -> tuple[Step, ...]:
        """Do again what was undone last.

        Returns
        -------
        tuple of Step
            The earliest first; empty if there is none.
        """
        group = self._last_group(self._undone)[::-1]
        for step in group:
            self._undone.remove(step)
            for change in step.changes:
                self.document.apply(change)
            self._done.append(step)
        if group:
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
        moves = {"undo": self._repeat_undo, "redo": self._repeat_redo}
        if operation.kind in moves:
            moves[operation.kind](operation.count, is_applied)
            return
        if operation.kind == "trim":
            self._forget(operation.count)
            return
        if not is_applied:
            for change in operation.changes:
                self.document.apply(change)
        if operation.is_redo_lost:
            self._lose_redo()
        if operation.step is not None:
            self._repeat_step(operation.step, operation)

    def _note(self, change: Change) -> None:
        if self._changes is None:
            self._emit(Operation("note", changes=(change,), size=change.size))
        else:
            self._changes.append(change)

    @contextmanager
    def _recording(self) -> Iterator[list[Change]]:
        changes = self._changes = []
        try:
            yield changes
        except BaseException:
            self._take_back(changes)
            changes.clear()
            raise
        finally:
            self._changes = None

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
        # What follows by itself from something that was done keeps what can be redone.
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
        later = self._done[self._done.index(newest) + 1 :]
        if not all(other.commutes_with(changes) for other in later):
            self._continue(step, changes)
            return
        is_redo_lost = not all(other.commutes_with(changes) for other in self._undone)
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
        parts = [
            one
            for one in self._done
            if first in (one.number, one.details.get("continues"))
        ]
        return parts[-1] if parts else None

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
        later = self._done[index:]
        return index if all(one.commutes_with(changes) for one in later) else None

    def _insert(self, step: Step, index: int) -> None:
        self._done.insert(index, step)
        self._size += step.size

    def _take_back(self, changes: Sequence[Change]) -> None:
        for change in reversed(changes):
            self.document.apply(change.inverse())

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
        """Forget the oldest steps beyond the limit, but never the last group."""
        count, size, last = 0, self._size, len(self._last_group(self._done))
        while size > self._limit and count < len(self._done) - last:
            size -= self._done[count].size
            count += 1
        if count:
            self._forget(count)
            self._emit(Operation("trim", count=count))

    def _forget(self, count: int) -> None:
        self._size -= sum(step.size for step in self._done[:count])
        del self._done[:count]

    def _repeat_undo(self, count: int, is_applied: bool) -> None:
        for step in self._done[len(self._done) - count :][::-1]:
            if not is_applied:
                self._take_back(step.changes)
            self._undone.append(step)
        del self._done[len(self._done) - count :]

    def _repeat_redo(self, count: int, is_applied: bool) -> None:
        for step in self._undone[len(self._undone) - count :][::-1]:
            if not is_applied:
                for change in step.changes:
                    self.document.apply(change)
            self._done.append(step)
        del self._undone[len(self._undone) - count :]

    def _repeat_step(self, step: Step, operation: Operation) -> None:
        if operation.kind == "step":
            self._last_number = max(self._last_number, step.number)
            own = Step(step.number, step.title, step.kind, step.details, step.group)
            own.add(operation.changes, operation.size)
            numbers = [one.number for one in self._done]
            has_place = operation.after in numbers
            index = len(numbers)
            if has_place:
                index = numbers.index(operation.after or 0) + 1
            self._insert(own, index)
            return
        for own in self._done:
            if own.number == step.number:
                own.add(operation.changes, operation.size)
                self._size += operation.size

    def _emit(self, operation: Operation) -> None:
        for listener in self._listeners:
            listener(operation)


def _size(changes: Iterable[Change]) -> int:
    return sum(change.size for change in changes)
