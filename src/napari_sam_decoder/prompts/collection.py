"""All prompts of a movie, and how a table of points becomes prompts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_sam_decoder.errors import PromptError
from napari_sam_decoder.prompts.prompt import Prompt

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

__all__ = ["PromptSet", "prompts_from_points"]


class PromptSet:
    """All prompts of a movie: at most one per object and frame. Immutable."""

    def __init__(self, prompts: Iterable[Prompt] = ()) -> None:
        merged: dict[tuple[int, int], Prompt] = {}
        for prompt in prompts:
            key = (prompt.object_id, prompt.frame)
            merged[key] = merged[key].merge(prompt) if key in merged else prompt
        self._prompts = dict(sorted(merged.items()))

    def __iter__(self) -> Iterator[Prompt]:
        return iter(self._prompts.values())

    def __len__(self) -> int:
        return len(self._prompts)

    @property
    def object_ids(self) -> tuple[int, ...]:
        """Ids of all objects, ascending."""
        return tuple(sorted({prompt.object_id for prompt in self}))

    def of_object(self, object_id: int) -> tuple[Prompt, ...]:
        """Prompts of one object in the order of their frames."""
        return tuple(prompt for prompt in self if prompt.object_id == object_id)

    def at(self, object_id: int, frame: int) -> Prompt:
        """Return an object's prompt on a frame.

        Raises
        ------
        PromptError
            If it has none there.
        """
        try:
            return self._prompts[object_id, frame]
        except KeyError:
            raise PromptError(
                f"object {object_id} has no prompt on frame {frame}"
            ) from None

    def add(self, prompt: Prompt) -> PromptSet:
        """Return a set with one more prompt, merged where the object has one."""
        return PromptSet((*self, prompt))

    def without(self, object_id: int, frame: int | None = None) -> PromptSet:
        """Return a set without an object's prompts, on one frame or on all."""
        return PromptSet(
            prompt
            for prompt in self
            if prompt.object_id != object_id or frame not in (None, prompt.frame)
        )

    def within(self, frames: range) -> PromptSet:
        """Return the prompts on the given frames."""
        return PromptSet(prompt for prompt in self if prompt.frame in frames)


def prompts_from_points(
    frames: Sequence[int] | np.ndarray,
    positions: np.ndarray,
    labels: Sequence[bool] | np.ndarray,
    object_ids: Sequence[int] | np.ndarray,
    hypotheses: Sequence[int] | np.ndarray | None = None,
) -> PromptSet:
    """Group a table of points, one row each, into prompts.

    Parameters
    ----------
    frames : (N,) ints
        Index of each point's frame.
    positions : (N, 2) floats
        (row, column) in frame pixels.
    labels : (N,) bools
        True on the object, False beside it.
    object_ids : (N,) ints
        1 or more.
    hypotheses : (N,) ints, optional
        1 to 3, or 0 where none was picked.

    Returns
    -------
    PromptSet

    Raises
    ------
    PromptError
        If a row makes no sense, or two rows pick different hypotheses.
    """
    picked = np.zeros(len(frames), int) if hypotheses is None else hypotheses
    _check_picks(zip(object_ids, frames, picked, strict=True))
    rows = zip(object_ids, frames, positions, labels, picked, strict=True)
    return PromptSet(
        Prompt(
            object_id=int(object_id),
            frame=int(frame),
            points=[(float(position[0]), float(position[1]))],
            labels=[bool(label)],
            hypothesis=int(hypothesis) or None,
        )
        for object_id, frame, position, label, hypothesis in rows
    )


def _check_picks(rows: Iterable[tuple[int, int, int]]) -> None:
    picks: dict[tuple[int, int], int] = {}
    for object_id, frame, hypothesis in rows:
        if (
            hypothesis
            and picks.setdefault((object_id, frame), hypothesis) != hypothesis
        ):
            raise PromptError(
                f"object {object_id} has different hypotheses on frame {frame}; "
                "pick one"
            )
