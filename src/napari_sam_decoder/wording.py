"""Numbers in messages, with their nouns."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection

__all__ = ["capitalised", "counted", "differing", "listed"]


def capitalised(text: str) -> str:
    """Begin a message as a sentence, and leave names in it as they are."""
    return text[:1].upper() + text[1:]


def counted(number: int, noun: str) -> str:
    """Return a number with its noun, in the singular or plural."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def differing(number: int, noun: str) -> str:
    """Say how many things differ."""
    return f"{counted(number, noun)} {'differs' if number == 1 else 'differ'}"


def listed(noun: str, numbers: Collection[int]) -> str:
    """Name numbered things, such as "frames 1, 2"."""
    named = ", ".join(map(str, numbers))
    return f"{noun} {named}" if len(numbers) == 1 else f"{noun}s {named}"
