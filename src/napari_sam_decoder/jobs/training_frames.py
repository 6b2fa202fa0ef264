"""The frames to train on: those on which a person has confirmed outlines."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from napari_sam_decoder.errors import LabelsError, OptionError
from napari_sam_decoder.formats import open_labels
from napari_sam_decoder.jobs.provenance import Provenance
from napari_sam_decoder.wording import counted, listed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from napari_sam_decoder.frames import ArrayLike, Movie
    from napari_sam_decoder.training.examples import LabelledPicture

__all__ = ["TrainingFrames", "find_training_frames"]


@dataclass(frozen=True, eq=False)
class TrainingFrames:
    """Frames of a movie, with the objects whose outlines are correct on each.

    Attributes
    ----------
    movie : Movie
    labels : (T, Y, X) array-like of int, or mapping of int to (Y, X) array of int
        May be wrong for other objects and on other frames.
    objects : mapping of int to tuple of int
        Ids of the objects by frame. Each object has pixels there.
    """

    movie: Movie
    labels: ArrayLike | Mapping[int, np.ndarray]
    objects: Mapping[int, tuple[int, ...]]

    def split(self) -> tuple[TrainingFrames, TrainingFrames]:
        """Set the middle one of two or more frames apart; it comes second."""
        frames = sorted(self.objects)
        apart = frames[len(frames) // 2]
        parts = [one for one in frames if one != apart], [apart]
        rest, held_out = (
            replace(self, objects={frame: self.objects[frame] for frame in part})
            for part in parts
        )
        return rest, held_out

    def read(self, frame: int) -> LabelledPicture:
        """Read a frame, with the labels of its correct objects only."""
        from napari_sam_decoder.training.examples import LabelledPicture

        labels = np.asarray(self.labels[frame])
        is_fixed = np.isin(labels, self.objects[frame])
        return LabelledPicture(self.movie.rgb(frame), np.where(is_fixed, labels, 0))

    @property
    def masks(self) -> int:
        """Number of correct outlines, over all frames."""
        return sum(len(found) for found in self.objects.values())

    def digest(self) -> str:
        """SHA-256 of all these pictures and outlines."""
        digest = hashlib.sha256()
        for frame in self.objects:
            labelled = self.read(frame)
            digest.update(labelled.picture.tobytes())
            digest.update(labelled.labels.astype("<i8").tobytes())
        return digest.hexdigest()

    def __repr__(self) -> str:
        return f"TrainingFrames({self})"

    def __str__(self) -> str:
        ids = {object_id for found in self.objects.values() for object_id in found}
        return (
            f"{listed('frame', self.objects)}, {counted(len(ids), 'object')}, "
            f"{counted(self.masks, 'outline')}"
        )


def find_training_frames(
    path: Path, movie: Movie, frames: range, fixed: Sequence[int] = ()
) -> TrainingFrames:
    """Find the frames on which labels are correct.

    Parameters
    ----------
    path : Path
        The labels.
    movie : Movie
        The movie that they belong to.
    frames : range
        Other frames are left out.
    fixed : sequence of int
        Frames on which all objects are correct. If empty, each object is correct on
        the frames where it was prompted, painted or corrected, according to the
        provenance of the labels.

    Returns
    -------
    TrainingFrames
        With at least one object.

    Raises
    ------
    SamDecoderError
        If the labels cannot be read, do not fit the movie, or have no such frame.
    """
    labels = open_labels(path, (len(movie), *movie.frame_shape))
    if fixed:
        objects = _all_on(fixed, frames, labels, path)
    else:
        objects = _prompted(frames, labels, path)
    return TrainingFrames(movie, labels, objects)


def _all_on(
    fixed: Sequence[int], frames: range, labels: ArrayLike, path: Path
) -> dict[int, tuple[int, ...]]:
    objects: dict[int, tuple[int, ...]] = {}
    for frame in sorted(set(fixed)):
        if frame not in frames:
            raise OptionError(
                f"frame {frame} is not among the frames {frames.start}:{frames.stop}; "
                "give other frames with --fixed"
            )
        objects[frame] = _present(labels[frame])
        if not objects[frame]:
            raise LabelsError(
                f"{path} has no object on frame {frame}, so training cannot use this "
                "frame; leave it out of --fixed"
            )
    return objects


def _prompted(
    frames: range, labels: ArrayLike, path: Path
) -> dict[int, tuple[int, ...]]:
    wanted: dict[int, set[int]] = {}
    for prompt in Provenance.read_if_noted(path).prompts:
        if prompt.frame in frames:
            wanted.setdefault(prompt.frame, set()).add(prompt.object_id)
    objects = {
        frame: tuple(sorted(wanted[frame].intersection(_present(labels[frame]))))
        for frame in sorted(wanted)
    }
    objects = {frame: found for frame, found in objects.items() if found}
    if not objects:
        raise LabelsError(
            f"{path} does not say on which frames its objects are correct; list frames "
            "on which all of them are, as in --fixed 3,17,40"
        )
    return objects


def _present(labels: np.ndarray) -> tuple[int, ...]:
    ids = np.unique(labels)
    return tuple(ids[ids != 0].tolist())
