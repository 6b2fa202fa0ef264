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

__all__ = ["ThreadPool", "set_torch_threads"]

_SETTERS = ("omp_set_num_threads", "MKL_Set_Num_Threads_Local")


def set_torch_threads(count: int) -> None:
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


class ThreadPool:
    """A few threads that share out the cores that torch uses.

    All of torch's own threads work on one product at a time, and wait for each other
    many times in each of the hundreds of small steps of a decoder. Two prompts are
    therefore decoded sooner side by side, with half of the cores each, than together.

    Parameters
    ----------
    max_workers : int
        Threads to have at most; there are never more than torch itself uses.

    Notes
    -----
    Threads start when they are first needed, and end with the pool. What runs in a
    pool must not wait for anything else in the same pool.
    """

    def __init__(self, max_workers: int) -> None:
        import torch

        self._threads = torch.get_num_threads()
        self.workers = max(1, min(max_workers, self._threads))

    def __reduce__(self) -> tuple[type[ThreadPool], tuple[int]]:
        """Threads are not copied along with whatever holds this."""
        return ThreadPool, (self.workers,)

    def submit(
        self, function: Callable[..., Answer], *arguments: Any
    ) -> Future[Answer]:
        """Call a function in one of the threads."""
        return self._pool.submit(function, *arguments)

    def map(
        self, function: Callable[[Item], Answer], items: Iterable[Item]
    ) -> list[Answer]:
        """Call a function for each item; a single one in the calling thread.

        Raises
        ------
        Exception
            The first, in the order of the items, that the function raised.
        """
        listed = list(items)
        if min(len(listed), self.workers) < 2:
            return [function(item) for item in listed]
        return list(self._pool.map(function, listed))

    def imap(
        self, function: Callable[[Item], Answer], items: Iterable[Item]
    ) -> Iterator[Answer]:
        """Call a function for each item, as many at a time as there are threads.

        A single item is done in the calling thread. An item is taken only when there is
        a thread for it. Closing the iterator waits for the calls under way.

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
        first = tuple(islice(waiting, self.workers))
        if len(first) < 2:
            yield from map(function, chain(first, waiting))
            return
        under_way: deque[Future[Answer]] = deque()
        try:
            for item in chain(first, waiting):
                under_way.append(self.submit(function, item))
                if len(under_way) == self.workers:
                    yield under_way.popleft().result()
            while under_way:
                yield under_way.popleft().result()
        finally:
            wait(under_way)

    @cached_property
    def _pool(self) -> ThreadPoolExecutor:
        share = max(1, self._threads // self.workers)
        return ThreadPoolExecutor(
            self.workers,
            thread_name_prefix="napari-sam-decoder",
            initializer=set_torch_threads,
            initargs=(share,),
        )
