"""Networks that tests of several modules share, and how many examples are tried.

``HYPOTHESIS_PROFILE=thorough`` tries 2,000 examples of each property.
"""

from __future__ import annotations

import gc
import os
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from hypothesis import settings

from napari_sam_decoder.model.tiny_vit import TinyViT, TinyViTConfig
from napari_sam_decoder.weights import catalogue, registry
from napari_sam_decoder.weights.checkpoints import assemble_sam
from napari_sam_decoder.weights.registry import load_sam
from tiny_network import load_tiny

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from napari_sam_decoder.model.sam import Sam
    from weights_server import Publisher

# How long an example takes says nothing on a machine that others use, too.
settings.register_profile("short", max_examples=100, deadline=None, derandomize=True)
settings.register_profile("thorough", max_examples=2000, deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "short"))

EARLY = TinyViTConfig(
    widths=(8, 16, 24, 32),
    depths=(1, 1, 1, 1),
    heads=(2, 2, 2),
    windows=(4, 4, 4),
    image_size=512,
)

FRAMES, ROWS, COLUMNS = 6, 48, 64


def pytest_collection_finish() -> None:
    """Let Python look for garbage among what tests make, not in all modules again.

    napari collects it whenever a layer is removed.
    """
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def projects_folder(tmp_path_factory) -> Iterator[None]:
    """No test writes to the folder of whoever runs it."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("projects")
        patch.setenv("NAPARI_SAM_DECODER_PROJECTS", str(folder))
        yield


@pytest.fixture
def models_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where models that were downloaded are kept, empty at first."""
    import pooch

    monkeypatch.setattr(pooch, "os_cache", lambda project: tmp_path / project)
    return tmp_path / "napari-sam-decoder" / "models"


@pytest.fixture
def publisher(
    models_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Publisher]:
    """Publishes the model "toy" on this machine, which is in the catalogue."""
    del models_folder
    from weights_server import publishing, toy_row

    with publishing() as publisher:
        row = toy_row(publisher)
        for module in (registry, catalogue):
            monkeypatch.setattr(module, "MODELS", {**catalogue.MODELS, "toy": row})
        yield publisher


@pytest.fixture(scope="session")
def make_tiny_sam() -> Callable[[int], Sam]:
    """Build a random network by its seed, see `load_tiny`."""
    return load_tiny


@pytest.fixture(scope="session")
def tiny_sam(make_tiny_sam: Callable[[int], Sam]) -> Sam:
    return make_tiny_sam(0)


@pytest.fixture(scope="session")
def mobile_sam() -> Sam:
    """The bundled real weights; one frame takes a second or two."""
    return load_sam("mobile_sam", device="cpu", precision="float32")


@pytest.fixture(scope="session")
def early_sam() -> Sam:
    """A random network: 512 px input, 128 px masks, 8 early channels."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return assemble_sam(TinyViT(EARLY), identity="tiny with early features")


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
