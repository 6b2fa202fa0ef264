from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from interactive_parts.cells_training import (
    HELD_OUT,
    MOST_OBJECTS,
    CellsTraining,
    held_out,
    taught,
    write_examples,
)
from napari_sam_decoder.jobs import no_progress
from napari_sam_decoder.training.examples import TrainingExample, read_example
from napari_sam_decoder.training.finetuning import BatchOptions
from napari_sam_decoder.training.loop import Schedule
from napari_sam_decoder.weights.trained_decoders import load_decoder

if TYPE_CHECKING:
    from pathlib import Path

    from napari_sam_decoder.model.sam import Sam


@pytest.fixture
def pictures(tmp_path: Path, tiny_sam: Sam) -> Path:
    """A picture of 36 squares, and an empty one."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    picture = np.random.default_rng(0).integers(0, 90, (60, 60, 3), np.uint8)
    labels = 1 + np.kron(np.arange(36).reshape(6, 6), np.ones((10, 10), int))
    features = tiny_sam.encode(picture).features.astype(np.float16)
    for number, ids in enumerate((labels, np.zeros_like(labels))):
        np.savez(
            folder / f"dsb-{number:05d}.npz",
            picture=picture,
            labels=ids.astype(np.uint16),
            features=features,
        )
    return folder


def test_an_example_has_some_of_the_objects_where_they_are(
    pictures: Path, tmp_path: Path, tiny_sam: Sam
) -> None:
    paths = sorted(pictures.glob("*.npz"))
    size = tiny_sam.image_size
    assert len(list(write_examples(paths, tmp_path / "examples", size))) == 2
    assert [path.name for path in (tmp_path / "examples").glob("*.npz")] == [
        paths[0].name
    ]
    example = read_example(tmp_path / "examples" / paths[0].name, TrainingExample)
    masks = np.array([example.mask(index) for index in range(len(example.truth))])
    assert len(masks) == MOST_OBJECTS
    assert masks.shape[1:] == tuple(example.shown)
    assert masks.sum(axis=0).max() == 1
    areas = masks.sum(axis=(1, 2)) / (size / 6) ** 2
    np.testing.assert_allclose(areas, 1, atol=0.2)


def test_what_is_held_out_is_not_taught(tmp_path: Path) -> None:
    for number in range(HELD_OUT["cells"] + 2):
        (tmp_path / f"cells-{number:05d}.npz").touch()
    (tmp_path / "dsbtest-00000.npz").touch()
    assert len(taught(tmp_path, "cells")) == 2
    assert not {*taught(tmp_path, "cells")} & {*held_out(tmp_path, "cells")}
    assert not taught(tmp_path, "dsbtest")
    assert len(held_out(tmp_path, "dsbtest")) == 1


def test_training_writes_a_decoder_that_has_learned(
    pictures: Path, tmp_path: Path, tiny_sam: Sam
) -> None:
    before = {
        name: part.clone() for name, part in tiny_sam.mask_decoder.state_dict().items()
    }
    training = CellsTraining(
        Schedule(2, rate=1e-3, warm_up=0), BatchOptions(rounds=2), ("dsb",)
    )
    target = tmp_path / "cells.safetensors"
    training.run(tiny_sam, pictures, tmp_path / "work", target, no_progress)
    written = load_decoder(target)
    assert written.metadata.network == tiny_sam.weights
    assert written.finetuned is not None
    assert any(
        not torch.allclose(part.float(), before[name], atol=1e-4)
        for name, part in written.finetuned.items()
    )
    for name, part in tiny_sam.mask_decoder.state_dict().items():
        torch.testing.assert_close(part, before[name])
