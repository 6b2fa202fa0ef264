"""A tiny encoder with early features, and pictures for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from napari_sam_decoder.model.architectures import assemble_sam
from napari_sam_decoder.model.tiny_vit import TinyViT, TinyViTConfig
from napari_sam_decoder.training.lessons import Lesson

if TYPE_CHECKING:
    from napari_sam_decoder.model.sam import Sam

TINY = TinyViTConfig(
    widths=(8, 16, 24, 32),
    depths=(1, 1, 1, 1),
    heads=(2, 2, 2),
    windows=(4, 4, 4),
    image_size=512,
)


@pytest.fixture(scope="session")
def early_sam() -> Sam:
    """A random network: 512 px input, 128 px masks, 8 early channels."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return assemble_sam(TinyViT(TINY), identity="tiny with early features")


@pytest.fixture(scope="session")
def pictures() -> list[np.ndarray]:
    """Two photographs' worth of noise, one of them small."""
    rng = np.random.default_rng(0)
    return [rng.integers(0, 256, (side, side + 20, 3), np.uint8) for side in (90, 400)]


@pytest.fixture(scope="session")
def discs(early_sam: Sam) -> Lesson:
    """Two discs on noise, at 300 x 512 pixels of the tiny network's input."""
    rows, columns = np.mgrid[:300, :512]
    truth = np.stack(
        [
            np.hypot(rows - 150, columns - 360) < 60,
            np.hypot(rows - 90, columns - 90) < 45,
        ]
    )
    picture = np.random.default_rng(1).integers(0, 90, (300, 512, 3), np.uint8)
    picture[truth.any(axis=0)] += 120
    return Lesson(
        features=early_sam.encode(picture).features.astype(np.float16),
        picture=picture,
        shown=np.array([300, 512]),
        truth=np.packbits(truth, axis=-1),
        logits=np.zeros((0, 128, 128), np.float16),
        objects=np.zeros(0, int),
        tokens=np.zeros((0, 5, 256), np.float16),
        ious=np.zeros((0, 3), np.float32),
    )
