"""How much memory one call of each side takes, in a process of its own."""

from __future__ import annotations

import re
import sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING

from speed_parts.scene import Scene
from speed_parts.sides import side

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["STEPS", "peak_mb", "peaks"]

STEPS = "encode", "decode"

STATUS = Path("/proc/self/status")
BYTES_PER_UNIT = 1 if sys.platform == "darwin" else 1024
"""Of resident memory, as the system counts it."""


def peaks(
    names: Sequence[str], graphs: Path, precision: str = "auto"
) -> dict[str, dict[str, dict[str, float]]]:
    """Measure each side, on a frame of 480 x 854.

    Parameters
    ----------
    names : sequence of str
        Of the sides.
    graphs : Path
        Folder that `export` has filled.
    precision : str
        Of ours.

    Returns
    -------
    dict
        By step and side: `peak_mb` of the process, torch included, and `added_mb` by
        loading the network and calling it once.
    """
    return {
        step: {name: _alone(step, name, graphs, precision) for name in names}
        for step in STEPS
    }


def peak_mb() -> float:
    """Largest resident memory of this process so far, in 10^6 bytes."""
    if STATUS.exists():
        # Other than rusage, it leaves out what the parent process had when it forked.
        found = re.search(r"VmHWM:\s*(\d+) kB", STATUS.read_text())
        if found:
            return int(found[1]) * 1024 / 1e6
    import resource  # Windows has none, but can do all else here.

    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return used * BYTES_PER_UNIT / 1e6


def _alone(step: str, *asked: str | Path) -> dict[str, float]:
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as child:
        return child.submit(_peak, step, *asked).result()


def _peak(step: str, name: str, graphs: Path, precision: str) -> dict[str, float]:
    scene = Scene.of((480, 854))
    before = peak_mb()
    asked = side(name, graphs, precision)
    call = asked.encoding(scene) if step == "encode" else asked.decoding(scene, 1)
    call()
    after = peak_mb()
    return {"peak_mb": after, "added_mb": after - before}
