"""What labels were made from, and what would correct them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from itertools import chain, takewhile
from typing import TYPE_CHECKING, Any

from napari_sam_decoder.project.changes import EntryChange, LabelsChange
from napari_sam_decoder.project.object_record import locked_objects
from napari_sam_decoder.project.run_request import RunRequest
from napari_sam_decoder.prompts import PromptSet
from napari_sam_decoder.propagation import Direction

if TYPE_CHECKING:
    from collections.abc import (
        Callable,
        Collection,
        Iterable,
        Iterator,
        Mapping,
        Sequence,
    )

    from napari_sam_decoder.project.changes import Change
    from napari_sam_decoder.project.frame_records import FrameRecords
    from napari_sam_decoder.project.history import History, Step
    from napari_sam_decoder.prompts import Prompt

__all__ = ["CORRECTION", "Correction", "PromptLog"]

CORRECTION = "correction"
"""The kind of steps that correct labels."""


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
    or moved, the correction is to be taken back, see `lost_corrections`. If a run used
    the point, the object has to be recomputed, see `rerun`.

    Parameters
    ----------
    history : History
        Its document holds what is known.
    scope : tuple of int
        Of the tables in it.
    records : FrameRecords
        What is known of each frame.
    """

    def __init__(
        self, history: History, scope: tuple[int, ...], records: FrameRecords
    ) -> None:
        def table(name: str) -> Any:
            return history.document.table(name, *scope)

        self._history = history
        self._scope = scope
        self._records = records
        self._made: dict[_Key, Prompt] = table("made")
        self._withdrawn: dict[_Key, Prompt] = table("withdrawn")
        self._adopted: dict[int, frozenset[int]] = table("adopted")
        self._requests: dict[int, RunRequest] = table("requests")
        self._declined: dict[_Key, Prompt] = table("declined")
        self._declined_reruns: dict[int, frozenset[Prompt]] = table("declined reruns")

    @property
    def object_ids(self) -> tuple[int, ...]:
        """All known objects in the labels, ascending."""
        return tuple(sorted({*self._adopted, *self._requests}))

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
            self._requests[object_id] = request
            self._declined_reruns.pop(object_id, None)
        for prompts_of in (self._made, self._withdrawn):
            for key in [key for key in prompts_of if is_redone(key)]:
                # No run starts where an object is not, but it stays out of there.
                if not prompts_of[key].is_absence:
                    del prompts_of[key]
        for prompt in prompts:
            self._made[_key(prompt)] = prompt
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
        every = frozenset(frames)
        for object_id in set(object_ids) - set(self.object_ids):
            self._adopted[object_id] = every

    def attribute_labels(self, prompts: Iterable[Prompt]) -> None:
        """Note that the labels of adopted objects agree with these prompts."""
        for prompt in prompts:
            if prompt.object_id in self.object_ids:
                self._made.setdefault(_key(prompt), prompt)

    def forget(self, object_id: int) -> None:
        """Forget an object; from now on its labels are treated as foreign."""
        for of_objects in (self._adopted, self._requests, self._declined_reruns):
            of_objects.pop(object_id, None)
        for prompts_of in (self._made, self._withdrawn):
            for key in [key for key in prompts_of if key[0] == object_id]:
                del prompts_of[key]

    def absorb(
        self, object_id: int, into: int, prompts_now: Collection[Prompt]
    ) -> None:
        """Take the labels of an object as those of another one.

        Parameters
        ----------
        object_id : int
            Forgotten.
        into : int
            The other one.
        prompts_now : collection of Prompt
            All prompts, which name only the other one.
        """
        both = (object_id, into)
        # What was right of one is only a part of both.
        for key, prompt in tuple(self._made.items()):
            if key[0] in both and prompt.is_settled:
                del self._made[key]
        frames = {frame for one, frame in self._made if one in both}
        adopted = [self._adopted[one] for one in both if one in self._adopted]
        if adopted:
            self._adopted[into] = frozenset().union(*adopted)
        request = self._requests.get(object_id)
        if request is not None:
            self._requests.setdefault(into, request)
        self.forget(object_id)
        for prompt in prompts_now:
            if prompt.object_id == into and prompt.frame in frames:
                self._made[_key(prompt)] = prompt

    def split(self, object_id: int, new_id: int, start: int) -> None:
        """Take the labels of an object from a frame on as those of a new one.

        Parameters
        ----------
        object_id : int
            Keeps what comes before.
        new_id : int
            Of the new one.
        start : int
            Its first frame.
        """
        for prompts_of in (self._made, self._withdrawn, self._declined):
            for key, prompt in tuple(prompts_of.items()):
                if key[0] == object_id and key[1] >= start:
                    prompts_of[new_id, key[1]] = replace(prompt, object_id=new_id)
                    del prompts_of[key]
        if object_id in self._requests:
            self._requests[new_id] = self._requests[object_id]
        frames = self._adopted.get(object_id)
        if frames is not None:
            later = frozenset(frame for frame in frames if frame >= start)
            self._adopted[object_id], self._adopted[new_id] = frames - later, later

    def note_correction(self, prompts: Iterable[Prompt]) -> None:
        """Note that corrections have been written, at least on their own frames."""
        for prompt in prompts:
            if prompt.object_id in self.object_ids:
                self._made[_key(prompt)] = prompt

    def confirm(self, prompt: Prompt) -> None:
        """Note that the labels agree with a mask, whatever they were made from."""
        self._made[_key(prompt)] = prompt

    def end_confirmation(self, object_id: int, frame: int) -> None:
        """Note that a confirmed mask may be corrected again."""
        if self.confirmed([object_id], frame):
            del self._made[object_id, frame]

    def confirmed(self, object_ids: Iterable[int], frame: int) -> dict[int, Prompt]:
        """Return the masks of objects on a frame that were confirmed, by object."""
        made = ((one, self._made.get((one, frame))) for one in object_ids)
        return {
            one: prompt
            for one, prompt in made
            if prompt is not None and prompt.is_settled
        }

    def decline(self, corrections: Iterable[Correction]) -> None:
        """Do not propose these again until their points change, or `reconsider`."""
        for correction in corrections:
            for prompt in correction.prompts:
                self._declined[_key(prompt)] = prompt

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
        return self._declined.get(_key(prompt)) == prompt

    def covers(self, prompt: Prompt) -> bool:
        """Whether a run has decided on the object on the frame of a prompt."""
        return prompt.frame in self._covered(prompt.object_id)

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
                del self._made[key]
                if key in now:
                    self._made[key] = now[key]

    def lost_corrections(self, prompts_now: Collection[Prompt]) -> tuple[Step, ...]:
        """Find the corrections whose points are gone, and those that depend on them.

        Parameters
        ----------
        prompts_now : collection of Prompt
            All prompts as they are now.

        Returns
        -------
        tuple of Step
            To be taken back in the labels, the latest first.
        """
        now = {_key(prompt): prompt for prompt in prompts_now}
        locked = self._locked_ids
        gone = {
            key: prompt
            for key, prompt in self._made.items()
            if key[0] not in locked and _is_lost(prompt, now.get(key))
        }
        found = {step.number for step in self._lost_steps(gone, now)}
        lost: list[tuple[Step, list[Change]]] = []
        for step in self._history.done if found else ():
            is_meant = step.number in found
            if is_meant or (lost and step.kind == CORRECTION):
                # Each step is looked at once: its changes may have to be decoded.
                changes = step.changes
                if is_meant or any(self._rests_on(changes, one) for _, one in lost):
                    lost.append((step, changes))
        return tuple(step for step, _ in reversed(lost))

    def readmit(self, prompts_now: Collection[Prompt]) -> None:
        """Count points again that went with their layer and are back.

        Parameters
        ----------
        prompts_now : collection of Prompt
            All prompts as they are now.
        """
        now = {_key(prompt): prompt for prompt in prompts_now}
        for key, prompt in tuple(self._withdrawn.items()):
            if _contains(now.get(key), prompt):
                self._made[key] = self._withdrawn.pop(key)

    def forget_adopted(self, prompts_now: Collection[Prompt]) -> None:
        """Forget points that are gone, that no run has used and whose effect stays.

        Parameters
        ----------
        prompts_now : collection of Prompt
            All prompts as they are now.
        """
        now = {_key(prompt): prompt for prompt in prompts_now}
        for key, prompt in tuple(self._made.items()):
            if key[0] not in self._requests and not _contains(now.get(key), prompt):
                del self._made[key]

    def _lost_steps(
        self, gone: Mapping[_Key, Prompt], now: Mapping[_Key, Prompt]
    ) -> Iterator[Step]:
        """The steps that corrected frames with points that are gone, since their runs.

        Parameters
        ----------
        gone : mapping
            What labels were made from, but agree with no more.
        now : mapping
            All prompts as they are now.
        """
        earlier = dict(gone)
        # One after the other: the frames of a run come behind what it was made from.
        noted = (
            (step, change)
            for step in reversed(self._history.done if gone else ())
            if step.kind in ("run", CORRECTION)
            for change in self._entries(chain.from_iterable(step.parts), "made")
        )
        for step, change in noted:
            # Others have been taken back since.
            if change.key not in earlier or change.after != earlier[change.key]:
                continue
            del earlier[change.key]
            if step.kind == CORRECTION:
                yield step
                if _is_lost(change.before, now.get(change.key)):
                    earlier[change.key] = change.before
            if not earlier:
                return

    def _entries(self, changes: Iterable[Change], table: str) -> Iterator[EntryChange]:
        for change in changes:
            if isinstance(change, EntryChange) and (change.table, change.scope) == (
                table,
                self._scope,
            ):
                yield change

    def _rests_on(self, later: Sequence[Change], earlier: Sequence[Change]) -> bool:
        """Whether a correction depends on an earlier one that is taken back.

        It does for the same object on the same or neighbouring frames, and for another
        object if both changed the same part of a frame.
        """
        made = [*self._entries(later, "made")]
        if not any(self._made.get(one.key) == one.after for one in made):
            return False
        reached = {one.key for one in self._entries(earlier, "frames")}
        reached |= {one.key for one in self._entries(earlier, "made")}
        near = {(one, frame + step) for one, frame in reached for step in (-1, 0, 1)}
        own = {one.key for one in (*made, *self._entries(later, "frames"))}
        return not near.isdisjoint(own) or _overlap(later, earlier)

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
        waiting |= self._locked_ids
        found: dict[range, list[Prompt]] = {}
        for prompt in prompts_now:
            object_id, frame = _key(prompt)
            is_waiting = object_id in waiting or self._has_shrunk(prompt)
            if is_waiting or prompt.is_absence or not self._is_new(prompt):
                continue
            if prompt.is_positive or has_mask(object_id, frame):
                stretch = _stretch(self._covered(object_id), frame)
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
        decided = self._records.frames_by_run(object_id)
        return range(min(decided), max(decided) + 1) if decided else range(0)

    def _covered(self, object_id: int) -> frozenset[int]:
        """Frames on which an object has been decided on."""
        adopted = self._adopted.get(object_id, frozenset())
        return adopted | self._records.frames_by_run(object_id)

    def _is_new(self, prompt: Prompt) -> bool:
        # Most prompts are in the labels, which is quickly seen.
        is_known = self.holds(prompt) or self.is_declined(prompt)
        return not is_known and self.covers(prompt)

    def _has_shrunk(self, prompt: Prompt) -> bool:
        """Whether points are missing that the labels on a frame were made from."""
        earlier = self._made.get(_key(prompt))
        return earlier is not None and not _contains(prompt, earlier)

    def _stale(self, prompts_now: Iterable[Prompt]) -> set[int]:
        """Objects that lack a point that their labels were made from.

        Locked ones keep their labels in any case.
        """
        now = {_key(prompt): prompt for prompt in prompts_now}
        recomputed = self._requests.keys() - self._locked_ids
        return {
            key[0]
            for key, prompt in self._made.items()
            if key[0] in recomputed and not _contains(now.get(key), prompt)
        }

    @property
    def _locked_ids(self) -> frozenset[int]:
        return locked_objects(self._history.document)


