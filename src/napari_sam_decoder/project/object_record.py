"""What is kept of an object besides its prompts and labels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from napari_sam_decoder.errors import PromptError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from napari_sam_decoder.project.document import Document

__all__ = [
    "ObjectRecord",
    "background_objects",
    "locked_objects",
    "require_unlocked",
]


@dataclass(frozen=True, slots=True)
class ObjectRecord:
    """An object that was created with a command, or of which something was said.

    Attributes
    ----------
    name : str
        What the table of objects shows.
    is_created : bool
        Whether it was created here, not adopted from labels.
    is_locked : bool
        Whether its prompts and labels stay as they are.
    parent : int or None
        The object that has divided into this one and others.
    is_hidden : bool
        Whether the viewer does not show it.
    is_background : bool
        Whether it is a background object: followed, but not part of the result.
    """

    name: str
    is_created: bool = True
    is_locked: bool = False
    parent: int | None = None
    is_hidden: bool = False
    is_background: bool = False


def locked_objects(document: Document) -> frozenset[int]:
    """List the objects of a document whose prompts and labels stay as they are."""
    records = document.table("objects").items()
    return frozenset(object_id for object_id, one in records if one.is_locked)


def background_objects(document: Document) -> frozenset[int]:
    """List the objects of a document that are not part of the result."""
    records = document.table("objects").items()
    return frozenset(object_id for object_id, one in records if one.is_background)


def require_unlocked(document: Document, object_ids: Iterable[int]) -> None:
    """Refuse to change objects that are locked.

    Raises
    ------
    PromptError
        If any of them is; it says how to unlock them.
    """
    locked = sorted(locked_objects(document) & frozenset(object_ids))
    if not locked:
        return
    records = document.table("objects")
    names = ", ".join(repr(records[object_id].name) for object_id in locked)
    if len(locked) == 1:
        said = f"{names} is locked and stays as it is: unlock it first"
    else:
        said = f"{names} are locked and stay as they are: unlock them first"
    raise PromptError(f"{said}, with a click on the lock in the table of objects")
