"""Ways to find objects and follow them through a movie, without any click.

``ours`` is ``segment --auto``: found on a frame every so often, and carried from
there. ``otsu`` and ``grid`` find objects on each frame anew, and join them by their
overlap, as micro-sam's automatic tracking is described. What differs: the links of two
frames are those of the largest overlap in all, whereas micro-sam weighs those of all
frames in one program; gaps are not closed, and nothing divides.
"""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import numpy as np
from scipy.optimize import linear_sum_assignment
from tifffile import imread

from automatic_parts.methods import METHODS
from napari_sam_decoder import PromptSet, Session
from napari_sam_decoder.jobs import MovieOptions, SegmentJob, segment_file

if TYPE_CHECKING:
    from collections.abc import Iterable

    from napari_sam_decoder import Movie
    from napari_sam_decoder.model.sam import Sam

__all__ = ["carry", "join_by_overlap", "track_by_overlap"]


def carry(source: Path, sam: Sam, frames: int, every: int) -> np.ndarray:
    """Return (T, Y, X) labels of the first frames of a file, as the command does."""
    looked_at = tuple(range(0, frames, every))
    with TemporaryDirectory() as folder:
        movie = MovieOptions(source, cache=None, stop=frames)
        output = Path(folder, "labels.tif")
        segment_file(SegmentJob(movie, PromptSet(), output, auto=looked_at), sam)
        labels: np.ndarray = imread(output)
        return labels[:frames]


def track_by_overlap(movie: Movie, sam: Sam, frames: int, method: str) -> np.ndarray:
    """Return (T, Y, X) labels of objects that are found on each frame anew."""
    with Session(movie, model=sam, cache=None) as session:
        return join_by_overlap(METHODS[method](session, one) for one in range(frames))


def join_by_overlap(frames: Iterable[np.ndarray]) -> np.ndarray:
    """Give objects that overlap from one frame to the next the same id.

    Parameters
    ----------
    frames : iterable of (Y, X) array of int
        Labels of each frame, whose ids mean nothing.

    Returns
    -------
    (T, Y, X) array of int
        An object goes on as the one of the next frame that it overlaps, as long as
        the overlaps of all are as large as possible.
    """
    joined: list[np.ndarray] = []
    highest = 0
    for frame in frames:
        ids = np.unique(frame[frame > 0])
        new = np.arange(highest + 1, highest + 1 + len(ids))
        highest += len(ids)
        if joined:
            _continue(joined[-1], frame, ids, new)
        renamed = np.zeros(int(frame.max(initial=0)) + 1, int)
        renamed[ids] = new
        joined.append(renamed[frame])
    return np.stack(joined)


def _continue(
    before: np.ndarray, frame: np.ndarray, ids: np.ndarray, new: np.ndarray
) -> None:
    """Let objects of a frame keep the ids of those before that they overlap."""
    known = np.unique(before[before > 0])
    shares = np.zeros((len(known), len(ids)))
    for row, one in enumerate(known):
        inside = frame[before == one]
        shares[row] = [np.count_nonzero(inside == other) for other in ids]
        shares[row] /= len(inside)
    for row, column in zip(*linear_sum_assignment(-shares), strict=True):
        if shares[row, column] > 0:
            new[column] = known[row]
