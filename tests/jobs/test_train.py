from __future__ import annotations

from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import tifffile
import torch

import napari_sam_decoder.jobs.train as train_module
from napari_sam_decoder.errors import FormatError, OptionError
from napari_sam_decoder.jobs import MovieOptions, no_progress
from napari_sam_decoder.jobs.train import Training, TrainJob, train
from napari_sam_decoder.jobs.training_frames import TrainingFrames
from napari_sam_decoder.model.heads import (
    Heads,
    HiresConfig,
    HiresDecoder,
    Rater,
    Sharpener,
)
from napari_sam_decoder.weights.registry import load_sam
from napari_sam_decoder.weights.trained_decoders import load_decoder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from napari_sam_decoder.model.sam import Sam
    from napari_sam_decoder.samples import SampleMovie


class Interrupted(Exception):
    """Somebody has pressed Ctrl+C."""


def stop_in(part: str, after: int) -> Any:
    def show(steps: Iterable[Any], *, total: int, what: str) -> Iterator[Any]:
        if what != part:
            yield from steps
        else:
            yield from islice(steps, after)
            raise Interrupted

    return show


@pytest.fixture(autouse=True)
def _few_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(train_module, "PICTURES", 4)
    monkeypatch.setattr(train_module, "SAVE_EVERY", 2)


@pytest.fixture
def job(short_sample: SampleMovie, tmp_path: Path) -> TrainJob:
    for name in ("frames", "truth"):
        stack = getattr(short_sample, name)
        tifffile.imwrite(tmp_path / f"{name}.tif", stack, metadata={"axes": "TYX"})
    return TrainJob(
        movie=MovieOptions(tmp_path / "frames.tif", cache=None),
        labels=tmp_path / "truth.tif",
        target=tmp_path / "mine.safetensors",
        fixed=(1, 4),
        steps=5,
    )


