"""From labels with mistakes and corrections in files to corrected labels in a file."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_sam_decoder.errors import LabelsError, OptionError
from napari_sam_decoder.formats import open_labels, require_target
from napari_sam_decoder.jobs.outputs import (
    open_sink,
    require_apart,
    require_folder,
    write_text,
)
from napari_sam_decoder.jobs.provenance import Origin, describe
from napari_sam_decoder.jobs.reports import ObjectHistory
from napari_sam_decoder.labels import label_dtype
from napari_sam_decoder.prompts import Prompt, PromptSet
from napari_sam_decoder.propagation import legs_around
from napari_sam_decoder.validation import as_integer

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from napari_sam_decoder.frames import ArrayLike
    from napari_sam_decoder.jobs.inputs import MovieOptions
    from napari_sam_decoder.jobs.outputs import Progress
    from napari_sam_decoder.model.sam import Sam
    from napari_sam_decoder.propagation import FrameResult
    from napari_sam_decoder.session import Session

__all__ = ["CorrectJob", "CorrectReport", "RevisedLabels", "correct_file"]

FASTEST = 1


class RevisedLabels:
    """Labels as they were, but for the frames that have been set since.

    These are kept compressed, so that a correction of a whole movie still fits in
    memory; the others are read when they are asked for.

    Parameters
    ----------
    labels : (T, Y, X) array-like of int
        As they were; they are not changed.
    dtype : dtype
        Integers that hold old and new labels.
    """

    def __init__(self, labels: ArrayLike, dtype: np.dtype) -> None:
        self.shape = tuple(labels.shape)
        self.dtype = dtype
        self._labels = labels
        self._revised: dict[int, bytes] = {}

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, frame: int) -> np.ndarray:
        """(Y, X) labels of a frame as they are by now."""
        if frame not in self._revised:
            return np.asarray(self._labels[frame]).astype(self.dtype)
        pixels = np.frombuffer(zlib.decompress(self._revised[frame]), self.dtype)
        return pixels.reshape(self.shape[1:])

    def __setitem__(self, frame: int, labels: np.ndarray) -> None:
        pixels = labels.astype(self.dtype).tobytes()
        self._revised[frame] = zlib.compress(pixels, FASTEST)


Place = tuple[int, int]


@dataclass(frozen=True)
class CorrectJob:
    """What is wrong with which labels, and where the mended ones go.

    Attributes
    ----------
    movie : MovieOptions
        Its frames are those that may change.
    labels : Path
        Labels as they are.
    corrections : PromptSet
        New prompts; may be empty if something is painted.
    painted : tuple of (object_id, frame)
        Where the labels themselves have been edited by hand: they hold there what is
        right, and nothing if the object is not on the frame.
    prompts : PromptSet, optional
        What the labels were made from. By default that is read from the labels, and
        the settings with it.
    output : Path, optional
        ``.tif`` or ``.zarr``; by default the labels, which are replaced.
    report : Path, optional
        ``.csv`` for the verdict and confidence wherever something was computed anew.
    sources : tuple of Path
        Files that the prompts came from; like the movie they are never overwritten.
    """

    movie: MovieOptions
    labels: Path
    corrections: PromptSet
    painted: tuple[Place, ...] = ()
    prompts: PromptSet | None = None
    output: Path | None = None
    report: Path | None = None
    sources: tuple[Path, ...] = ()

    @property
    def target(self) -> Path:
        """Where the mended labels go."""
        return self.output or self.labels

    @property
    def places(self) -> list[Place]:
        """(object_id, frame) of every correction, painted ones first."""
        clicked = ((prompt.object_id, prompt.frame) for prompt in self.corrections)
        return list(dict.fromkeys([*self.painted, *clicked]))

    def check(self) -> None:
        """Refuse a job without corrections, and outputs that would destroy something.

        Raises
        ------
        OptionError, FormatError
            If so.
        """
        for object_id, frame in self.painted:
            as_integer(object_id, "a painted object", OptionError)
            as_integer(frame, "a painted frame", OptionError)
        if not self.places:
            raise OptionError("say what is wrong: give --points or --painted")
        require_target(self.target.absolute())
        inputs = [self.movie.path, *self.sources]
        if self.target.resolve() != self.labels.resolve():
            inputs.append(self.labels)
        outputs = [self.target]
        if self.report is not None:
            require_folder(self.report)
            outputs.append(self.report)
        require_apart(outputs, inputs)

    def origin(self) -> Origin:
        """Find out what the labels were made from.

        Raises
        ------
        FormatError, LabelsError
            If the labels say so, but it cannot be read.
        """
        if self.prompts is not None:
            return Origin(self.prompts)
        return Origin.as_far_as_noted(self.labels)


@dataclass(frozen=True, eq=False)
class CorrectReport:
    """What a correction has done.

    Attributes
    ----------
    history : ObjectHistory
        Of the frames that were computed anew, and of no others.
    frames : int
        How many the movie has.
    known_prompts : int
        How many earlier prompts were known, each of which holds its frame fixed.
    """

    history: ObjectHistory
    frames: int
    known_prompts: int


def correct_file(job: CorrectJob, model: Sam, progress: Progress) -> CorrectReport:
    """Mend labels where prompts say that they are wrong, and no farther than needed.

    Parameters
    ----------
    job : CorrectJob
        What is wrong with which labels, and where the mended ones go.
    model : Sam
        As `load_sam` gives it.
    progress : Progress
        Shows one step per frame that is computed anew; there may be fewer of them
        than its total says.

    Returns
    -------
    CorrectReport

    Raises
    ------
    SamDecoderError
        If anything does not fit. The output then is as it was before.
    """
    job.check()
    origin = job.origin()
    session, frames = job.movie.seen_as(origin.contrast).open(model, origin.settings)
    with session:
        labels = _revisable_labels(job, session)
        _require_within(job.places, frames, len(session.movie))
        _recall(origin.prompts, session)
        painted = _painted(job, labels, origin.prompts.object_ids)
        # Points after masks: they refine what is painted on the same frame.
        corrections = [*painted, *job.corrections]
        results = session.correct(corrections, labels, frames)
        fixed = PromptSet((*session.prompts, *corrections))
        most = _most_steps(job.places, fixed, frames)
        steps = progress(results, total=most, what="correcting")
        history = _revise(steps, labels)
        _save(job, session, labels, frames)
    if job.report is not None:
        write_text(job.report, history.as_csv())
    return CorrectReport(history, len(labels), len(origin.prompts))


def _revisable_labels(job: CorrectJob, session: Session) -> RevisedLabels:
    labels = open_labels(job.labels, session.labels_shape)
    highest = max(object_id for object_id, _ in job.places)
    dtype = np.promote_types(label_dtype(highest), labels.dtype)
    return RevisedLabels(labels, dtype)


def _require_within(places: Iterable[Place], frames: range, in_movie: int) -> None:
    for object_id, frame in places:
        if frame in frames:
            continue
        said = f"object {object_id} is corrected on frame {frame}, "
        if frame >= in_movie:
            raise OptionError(
                f"{said}but the movie has frames 0 to {in_movie - 1}; correct it on "
                "one of them"
            )
        raise OptionError(
            f"{said}outside the frames that may change, {frames.start}:{frames.stop}; "
            "widen --frames, or correct it on another frame"
        )


def _recall(prompts: PromptSet, session: Session) -> None:
    """Tell the session what was said before, negative points alone among it."""
    for prompt in prompts:
        prompt.check_inside(session.movie)
    session.prompts = prompts


def _painted(
    job: CorrectJob, labels: RevisedLabels, known: tuple[int, ...]
) -> Iterator[Prompt]:
    for object_id, frame in job.painted:
        mask = labels[frame] == object_id
        if not (mask.any() or object_id in known or _holds(labels, object_id)):
            raise LabelsError(
                f"{job.labels} holds no object {object_id}, so nothing of it was "
                "painted; check the object id"
            )
        yield Prompt(object_id, frame, mask=mask)


def _holds(labels: RevisedLabels, object_id: int) -> bool:
    return any((labels[frame] == object_id).any() for frame in range(len(labels)))


def _most_steps(places: Sequence[Place], prompts: PromptSet, frames: range) -> int:
    legs = [leg for place in places for leg in legs_around(prompts, *place, frames)]
    return len(places) + sum(len(leg.frames) for leg in legs)


def _revise(results: Iterable[FrameResult], labels: RevisedLabels) -> ObjectHistory:
    history = ObjectHistory()
    for result in results:
        labels[result.frame] = result.labels
        history.note(result)
    return history


def _save(
    job: CorrectJob, session: Session, labels: RevisedLabels, frames: range
) -> None:
    with open_sink(job.target, session, labels.dtype) as sink:
        for frame in range(len(labels)):
            sink.write(frame, labels[frame])
        sink.finish(describe(session, job.movie, frames, session.prompts))
