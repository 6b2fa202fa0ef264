"""Learn from the fixed frames of a movie, and measure on another one what it brings."""

from __future__ import annotations

from dataclasses import dataclass, replace
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
    from collections.abc import Generator, Iterator

    from napari_sam_decoder.jobs.training_frames import TrainingFrames
    from napari_sam_decoder.model.sam import Sam
    from napari_sam_decoder.propagation import FrameResult

__all__ = ["LEAST_FRAMES", "LearnStep", "LearnedDecoder", "MaskFit", "learn"]

FARTHEST = 20
"""Frames over which masks are carried to be compared: more take too long."""
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


@dataclass(frozen=True)
class MaskFit:
    """How well masks fit on the frame that was not learned from; means over objects.

    Attributes
    ----------
    clicked : float
        0..1: IoU after one click on each object.
    carried : float, optional
        0..1: IoU of masks that were carried from the nearest frame that was learned
        from; None if that is far away, or has none of the objects.
    """

    clicked: float
    carried: float | None = None


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
    before, after : MaskFit
        On that frame, with the decoder from before and with this one.
    """

    content: bytes
    frames: tuple[int, ...]
    held_out: int
    before: MaskFit
    after: MaskFit

    @property
    def is_better(self) -> bool:
        """Whether masks fit better than before, as far as a person would notice.

        A decoder that answers clicks better but loses what it carries does harm: most
        masks of a movie are carried.
        """
        pairs = (
            (self.before.clicked, self.after.clicked),
            (self.before.carried, self.after.carried),
        )
        gains = [
            round(100 * after) - round(100 * before)
            for before, after in pairs
            if before is not None and after is not None
        ]
        return min(gains) >= 0 and max(gains) > 0


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
        comparison = _Comparison.of(taught, held_out)
        fits: list[MaskFit] = []
        for sam in (model, replace_decoder(model, load_decoder(path))):
            # Both see the same embeddings.
            cache = Path(folder) / "cache"
            with Session(fixed.movie, model=sam, cache=cache) as session:
                fits.append((yield from comparison.run(session)))
        yield LearnedDecoder(
            path.read_bytes(), tuple(taught.objects), comparison.frame, *fits
        )


@dataclass(frozen=True, eq=False)
class _Comparison:
    """What decoders are compared by, on a frame that none of them has seen.

    Attributes
    ----------
    taught, held_out : TrainingFrames
        What was learned from, and the frame that was not.
    start : int, optional
        The frame from which masks are carried to that one.
    """

    taught: TrainingFrames
    held_out: TrainingFrames
    start: int | None

    @classmethod
    def of(cls, taught: TrainingFrames, held_out: TrainingFrames) -> _Comparison:
        """Carry masks from the nearest frame that has any of the objects."""
        ((frame, ids),) = held_out.objects.items()
        starts = [
            other
            for other, found in taught.objects.items()
            if set(ids).intersection(found) and abs(other - frame) <= FARTHEST
        ]
        start = min(starts, key=lambda other: abs(other - frame), default=None)
        return cls(taught, held_out, start)

    @property
    def frame(self) -> int:
        """The frame that was not learned from."""
        (frame,) = self.held_out.objects
        return frame

    @property
    def _step(self) -> LearnStep:
        """What each mask and each frame is, with two decoders to compare."""
        way = 0 if self.start is None else abs(self.start - self.frame) + 1
        return LearnStep("Comparing", 2 * (self.held_out.masks + way))

    def run(self, session: Session) -> Generator[LearnStep, None, MaskFit]:
        """Say how well the masks of a session fit, after a step for each."""
        labels = self.held_out.read(self.frame).labels
        clicked: list[float] = []
        for object_id in self.held_out.objects[self.frame]:
            clicked.append(_iou_after_a_click(session, self.frame, labels, object_id))
            yield self._step
        fit = MaskFit(float(np.mean(clicked)))
        if self.start is None:
            return fit
        for result in self._carry(session, self.start):
            if result.frame == self.frame:
                ious = [
                    mask_iou(result.labels == one, labels == one)
                    for one in session.prompts.object_ids
                ]
                fit = replace(fit, carried=float(np.mean(ious)))
            yield self._step
        return fit

    def _carry(self, session: Session, start: int) -> Iterator[FrameResult]:
        """Carry the objects that both frames have."""
        ids = self.held_out.objects[self.frame]
        shown = self.taught.read(start).labels
        for object_id in set(ids).intersection(self.taught.objects[start]):
            session.add_prompt(Prompt(object_id, start, mask=shown == object_id))
        first, last = sorted((start, self.frame))
        yield from session.propagate(range(first, last + 1))


def _iou_after_a_click(
    session: Session, frame: int, labels: np.ndarray, object_id: int
) -> float:
    """Click on the middle of an object, and compare the mask with the fixed one."""
    from napari_sam_decoder.training.simulated_prompts import deepest_error

    truth = labels == object_id
    middle = deepest_error(truth, np.zeros_like(truth))
    preview = session.preview(Prompt(object_id, frame, points=[middle]))
    return mask_iou(preview.chosen.mask, truth)
