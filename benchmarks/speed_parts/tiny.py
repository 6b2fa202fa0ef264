"""A random network of SAM's shape that takes milliseconds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from napari_sam_decoder.model.vit import ViT, ViTConfig
from napari_sam_decoder.weights.checkpoints import assemble_sam

if TYPE_CHECKING:
    from napari_sam_decoder.model.sam import Sam

__all__ = ["tiny_network"]

CONFIG = ViTConfig(
    width=48, depth=2, heads=3, global_blocks=(1,), window=7, image_size=256
)


def tiny_network() -> Sam:
    """Build it: 256 pixels in, 64 out, always the same weights."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return assemble_sam(ViT(CONFIG), identity="tiny random float32")