def _overlap(later: Iterable[Change], earlier: Iterable[Change]) -> bool:
    """Whether two steps have changed the same part of a plane."""
    planes: dict[object, list[LabelsChange]] = {}
    for change in earlier:
        if isinstance(change, LabelsChange):
            planes.setdefault(change.touched, []).append(change)
    return any(
        change.difference.overlaps(other.difference)
        for change in later
        if isinstance(change, LabelsChange)
        for other in planes.get(change.touched, ())
    )


def _key(prompt: Prompt) -> _Key:
    return prompt.object_id, prompt.frame


def _of(object_id: int, prompts_now: Iterable[Prompt]) -> frozenset[Prompt]:
    return frozenset(prompt for prompt in prompts_now if prompt.object_id == object_id)


def _contains(now: Prompt | None, earlier: Prompt) -> bool:
    """Whether all that was shown earlier is still there, perhaps with more.

    A mask that a person has confirmed was in the labels already, and stays there; what
    was shown before it does not matter any more.
    """
    # Most prompts are as they were: nothing need be taken apart for them.
    if now == earlier or earlier.is_settled or (now is not None and now.is_settled):
        return True
    return now is not None and _parts(earlier) <= _parts(now)


def _is_lost(earlier: Prompt | None, now: Prompt | None) -> bool:
    """Whether labels that were made from a prompt agree with it no more."""
    return earlier is not None and not (
        _contains(now, earlier) and _same_pick(now, earlier)
    )


def _same_pick(now: Prompt | None, earlier: Prompt) -> bool:
    """Whether a mask that was picked is still picked."""
    return earlier.hypothesis is None or (
        now is not None and (now.is_settled or now.hypothesis == earlier.hypothesis)
    )


def _parts(prompt: Prompt) -> Counter[object]:
    """Its points, its box or lasso, and its scribbles."""
    points = zip(prompt.points, prompt.signs or (), strict=True)
    parts: Counter[object] = Counter(points)
    outlines = (one for one in (prompt.box, prompt.lasso) if one is not None)
    # How many points came before a scribble changes with points that go.
    scribbles = ((one.pixels, one.is_positive) for one in prompt.scribbles)
    parts.update([*outlines, *scribbles])
    return parts


def _stretch(frames: Collection[int], around: int) -> range:
    """The stretch of frames around one of them, up to the first gaps."""
    later = takewhile(frames.__contains__, range(around, max(frames) + 1))
    earlier = takewhile(frames.__contains__, range(around, min(frames) - 1, -1))
    return range(min(earlier), max(later) + 1)
