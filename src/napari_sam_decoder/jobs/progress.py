"""How a job tells its caller how far it is; the caller decides how to show it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["Progress", "silently"]

T = TypeVar("T")


class Progress(Protocol):
    """Passes steps on and shows how many of ``total`` are done."""

    def __call__(self, steps: Iterable[T], *, total: int, what: str) -> Iterator[T]:
        """Yield the same steps."""


def silently(steps: Iterable[T], *, total: int, what: str) -> Iterator[T]:
    """Show nothing."""
    del total, what
    yield from steps
