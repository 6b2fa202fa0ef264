"""From a movie and labels that a person has put right to a decoder that knows them."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING

from napari_sam_decoder.atomic_files import sibling_path
from napari_sam_decoder.errors import FormatError, OptionError
from napari_sam_decoder.jobs.fixed_frames import find_known
from napari_sam_decoder.jobs.outputs import require_apart, require_folder
from napari_sam_decoder.jobs.provenance import Origin
from napari_sam_decoder.jobs.unfinished import UnfinishedWork
from napari_sam_decoder.model.values import OWN_DECODER
from napari_sam_decoder.validation import as_integer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from napari_sam_decoder.jobs.fixed_frames import KnownFrames
    from napari_sam_decoder.jobs.inputs import MovieOptions
    from napari_sam_decoder.jobs.outputs import Progress
    from napari_sam_decoder.model.mask_decoder import MaskDecoder
    from napari_sam_decoder.model.sam import Sam
    from napari_sam_decoder.training.loop import Course

__all__ = ["STEPS", "TrainJob", "train_decoder"]

SUFFIX = ".safetensors"

STEPS = 500
"""With 300 a mask after one click is as good, but not one after several."""

PICTURES = 48
"""Made of the known frames, in all; but each comes as it is, and changed."""

FEWEST_VARIATIONS = 2
RATE = 2e-4
WARM_UP = 20
SAVE_EVERY = 20


@dataclass(frozen=True)
class TrainJob:
    """What to learn from, and where the decoder goes.

    Attributes
    ----------
    movie : MovieOptions
        No frames but these are learned from.
    labels : Path
    target : Path
        ``.safetensors``.
    fixed : tuple of int
        Frames on which all objects in the labels are right; see `find_known`.
    replace : bool
        Whether the target may be there already.
    steps : int
        How long is learned.
    seed : int
        All that is drawn by chance follows from it.
    """

    movie: MovieOptions
    labels: Path
    target: Path
    fixed: tuple[int, ...] = ()
    replace: bool = False
    steps: int = STEPS
    seed: int = 0

    @property
    def folder(self) -> Path:
        """Where a training that was stopped is kept; gone when it is finished."""
        return sibling_path(self.target, ".unfinished")

    @property
    def course(self) -> Course:
        """How long and how fast is learned."""
        from napari_sam_decoder.training.loop import Course

        return Course(
            self.steps, RATE, WARM_UP, decay=0, seed=self.seed, save_every=SAVE_EVERY
        )

    def check(self) -> None:
        """Refuse an output that cannot be written, or would destroy something.

        Raises
        ------
        OptionError, FormatError
            If so.
        """
        for frame in self.fixed:
            as_integer(frame, "a fixed frame", OptionError)
        _ = self.course  # says itself what is wrong with it
        if self.target.suffix.lower() != SUFFIX:
            raise FormatError(
                f"a decoder cannot be kept in {self.target.name}; use a name that ends "
                f"in {SUFFIX}"
            )
        require_folder(self.target)
        require_apart([self.target, self.folder], [self.movie.path, self.labels])
        if self.target.exists() and not self.replace:
            raise OptionError(
                f"{self.target} is there already; choose another name, or --replace"
            )


def train_decoder(job: TrainJob, model: Sam, progress: Progress) -> KnownFrames:
    """Teach a copy of the model's decoder what is known, and write it.

    Parameters
    ----------
    job : TrainJob
        What to learn from, and where the decoder goes.
    model : Sam
        As `load_sam` gives it; it is left as it is. If it has a sharpener, that is
        written along.
    progress : Progress
        Shows pictures, then steps.

    Returns
    -------
    KnownFrames
        What was learned from.

    Raises
    ------
    SamDecoderError
        If anything does not fit. The target then is as it was before.
    """
    job.check()
    noted = Origin.as_far_as_noted(job.labels).contrast
    movie, frames = job.movie.seen_as(noted).read()
    known = find_known(job.labels, movie, frames, job.fixed)
    learned = f"{job.movie.path.name}, {known}, {job.steps} steps, on {_base(model)}"
    depends_on = f"{learned}\n{model.identity}\n{job.course}\n{known.digest()}\n"
    work = UnfinishedWork(job.folder, depends_on)
    work.take_up()
    count = max(FEWEST_VARIATIONS, -(-PICTURES // len(known.objects)))
    pictures = _prepare(known, count, job, model)
    for _ in progress(pictures, total=count * len(known.objects), what="pictures"):
        pass
    decoder = copy.deepcopy(model.mask_decoder)
    _learn(decoder, job, model, progress)
    _save(decoder, job.target, model, learned)
    work.clear()
    return known


def _base(model: Sam) -> str:
    """The decoder that training begins with; what only rates takes no part in it."""
    only_rates = model.heads.rater is not None and model.heads.sharpener is None
    return OWN_DECODER if only_rates else model.decoder


def _prepare(
    known: KnownFrames, count: int, job: TrainJob, model: Sam
) -> Iterator[None]:
    from napari_sam_decoder.training.variations import prepare_variations

    lessons = job.folder / "lessons"
    lessons.mkdir(exist_ok=True)
    for frame in known.objects:
        paths = [lessons / f"{frame:06d}-{number:04d}.npz" for number in range(count)]
        labelled = known.read(frame)
        yield from prepare_variations(labelled, paths, model, (job.seed, frame))


def _learn(decoder: MaskDecoder, job: TrainJob, model: Sam, progress: Progress) -> None:
    from napari_sam_decoder.training.lessons import Lessons
    from napari_sam_decoder.training.loop import train
    from napari_sam_decoder.training.tuning import Tuning

    task = Tuning(Lessons(job.folder / "lessons"), model)
    steps = train(decoder, task, job.course, job.folder / "state")
    for _ in progress(steps, total=job.steps, what="training"):
        pass


def _save(decoder: MaskDecoder, target: Path, model: Sam, learned: str) -> None:
    from napari_sam_decoder.weights.trained_decoders import (
        AboutDecoder,
        TrainedDecoder,
        save_decoder,
    )

    about = AboutDecoder(model.weights, learned)
    sharpener = model.heads.sharpener
    hires = None if sharpener is None else sharpener.original
    save_decoder(TrainedDecoder(about, hires, decoder.state_dict()), target)
