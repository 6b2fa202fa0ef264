"""What the labels were made from, and which points have come since to correct them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from itertools import takewhile
from typing import TYPE_CHECKING

from napari_sam_decoder.prompts import PromptSet

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

    from napari_sam_decoder.prompts import Prompt
    from napari_sam_decoder.propagation import FrameResult

__all__ = ["Correction", "Ledger"]

_Place = tuple[int, int]


@dataclass(frozen=True)
class Correction:
    """Points that correct labels which a run has made.

    Attributes
    ----------
    prompts : tuple of Prompt
        All that is said now on the corrected frames, old points and new ones.
    frames : range
        Frames that may change: those without a gap around the points on which the
        last run has decided about the objects.
    """

    prompts: tuple[Prompt, ...]
    frames: range

    @property
    def object_ids(self) -> tuple[int, ...]:
        """The corrected objects, ascending."""
        return tuple(sorted({prompt.object_id for prompt in self.prompts}))


class Ledger:
    """What the labels of each object were made from, and which frames they reach."""

    def __init__(self) -> None:
        self._made: dict[_Place, Prompt] = {}
        self._covered: dict[int, set[int]] = {}
        self._declined: set[Prompt] = set()

    @property
    def object_ids(self) -> tuple[int, ...]:
        """All objects that runs have made, ascending."""
        return tuple(sorted(self._covered))

    def clear(self) -> None:
        """Forget everything, as for other labels or another network."""
        self._made.clear()
        self._covered.clear()
        self._declined.clear()

    def begin(self, prompts: PromptSet) -> None:
        """Note that a run makes objects anew from these prompts."""
        for object_id in prompts.object_ids:
            self._covered[object_id] = set()
        kept = {
            place: prompt
            for place, prompt in self._made.items()
            if place[0] not in prompts.object_ids
        }
        self._made = kept | {_place(prompt): prompt for prompt in prompts}
        self._declined.clear()

    def adopt(self, object_ids: Iterable[int], frames: Iterable[int]) -> None:
        """Note that objects are in the labels already, whoever has made them.

        Parameters
        ----------
        object_ids : iterable of int
            Those that are known already stay what they are.
        frames : iterable of int
            Where they can be corrected.
        """
        every = set(frames)
        for object_id in object_ids:
            self._covered.setdefault(object_id, set(every))

    def credit(self, prompts: Iterable[Prompt]) -> None:
        """Note that the labels of adopted objects agree with these prompts already."""
        for prompt in prompts:
            if prompt.object_id in self._covered:
                self._made.setdefault(_place(prompt), prompt)

    def forget(self, object_id: int) -> None:
        """Forget an object; its labels are nobody's from now on."""
        self._covered.pop(object_id, None)
        for place in [place for place in self._made if place[0] == object_id]:
            del self._made[place]

    def note(self, result: FrameResult) -> None:
        """Note that a frame was decided on, for those objects that are known."""
        for object_id in result.objects:
            if object_id in self._covered:
                self._covered[object_id].add(result.frame)

    def amend(self, prompts: Iterable[Prompt]) -> None:
        """Note that corrections are in the labels, on their own frames at least."""
        for prompt in prompts:
            if prompt.object_id in self._covered:
                self._made[_place(prompt)] = prompt

    def decline(self, corrections: Iterable[Correction]) -> None:
        """Propose these no more until their points change, or `reconsider`."""
        for correction in corrections:
            self._declined.update(correction.prompts)

    def reconsider(self) -> None:
        """Propose again what was declined."""
        self._declined.clear()

    def holds(self, prompt: Prompt) -> bool:
        """Whether the labels were made from a prompt as it is."""
        return self._made.get(_place(prompt)) == prompt

    def without(self, corrections: Iterable[Correction]) -> PromptSet:
        """Give the prompts of the labels, but for those on frames to be corrected."""
        corrected = {_place(prompt) for one in corrections for prompt in one.prompts}
        return PromptSet(
            prompt for place, prompt in self._made.items() if place not in corrected
        )

    def corrections(
        self, present: Collection[Prompt], has_mask: Callable[[int, int], bool]
    ) -> tuple[Correction, ...]:
        """Say which points have come since, and what they may change.

        Parameters
        ----------
        present : collection of Prompt
            All prompts as they are now, at most one per object and frame; also those
            of negative points alone.
        has_mask : callable
            Given an object id and a frame, says whether the labels hold the object
            there. Asked only for negative points alone.

        Returns
        -------
        tuple of Correction
            One per stretch of frames, so that corrections on the same frames are
            computed together. None for an object that has lost points since: only a
            run can undo what came of them. None outside the frames that its last run
            has decided on.
        """
        reduced = self._reduced(present)
        found: dict[range, list[Prompt]] = {}
        for prompt in present:
            object_id, frame = _place(prompt)
            if object_id in reduced or not self._is_news(prompt):
                continue
            if prompt.is_positive or has_mask(object_id, frame):
                stretch = _stretch(self._covered[object_id], frame)
                found.setdefault(stretch, []).append(prompt)
        return tuple(Correction(tuple(found[frames]), frames) for frames in found)

    def _is_news(self, prompt: Prompt) -> bool:
        is_covered = prompt.frame in self._covered.get(prompt.object_id, ())
        return is_covered and prompt not in self._declined and not self.holds(prompt)

    def _reduced(self, present: Iterable[Prompt]) -> set[int]:
        """Objects that lack a point which their labels were made from."""
        now = {_place(prompt): _points(prompt) for prompt in present}
        return {
            place[0]
            for place, prompt in self._made.items()
            if not _points(prompt) <= now.get(place, Counter())
        }


def _place(prompt: Prompt) -> _Place:
    return prompt.object_id, prompt.frame


def _points(prompt: Prompt) -> Counter[object]:
    return Counter(zip(prompt.points, prompt.labels or (), strict=True))


def _stretch(frames: Collection[int], around: int) -> range:
    """Frames without a gap around one of them."""
    later = takewhile(frames.__contains__, range(around, max(frames) + 1))
    earlier = takewhile(frames.__contains__, range(around, min(frames) - 1, -1))
    return range(min(earlier), max(later) + 1)
