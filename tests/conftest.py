"""Networks that tests of several modules share, and how many examples are tried.

``HYPOTHESIS_PROFILE=thorough`` tries 2,000 examples of each property.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
import torch
from hypothesis import settings

from napari_sam_decoder.model.architectures import assemble_sam
from napari_sam_decoder.model.registry import load_sam
from napari_sam_decoder.model.vit import ViT, ViTConfig

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_sam_decoder.model.sam import Sam

# How long an example takes says nothing on a machine that others use, too.
settings.register_profile("short", max_examples=100, deadline=None, derandomize=True)
settings.register_profile("thorough", max_examples=2000, deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "short"))

TINY = ViTConfig(
    width=48, depth=2, heads=3, global_blocks=(1,), window=7, image_size=256
)


@pytest.fixture(scope="session")
def make_tiny_sam() -> Callable[[int], Sam]:
    """Build a random network by its seed: 256 px input, 64 px masks, milliseconds."""

    def make(seed: int = 0) -> Sam:
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            return assemble_sam(ViT(TINY), identity=f"tiny seed {seed} float32")

    return make


@pytest.fixture(scope="session")
def tiny_sam(make_tiny_sam: Callable[[int], Sam]) -> Sam:
    return make_tiny_sam(0)


@pytest.fixture(scope="session")
def mobile_sam() -> Sam:
    """The bundled real weights; one frame takes a second or two."""
    return load_sam("mobile_sam", device="cpu", precision="float32")
