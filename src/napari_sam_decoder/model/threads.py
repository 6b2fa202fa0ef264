"""How many threads torch uses for what one thread computes, and for no other.

`torch.set_num_threads` says it for the thread that calls it, and for every thread that
uses torch for the first time afterwards, other people's as well. OpenMP and MKL, in
which torch computes, each have a function that says it for the calling thread alone.
"""

from __future__ import annotations

import ctypes
from contextlib import suppress
from functools import cache
from pathlib import Path

__all__ = ["use_threads"]

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
