from __future__ import annotations

import tempfile
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

import napari_sam_decoder.jobs.learn as learn_module
import napari_sam_decoder.jobs.train as train_module
from napari_sam_decoder.errors import LabelsError
from napari_sam_decoder.frames import Movie
from napari_sam_decoder.jobs import TrainingFrames
from napari_sam_decoder.jobs.learn import LearnedDecoder, LearnStep, MaskFit, learn
from napari_sam_decoder.metrics import mask_iou
from napari_sam_decoder.prompts import Prompt
from napari_sam_decoder.session import Session
from napari_sam_decoder.training.simulated_prompts import deepest_error
from napari_sam_decoder.weights.trained_decoders import load_decoder, replace_decoder

if TYPE_CHECKING:
    from pathlib import Path

    from napari_sam_decoder.model.sam import Sam
    from napari_sam_decoder.samples import SampleMovie

FIXED = 0, 2, 4


@pytest.fixture(autouse=True)
def _few_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(train_module, "PICTURES", 4)


@pytest.fixture
def temporary(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Where temporary files go."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


@pytest.fixture
def fixed(short_sample: SampleMovie) -> TrainingFrames:
    objects = dict.fromkeys(FIXED, (1,))
    movie = Movie(short_sample.frames, axes="TYX")
    return TrainingFrames(movie, short_sample.truth, objects)


def test_the_middle_frame_is_held_out(
    fixed: TrainingFrames, tiny_sam: Sam, tmp_path: Path, temporary: Path
) -> None:
    before = {name: part.clone() for name, part in tiny_sam.state_dict().items()}
    *steps, learned = learn(fixed, tiny_sam, "cells", steps=3)
    assert isinstance(learned, LearnedDecoder)
    assert (learned.frames, learned.held_out) == ((0, 4), 2)
    assert steps == [
        *[LearnStep("Preparing pictures", 4)] * 4,
        *[LearnStep("Training", 3)] * 3,
        # Each decoder answers a click, and carries a mask over two frames.
        *[LearnStep("Comparing", 8)] * 8,
    ]
    assert not list(temporary.glob("napari-sam-decoder-*"))
    path = tmp_path / "learned.safetensors"
    path.write_bytes(learned.content)
    trained = load_decoder(path)
    assert trained.metadata.trained_on == (
        "cells, frames 0, 4, 1 object, 2 outlines, 3 steps, on sam"
    )
    for name, part in tiny_sam.state_dict().items():
        torch.testing.assert_close(part, before[name], rtol=0, atol=0)


def test_it_compares_masks_after_one_click_and_carried_ones(
    fixed: TrainingFrames, tiny_sam: Sam, tmp_path: Path
) -> None:
    *_, learned = learn(fixed, tiny_sam, "cells", steps=3)
    assert isinstance(learned, LearnedDecoder)
    path = tmp_path / "learned.safetensors"
    path.write_bytes(learned.content)
    truth = fixed.read(2).labels == 1
    middle = deepest_error(truth, np.zeros_like(truth))
    shown = fixed.read(0).labels == 1
    decoders = tiny_sam, replace_decoder(tiny_sam, load_decoder(path))
    for sam, fit in zip(decoders, (learned.before, learned.after), strict=True):
        with Session(fixed.movie, model=sam) as session:
            found = session.preview(Prompt(1, 2, points=[middle])).chosen.mask
            session.add_prompt(Prompt(1, 0, mask=shown))
            *_, last = session.propagate(range(3))
        assert fit.clicked == pytest.approx(mask_iou(found, truth))
        assert fit.carried == pytest.approx(mask_iou(last.labels == 1, truth))


def test_masks_are_not_carried_from_far_away_nor_without_the_object(
    fixed: TrainingFrames, tiny_sam: Sam, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(learn_module, "FARTHEST", 1)
    *_, far = learn(fixed, tiny_sam, "cells", steps=1)
    monkeypatch.undo()
    labels = fixed.labels.copy()
    labels[[0, 4]] *= 2
    objects = {0: (2,), 2: (1,), 4: (2,)}
    other = TrainingFrames(fixed.movie, labels, objects)
    *_, without = learn(other, tiny_sam, "cells", steps=1)
    for learned in (far, without):
        assert isinstance(learned, LearnedDecoder)
        assert (learned.before.carried, learned.after.carried) == (None, None)


@pytest.mark.parametrize(
    ("before", "after", "is_better"),
    [
        (MaskFit(0.5), MaskFit(0.6), True),
        (MaskFit(0.5), MaskFit(0.504), False),
        (MaskFit(0.5, 0.8), MaskFit(0.6, 0.8), True),
        (MaskFit(0.5, 0.8), MaskFit(0.9, 0.7), False),
        (MaskFit(0.5, 0.8), MaskFit(0.5, 0.85), True),
    ],
)
def test_a_gain_is_one_that_is_seen_and_harms_nothing(
    before: MaskFit, after: MaskFit, is_better: bool
) -> None:
    assert LearnedDecoder(b"", (0, 4), 2, before, after).is_better is is_better


def test_what_is_stopped_leaves_nothing_behind(
    fixed: TrainingFrames, tiny_sam: Sam, temporary: Path
) -> None:
    steps = learn(fixed, tiny_sam, "cells", steps=3)
    next(steps)
    assert list(temporary.glob("napari-sam-decoder-*"))
    steps.close()  # type: ignore[attr-defined]
    assert not list(temporary.glob("napari-sam-decoder-*"))


def test_one_frame_is_too_little(fixed: TrainingFrames, tiny_sam: Sam) -> None:
    one = TrainingFrames(fixed.movie, fixed.labels, {0: (1,)})
    with pytest.raises(LabelsError, match="takes 2 fixed frames, and there are 1"):
        next(learn(one, tiny_sam, "cells"))


def test_a_replaced_decoder_shares_the_rest(
    fixed: TrainingFrames, tiny_sam: Sam, tmp_path: Path
) -> None:
    *_, learned = learn(fixed, tiny_sam, "cells", steps=2)
    path = tmp_path / "learned.safetensors"
    path.write_bytes(learned.content)  # type: ignore[union-attr]
    trained = load_decoder(path)
    sam = replace_decoder(tiny_sam, trained)
    assert sam.image_encoder is tiny_sam.image_encoder
    assert sam.identity == tiny_sam.identity
    assert trained.finetuned is not None
    for name, part in sam.mask_decoder.state_dict().items():
        torch.testing.assert_close(part, trained.finetuned[name], rtol=0, atol=0)
