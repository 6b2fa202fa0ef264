"""Are early encoder features better stored, or recomputed? Bytes and milliseconds.

    python benchmarks/early_features.py

A sharper decoder needs the first features of the encoder around an object. ``seen`` is
the median time in which the first stage sees a window of so many cells again; ``kept``
what those of a whole frame of 480 x 854 take as int8 in bytes, compressed as embeddings
are, and the median time to unpack them.
"""

from __future__ import annotations

from time import perf_counter
from typing import TYPE_CHECKING

import numpy as np
from numcodecs import Blosc
from PIL import Image
from skimage import data

from napari_sam_decoder import load_sam

if TYPE_CHECKING:
    from collections.abc import Callable

FRAME = 854, 480
CELLS = np.s_[0:36, 0:64]
WINDOWS = {"10 x 10": np.s_[10:20, 20:30], "20 x 20": np.s_[8:28, 20:40]}
TURNS = 20


def main() -> None:
    """Print both."""
    sam = load_sam()
    frame = np.asarray(Image.fromarray(data.astronaut()).resize(FRAME))
    for name, cells in {**WINDOWS, "the whole": CELLS}.items():
        took = _median(lambda cells=cells: sam.encode_window(frame, cells))
        print(f"seen: {name} cells, {took:.1f} ms")
    early = sam.encode_window(frame, CELLS).early
    steps = np.abs(early).max(axis=(1, 2), keepdims=True) / 127
    rounded = np.ascontiguousarray(np.round(early / steps).astype(np.int8))
    packed = Blosc("zstd", 1, Blosc.BITSHUFFLE).encode(rounded)

    def unpack() -> np.ndarray:
        values = np.frombuffer(Blosc().decode(packed), np.int8)
        return values.reshape(early.shape).astype(np.float32) * steps

    print(f"kept: {len(packed) / 1e6:.1f} MB, {_median(unpack):.1f} ms")


def _median(work: Callable[[], object]) -> float:
    took = []
    for _ in range(TURNS):
        started = perf_counter()
        work()
        took.append(perf_counter() - started)
    return 1000 * float(np.median(took))


if __name__ == "__main__":
    main()
