"""Gives memory that is free back to the system.

Glibc keeps a heap for each of several threads, and gives back the end alone of what is
freed in one. Runs leave holes in all of them, so that a process would grow for hours
although no more of it is in use.
"""

from __future__ import annotations

import ctypes
import sys

__all__ = ["give_back_memory"]


def give_back_memory() -> None:
    """Give back what is free, where the C library does so on demand.

    That takes up to a tenth of a second, and so does asking for the same pages again.
    """
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if trim is not None:
            trim(0)
