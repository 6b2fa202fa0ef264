"""Sequences with ground truth, and the objects that are tracked in them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_sam_decoder import Movie, open_movie
from napari_sam_decoder.errors import FormatError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["Clip", "Target", "choose_targets", "movie_path", "read"]

WHITE = 255
FEWEST_SLICES = 5
FEWEST_PIXELS = 50
PAST = 6
"""Slices beyond each end of an object that show whether it is called absent there."""
GRACE = 2
"""Those of them on which it need not be called absent yet."""
FEWEST_FRAMES = 3
"""Without the prompted and the last frame, fewer leave none to score."""


@dataclass(frozen=True, eq=False)
class Clip:
    """A movie or volume and its ground truth.

    Attributes
    ----------
    name : str
        Name of its folder.
    movie : Movie
    masks : (T, Y, X) array of int
        Object ids, 0 where there is none.
    """

    name: str
    movie: Movie
    masks: np.ndarray


@dataclass(frozen=True, eq=False)
class Target:
    """One object to track.

    Attributes
    ----------
    object_id : int
    start : int
        The frame on which it is prompted.
    frames : range
        From the first to the last one on which the truth has it.
    is_volume : bool
        Whether it is followed in both directions, and scored as in a volume.
    masks : (T, Y, X) array of int
        The truth of all objects.
    """

    object_id: int
    start: int
    frames: range
    is_volume: bool
    masks: np.ndarray

    @property
    def scored(self) -> tuple[int, ...]:
        """All frames but the prompted one, and in a movie but the last (as DAVIS)."""
        last = None if self.is_volume else self.frames[-1]
        return tuple(f for f in self.frames if f not in (self.start, last))

    @property
    def past(self) -> tuple[int, ...]:
        """Slices of a volume beyond the ends of the object, at most six at each."""
        if not self.is_volume:
            return ()
        first, stop = self.frames.start, self.frames.stop
        before = range(max(first - PAST, 0), first)
        return (*before, *range(stop, min(stop + PAST, len(self.masks))))

    def is_long_past(self, frame: int) -> bool:
        """Whether a frame is so far beyond an end that the object should be absent."""
        first, last = self.frames.start, self.frames[-1]
        return frame < first - GRACE or frame > last + GRACE

    @property
    def sweeps(self) -> tuple[range, range]:
        """The frames after the prompted one, and those before it from there back."""
        after = range(self.start + 1, self.frames.stop)
        return after, range(self.start - 1, self.frames.start - 1, -1)

    def truth(self, frame: int) -> np.ndarray:
        """(Y, X) bool: where the object is."""
        mask: np.ndarray = self.masks[frame] == self.object_id
        return mask


def read(folder: Path) -> Clip:
    """Read a sequence and its truth.

    Parameters
    ----------
    folder : Path
        With ``image.tif`` and ``masks.tif``, or with the folders ``frames`` and
        ``masks`` of pictures in matching order.

    Raises
    ------
    FormatError
        If a part cannot be read, or the parts do not fit each other.
    """
    path = movie_path(folder)
    source = open_movie(path)
    movie = Movie(source.data, axes=source.axes)
    truth = open_movie(folder / f"masks{path.suffix}")
    masks = _as_ids(np.asarray(truth.data[:]), is_colour="C" in (truth.axes or ""))
    if masks.shape != (len(movie), *movie.frame_shape):
        raise FormatError(
            f"the masks in {folder} have shape {masks.shape}, but the movie has "
            f"{len(movie)} frames of {movie.frame_shape}; give each frame one mask of "
            "its size"
        )
    return Clip(folder.resolve().name, movie, masks)


def movie_path(folder: Path) -> Path:
    """Return the file or folder with the frames of a sequence."""
    whole = folder / "image.tif"
    return whole if whole.exists() else folder / "frames"


def choose_targets(
    masks: np.ndarray, start: str, count: int | None = None
) -> list[Target]:
    """Choose the objects to track, and their first frames.

    Parameters
    ----------
    masks : (T, Y, X) array of int
        Object ids.
    start : {"first", "largest"}
        Prompt each object on its first frame, as in a movie, or where it is largest,
        as in a volume.
    count : int, optional
        How many, all by default. In a movie those that are largest on the first
        frame with any object, then those that come later; in a volume the largest as
        a whole.

    Returns
    -------
    list of Target
        Without objects that are in a movie for fewer than three frames, or in a
        volume on fewer than five slices or on none with 50 pixels.
    """
    areas = _areas(masks)
    if start == "largest":
        targets = [
            _target(masks, object_id, int(area.argmax()), area, is_volume=True)
            for object_id, area in areas.items()
            if np.count_nonzero(area) >= FEWEST_SLICES and area.max() >= FEWEST_PIXELS
        ]
        targets.sort(key=lambda target: -areas[target.object_id].sum())
    else:
        first = min((_life(area).start for area in areas.values()), default=0)
        targets = [
            _target(masks, object_id, _life(area).start, area, is_volume=False)
            for object_id, area in areas.items()
            if len(_life(area)) >= FEWEST_FRAMES
        ]
        targets.sort(key=lambda t: (-areas[t.object_id][first], t.start))
    return targets[:count]


def _target(
    masks: np.ndarray, object_id: int, start: int, area: np.ndarray, *, is_volume: bool
) -> Target:
    return Target(object_id, start, _life(area), is_volume, masks)


def _life(area: np.ndarray) -> range:
    present = np.flatnonzero(area)
    return range(int(present[0]), int(present[-1]) + 1)


def _areas(masks: np.ndarray) -> dict[int, np.ndarray]:
    """Pixels of each object on each frame."""
    areas: dict[int, np.ndarray] = {}
    for frame, mask in enumerate(masks):
        ids, counts = np.unique(mask[mask > 0], return_counts=True)
        for object_id, count in zip(ids.tolist(), counts, strict=True):
            areas.setdefault(object_id, np.zeros(len(masks), int))[frame] = count
    return dict(sorted(areas.items()))


def _as_ids(masks: np.ndarray, *, is_colour: bool) -> np.ndarray:
    if is_colour:
        masks = np.stack(list(_numbered_colours(masks)))
    stack = masks[np.newaxis] if masks.ndim == 2 else masks
    if stack.max() == WHITE and not (stack == 1).any():
        stack = np.where(stack == WHITE, 1, stack)
    return stack


def _numbered_colours(masks: np.ndarray) -> Iterator[np.ndarray]:
    """Give each colour a number, black 0: pictures with a palette come in colour."""
    weights = np.array([1 << 16, 1 << 8, 1])
    colours = [np.unique(mask[..., :3] @ weights) for mask in masks]
    known = np.unique(np.concatenate([[0], *colours]))
    for mask in masks:
        yield np.searchsorted(known, mask[..., :3] @ weights)
