"""Values that are made once each, whoever asks first, and the last few kept."""

from __future__ import annotations

from collections import OrderedDict
from concurrent.futures import Future
from threading import Lock
from typing import TYPE_CHECKING, Any, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Kept"]

Value = TypeVar("Value")


class Kept(Generic[Value]):
    """A function that remembers its last few values, for several threads.

    Who asks for a value that another thread is just making waits for it.

    Parameters
    ----------
    make : callable
        Called with the arguments once for each that is not remembered; again for
        those for which it raised an error.
    most : int
        How many values to remember.
    """

    def __init__(self, make: Callable[..., Value], most: int) -> None:
        self._make = make
        self._most = most
        self._lock = Lock()
        self._values: OrderedDict[tuple[Any, ...], Future[Value]] = OrderedDict()

    def __call__(self, *key: Any) -> Value:
        """Return the value for these arguments."""
        with self._lock:
            value = self._values.get(key)
            is_new = value is None
            if value is None:
                value = self._values[key] = Future()
            # The oldest goes, even if it was asked for last: what was made ahead of
            # time has not been asked for yet.
            while len(self._values) > self._most:
                self._values.popitem(last=False)
        if is_new:
            self._fill(value, key)
        return value.result()

    def _fill(self, value: Future[Value], key: tuple[Any, ...]) -> None:
        try:
            value.set_result(self._make(*key))
        except BaseException as error:  # noqa: BLE001 - whoever waits for it gets it
            with self._lock:
                self._values.pop(key, None)
            value.set_exception(error)
