"""Train the decoder on labels that a person has corrected."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING

from napari_sam_decoder.atomic_files import sibling_path
from napari_sam_decoder.errors import FormatError, OptionError
from napari_sam_decoder.jobs.inputs import set_paths
from napari_sam_decoder.jobs.outputs import no_progress, require_apart, require_folder
from napari_sam_decoder.jobs.provenance import Provenance
from napari_sam_decoder.jobs.resumable_folder import ResumableFolder
from napari_sam_decoder.jobs.training_frames import find_training_frames
from napari_sam_decoder.model.values import OWN_DECODER
from napari_sam_decoder.validation import as_integer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from napari_sam_decoder.jobs.inputs import MovieOptions
    from napari_sam_decoder.jobs.outputs import Progress
    from napari_sam_decoder.jobs.training_frames import TrainingFrames
    from napari_sam_decoder.model.mask_decoder import MaskDecoder
    from napari_sam_decoder.model.sam import Sam
    from napari_sam_decoder.training.loop import Schedule

__all__ = ["STEPS", "TrainJob", "train"]

SUFFIX = ".safetensors"

STEPS = 500
"""300 are enough for the mask after one click, but not for that after several."""

PICTURES = 48
"""Made from all fixed frames together; each frame gives at least two."""

MIN_VARIATIONS = 2
"""The frame unchanged, and one variation of it."""

LEARNING_RATE = 2e-4
WARM_UP = 20
SAVE_EVERY = 20


@dataclass(frozen=True)
class TrainJob:
    """What to train on, and where the trained decoder goes.

    Attributes
    ----------
    movie : MovieOptions
        Only the frames that it selects are used.
    labels : Path
    target : Path
        ``.safetensors``.
    fixed : tuple of int
        Frames on which the labels of all objects are correct. If empty, each object is
        learned on the frames where it was prompted, painted or corrected, according to
        the provenance of the labels.
    replace : bool
        Whether to replace the target if it exists.
    steps : int
        Number of training steps.
    seed : int
        Determines all random choices.
    """

    movie: MovieOptions
    labels: Path
    target: Path
    fixed: tuple[int, ...] = ()
    replace: bool = False
    steps: int = STEPS
    seed: int = 0

    def __post_init__(self) -> None:
        set_paths(self, "labels", "target")

    @property
    def folder(self) -> Path:
        """Keeps an interrupted training, and is deleted when that is finished."""
        return sibling_path(self.target, ".unfinished")

    @property
    def schedule(self) -> Schedule:
        """Number of steps, learning rate and the like."""
        from napari_sam_decoder.training.loop import Schedule

        return Schedule(
            self.steps,
            LEARNING_RATE,
            WARM_UP,
            decay=0,
            seed=self.seed,
            save_every=SAVE_EVERY,
        )

    def check(self) -> None:
        """Refuse a target that cannot be written, or would destroy a file.

        Raises
        ------
        OptionError, FormatError
            If it is refused.
        """
        for frame in self.fixed:
            as_integer(frame, "a fixed frame", OptionError)
        _ = self.schedule  # raises if the number of steps or the seed cannot be used
        if self.target.suffix.lower() != SUFFIX:
            raise FormatError(
                f"a decoder cannot be saved as {self.target.name}; use a name that "
                f"ends in {SUFFIX}"
            )
        require_folder(self.target)
        require_apart([self.target, self.folder], [self.movie.path, self.labels])
        if self.target.exists() and not self.replace:
            raise OptionError(
                f"{self.target} already exists; choose another name, or --replace"
            )


def train(
    job: TrainJob, model: Sam | None = None, progress: Progress = no_progress
) -> TrainingFrames:
    """Train a copy of the model's decoder, and write it for `load_sam`.

    Parameters
    ----------
    job : TrainJob
        What to train on, and where the decoder goes.
    model : Sam, optional
        From `load_sam`; by default the bundled model. It is not changed. If it has a
        sharpener, that is written as well.
    progress : Progress, optional
        Gets one step per prepared picture, then one per training step.

    Returns
    -------
    TrainingFrames
        What the decoder was trained on.

    Raises
    ------
    SamDecoderError
        If an input cannot be used. The target is then unchanged.
    """
    job.check()
    contrast = Provenance.read_if_noted(job.labels).contrast
    movie, frames = job.movie.with_contrast(contrast).read()
    fixed = find_training_frames(job.labels, movie, frames, job.fixed)
    model = model or _bundled_model()
    trained_on = f"{job.movie.path.name}, {fixed}, {job.steps} steps, on {_base(model)}"
    depends_on = f"{trained_on}\n{model.identity}\n{job.schedule}\n{fixed.digest()}\n"
    work = ResumableFolder(job.folder, depends_on)
    work.open()
    count = max(MIN_VARIATIONS, -(-PICTURES // len(fixed.objects)))
    pictures = _prepare(fixed, count, job, model)
    for _ in progress(pictures, total=count * len(fixed.objects), what="pictures"):
        pass
    decoder = copy.deepcopy(model.mask_decoder)
    _train(decoder, job, model, progress)
    _save(decoder, job.target, model, trained_on)
    work.delete()
    return fixed


def _bundled_model() -> Sam:
    from napari_sam_decoder.weights.registry import load_sam

    return load_sam()


def _base(model: Sam) -> str:
    """The decoder that training starts from; a decoder that only rates is not used."""
    only_rates = model.heads.rater is not None and model.heads.sharpener is None
    return OWN_DECODER if only_rates else model.decoder


def _prepare(
    fixed: TrainingFrames, count: int, job: TrainJob, model: Sam
) -> Iterator[None]:
    from napari_sam_decoder.training.augmentation import prepare_examples

    examples = job.folder / "examples"
    examples.mkdir(exist_ok=True)
    for frame in fixed.objects:
        paths = [examples / f"{frame:06d}-{number:04d}.npz" for number in range(count)]
        labelled = fixed.read(frame)
        yield from prepare_examples(labelled, paths, model, (job.seed, frame))


def _train(decoder: MaskDecoder, job: TrainJob, model: Sam, progress: Progress) -> None:
    from napari_sam_decoder.training import loop
    from napari_sam_decoder.training.examples import ExampleFolder, TrainingExample
    from napari_sam_decoder.training.finetuning import Finetuning

    task = Finetuning(ExampleFolder(job.folder / "examples", TrainingExample), model)
    steps = loop.train(decoder, task, job.schedule, job.folder / "state")
    for _ in progress(steps, total=job.steps, what="training"):
        pass


def _save(decoder: MaskDecoder, target: Path, model: Sam, trained_on: str) -> None:
    from napari_sam_decoder.weights.trained_decoders import (
        DecoderMetadata,
        TrainedDecoder,
        save_decoder,
    )

    metadata = DecoderMetadata(model.weights, trained_on)
    sharpener = model.heads.sharpener
    hires = None if sharpener is None else sharpener.original
    save_decoder(TrainedDecoder(metadata, hires, decoder.state_dict()), target)
