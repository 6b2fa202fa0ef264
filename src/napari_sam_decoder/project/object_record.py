"""What is kept of an object besides its prompts and labels."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["ObjectRecord"]


@dataclass(frozen=True, slots=True)
class ObjectRecord:
    """An object that was created with a command, or that was given a name.

    Attributes
    ----------
    name : str
        What the table of objects shows.
    is_created : bool
        Whether it was created here, not adopted from labels.
    """

    name: str
    is_created: bool = True
