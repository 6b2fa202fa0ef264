"""Learn from the fixed frames of a movie, and measure on another one what it brings."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import numpy as np

from napari_sam_decoder.errors import LabelsError
from napari_sam_decoder.jobs.train import STEPS, Training, make_schedule
from napari_sam_decoder.metrics import mask_iou
from napari_sam_decoder.prompts import Prompt
from napari_sam_decoder.session import Session

if TYPE_CHECKING:
    from collections.abc import Iterator

    from napari_sam_decoder.jobs.training_frames import TrainingFrames
    from napari_sam_decoder.model.sam import Sam

__all__ = ["LEAST_FRAMES", "LearnStep", "LearnedDecoder", "learn"]

LEAST_FRAMES = 2
"""One to learn from, and one to measure on."""


@dataclass(frozen=True)
class LearnStep:
    """One step of `learn` is done.

    Attributes
    ----------
    part : str
        What is under way.
    total : int
        Steps of this part.
    """

    part: str
    total: int


@dataclass(frozen=True, eq=False)
class LearnedDecoder:
    """A decoder that was trained on all fixed frames but one.

    Attributes
    ----------
    content : bytes
        Of its file, see `load_decoder`.
    frames : tuple of int
        What it was trained on.
    held_out : int
        The frame that it has not seen.
    iou_before, iou_after : float
        0..1: how well the masks after one click on each object fit on that frame, on
        average, with the decoder from before and with this one.
    """

    content: bytes
    frames: tuple[int, ...]
    held_out: int
    iou_before: float
    iou_after: float

    @property
    def is_better(self) -> bool:
        """Whether masks fit better than before, as far as a person would notice."""
        return round(100 * self.iou_after) > round(100 * self.iou_before)


def learn(
    fixed: TrainingFrames, model: Sam, name: str, steps: int = STEPS, seed: int = 0
) -> Iterator[LearnStep | LearnedDecoder]:
    """Train a copy of the model's decoder on all fixed frames but the middle one.

    Parameters
    ----------
    fixed : TrainingFrames
        Two frames or more.
    model : Sam
        It is not changed.
    name : str
        Of the movie, for people.
    steps : int
        Of the training.
    seed : int
        Determines all random choices.

    Yields
    ------
    LearnStep or LearnedDecoder
        The decoder comes last. Close the iterator to stop; nothing is left behind.

    Raises
    ------
    LabelsError
        If there are fewer frames.
    SamDecoderError
        If the training fails.
    """
    from napari_sam_decoder.weights.trained_decoders import (
        load_decoder,
        replace_decoder,
    )

    if len(fixed.objects) < LEAST_FRAMES:
        raise LabelsError(
            f"learning takes {LEAST_FRAMES} fixed frames, and there are "
            f"{len(fixed.objects)}: correct an object on another frame, paint it, or "
            "say that it looks right"
        )
    taught, held_out = fixed.split()
    with TemporaryDirectory(prefix="napari-sam-decoder-") as folder:
        path = Path(folder) / "learned.safetensors"
        training = Training(taught, model, make_schedule(steps, seed), Path(folder))
        for _ in training.prepare():
            yield LearnStep("Preparing pictures", training.pictures)
        for _ in training.run():
            yield LearnStep("Training", steps)
        training.save(path, training.describe(name))
        ious: list[list[float]] = []
        for sam in (model, replace_decoder(model, load_decoder(path))):
            ious.append([])
            for iou in _ious_after_a_click(held_out, sam):
                ious[-1].append(iou)
                yield LearnStep("Comparing", 2 * held_out.masks)
        (frame,) = held_out.objects
        before, after = (float(np.mean(some)) for some in ious)
        yield LearnedDecoder(
            path.read_bytes(), tuple(taught.objects), frame, before, after
        )


def _ious_after_a_click(fixed: TrainingFrames, model: Sam) -> Iterator[float]:
    """Click on the middle of each object, and compare the mask with the fixed one."""
    from napari_sam_decoder.training.simulated_prompts import deepest_error

    with Session(fixed.movie, model=model) as session:
        for frame, ids in fixed.objects.items():
            labels = fixed.read(frame).labels
            for object_id in ids:
                truth = labels == object_id
                middle = deepest_error(truth, np.zeros_like(truth))
                preview = session.preview(Prompt(object_id, frame, points=[middle]))
                yield mask_iou(preview.chosen.mask, truth)
