"""A random network of SAM's shape that takes milliseconds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from napari_sam_decoder.model.vit import ViT, ViTConfig
from napari_sam_decoder.weights.checkpoints import assemble_sam

if TYPE_CHECKING:
    from napari_sam_decoder.model.sam import Sam

__all__ = ["tiny_network"]

IMAGE_SIZE = 256


def tiny_network(image_size: int = IMAGE_SIZE) -> Sam:
    """Build it, always with the same weights.

    Parameters
    ----------
    image_size : int
        Pixels in, of which it gives a quarter.
    """
    config = ViTConfig(
        width=48,
        depth=2,
        heads=3,
        global_blocks=(1,),
        window=7,
        image_size=image_size,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        identity = f"tiny random {image_size} float32"
        return assemble_sam(ViT(config), identity=identity)
