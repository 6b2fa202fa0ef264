"""What labels were made from, and what each correction changed."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from itertools import takewhile
from typing import TYPE_CHECKING

import numpy as np

from napari_sam_decoder.prompts import PromptSet
from napari_sam_decoder.propagation import Direction
from napari_sam_decoder.widgets.runs import RunRequest

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator

    from napari_sam_decoder.prompts import Prompt
    from napari_sam_decoder.propagation import FrameResult, ObjectResult
    from napari_sam_decoder.widgets.layers import Edit, PackedEdit

__all__ = [
    "KEPT_BYTES",
    "AppliedCorrection",
    "Correction",
    "CorrectionLog",
    "FrameChange",
    "PromptLog",
]

KEPT_BYTES = 64 * 2**20
"""Room for what corrections have changed, compressed.

Beyond that, what the oldest ones changed is forgotten. When a point of such a
correction goes, the object is recomputed, or stays as it is if no run made it.
"""


@dataclass(frozen=True, eq=False)
class FrameChange:
    """What a correction changed on one frame.

    Attributes
    ----------
    frame : int
    edit : PackedEdit or None
        Of the labels; None if nothing changed.
    earlier : ObjectResult or None
        The earlier verdict on the object there.
    """

    frame: int
    edit: PackedEdit | None
    earlier: ObjectResult | None


@dataclass(eq=False)
class AppliedCorrection:
    """One correction of one object on one frame, and what it changed elsewhere.

    Attributes
    ----------
    prompt : Prompt
        All points on its frame.
    earlier : Prompt or None
        What the labels there were made from before.
    changes : list of FrameChange
        In the order in which they were made.
    """

    prompt: Prompt
    earlier: Prompt | None
    changes: list[FrameChange] = field(default_factory=list)

    @property
    def object_id(self) -> int:
        """The corrected object."""
        return self.prompt.object_id

    @property
    def key(self) -> tuple[int, int]:
        """Object id and frame."""
        return self.prompt.object_id, self.prompt.frame

    @property
    def frames(self) -> set[int]:
        """Frames that it reached."""
        return {self.prompt.frame, *(trace.frame for trace in self.changes)}

    @property
    def size(self) -> int:
        """Bytes that its changes take."""
        return sum(trace.edit.size for trace in self.changes if trace.edit is not None)

    def rests_on(self, other: AppliedCorrection) -> bool:
        """Whether it depends on an earlier one.

        It does for the same object on the same or neighbouring frames, and for another
        object if both changed the same part of a frame.
        """
        if self.object_id == other.object_id:
            near = {frame + step for frame in other.frames for step in (-1, 0, 1)}
            return not near.isdisjoint(self.frames)
        return any(
            mine.frame == its.frame and _overlap(mine.edit, its.edit)
            for mine in self.changes
            for its in other.changes
        )


class CorrectionLog:
    """The corrections of one Labels layer, in the order in which they were made.

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
        """Note that a correction has been written on its own frame."""
        self._log.append(AppliedCorrection(prompt, earlier))

    def add_change(self, object_id: int, change: FrameChange) -> None:
        """Note what the last correction changed on a frame, if it is of the object."""
        if self._log and self._log[-1].object_id == object_id:
            self._log[-1].changes.append(change)
            self._make_room()

    def make_permanent(self, key: tuple[int, int]) -> None:
        """Keep the corrections on a frame, so that they cannot be undone any more."""
        self._log = [correction for correction in self._log if correction.key != key]

    def forget(self, object_ids: Collection[int], frames: range | None) -> None:
        """Note that objects are recomputed on some frames, on all if None.

        Their corrections there are gone. Pixels that a correction of another object
        took from them there are not given back.
        """

        def is_redone(frame: int) -> bool:
            return frames is None or frame in frames

        kept = []
        for correction in self._log:
            if correction.object_id not in object_ids:
                correction.changes = [
                    _without(trace, object_ids) if is_redone(trace.frame) else trace
                    for trace in correction.changes
                ]
                kept.append(correction)
            elif not is_redone(correction.prompt.frame):
                correction.changes = [
                    trace for trace in correction.changes if not is_redone(trace.frame)
                ]
                kept.append(correction)
        self._log = kept

    def give_up(
        self, invalid: Iterable[AppliedCorrection]
    ) -> tuple[AppliedCorrection, ...]:
        """Remove corrections and those that depend on them; the latest comes first."""
        invalid_ids = {id(correction) for correction in invalid}
        gone: list[AppliedCorrection] = []
        for correction in self._log:
            if id(correction) in invalid_ids or any(
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


def _without(trace: FrameChange, object_ids: Collection[int]) -> FrameChange:
    if trace.edit is None:
        return trace
    edit = trace.edit.unpacked()
    is_theirs = np.isin(edit.before, list(object_ids))
    if not is_theirs.any():
        return trace
    changed = replace(edit, before=np.where(is_theirs, 0, edit.before))
    return replace(trace, edit=changed.packed())


_Key = tuple[int, int]


@dataclass(frozen=True)
class Correction:
    """Points that correct existing labels.

    Attributes
    ----------
    prompts : tuple of Prompt
        All points on the corrected frames, old and new.
    frames : range
        Frames that may change: the stretch around the points, without a gap, on which
        the objects have been decided on.
    """

    prompts: tuple[Prompt, ...]
    frames: range

    @property
    def object_ids(self) -> tuple[int, ...]:
        """The corrected objects, ascending."""
        return tuple(sorted({prompt.object_id for prompt in self.prompts}))


class PromptLog:
    """Which prompts the labels of each object were made from, and on which frames.

    Points added after a run are corrections. If the point of a correction was removed
    or moved, `reconcile` has the correction undone. If a run used the point, the
    object has to be recomputed, see `rerun`.
    """

    def __init__(self) -> None:
        self._made: dict[_Key, Prompt] = {}
        self._withdrawn: dict[_Key, Prompt] = {}
        self._covered: dict[int, set[int]] = {}
        self._run_frames: dict[int, set[int]] = {}
        self._requests: dict[int, RunRequest] = {}
        self._log = CorrectionLog()
        self._declined: set[Prompt] = set()
        self._declined_reruns: dict[int, frozenset[Prompt]] = {}

    @property
    def object_ids(self) -> tuple[int, ...]:
        """All known objects in the labels, ascending."""
        return tuple(sorted(self._covered))

    # What was done

    def begin(self, prompts: PromptSet, request: RunRequest) -> None:
        """Note that a run recomputes objects from these prompts.

        Parameters
        ----------
        prompts : PromptSet
            Those of the run.
        request : RunRequest
            How it was asked for, so that it can be repeated.
        """
        ids, frames = prompts.object_ids, request.frames

        def is_redone(key: _Key) -> bool:
            return key[0] in ids and (frames is None or key[1] in frames)

        for object_id in ids:
            for frames_of in (self._covered, self._run_frames):
                frames_of.setdefault(object_id, set())
            self._requests[object_id] = request
            self._declined_reruns.pop(object_id, None)
        self._log.forget(ids, frames)
        for memory in (self._made, self._withdrawn):
            for key in [key for key in memory if is_redone(key)]:
                del memory[key]
        self._made |= {_key(prompt): prompt for prompt in prompts}
        self._declined.clear()

    def adopt(self, object_ids: Iterable[int], frames: Iterable[int]) -> None:
        """Note that objects are in the labels already, whatever made them.

        Parameters
        ----------
        object_ids : iterable of int
            Those that are known already stay as they are.
        frames : iterable of int
            Where they can be corrected.
        """
        every = set(frames)
        for object_id in object_ids:
            self._covered.setdefault(object_id, set(every))

    def attribute_labels(self, prompts: Iterable[Prompt]) -> None:
        """Note that the labels of adopted objects agree with these prompts."""
        for prompt in prompts:
            if prompt.object_id in self._covered:
                self._made.setdefault(_key(prompt), prompt)

    def forget(self, object_id: int) -> None:
        """Forget an object; from now on its labels are treated as foreign."""
        for known in (self._covered, self._run_frames):
            known.pop(object_id, None)
        self._requests.pop(object_id, None)
        self._declined_reruns.pop(object_id, None)
        self._log.forget([object_id], None)
        for memory in (self._made, self._withdrawn):
            for key in [key for key in memory if key[0] == object_id]:
                del memory[key]

    def note(self, result: FrameResult) -> None:
        """Note that a run has decided on a frame, for the known objects."""
        for object_id in result.objects:
            if object_id in self._run_frames:
                self._covered[object_id].add(result.frame)
                self._run_frames[object_id].add(result.frame)

    def note_correction(self, prompts: Iterable[Prompt]) -> None:
        """Note that corrections have been written, at least on their own frames.

        `note_change` then notes what the last of them changes.
        """
        for prompt in prompts:
            if prompt.object_id in self._covered:
                key = _key(prompt)
                self._log.begin(prompt, self._made.get(key))
                self._made[key] = prompt

    def note_change(
        self,
        object_id: int,
        frame: int,
        edit: Edit | None,
        earlier: ObjectResult | None,
    ) -> None:
        """Note what the last correction changed on a frame.

        Parameters
        ----------
        object_id, frame : int
            Of the result.
        edit : Edit, optional
            Of the labels; None if nothing changed.
        earlier : ObjectResult, optional
            The earlier verdict on the object there.
        """
        packed = None if edit is None else edit.packed()
        self._log.add_change(object_id, FrameChange(frame, packed, earlier))

    def decline(self, corrections: Iterable[Correction]) -> None:
        """Do not propose these again until their points change, or `reconsider`."""
        for correction in corrections:
            self._declined.update(correction.prompts)

    def decline_rerun(
        self, object_ids: Iterable[int], prompts_now: Collection[Prompt]
    ) -> None:
        """Do not recompute these objects automatically until their points change."""
        for object_id in object_ids:
            self._declined_reruns[object_id] = _of(object_id, prompts_now)

    def reconsider(self) -> None:
        """Propose what was declined again."""
        self._declined.clear()
        self._declined_reruns.clear()

    # What the points say

    def holds(self, prompt: Prompt) -> bool:
        """Whether the labels were made from a prompt as it is."""
        key = _key(prompt)
        return prompt in (self._made.get(key), self._withdrawn.get(key))

    def is_declined(self, prompt: Prompt) -> bool:
        """Whether a prompt was kept from correcting the labels."""
        return prompt in self._declined

    def covers(self, prompt: Prompt) -> bool:
        """Whether a run has decided on the object on the frame of a prompt."""
        return prompt.frame in self._covered.get(prompt.object_id, ())

    def has_lost(
        self, prompts: Iterable[Prompt], prompts_now: Collection[Prompt]
    ) -> bool:
        """Whether any of these prompts lost a point that did not go with its layer."""
        now = {_key(prompt): prompt for prompt in prompts_now}
        return any(
            not _contains(now.get(_key(one)), one)
            and self._withdrawn.get(_key(one)) != one
            for one in prompts
        )

    def without(self, corrections: Iterable[Correction]) -> PromptSet:
        """Return what the labels were made from, without frames to be corrected."""
        corrected = {_key(prompt) for one in corrections for prompt in one.prompts}
        return PromptSet(
            prompt for key, prompt in self._made.items() if key not in corrected
        )

    def withdraw(self, prompts_now: Collection[Prompt]) -> None:
        """Note that points went with their layer, and that labels stay as they are.

        Parameters
        ----------
        prompts_now : collection of Prompt
            All prompts as they are now.
        """
        now = {_key(prompt): prompt for prompt in prompts_now}
        for key, prompt in tuple(self._made.items()):
            if not _contains(now.get(key), prompt):
                self._withdrawn[key] = prompt
                self._log.make_permanent(key)
                del self._made[key]
                if key in now:
                    self._made[key] = now[key]

    def reconcile(
        self, prompts_now: Collection[Prompt]
    ) -> tuple[AppliedCorrection, ...]:
        """Drop corrections whose points are gone, and those that depend on them.

        Parameters
        ----------
        prompts_now : collection of Prompt
            All prompts as they are now.

        Returns
        -------
        tuple of AppliedCorrection
            To be undone in the labels, in this order.
        """
        now = {_key(prompt): prompt for prompt in prompts_now}
        for key, prompt in tuple(self._withdrawn.items()):
            if _contains(now.get(key), prompt):
                self._made[key] = self._withdrawn.pop(key)
        gone = self._log.give_up(
            correction
            for correction in self._log
            if not _contains(now.get(correction.key), correction.prompt)
            or not _same_pick(now.get(correction.key), correction.prompt)
        )
        for correction in gone:
            self._made.pop(correction.key, None)
            if correction.earlier is not None:
                self._made[correction.key] = correction.earlier
        self._forget_adopted(now)
        return gone

    def _forget_adopted(self, now: dict[_Key, Prompt]) -> None:
        """Forget points that no run has used and whose changes are not known."""
        for key, prompt in tuple(self._made.items()):
            if key[0] not in self._requests and not _contains(now.get(key), prompt):
                del self._made[key]

    def corrections(
        self, prompts_now: Collection[Prompt], has_mask: Callable[[int, int], bool]
    ) -> tuple[Correction, ...]:
        """Find the points that were added since, and what they may change.

        Parameters
        ----------
        prompts_now : collection of Prompt
            All prompts as they are now, at most one per object and frame, those of
            negative points alone included.
        has_mask : callable
            Given an object id and a frame, whether the labels hold the object there.
            Called only for negative points alone.

        Returns
        -------
        tuple of Correction
            One per stretch of frames, so that corrections of the same frames are
            computed together. Objects that are recomputed anyway are left out, and so
            are frames that no run of the object has reached.
        """
        waiting = {
            object_id
            for object_id in self._stale(prompts_now)
            if self._source_frames(object_id, prompts_now)
        }
        found: dict[range, list[Prompt]] = {}
        for prompt in prompts_now:
            object_id, frame = _key(prompt)
            is_waiting = object_id in waiting or self._has_shrunk(prompt)
            if is_waiting or not self._is_new(prompt):
                continue
            if prompt.is_positive or has_mask(object_id, frame):
                stretch = _stretch(self._covered[object_id], frame)
                found.setdefault(stretch, []).append(prompt)
        return tuple(Correction(tuple(found[frames]), frames) for frames in found)

    def rerun(self, prompts_now: Collection[Prompt]) -> RunRequest | None:
        """Find what has to be recomputed, since points that a run used are gone.

        Parameters
        ----------
        prompts_now : collection of Prompt
            All prompts as they are now.

        Returns
        -------
        RunRequest or None
            For the frames of the run, from the remaining prompts; painted frames and
            other objects stay. Objects with equal requests come together. None if there
            is nothing to do, or no positive prompt left to start from.
        """
        asked: dict[RunRequest, list[int]] = {}
        for object_id in sorted(self._stale(prompts_now)):
            sources = self._source_frames(object_id, prompts_now)
            declined = self._declined_reruns.get(object_id)
            if sources and declined != _of(object_id, prompts_now):
                asked.setdefault(self._again(object_id, sources), []).append(object_id)
        for request, object_ids in asked.items():
            return replace(request, object_ids=tuple(object_ids))
        return None

    def without_positive_points(
        self, prompts_now: Collection[Prompt]
    ) -> tuple[int, ...]:
        """List the objects that lost points and have no positive one left."""
        stale = sorted(self._stale(prompts_now))
        return tuple(one for one in stale if not self._source_frames(one, prompts_now))

    def declined_reruns(self, prompts_now: Collection[Prompt]) -> tuple[int, ...]:
        """List the objects whose recomputation a person has stopped."""
        return tuple(
            object_id
            for object_id in sorted(self._stale(prompts_now))
            if self._declined_reruns.get(object_id) == _of(object_id, prompts_now)
        )

    def _again(self, object_id: int, sources: Collection[int]) -> RunRequest:
        frames = self._reach(object_id)
        way = self._requests[object_id].direction
        # One direction may not reach all of the frames from the remaining prompts.
        is_whole = (way is Direction.FORWARD and min(sources) == frames[0]) or (
            way is Direction.BACKWARD and max(sources) == frames[-1]
        )
        return RunRequest(way if is_whole else Direction.BOTH, frames, is_rerun=True)

    def _source_frames(self, object_id: int, prompts_now: Iterable[Prompt]) -> set[int]:
        """Frames from which an object can be recomputed."""
        reach = self._reach(object_id)
        return {
            prompt.frame
            for prompt in prompts_now
            if prompt.object_id == object_id
            and prompt.is_positive
            and prompt.frame in reach
        }

    def _reach(self, object_id: int) -> range:
        """Frames that runs have covered for an object."""
        decided = self._run_frames.get(object_id)
        return range(min(decided), max(decided) + 1) if decided else range(0)

    def _is_new(self, prompt: Prompt) -> bool:
        is_open = self.covers(prompt) and prompt not in self._declined
        return is_open and not self.holds(prompt)

    def _has_shrunk(self, prompt: Prompt) -> bool:
        """Whether points are missing that the labels on a frame were made from."""
        earlier = self._made.get(_key(prompt))
        return earlier is not None and not _contains(prompt, earlier)

    def _stale(self, prompts_now: Iterable[Prompt]) -> set[int]:
        """Objects that lack a point that their labels were made from."""
        now = {_key(prompt): prompt for prompt in prompts_now}
        return {
            key[0]
            for key, prompt in self._made.items()
            if key[0] in self._requests and not _contains(now.get(key), prompt)
        }


def _key(prompt: Prompt) -> _Key:
    return prompt.object_id, prompt.frame


def _of(object_id: int, prompts_now: Iterable[Prompt]) -> frozenset[Prompt]:
    return frozenset(prompt for prompt in prompts_now if prompt.object_id == object_id)


def _contains(now: Prompt | None, earlier: Prompt) -> bool:
    """Whether all earlier points are still there, perhaps with others."""
    return now is not None and _points(earlier) <= _points(now)


def _same_pick(now: Prompt | None, earlier: Prompt) -> bool:
    """Whether a mask that was picked is still picked."""
    return earlier.hypothesis is None or (
        now is not None and now.hypothesis == earlier.hypothesis
    )


def _points(prompt: Prompt) -> Counter[object]:
    return Counter(zip(prompt.points, prompt.signs or (), strict=True))


def _stretch(frames: Collection[int], around: int) -> range:
    """The stretch of frames around one of them, up to the first gaps."""
    later = takewhile(frames.__contains__, range(around, max(frames) + 1))
    earlier = takewhile(frames.__contains__, range(around, min(frames) - 1, -1))
    return range(min(earlier), max(later) + 1)
