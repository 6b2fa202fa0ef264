"""A random network that takes milliseconds; other processes can load it, too."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from napari_sam_decoder.model.vit import ViT, ViTConfig
from napari_sam_decoder.weights.checkpoints import assemble_sam

if TYPE_CHECKING:
    from napari_sam_decoder.model.sam import Sam

__all__ = ["load_tiny", "load_tiny_for_any_name"]

TINY = ViTConfig(
    width=48, depth=2, heads=3, global_blocks=(1,), window=7, image_size=256
)


def load_tiny(seed: int = 0) -> Sam:
    """Build it by its seed: 256 px input, 64 px masks."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return assemble_sam(ViT(TINY), identity=f"tiny seed {seed} float32")


def load_tiny_for_any_name(*_: object, **__: object) -> Sam:
    """Stand in for `load_sam`."""
    return load_tiny()