def test_no_more_pictures_are_made_than_steps_look_at(
    job: TrainJob, tiny_sam: Sam, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(train_module, "PICTURES", 48)
    frames = TrainingFrames(None, {}, {1: (1,), 4: (1,)})  # type: ignore[arg-type]
    for steps, pictures in ((2, 4), (6, 6), (100, 48)):
        schedule = replace(job, steps=steps).schedule
        training = Training(frames, tiny_sam, schedule, job.folder)
        assert training.pictures == pictures


def test_training_ends_with_a_file(job: TrainJob, tiny_sam: Sam) -> None:
    told: dict[str, int] = {}

    def note(steps: Iterable[Any], *, total: int, what: str) -> Iterator[Any]:
        told[what] = total
        yield from steps

    before = {name: part.clone() for name, part in tiny_sam.state_dict().items()}
    known = train(job, tiny_sam, note)
    assert known.objects == {1: (1,), 4: (1,)}
    assert told == {"pictures": 4, "training": 5}
    trained = load_decoder(job.target)
    assert trained.metadata.network == "tiny seed 0"
    assert trained.metadata.trained_on == (
        "frames.tif, frames 1, 4, 1 object, 2 outlines, 5 steps, on sam"
    )
    assert trained.hires is None
    assert trained.finetuned is not None
    own = tiny_sam.mask_decoder.state_dict()
    assert trained.finetuned.keys() == own.keys()
    assert any(
        not torch.equal(part, own[name].half().float())
        for name, part in trained.finetuned.items()
    )
    assert not job.folder.exists()
    for name, part in tiny_sam.state_dict().items():
        torch.testing.assert_close(part, before[name], rtol=0, atol=0)


@pytest.mark.parametrize("stop", [("pictures", 3), ("training", 3)])
def test_a_training_that_was_stopped_gives_the_same(
    job: TrainJob, tiny_sam: Sam, tmp_path: Path, stop: tuple[str, int]
) -> None:
    train(job, tiny_sam, no_progress)
    parts = replace(job, target=tmp_path / "parts.safetensors")
    with pytest.raises(Interrupted):
        train(parts, tiny_sam, stop_in(*stop))
    assert parts.folder.exists()
    assert not parts.target.exists()
    examples = {path: path.stat().st_mtime_ns for path in parts.folder.rglob("*.npz")}
    assert len(examples) == {"pictures": 3, "training": 4}[stop[0]]
    train(parts, tiny_sam, no_progress)
    whole, same = (
        load_decoder(job.target).finetuned,
        load_decoder(parts.target).finetuned,
    )
    assert whole is not None
    assert same is not None
    for name, weights in whole.items():
        torch.testing.assert_close(same[name], weights, rtol=0, atol=0)
    assert not parts.folder.exists()


def test_what_was_begun_with_other_labels_is_not_gone_on_with(
    job: TrainJob, tiny_sam: Sam
) -> None:
    with pytest.raises(Interrupted):
        train(job, tiny_sam, stop_in("training", 3))
    stack = tifffile.imread(job.labels)
    stack[1, 40:, 50:] = 2
    tifffile.imwrite(job.labels, stack, metadata={"axes": "TYX"})
    known = train(job, tiny_sam, no_progress)
    assert known.objects == {1: (1, 2), 4: (1,)}
    trained = load_decoder(job.target)
    assert "2 objects, 3 outlines" in trained.metadata.trained_on


def test_a_sharpener_is_written_along(
    job: TrainJob, make_tiny_sam: Callable[[int], Sam]
) -> None:
    sam = make_tiny_sam(1)
    hires = HiresDecoder(HiresConfig(widths=(8, 8, 4, 4)))
    sam.heads = Heads(Rater(hires), Sharpener(hires, sam.encode_window))
    train(job, sam, no_progress)
    carried = load_decoder(job.target).hires
    assert carried is not None
    for name, part in hires.state_dict().items():
        torch.testing.assert_close(carried.state_dict()[name], part.half().float())


def test_a_rater_takes_no_part_in_training(job: TrainJob, tiny_sam: Sam) -> None:
    tiny_sam.decoder = "rated sha256:12"
    train(job, tiny_sam, no_progress)
    assert load_decoder(job.target).metadata.trained_on.endswith("on rated sha256:12")
    hires = HiresDecoder(HiresConfig(widths=(8, 8, 4, 4)))
    tiny_sam.heads = Heads(Rater(hires))
    train(replace(job, replace=True), tiny_sam, no_progress)
    assert load_decoder(job.target).metadata.trained_on.endswith("on sam")


def test_an_output_that_is_there_is_kept(job: TrainJob, tiny_sam: Sam) -> None:
    job.target.write_text("precious")
    with pytest.raises(OptionError, match="--replace"):
        train(job, tiny_sam, no_progress)
    assert job.target.read_text() == "precious"
    train(replace(job, replace=True), tiny_sam, no_progress)
    assert load_decoder(job.target).finetuned


@pytest.mark.parametrize("name", ["mine.pt", "mine"])
def test_only_safetensors_are_written(job: TrainJob, tmp_path: Path, name: str) -> None:
    with pytest.raises(FormatError, match="safetensors"):
        replace(job, target=tmp_path / name).check()


def test_an_output_needs_a_folder(job: TrainJob, tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="make the folder first"):
        replace(job, target=tmp_path / "no" / "mine.safetensors").check()


def test_an_output_may_not_be_an_input(job: TrainJob, tmp_path: Path) -> None:
    zarr = tmp_path / "labels.zarr"
    zarr.mkdir()
    with pytest.raises(OptionError, match="would overwrite an input"):
        replace(job, labels=zarr, target=zarr / "mine.safetensors").check()


@pytest.mark.slow
def test_the_file_is_used_by_name(
    job: TrainJob, mobile_sam: Sam, tmp_path: Path
) -> None:
    train(replace(job, steps=2), mobile_sam, no_progress)
    sam = load_sam(device="cpu", precision="float32", decoder=job.target)
    finetuned = load_decoder(job.target).finetuned
    assert finetuned is not None
    for name, part in sam.mask_decoder.state_dict().items():
        np.testing.assert_array_equal(part.numpy(), finetuned[name].numpy())
    frame = tifffile.imread(job.movie.path)[0]
    picture = np.repeat(frame[..., None], 3, axis=2)
    np.testing.assert_array_equal(
        sam.encode(picture).features, mobile_sam.encode(picture).features
    )
