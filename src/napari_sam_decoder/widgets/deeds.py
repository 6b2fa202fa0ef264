"""What each correction has changed in the labels, so that it can be taken back."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from napari_sam_decoder.prompts import Prompt
    from napari_sam_decoder.propagation import ObjectResult
    from napari_sam_decoder.widgets.layers import Edit, PackedEdit

__all__ = ["KEPT_BYTES", "Deed", "DeedBook", "Trace"]

KEPT_BYTES = 64 * 2**20
"""Room for what corrections have changed, compressed.

Of the oldest ones beyond that it is no more known what they changed. When a point of
such a correction goes, the object is computed anew, or if no run has made it, stays.
"""


@dataclass(frozen=True, eq=False)
class Trace:
    """What a correction has done on one frame.

    Attributes
    ----------
    frame : int
    edit : PackedEdit or None
        Of the labels; None if they were the same already.
    earlier : ObjectResult or None
        What was said of the object there before.
    """

    frame: int
    edit: PackedEdit | None
    earlier: ObjectResult | None


@dataclass(eq=False)
class Deed:
    """One correction, of one object on one frame, and what came of it elsewhere.

    Attributes
    ----------
    prompt : Prompt
        All that was said on its frame.
    earlier : Prompt or None
        What the labels there had been made from before.
    traces : list of Trace
        In the order in which they came.
    """

    prompt: Prompt
    earlier: Prompt | None
    traces: list[Trace] = field(default_factory=list)

    @property
    def object_id(self) -> int:
        """The corrected object."""
        return self.prompt.object_id

    @property
    def place(self) -> tuple[int, int]:
        """Object id and frame."""
        return self.prompt.object_id, self.prompt.frame

    @property
    def frames(self) -> set[int]:
        """Frames that it has come to."""
        return {self.prompt.frame, *(trace.frame for trace in self.traces)}

    @property
    def size(self) -> int:
        """Bytes that it takes."""
        return sum(trace.edit.size for trace in self.traces if trace.edit is not None)

    def rests_on(self, other: Deed) -> bool:
        """Whether it might have come out otherwise without an earlier one.

        That is so for the same object on the same or neighbouring frames, and for any
        other where both have changed the same part of a frame.
        """
        if self.object_id == other.object_id:
            near = {frame + step for frame in other.frames for step in (-1, 0, 1)}
            return not near.isdisjoint(self.frames)
        return any(
            mine.frame == its.frame and _overlap(mine.edit, its.edit)
            for mine in self.traces
            for its in other.traces
        )


class DeedBook:
    """The corrections of one ledger in the order in which they were made.

    Parameters
    ----------
    room : int
        Bytes to keep at most.
    """

    def __init__(self, room: int = KEPT_BYTES) -> None:
        self._room = room
        self._deeds: list[Deed] = []

    def __iter__(self) -> Iterator[Deed]:
        return iter(tuple(self._deeds))

    def begin(self, prompt: Prompt, earlier: Prompt | None) -> None:
        """Note that a correction has come to its own frame."""
        self._deeds.append(Deed(prompt, earlier))

    def trace(
        self,
        object_id: int,
        frame: int,
        edit: Edit | None,
        earlier: ObjectResult | None,
    ) -> None:
        """Note what the last correction has done on a frame; see `Ledger.trace`."""
        if self._deeds and self._deeds[-1].object_id == object_id:
            packed = None if edit is None else edit.packed()
            self._deeds[-1].traces.append(Trace(frame, packed, earlier))
            self._make_room()

    def seal(self, place: tuple[int, int]) -> None:
        """Let the corrections on a frame stand for good."""
        self._deeds = [deed for deed in self._deeds if deed.place != place]

    def forget(self, object_ids: Collection[int], frames: range | None) -> None:
        """Note that objects are made anew on some frames, on all if None.

        What a correction of theirs has done there is past, and what one of another
        object has taken from them there is not given back.
        """

        def is_redone(frame: int) -> bool:
            return frames is None or frame in frames

        kept = []
        for deed in self._deeds:
            if deed.object_id not in object_ids:
                deed.traces = [
                    _without(trace, object_ids) if is_redone(trace.frame) else trace
                    for trace in deed.traces
                ]
                kept.append(deed)
            elif not is_redone(deed.prompt.frame):
                deed.traces = [
                    trace for trace in deed.traces if not is_redone(trace.frame)
                ]
                kept.append(deed)
        self._deeds = kept

    def give_up(self, invalid: Iterable[Deed]) -> tuple[Deed, ...]:
        """Remove corrections and those that rest on them; the latest comes first."""
        wanted = {id(deed) for deed in invalid}
        gone: list[Deed] = []
        for deed in self._deeds:
            if id(deed) in wanted or any(deed.rests_on(other) for other in gone):
                gone.append(deed)
        removed = {id(deed) for deed in gone}
        self._deeds = [deed for deed in self._deeds if id(deed) not in removed]
        return tuple(reversed(gone))

    def _make_room(self) -> None:
        size = sum(deed.size for deed in self._deeds)
        while size > self._room and len(self._deeds) > 1:
            size -= self._deeds.pop(0).size


def _overlap(mine: PackedEdit | None, its: PackedEdit | None) -> bool:
    if mine is None or its is None:
        return False
    return all(
        one.start < other.stop and other.start < one.stop
        for one, other in zip(mine.window, its.window, strict=True)
    )


def _without(trace: Trace, object_ids: Collection[int]) -> Trace:
    if trace.edit is None:
        return trace
    edit = trace.edit.unpacked()
    before = edit.before.copy()
    before[np.isin(before, list(object_ids))] = 0
    changed = replace(edit, before=before)
    return replace(trace, edit=changed.packed())
