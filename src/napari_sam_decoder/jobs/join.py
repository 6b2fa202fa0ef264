"""Join labels of different objects of one movie, as several processes made them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_sam_decoder.errors import LabelsError, OptionError
from napari_sam_decoder.formats import (
    LabelSink,
    open_labels,
    read_provenance,
    require_target,
)
from napari_sam_decoder.jobs.inputs import require_job, set_paths
from napari_sam_decoder.jobs.outputs import (
    no_progress,
    require_apart,
    require_unused,
    sole_writer,
)
from napari_sam_decoder.labels import label_dtype

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from napari_sam_decoder.frames import ArrayLike
    from napari_sam_decoder.jobs.outputs import Progress

__all__ = ["JoinJob", "join_labels"]


@dataclass(frozen=True)
class JoinJob:
    """Which labels to join, and where the result goes.

    Attributes
    ----------
    parts : tuple of Path
        Labels of one movie, each with objects of its own. Where objects overlap, those
        of the first file count.
    output : Path
        ``.tif`` or ``.zarr``.
    replace : bool
        Whether it may exist.
    """

    parts: tuple[Path, ...]
    output: Path
    replace: bool = False

    def __post_init__(self) -> None:
        set_paths(self, "output", several=("parts",))

    def check(self) -> None:
        """Refuse an output that cannot be written, or would destroy a file.

        Raises
        ------
        OptionError, FormatError
            If it is refused, or there is nothing to join.
        """
        if not self.parts:
            raise OptionError("there are no labels to join; name at least one file")
        require_target(self.output.absolute())
        require_apart([self.output], self.parts)
        if not self.replace:
            require_unused(self.output)


def join_labels(job: JoinJob, progress: Progress = no_progress) -> int:
    """Join labels of different objects of one movie.

    Parameters
    ----------
    job : JoinJob
        Which labels, and where they go.
    progress : Progress, optional
        Gets one step per frame.

    Returns
    -------
    int
        How many objects there are.

    Raises
    ------
    LabelsError
        If the files are of different movies, or have an object in common.
    SamDecoderError
        If a file cannot be read or written. The output is then unchanged.
    """
    require_job(job, JoinJob)
    job.check()
    with sole_writer(job.output):
        return _join(job, progress)


def _join(job: JoinJob, progress: Progress) -> int:
    parts = [open_labels(path) for path in job.parts]
    shape = _common_shape(job.parts, parts)
    ids = [_ids(labels) for labels in parts]
    _require_different(job.parts, ids)
    known = set().union(*ids)
    notes = [read_provenance(path) for path in job.parts]
    joined_notes = _joined_notes(job.parts, notes)
    axes = str(notes[0].get("axes", "TYX")).removesuffix("C").rjust(3, "T")
    with LabelSink(job.output, shape, label_dtype(max(known, default=0)), axes) as sink:
        for frame in progress(range(shape[0]), total=shape[0], what="joining"):
            sink.write(frame, _joined(parts, frame))
        sink.finish(joined_notes)
    return len(known)


def _joined(parts: Sequence[ArrayLike], frame: int) -> np.ndarray:
    planes = [np.asarray(labels[frame]) for labels in parts]
    joined = planes[0].astype(np.result_type(*planes))
    for plane in planes[1:]:
        np.copyto(joined, plane, where=joined == 0)
    return joined


def _common_shape(
    paths: Sequence[Path], parts: Sequence[ArrayLike]
) -> tuple[int, int, int]:
    first: tuple[int, int, int] = tuple(map(int, parts[0].shape))  # type: ignore[assignment]
    for path, labels in zip(paths, parts, strict=True):
        if tuple(labels.shape) != first:
            raise LabelsError(
                f"{path} has shape {tuple(labels.shape)}, but {paths[0]} has {first}; "
                "join labels of one movie"
            )
    return first


def _ids(labels: ArrayLike) -> set[int]:
    frames = range(labels.shape[0])
    return {int(one) for frame in frames for one in np.unique(labels[frame])} - {0}


def _require_different(paths: Sequence[Path], ids: Sequence[set[int]]) -> None:
    owners: dict[int, Path] = {}
    for path, found in zip(paths, ids, strict=True):
        for one in sorted(found):
            if one in owners:
                raise LabelsError(
                    f"object {one} is in both {owners[one]} and {path}; each object "
                    "must be in one file only"
                )
            owners[one] = path


def _joined_notes(
    paths: Sequence[Path], notes: Sequence[dict[str, Any]]
) -> dict[str, Any]:
    """What the first was made from, with the prompts of all."""
    for path, note in zip(paths, notes, strict=True):
        if not isinstance(note.get("prompts", []), list):
            raise LabelsError(
                f"the prompts stored in {path} cannot be read; segment it again"
            )
    joined = dict(notes[0])
    for key in ("prompts", "background"):
        found = [one for note in notes for one in note.get(key, ())]
        if found:
            joined[key] = found
    objects = {
        key: one for note in notes for key, one in note.get("objects", {}).items()
    }
    if objects:
        joined["objects"] = objects
    return joined
