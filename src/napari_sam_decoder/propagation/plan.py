"""Plan to which frames each prompt is carried."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from napari_sam_decoder.errors import OptionError, PromptError
from napari_sam_decoder.labels import label_dtype
from napari_sam_decoder.prompts import PromptSet
from napari_sam_decoder.validation import as_integer

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    import numpy as np

__all__ = ["Direction", "Itinerary", "Leg", "legs_around", "plan"]


class Direction(StrEnum):
    """Which way objects are carried from their prompts."""

    BOTH = "both"
    FORWARD = "forward"
    BACKWARD = "backward"

    @classmethod
    def of(cls, name: str) -> Direction:
        """Look a direction up by its name.

        Raises
        ------
        OptionError
            If there is none of that name.
        """
        try:
            return cls(name)
        except ValueError as error:
            raise OptionError(
                f"there is no direction {name!r}; choose one of {', '.join(cls)}"
            ) from error

    def includes(self, step: int) -> bool:
        """Whether to take steps of 1 (towards later frames) or -1."""
        return self is Direction.BOTH or (self is Direction.FORWARD) == (step > 0)


@dataclass(frozen=True)
class Leg:
    """One object carried from a prompted frame in one direction.

    Attributes
    ----------
    object_id : int
    start : int
        The prompted frame; its own result belongs to the prompt, not to the leg.
    frames : range
        The frames that it is carried to, nearest first; the step is 1 or -1.
    """

    object_id: int
    start: int
    frames: range


@dataclass(frozen=True)
class Itinerary:
    """What a propagation will do.

    Attributes
    ----------
    prompts : PromptSet
        Those on the requested frames.
    legs : tuple of Leg
    forward, backward : tuple of int
        The frames that each pass visits, one result each.
    others : PromptSet
        Of objects that are not carried, on the same frames: they are taken into account
        when the prompts are decoded.
    """

    prompts: PromptSet
    legs: tuple[Leg, ...]
    forward: tuple[int, ...]
    backward: tuple[int, ...]
    others: PromptSet = field(default_factory=PromptSet)

    def __repr__(self) -> str:
        return f"Itinerary({self.visits} results, {len(self.legs)} legs)"

    @property
    def visits(self) -> int:
        """How many results there will be."""
        return len(self.forward) + len(self.backward)

    @property
    def labels_dtype(self) -> np.dtype:
        """Type of the labels of all results: uint16, or uint32 where an id needs it."""
        return label_dtype(max(self.prompts.object_ids))


def plan(
    prompts: PromptSet,
    frames: range,
    direction: Direction = Direction.BOTH,
    objects: Collection[int] | None = None,
) -> Itinerary:
    """Carry each prompt up to the object's next prompt.

    Between two prompts of an object, the legs from both cover the whole gap: only both
    together can tell where the object left and when it came back.

    Parameters
    ----------
    prompts : PromptSet
        Prompts outside ``frames`` are not used.
    frames : range
        The requested frames, step 1.
    direction : Direction
        Whether to carry prompts to later frames, to earlier ones, or both.
    objects : collection of int, optional
        Which to carry, all by default.

    Returns
    -------
    Itinerary

    Raises
    ------
    OptionError
        If there are no frames, or the objects are not ids.
    PromptError
        If there are no prompts, or an object has none on the requested frames.
    """
    if not frames:
        raise OptionError(f"no frames between {frames.start} and {frames.stop}")
    others = PromptSet()
    if objects is not None:
        asked = _requested_objects(objects, prompts)
        others = prompts.of_objects(set(prompts.object_ids) - asked)
        prompts = prompts.of_objects(asked)
    if not len(prompts):
        raise PromptError("there is nothing to propagate: add a point or a box first")
    legs = tuple(
        leg
        for object_id in prompts.object_ids
        for leg in _legs_of(prompts, object_id, frames)
        if leg.frames and direction.includes(leg.frames.step)
    )
    used = prompts.within(frames)
    prompted = {prompt.frame for prompt in used}
    return Itinerary(
        prompts=used,
        legs=legs,
        forward=tuple(sorted(prompted | _visited(legs, step=1))),
        backward=tuple(sorted(_visited(legs, step=-1), reverse=True)),
        others=PromptSet(
            prompt
            for prompt in others
            if prompt.frame in prompted and prompt.is_positive
        ),
    )


def _requested_objects(objects: Any, prompts: PromptSet) -> set[int]:
    if isinstance(objects, str) or not isinstance(objects, Iterable):
        raise OptionError(
            f"objects are a list of object ids, as in [1, 2], not {objects!r}"
        )
    asked = {as_integer(one, "an object id", OptionError) for one in objects}
    known = asked.intersection(prompts.object_ids)
    if known and known != asked:
        raise PromptError(
            f"object {min(asked - known)} has no prompt; add one, or leave it out of "
            "the objects"
        )
    return asked


def legs_around(
    prompts: PromptSet, object_id: int, frame: int, frames: range
) -> tuple[Leg, ...]:
    """Plan a correction: it reaches up to the object's next fixed frames.

    Parameters
    ----------
    prompts : PromptSet
        On all frames that the user has fixed, the corrected one included.
    object_id, frame : int
        What was corrected.
    frames : range
        Frames that may change, step 1.

    Returns
    -------
    tuple of Leg
        At most one to later frames and one to earlier frames.
    """
    fixed = [prompt.frame for prompt in prompts.of_object(object_id)]
    stop = min([other for other in fixed if other > frame], default=frames.stop)
    first = max([other + 1 for other in fixed if other < frame], default=frames.start)
    legs = (
        _forward(object_id, frame, min(stop, frames.stop)),
        _backward(object_id, frame, max(first, frames.start)),
    )
    return tuple(leg for leg in legs if leg.frames)


def _legs_of(prompts: PromptSet, object_id: int, frames: range) -> Iterator[Leg]:
    prompted = _prompted_frames(prompts, object_id, frames)
    yield _backward(object_id, prompted[0], frames.start)
    for earlier, later in pairwise(prompted):
        yield _forward(object_id, earlier, later)
        yield _backward(object_id, later, earlier + 1)
    yield _forward(object_id, prompted[-1], frames.stop)


def _visited(legs: tuple[Leg, ...], step: int) -> set[int]:
    return {frame for leg in legs if leg.frames.step == step for frame in leg.frames}


def _prompted_frames(prompts: PromptSet, object_id: int, frames: range) -> list[int]:
    prompted = [prompt.frame for prompt in prompts.of_object(object_id)]
    requested = [frame for frame in prompted if frame in frames]
    if not requested:
        raise PromptError(
            f"object {object_id} has prompts only on frame "
            f"{', '.join(map(str, prompted))}, outside the requested frames "
            f"{frames.start}:{frames.stop}; widen the frames or add a point inside them"
        )
    return requested


def _forward(object_id: int, start: int, stop: int) -> Leg:
    return Leg(object_id, start, range(start + 1, stop))


def _backward(object_id: int, start: int, first: int) -> Leg:
    return Leg(object_id, start, range(start - 1, first - 1, -1))
