from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pytest
from drawn_frame import LABELS, BrightRefiner, write_picture
from stand_in import BrightSam

from napari_sam_decoder.errors import FormatError
from napari_sam_decoder.jobs import no_progress
from napari_sam_decoder.training.loop import Schedule
from napari_sam_decoder.weights.refinement import REFINER_FILE, load_refinement
from refiner_parts import refiner_training
from refiner_parts.refinement_task import RefinementTask
from refiner_parts.refiner_training import RefinerTraining, Stage
from refiner_parts.samples import SAMPLE, Shards, read_shard

if TYPE_CHECKING:
    from pathlib import Path

STEPS = Schedule(2, warm_up=0)
TRAINING = RefinerTraining((Stage(1, STEPS, 0), Stage(2, STEPS, 0.65)))


@pytest.fixture(autouse=True)
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    small = partial(RefinementTask, size=2)
    monkeypatch.setattr(refiner_training, "RefinementTask", small)


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """One of nuclei, and one without any."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    write_picture(folder / "dsb-00000.npz")
    write_picture(folder / "dsb-00001.npz", np.zeros_like(LABELS))
    write_picture(folder / "dsbtest-00000.npz")
    return folder


def test_shards_are_written_once(pictures: Path, tmp_path: Path) -> None:
    sam, folder = BrightSam(), tmp_path / "samples"
    shards = Shards(sorted(pictures.glob("dsb-*")), 2, 0.65)
    first, second = shards.write(folder, sam, BrightRefiner())
    assert read_shard(first).dtype == SAMPLE
    assert len(read_shard(first)) > 10
    kept = np.array(read_shard(first))
    second.unlink()
    asked = len(sam.prompts)
    assert len(list(shards.write(folder, sam, BrightRefiner()))) == 2
    assert asked < len(sam.prompts) < 2 * asked
    np.testing.assert_array_equal(read_shard(first), kept)
    assert not np.array_equal(read_shard(second)["truth"], kept["truth"])


def test_pictures_without_objects_give_no_samples(
    pictures: Path, tmp_path: Path
) -> None:
    shards = Shards([pictures / "dsb-00001.npz"], 1, 0)
    (path,) = shards.write(tmp_path / "samples", BrightSam(), BrightRefiner())
    assert len(read_shard(path)) == 0


def test_a_damaged_shard_is_named(tmp_path: Path) -> None:
    path = tmp_path / "0000.npy"
    path.write_bytes(b"nothing")
    with pytest.raises(FormatError, match=r"0000\.npy.*delete it"):
        read_shard(path)


def test_training_writes_a_refiner_and_is_not_done_twice(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sam, work = BrightSam(), tmp_path / "work"
    target = tmp_path / "refiner.safetensors"
    TRAINING.run(sam, pictures, work, target, no_progress)
    written = target.read_bytes()
    assert (work / "stage2" / "refiner.safetensors").read_bytes() == written
    load_refinement(target)
    monkeypatch.setattr(refiner_training, "train", None)
    asked = len(sam.prompts)
    target.unlink()
    TRAINING.run(sam, pictures, work, target, no_progress)
    assert target.read_bytes() == written
    assert len(sam.prompts) == asked


def test_a_policy_takes_the_place_of_the_first_stage(
    pictures: Path, tmp_path: Path
) -> None:
    work, target = tmp_path / "work", tmp_path / "refiner.safetensors"
    TRAINING.run(BrightSam(), pictures, work, target, no_progress, REFINER_FILE)
    assert not (work / "stage1").exists()
    refined, policy = load_refinement(target), load_refinement()
    change = (refined.head.weight - policy.head.weight).abs().mean()
    assert 0 < change < 0.1 * policy.head.weight.abs().mean()


def test_there_have_to_be_pictures(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match=r"embed_pictures\.py"):
        TRAINING.run(
            BrightSam(), tmp_path, tmp_path / "work", tmp_path / "out", no_progress
        )
