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

__all__ = ["KEPT_BYTES", "AppliedCorrection", "CorrectionLog", "Trace"]

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
class AppliedCorrection:
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

    def rests_on(self, other: AppliedCorrection) -> bool:
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


class CorrectionLog:
    """The corrections of one ledger in the order in which they were made.

    Parameters
    ----------
    room : int
        Bytes to keep at most.
    """

    def __init__(self, room: int = KEPT_BYTES) -> None:
        self._room = room
        self._log: list[AppliedCorrection] = []

    def __iter__(self) -> Iterator[AppliedCorrection]:
        return iter(tuple(self._log))

    def begin(self, prompt: Prompt, earlier: Prompt | None) -> None:
        """Note that a correction has come to its own frame."""
        self._log.append(AppliedCorrection(prompt, earlier))

    def trace(
        self,
        object_id: int,
        frame: int,
        edit: Edit | None,
        earlier: ObjectResult | None,
    ) -> None:
        """Note what the last correction has done on a frame; see `Ledger.trace`."""
        if self._log and self._log[-1].object_id == object_id:
            packed = None if edit is None else edit.packed()
            self._log[-1].traces.append(Trace(frame, packed, earlier))
            self._make_room()

    def seal(self, place: tuple[int, int]) -> None:
        """Let the corrections on a frame stand for good."""
        self._log = [
            correction for correction in self._log if correction.place != place
        ]

    def forget(self, object_ids: Collection[int], frames: range | None) -> None:
        """Note that objects are made anew on some frames, on all if None.

        What a correction of theirs has done there is past, and what one of another
        object has taken from them there is not given back.
        """

        def is_redone(frame: int) -> bool:
            return frames is None or frame in frames

        kept = []
        for correction in self._log:
            if correction.object_id not in object_ids:
                correction.traces = [
                    _without(trace, object_ids) if is_redone(trace.frame) else trace
                    for trace in correction.traces
                ]
                kept.append(correction)
            elif not is_redone(correction.prompt.frame):
                correction.traces = [
                    trace for trace in correction.traces if not is_redone(trace.frame)
                ]
                kept.append(correction)
        self._log = kept

    def give_up(
        self, invalid: Iterable[AppliedCorrection]
    ) -> tuple[AppliedCorrection, ...]:
        """Remove corrections and those that rest on them; the latest comes first."""
        wanted = {id(correction) for correction in invalid}
        gone: list[AppliedCorrection] = []
        for correction in self._log:
            if id(correction) in wanted or any(
                correction.rests_on(other) for other in gone
            ):
                gone.append(correction)
        removed = {id(correction) for correction in gone}
        self._log = [
            correction for correction in self._log if id(correction) not in removed
        ]
        return tuple(reversed(gone))

    def _make_room(self) -> None:
        size = sum(correction.size for correction in self._log)
        while size > self._room and len(self._log) > 1:
            size -= self._log.pop(0).size


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
    is_theirs = np.isin(edit.before, list(object_ids))
    if not is_theirs.any():
        return trace
    changed = replace(edit, before=np.where(is_theirs, 0, edit.before))
    return replace(trace, edit=changed.packed())
