"""Work on several things side by side, with a share of the cores for each."""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor, wait
from functools import cached_property
from itertools import chain, islice
from typing import TYPE_CHECKING, Any, TypeVar

from napari_sam_decoder.model.threads import use_threads

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

__all__ = ["Lanes"]

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
