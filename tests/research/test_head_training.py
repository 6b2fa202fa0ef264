from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any

import pytest
import torch

from napari_sam_decoder.jobs.outputs import no_progress
from napari_sam_decoder.model.heads import HiresConfig
from napari_sam_decoder.model.tiny_vit import TinyViT, TinyViTConfig
from napari_sam_decoder.training.loop import Schedule
from napari_sam_decoder.weights.checkpoints import assemble_sam
from napari_sam_decoder.weights.trained_decoders import load_decoder
from shipped_head import sam_examples
from shipped_head.curriculum import Curriculum
from shipped_head.head_training import HeadTraining

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from napari_sam_decoder.model.sam import Sam

TRAINING = HeadTraining(
    curriculum=Curriculum(things=2, cells=1, views=0),
    rating=Schedule(steps=4, save_every=2),
    sharpening=Schedule(steps=4, save_every=2),
    config=HiresConfig(widths=(8, 8, 4, 4), early_channels=8),
)


@pytest.fixture(scope="module")
def sam() -> Sam:
    widths, depths, heads = (8, 16, 24, 32), (1, 1, 1, 1), (2, 2, 2)
    config = TinyViTConfig(widths, depths, heads, (4, 4, 4), image_size=512)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return assemble_sam(TinyViT(config), identity="tiny with early features")


@pytest.fixture(autouse=True)
def _whatever_is_seen_will_do(monkeypatch: pytest.MonkeyPatch) -> None:
    """Random weights see nothing that has half of an object."""
    monkeypatch.setattr(sam_examples, "LEAST_IOU", -1)


class Interrupted(Exception):
    """Somebody has seen enough."""


def until(steps: Iterable[Any], *, total: int, what: str) -> Iterator[Any]:
    """Stop in the middle of sharpening."""
    if what != "sharpening":
        yield from steps
    else:
        yield from islice(steps, 3)
        raise Interrupted


def test_training_ends_with_a_file(sam: Sam, tmp_path: Path) -> None:
    told: dict[str, int] = {}

    def note(steps: Iterable[Any], *, total: int, what: str) -> Iterator[Any]:
        told[what] = total
        yield from steps

    target = tmp_path / "slim.safetensors"
    TRAINING.run(sam, tmp_path / "work", target, note)
    assert told == {"pictures": 3, "rating": 4, "sharpening": 4}
    trained = load_decoder(target)
    assert trained.hires is not None
    assert trained.hires.config == TRAINING.config
    assert "things=2" in trained.metadata.trained_on
    assert trained.metadata.network == sam.weights
    assert (tmp_path / "work" / "sharpening" / "curve.csv").exists()


def test_a_training_that_was_stopped_gives_the_same(sam: Sam, tmp_path: Path) -> None:
    TRAINING.run(sam, tmp_path / "whole", tmp_path / "a.safetensors", no_progress)
    with pytest.raises(Interrupted):
        TRAINING.run(sam, tmp_path / "parts", tmp_path / "b.safetensors", until)
    assert not (tmp_path / "b.safetensors").exists()
    TRAINING.run(sam, tmp_path / "parts", tmp_path / "b.safetensors", no_progress)
    whole, parts = (load_decoder(tmp_path / f"{name}.safetensors") for name in "ab")
    assert whole.hires is not None
    assert parts.hires is not None
    for name, weights in whole.hires.state_dict().items():
        same = parts.hires.state_dict()[name]
        torch.testing.assert_close(same, weights, rtol=0, atol=0)


def test_the_network_itself_is_left_as_it_was(sam: Sam, tmp_path: Path) -> None:
    before = {name: weights.clone() for name, weights in sam.state_dict().items()}
    TRAINING.run(sam, tmp_path / "work", tmp_path / "a.safetensors", no_progress)
    for name, weights in sam.state_dict().items():
        torch.testing.assert_close(weights, before[name], rtol=0, atol=0)
