"""What a propagation was asked for."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from napari_sam_decoder.project.object_record import locked_objects, require_unlocked
from napari_sam_decoder.propagation import Direction

if TYPE_CHECKING:
    from typing import Self

    from napari_sam_decoder.project.document import Document
    from napari_sam_decoder.prompts import PromptSet

__all__ = ["RunRequest"]


@dataclass(frozen=True)
class RunRequest:
    """A propagation that was asked for.

    Attributes
    ----------
    direction : Direction
    frames : range, optional
        All by default.
    object_ids : tuple of int, optional
        All by default.
    replace : bool
        Whether it may overwrite other objects and what was painted by hand.
    is_rerun : bool
        Whether it was started automatically because points changed.
    """

    direction: Direction = Direction.BOTH
    frames: range | None = None
    object_ids: tuple[int, ...] | None = None
    replace: bool = False
    is_rerun: bool = False

    def choose(self, prompts: PromptSet) -> PromptSet:
        """Return the prompts of the asked objects."""
        if self.object_ids is None:
            return prompts
        chosen = prompts
        for object_id in set(prompts.object_ids) - set(self.object_ids):
            chosen = chosen.without(object_id)
        return chosen

    def without_locked(self, prompts: PromptSet, document: Document) -> Self:
        """Ask for the same, but not for objects that are locked.

        Raises
        ------
        PromptError
            If a locked object was asked for by its id, or all objects are locked.
        """
        locked = locked_objects(document)
        present = set(prompts.object_ids)
        asked = present if self.object_ids is None else set(self.object_ids)
        if self.object_ids is not None or asked <= locked:
            require_unlocked(document, asked)
        if asked.isdisjoint(locked):
            return self
        return replace(self, object_ids=tuple(sorted(asked - locked)))
