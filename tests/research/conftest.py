"""The code that trained the shipped head is not installed; pictures for its tests."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

if TYPE_CHECKING:
    from napari_sam_decoder.model.sam import Sam
    from shipped_head.sam_examples import SamExample

sys.path.insert(0, str(Path(__file__).parents[2] / "research"))


@pytest.fixture(scope="session")
def pictures() -> list[np.ndarray]:
    """Two photographs' worth of noise, one of them small."""
    rng = np.random.default_rng(0)
    return [rng.integers(0, 256, (side, side + 20, 3), np.uint8) for side in (90, 400)]


@pytest.fixture(scope="session")
def discs(early_sam: Sam) -> SamExample:
    """Two discs on noise, at 300 x 512 pixels of the tiny network's input."""
    from shipped_head.sam_examples import SamExample

    rows, columns = np.mgrid[:300, :512]
    truth = np.stack(
        [
            np.hypot(rows - 150, columns - 360) < 60,
            np.hypot(rows - 90, columns - 90) < 45,
        ]
    )
    picture = np.random.default_rng(1).integers(0, 90, (300, 512, 3), np.uint8)
    picture[truth.any(axis=0)] += 120
    return SamExample(
        features=early_sam.encode(picture).features.astype(np.float16),
        picture=picture,
        shown=np.array([300, 512]),
        truth=np.packbits(truth, axis=-1),
        logits=np.zeros((0, 128, 128), np.float16),
        objects=np.zeros(0, int),
        tokens=np.zeros((0, 5, 256), np.float16),
        ious=np.zeros((0, 3), np.float32),
    )
