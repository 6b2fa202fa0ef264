"""A simulated person who knows the truth, and shows an object action by action."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from tracking_parts.prompting import (
    correcting_box,
    correcting_click,
    correcting_scribble,
    inmost,
    outline,
)

from napari_sam_decoder import Prompt

if TYPE_CHECKING:
    from collections.abc import Callable

    from tracking_parts.data import Target

    Action = Callable[[Target, int, np.ndarray], Prompt | None]

__all__ = ["PROTOCOLS", "Person"]

LOOSENESS = 0.1
"""Of a box's side: how far a corner may be off in its direction."""


def _first_click(target: Target, frame: int, found: np.ndarray) -> Prompt:
    """Click deepest inside the object, which may not be in its largest part."""
    return Prompt(target.object_id, frame, [inmost(target.truth(frame))])


def _loose_box(target: Target, frame: int, found: np.ndarray) -> Prompt:
    """Draw a box whose sides are off by up to a tenth, the same in each run."""
    box = np.array(outline(target.truth(frame)))
    sides = np.tile(box[2:] - box[:2], 2)
    rng = np.random.default_rng([target.object_id, frame])
    drawn = box + LOOSENESS * sides * rng.uniform(-1, 1, 4)
    # People draw within the picture.
    inside = np.clip(drawn, 0, np.tile(found.shape, 2))
    return Prompt(target.object_id, frame, box=inside.tolist())


PROTOCOLS: dict[str, tuple[Action, Action]] = {
    "clicks": (_first_click, correcting_click),
    "box": (correcting_box, correcting_click),
    "loose-box": (_loose_box, correcting_click),
    "scribble": (correcting_scribble, correcting_scribble),
}
"""By name: what is done first, and then again and again."""


class Person:
    """Someone who shows an object on a frame.

    Parameters
    ----------
    target : Target
        The object; its first frame is the one.
    protocol : str
        A key of `PROTOCOLS`.
    """

    def __init__(self, target: Target, protocol: str) -> None:
        self.truth = target.truth(target.start)
        self._target = target
        self._first, self._next = PROTOCOLS[protocol]

    def first(self) -> Prompt:
        """Show the object: all of it is missing."""
        action = self._first(
            self._target, self._target.start, np.zeros_like(self.truth)
        )
        assert action is not None
        return action

    def next(self, found: np.ndarray) -> Prompt | None:
        """Correct the largest error of a (Y, X) mask; None if nothing is wrong."""
        return self._next(self._target, self._target.start, found)
