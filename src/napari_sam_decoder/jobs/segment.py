"""From a movie and prompts in files to labels in a file."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_sam_decoder.errors import FormatError, LabelsError
from napari_sam_decoder.formats import LabelSink, open_labels, require_target
from napari_sam_decoder.jobs.embed import embed_frames
from napari_sam_decoder.jobs.history import ObjectHistory
from napari_sam_decoder.jobs.outputs import require_apart, require_folder, write_text
from napari_sam_decoder.labels import label_dtype

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from napari_sam_decoder.frames import ArrayLike
    from napari_sam_decoder.jobs.movie import MovieOptions
    from napari_sam_decoder.jobs.progress import Progress
    from napari_sam_decoder.model.sam import Sam
    from napari_sam_decoder.prompts import PromptSet
    from napari_sam_decoder.propagation import FrameResult
    from napari_sam_decoder.session import Session

__all__ = ["SegmentJob", "segment_file"]


@dataclass(frozen=True)
class SegmentJob:
    """What to segment and where the labels go.

    Attributes
    ----------
    movie : MovieOptions
    prompts : PromptSet
    output : Path
        ``.tif`` or ``.zarr``. Labels that are there already stay.
    replace : bool
        Whether to begin anew instead.
    report : Path, optional
        ``.csv`` for the verdict and confidence of every object and frame.
    sources : tuple of Path
        Files that the prompts came from; like the movie they are never overwritten.
    """

    movie: MovieOptions
    prompts: PromptSet
    output: Path
    replace: bool = False
    report: Path | None = None
    sources: tuple[Path, ...] = ()

    def check(self) -> None:
        """Refuse outputs that cannot be written, or would destroy something.

        Raises
        ------
        OptionError, FormatError
            If so.
        """
        require_target(self.output.absolute())
        outputs = [self.output]
        if self.report is not None:
            require_folder(self.report)
            outputs.append(self.report)
        require_apart(outputs, [self.movie.path, *self.sources])


def segment_file(job: SegmentJob, model: Sam, progress: Progress) -> ObjectHistory:
    """Segment a movie from prompts and write the labels of all its frames.

    Parameters
    ----------
    job : SegmentJob
        What to segment and where the labels go.
    model : Sam
        As `load_sam` gives it.
    progress : Progress
        Shows embedding, then propagation, one step per frame each.

    Returns
    -------
    ObjectHistory

    Raises
    ------
    SamDecoderError
        If anything does not fit. The output then is as it was before.
    """
    job.check()
    session, frames = job.movie.open(model)
    with session:
        for prompt in job.prompts:
            session.add_prompt(prompt)
        existing = _existing_labels(job, session)
        # Propagation is lazy but checks the prompts now, before any long work.
        results = session.propagate(frames, labels=existing)
        with _open_sink(job, session, existing) as sink:
            embed_frames(session, frames, progress)
            _copy(existing, sink)
            visits = session.plan(frames).visits
            history = _write(progress(results, total=visits, what="propagating"), sink)
            sink.finish(_provenance(job, session, frames))
    if job.report is not None:
        write_text(job.report, history.as_csv())
    return history


def _write(results: Iterable[FrameResult], sink: LabelSink) -> ObjectHistory:
    """Write each result as it comes; a later one for the same frame replaces it."""
    history = ObjectHistory()
    for result in results:
        sink.write(result.frame, result.labels)
        history.note(result)
    return history


def _existing_labels(job: SegmentJob, session: Session) -> ArrayLike | None:
    if job.replace or not job.output.exists():
        return None
    labels = _open_existing(job.output)
    if tuple(labels.shape) != session.labels_shape:
        raise LabelsError(
            f"{job.output} holds labels of shape {tuple(labels.shape)}, but this movie "
            f"needs {session.labels_shape}; choose another output, or --replace"
        )
    frames = range(labels.shape[0])
    taken = {int(value) for frame in frames for value in np.unique(labels[frame])}
    clashing = sorted(taken & set(session.prompts.object_ids))
    if clashing:
        raise LabelsError(
            f"{job.output} already holds object {', '.join(map(str, clashing))}; use "
            "another object_id to add to it, --replace to begin anew, or another output"
        )
    return labels


def _open_existing(path: Path) -> ArrayLike:
    try:
        labels: ArrayLike = open_labels(path)
    except FormatError as error:
        raise LabelsError(
            f"{path} exists but cannot be added to ({error}); choose another output, "
            "or --replace"
        ) from error
    return labels


def _open_sink(
    job: SegmentJob, session: Session, existing: ArrayLike | None
) -> LabelSink:
    dtype = label_dtype(max(session.prompts.object_ids))
    if existing is not None:
        dtype = np.promote_types(dtype, existing.dtype)
    axes = session.movie.axes.removesuffix("C")
    return LabelSink(job.output, session.labels_shape, dtype, axes=axes.rjust(3, "T"))


def _copy(existing: ArrayLike | None, sink: LabelSink) -> None:
    if existing is not None:
        for frame in range(existing.shape[0]):
            sink.write(frame, existing[frame])


def _provenance(job: SegmentJob, session: Session, frames: range) -> dict[str, Any]:
    contrast = session.movie.contrast
    return {
        "software": "napari-sam-decoder",
        "version": version("napari-sam-decoder"),
        "model": session.model.identity,
        "movie": job.movie.path.name,
        "axes": session.movie.axes,
        "contrast": [contrast.low, contrast.high],
        "frames": [frames.start, frames.stop],
        "settings": asdict(session.settings),
        "prompts": [asdict(prompt) for prompt in session.prompts],
    }
