"""Threads that share the cores, and how many of these torch uses on one thread."""

from __future__ import annotations

import ctypes
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import suppress
from functools import cache, cached_property
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

__all__ = ["Lanes", "use_threads"]

_SETTERS = ("omp_set_num_threads", "MKL_Set_Num_Threads_Local")


def use_threads(count: int) -> None:
    """Let torch use so many threads for what the calling thread computes from now on.

    Meant for threads of our own, since it lasts as long as the thread does. Nothing
    changes for others, those that are started later included.

    Parameters
    ----------
    count : int
        1 or more.

    Notes
    -----
    Where torch was built without OpenMP there is one number for the whole process,
    which is left alone.
    """
    import torch

    # A thread that asks for the first time takes what is usual, and only then.
    if torch.get_num_threads() != count:
        for set_number in _setters():
            set_number(count)


@cache
def _setters() -> tuple[ctypes._NamedFuncPointer, ...]:
    """Find the functions in the very libraries that torch computes with."""
    import torch

    # A name is looked up in a library and all that it was linked with. Windows looks
    # in the library alone.
    places = (torch._C.__file__, Path(torch.__file__).parent / "lib" / "libiomp5md.dll")
    found: dict[str, ctypes._NamedFuncPointer] = {}
    for place in map(str, places):
        with suppress(OSError):
            library = ctypes.CDLL(place)
            found |= {
                name: getattr(library, name)
                for name in _SETTERS
                if name not in found and hasattr(library, name)
            }
    return tuple(found.values())


Item = TypeVar("Item")
Answer = TypeVar("Answer")


class Lanes:
    """A few threads among which torch's are shared out.

    All of torch's threads work on one product at a time, and wait for each other many
    times in each of the hundreds of small steps of a decoder. So two prompts are
    decoded sooner side by side, with half of the threads each, than together.

    Parameters
    ----------
    most : int
        Lanes to have at most; there are never more than torch has threads.

    Notes
    -----
    The threads come when they are first needed, and go with the object. What runs in a
    lane must not wait for anything else in the same lanes.
    """

    def __init__(self, most: int) -> None:
        import torch

        self._threads = torch.get_num_threads()
        self.count = max(1, min(most, self._threads))

    def __reduce__(self) -> tuple[type[Lanes], tuple[int]]:
        """Threads are not copied along with whatever holds this."""
        return Lanes, (self.count,)

    def start(self, function: Callable[..., Answer], *arguments: Any) -> Future[Answer]:
        """Call a function in a lane."""
        return self._pool.submit(function, *arguments)

    def each(
        self, function: Callable[[Item], Answer], items: Iterable[Item]
    ) -> list[Answer]:
        """Call a function for each item; a single one is done here and now.

        Raises
        ------
        Exception
            The first, in the order of the items, that the function raised.
        """
        listed = list(items)
        if min(len(listed), self.count) < 2:
            return [function(item) for item in listed]
        return list(self._pool.map(function, listed))

    def stream(
        self, function: Callable[[Item], Answer], items: Iterable[Item]
    ) -> Iterator[Answer]:
        """Call a function for each item, as many at a time as there are lanes.

        A single item is done here and now. Items are taken no sooner than there is a
        lane for them. Closing the iterator waits for the calls under way.

        Yields
        ------
        object
            What the function returned, in the order of the items.

        Raises
        ------
        Exception
            What the function raised for the item that is next.
        """
        waiting = iter(items)
        first = tuple(islice(waiting, self.count))
        if len(first) < 2:
            yield from map(function, chain(first, waiting))
            return
        under_way: deque[Future[Answer]] = deque()
        try:
            for item in chain(first, waiting):
                under_way.append(self.start(function, item))
                if len(under_way) == self.count:
                    yield under_way.popleft().result()
            while under_way:
                yield under_way.popleft().result()
        finally:
            wait(under_way)

    @cached_property
    def _pool(self) -> ThreadPoolExecutor:
        share = max(1, self._threads // self.count)
        return ThreadPoolExecutor(
            self.count,
            thread_name_prefix="napari-sam-decoder",
            initializer=use_threads,
            initargs=(share,),
        )
