"""On which frames the outlines of which objects are known to be right."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_sam_decoder.errors import LabelsError, OptionError
from napari_sam_decoder.formats import open_labels
from napari_sam_decoder.jobs.provenance import Origin

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from napari_sam_decoder.frames import ArrayLike, Movie
    from napari_sam_decoder.training.labelled import LabelledPicture

__all__ = ["KnownFrames", "find_known"]


@dataclass(frozen=True, eq=False)
class KnownFrames:
    """Some frames of a movie, and the objects whose outlines are right there.

    Attributes
    ----------
    movie : Movie
    labels : (T, Y, X) array-like of int
        What they hold of other objects and on other frames may be wrong.
    objects : mapping of int to tuple of int
        Object ids by frame; each has pixels there.
    """

    movie: Movie
    labels: ArrayLike
    objects: Mapping[int, tuple[int, ...]]

    def read(self, frame: int) -> LabelledPicture:
        """Read a frame, and what is known of it."""
        from napari_sam_decoder.training.labelled import LabelledPicture

        labels = np.asarray(self.labels[frame])
        known = np.isin(labels, self.objects[frame])
        return LabelledPicture(self.movie.rgb(frame), np.where(known, labels, 0))

    @property
    def masks(self) -> int:
        """How many outlines are known in all."""
        return sum(len(found) for found in self.objects.values())

    def digest(self) -> str:
        """SHA-256 of all pictures and outlines."""
        seen = hashlib.sha256()
        for frame in self.objects:
            labelled = self.read(frame)
            seen.update(labelled.picture.tobytes())
            seen.update(labelled.labels.astype("<i8").tobytes())
        return seen.hexdigest()

    def __str__(self) -> str:
        ids = {object_id for found in self.objects.values() for object_id in found}
        return (
            f"frames {', '.join(map(str, self.objects))}, {len(ids)} objects, "
            f"{self.masks} outlines"
        )


def find_known(
    path: Path, movie: Movie, frames: range, fixed: Sequence[int] = ()
) -> KnownFrames:
    """Find out what is known to be right in labels.

    Parameters
    ----------
    path : Path
        Of the labels.
    movie : Movie
        What they are of.
    frames : range
        No others count.
    fixed : sequence of int
        Frames on which all objects are right. If there are none, each object is right
        on the frames where it was prompted, painted or corrected, as far as that is
        noted with the labels.

    Returns
    -------
    KnownFrames
        Of at least one object.

    Raises
    ------
    SamDecoderError
        If the labels cannot be read or do not fit, or nothing is known.
    """
    labels = open_labels(path, (len(movie), *movie.frame_shape))
    if fixed:
        objects = _all_on(fixed, frames, labels, path)
    else:
        objects = _prompted(frames, labels, path)
    return KnownFrames(movie, labels, objects)


def _all_on(
    fixed: Sequence[int], frames: range, labels: ArrayLike, path: Path
) -> dict[int, tuple[int, ...]]:
    objects: dict[int, tuple[int, ...]] = {}
    for frame in sorted(set(fixed)):
        if frame not in frames:
            raise OptionError(
                f"there is no frame {frame} in {frames.start}:{frames.stop}; name "
                "others with --fixed"
            )
        objects[frame] = _present(labels[frame])
        if not objects[frame]:
            raise LabelsError(
                f"{path} holds no object on frame {frame}, so there is nothing to be "
                "learned from it; leave it out of --fixed"
            )
    return objects


def _prompted(
    frames: range, labels: ArrayLike, path: Path
) -> dict[int, tuple[int, ...]]:
    wanted: dict[int, set[int]] = {}
    for prompt in Origin.as_far_as_noted(path).prompts:
        if prompt.frame in frames:
            wanted.setdefault(prompt.frame, set()).add(prompt.object_id)
    objects = {
        frame: tuple(sorted(wanted[frame].intersection(_present(labels[frame]))))
        for frame in sorted(wanted)
    }
    objects = {frame: found for frame, found in objects.items() if found}
    if not objects:
        raise LabelsError(
            f"{path} does not say where its objects are right; name the frames on "
            "which all of them are, as in --fixed 3,17,40"
        )
    return objects


def _present(labels: np.ndarray) -> tuple[int, ...]:
    ids = np.unique(labels)
    return tuple(ids[ids != 0].tolist())
