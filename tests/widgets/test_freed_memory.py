from __future__ import annotations

import ctypes
import gc
import sys
from pathlib import Path
from threading import Thread

import numpy as np
import pytest

from napari_sam_decoder.widgets.freed_memory import give_back_memory

BLOCK, BLOCKS = 2**16, 2000
"""So small that they come from a heap, and 125 MB of them."""


def resident() -> int:
    """Bytes of this process that are in memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


def leave_holes(pins: list[np.ndarray]) -> None:
    """Free much, but not the end of it."""
    blocks = [np.ones(BLOCK, np.uint8) for _ in range(BLOCKS)]
    pins.append(np.ones(BLOCK, np.uint8))
    del blocks


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere nothing is kept")
def test_what_a_thread_has_freed_is_given_back() -> None:
    if not hasattr(ctypes.CDLL(None), "malloc_trim"):
        pytest.skip("another C library")
    pins: list[np.ndarray] = []
    thread = Thread(target=leave_holes, args=(pins,))
    thread.start()
    thread.join()
    gc.collect()
    before = resident()
    give_back_memory()
    assert before - resident() > BLOCK * BLOCKS / 2
    assert len(pins) == 1
