"""What a person shows of an object, one action after the other."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from napari_sam_decoder.prompts import PaintedMask, Prompt

__all__ = ["Action", "Shown", "actions_of"]


@dataclass(frozen=True)
class Action:
    """A click or a scribble; compared by value.

    Attributes
    ----------
    place : (row, column) or PaintedMask
        The pixel that was clicked, or those of the scribble.
    is_positive : bool
        Whether they are on the object.
    """

    place: tuple[int, int] | PaintedMask
    is_positive: bool

    @property
    def is_click(self) -> bool:
        """Whether it is a click."""
        return isinstance(self.place, tuple)

    @cached_property
    def pixels(self) -> np.ndarray:
        """(N, 2) row and column of each pixel that was shown."""
        if isinstance(self.place, tuple):
            return np.array([self.place])
        return np.argwhere(self.place.to_array())

    @property
    def index(self) -> tuple[np.ndarray, np.ndarray]:
        """By which a plane is indexed at its pixels."""
        return self.pixels[:, 0], self.pixels[:, 1]

    def contradicted(self, mask: np.ndarray) -> np.ndarray:
        """(M, 2): those of its pixels that are otherwise in a (Y, X) mask."""
        contradicted: np.ndarray = self.pixels[mask[self.index] != self.is_positive]
        return contradicted

    def write(self, mask: np.ndarray) -> None:
        """Make a (Y, X) mask of bool agree."""
        mask[self.index] = self.is_positive


@dataclass(frozen=True, eq=False)
class Shown:
    """Several actions together.

    Attributes
    ----------
    actions : sequence of Action
        In their order.
    """

    actions: Sequence[Action]

    def clicks(self, *, positive: bool) -> np.ndarray:
        """(N, 2) row and column of the clicks of one sign."""
        pixels = [
            action.pixels
            for action in self.actions
            if action.is_click and action.is_positive == positive
        ]
        return np.concatenate([np.zeros((0, 2), int), *pixels])

    def scribbled(
        self, frame_shape: tuple[int, int], *, positive: bool
    ) -> np.ndarray | None:
        """(Y, X) bool: scribbles of one sign, where no later one differs.

        None without any.
        """
        scribbles = [action for action in self.actions if not action.is_click]
        if not any(action.is_positive == positive for action in scribbles):
            return None
        plane = np.zeros(frame_shape, bool)
        for action in scribbles:
            plane[action.index] = action.is_positive == positive
        return plane

    def write(self, mask: np.ndarray) -> None:
        """Make a (Y, X) mask of bool agree; where actions overlap, with the later."""
        for action in self.actions:
            action.write(mask)


def actions_of(prompt: Prompt, frame_shape: tuple[int, int]) -> tuple[Action, ...]:
    """Return points and scribbles of a prompt in the order in which they were given."""
    return tuple(_ordered(prompt, frame_shape))


def _ordered(prompt: Prompt, frame_shape: tuple[int, int]) -> Iterator[Action]:
    scribbles = list(prompt.scribbles)
    highest = np.subtract(frame_shape, 1)
    for number in range(len(prompt.points) + 1):
        while scribbles and scribbles[0].after <= number:
            scribble = scribbles.pop(0)
            yield Action(scribble.pixels, scribble.is_positive)
        if number < len(prompt.points):
            row, column = np.rint(prompt.points[number]).clip(0, highest).tolist()
            sign = bool((prompt.signs or ())[number])
            yield Action((int(row), int(column)), sign)
