from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

# A benchmark is a script, whose folder python puts first on the path.
sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))

FRAMES, ROWS, COLUMNS = 6, 48, 64


@pytest.fixture
def truth():
    """Object 1 moves right by four pixels a frame; object 2 is there from frame 2."""
    masks = np.zeros((FRAMES, ROWS, COLUMNS), np.uint8)
    for frame in range(FRAMES):
        masks[frame, 10:26, 6 + 4 * frame : 22 + 4 * frame] = 1
        masks[frame, 34:44, 40:50] = 2 * (frame >= 2)
    return masks


@pytest.fixture
def pixels(truth):
    noise = np.random.default_rng(0).integers(0, 40, truth.shape)
    return (90 * (truth > 0) + noise).astype(np.uint8)
