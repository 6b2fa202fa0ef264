"""Embed a movie in a file ahead of time."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from napari_sam_decoder.jobs.inputs import MovieOptions, require_job
from napari_sam_decoder.jobs.outputs import no_progress

if TYPE_CHECKING:
    from napari_sam_decoder.jobs.outputs import Progress
    from napari_sam_decoder.model.sam import Sam
    from napari_sam_decoder.session import Session

__all__ = ["embed_file", "embed_frames"]


def embed_file(
    movie: MovieOptions, model: Sam | None = None, progress: Progress = no_progress
) -> Counter[bool]:
    """Fill the cache of a movie. Frames that it already has are checked and kept.

    Parameters
    ----------
    movie : MovieOptions
        The movie, its frames to embed, and its cache; or one at each position.
    model : Sam, optional
        From `load_sam`; by default the bundled model.
    progress : Progress, optional
        Gets one step per frame.

    Returns
    -------
    Counter of bool
        Number of frames that were in the cache (True) or were computed (False).

    Raises
    ------
    SamDecoderError
        If the movie or the cache cannot be used.
    """
    require_job(movie, MovieOptions)
    counts: Counter[bool] = Counter()
    for one in movie.positions():
        session, frames = one.open(model)
        with session:
            counts += embed_frames(session, frames, progress)
            model = session.model
    return counts


def embed_frames(session: Session, frames: range, progress: Progress) -> Counter[bool]:
    """Embed frames of a session, and count those that were cached or not."""
    steps = progress(session.embed(frames), total=len(frames), what="embedding")
    return Counter(step.was_cached for step in steps)
