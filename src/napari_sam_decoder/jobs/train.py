"""Train the decoder on labels that a person has corrected."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING

from napari_sam_decoder.atomic_files import sibling_path
from napari_sam_decoder.errors import FormatError
from napari_sam_decoder.jobs.inputs import (
    MovieOptions,
    require_job,
    require_kinds,
    set_integers,
    set_paths,
)
from napari_sam_decoder.jobs.outputs import (
    no_progress,
    require_apart,
    require_folder,
    require_unused,
    sole_writer,
)
from napari_sam_decoder.jobs.provenance import Provenance
from napari_sam_decoder.jobs.resumable_folder import ResumableFolder
from napari_sam_decoder.jobs.training_frames import find_training_frames
from napari_sam_decoder.model.values import OWN_DECODER

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from napari_sam_decoder.jobs.outputs import Progress
    from napari_sam_decoder.jobs.training_frames import TrainingFrames
    from napari_sam_decoder.model.sam import Sam
    from napari_sam_decoder.training.loop import Schedule, TrainingStep

__all__ = ["MOST_FRAMES", "STEPS", "TrainJob", "Training", "make_schedule", "train"]

SUFFIX = ".safetensors"

STEPS = 500
"""300 are enough for the mask after one click, but not for that after several."""

PICTURES = 48
"""Made from all fixed frames together, unless there are fewer steps.

Each frame gives at least two.
"""

MIN_VARIATIONS = 2
"""The frame unchanged, and one variation of it."""

MOST_FRAMES = PICTURES // MIN_VARIATIONS
"""From more frames more than `PICTURES` are made, which takes longer."""

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
        require_kinds(self, movie=MovieOptions)
        set_paths(self, "labels", "target")
        set_integers(self, "fixed")

    @property
    def folder(self) -> Path:
        """Keeps an interrupted training, and is deleted when that is finished."""
        return sibling_path(self.target, ".unfinished")

    @property
    def schedule(self) -> Schedule:
        """Number of steps, learning rate and the like."""
        return make_schedule(self.steps, self.seed)

    def check(self) -> None:
        """Refuse a target that cannot be written, or would destroy a file.

        Raises
        ------
        OptionError, FormatError
            If it is refused.
        """
        _ = self.schedule  # raises if the number of steps or the seed cannot be used
        if self.target.suffix.lower() != SUFFIX:
            raise FormatError(
                f"a decoder cannot be saved as {self.target.name}; use a name that "
                f"ends in {SUFFIX}"
            )
        require_folder(self.target)
        require_apart([self.target, self.folder], [self.movie.path, self.labels])
        if not self.replace:
            require_unused(self.target)


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
    require_job(job, TrainJob)
    job.check()
    with sole_writer(job.target):
        return _train(job, model or _bundled_model(), progress)


def _train(job: TrainJob, model: Sam, progress: Progress) -> TrainingFrames:
    contrast = Provenance.read_if_noted(job.labels).contrast
    movie, frames = job.movie.with_contrast(contrast).read()
    fixed = find_training_frames(job.labels, movie, frames, job.fixed)
    training = Training(fixed, model, job.schedule, job.folder)
    trained_on = training.describe(job.movie.path.name)
    depends_on = f"{trained_on}\n{model.identity}\n{job.schedule}\n{fixed.digest()}\n"
    work = ResumableFolder(job.folder, depends_on)
    work.open()
    for _ in progress(training.prepare(), total=training.pictures, what="pictures"):
        pass
    for _ in progress(training.run(), total=job.steps, what="training"):
        pass
    training.save(job.target, trained_on)
    work.delete()
    return fixed


class Training:
    """Trains a copy of a model's decoder on fixed frames.

    Parameters
    ----------
    frames : TrainingFrames
        What is learned.
    model : Sam
        It is not changed.
    schedule : Schedule
        From `make_schedule`.
    folder : Path
        For what is prepared, and for checkpoints; exists once `prepare` is called.
    """

    def __init__(
        self, frames: TrainingFrames, model: Sam, schedule: Schedule, folder: Path
    ) -> None:
        self._frames = frames
        self._model = model
        self._schedule = schedule
        self._folder = folder
        self._decoder = copy.deepcopy(model.mask_decoder)

    @property
    def pictures(self) -> int:
        """How many are made from the frames."""
        return self._variations * len(self._frames.objects)

    @property
    def _variations(self) -> int:
        # Each step looks at one picture.
        wanted = min(PICTURES, self._schedule.steps)
        return max(MIN_VARIATIONS, -(-wanted // len(self._frames.objects)))

    def describe(self, movie: str) -> str:
        """Say for people what the decoder is trained on."""
        steps, base = self._schedule.steps, _base(self._model)
        return f"{movie}, {self._frames}, {steps} steps, on {base}"

    def prepare(self) -> Iterator[None]:
        """Make and embed the pictures; yields after each."""
        from napari_sam_decoder.training.augmentation import prepare_examples

        self._examples.mkdir(exist_ok=True)
        for frame in self._frames.objects:
            paths = [
                self._examples / f"{frame:06d}-{number:04d}.npz"
                for number in range(self._variations)
            ]
            labelled = self._frames.read(frame)
            seed = self._schedule.seed, frame
            yield from prepare_examples(labelled, paths, self._model, seed)

    def run(self) -> Iterator[TrainingStep]:
        """Train on what was prepared; yields after each step."""
        from napari_sam_decoder.training import loop
        from napari_sam_decoder.training.examples import ExampleFolder, TrainingExample
        from napari_sam_decoder.training.finetuning import Finetuning

        examples = ExampleFolder(self._examples, TrainingExample)
        task = Finetuning(examples, self._model)
        return loop.train(self._decoder, task, self._schedule, self._folder / "state")

    def save(self, target: Path, trained_on: str) -> None:
        """Write what was trained, with the model's sharpener if it has one."""
        from napari_sam_decoder.weights.trained_decoders import (
            DecoderMetadata,
            TrainedDecoder,
            save_decoder,
        )

        metadata = DecoderMetadata(self._model.weights, trained_on)
        sharpener = self._model.heads.sharpener
        hires = None if sharpener is None else sharpener.original
        state = self._decoder.state_dict()
        save_decoder(TrainedDecoder(metadata, hires, state), target)

    @property
    def _examples(self) -> Path:
        return self._folder / "examples"


def make_schedule(steps: int, seed: int) -> Schedule:
    """Return the schedule by which decoders are trained on a movie.

    Raises
    ------
    OptionError
        If the number of steps or the seed cannot be used.
    """
    from napari_sam_decoder.training.loop import Schedule

    return Schedule(
        steps, LEARNING_RATE, WARM_UP, decay=0, seed=seed, save_every=SAVE_EVERY
    )


def _bundled_model() -> Sam:
    from napari_sam_decoder.weights.registry import load_sam

    return load_sam()


def _base(model: Sam) -> str:
    """The decoder that training starts from; a decoder that only rates is not used."""
    only_rates = model.heads.rater is not None and model.heads.sharpener is None
    return OWN_DECODER if only_rates else model.decoder
