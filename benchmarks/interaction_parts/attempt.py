"""How far a person gets with one object, action by action."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from time import perf_counter
from typing import TYPE_CHECKING, TypeVar

from napari_sam_decoder.metrics import mask_iou

if TYPE_CHECKING:
    from collections.abc import Callable

    from interaction_parts.methods import Method
    from interaction_parts.person import Person
    from napari_sam_decoder import Prompt

T = TypeVar("T")

__all__ = ["MOST_ACTIONS", "Attempt", "attempt"]

MOST_ACTIONS = 10
NOTICEABLE = 0.02


@dataclass(frozen=True)
class Attempt:
    """What the actions on one object on one frame have brought.

    Attributes
    ----------
    ious : tuple of float
        0..1, after each action; fewer than ten if nothing was wrong any more.
    seconds : tuple of float
        That each action took.
    """

    ious: tuple[float, ...]
    seconds: tuple[float, ...]

    def after(self, actions: int) -> float:
        """IoU after so many actions, or after the last one that was made."""
        return self.ious[min(actions, len(self.ious)) - 1]

    def needed(self, iou: float) -> int:
        """Actions until the mask was as good; one more than ten if it never was."""
        good = [number for number, one in enumerate(self.ious, 1) if one >= iou]
        return good[0] if good else MOST_ACTIONS + 1

    @property
    def steps(self) -> tuple[float, ...]:
        """What each action after the first has added to the IoU."""
        return tuple(after - before for before, after in pairwise(self.ious))

    @property
    def setbacks(self) -> int:
        """How many actions have lowered the IoU noticeably."""
        return sum(step < -NOTICEABLE for step in self.steps)


def attempt(method: Method, person: Person) -> Attempt:
    """Let a person pick the best first mask, and then correct what is shown."""
    action = person.first()
    offers, duration = _timed(method.first, action)
    best = max(offers, key=lambda offer: mask_iou(person.truth, offer.mask))
    method.take(best)
    shown = best.mask
    ious, seconds = [mask_iou(person.truth, shown)], [duration]
    while len(ious) < MOST_ACTIONS and (correction := person.next(shown)):
        shown, duration = _timed(method.next, correction)
        ious.append(mask_iou(person.truth, shown))
        seconds.append(duration)
    return Attempt(tuple(ious), tuple(seconds))


def _timed(act: Callable[[Prompt], T], action: Prompt) -> tuple[T, float]:
    started = perf_counter()
    result = act(action)
    return result, perf_counter() - started
