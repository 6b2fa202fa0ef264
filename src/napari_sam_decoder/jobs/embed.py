"""Embed a movie ahead of time."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from napari_sam_decoder.jobs.inputs import MovieOptions
    from napari_sam_decoder.jobs.outputs import Progress
    from napari_sam_decoder.model.sam import Sam
    from napari_sam_decoder.session import Session

__all__ = ["embed_file", "embed_frames"]


def embed_file(options: MovieOptions, model: Sam, progress: Progress) -> Counter[bool]:
    """Fill the cache of a movie; what is there already is checked and kept.

    Parameters
    ----------
    options : MovieOptions
        Which movie, which frames, which cache.
    model : Sam
        As `load_sam` gives it.
    progress : Progress
        Shows one step per frame.

    Returns
    -------
    Counter of bool
        How many frames were in the cache (True) and how many were computed (False).

    Raises
    ------
    SamDecoderError
        If anything does not fit.
    """
    session, frames = options.open(model)
    with session:
        return embed_frames(session, frames, progress)


def embed_frames(session: Session, frames: range, progress: Progress) -> Counter[bool]:
    """Embed frames of a session; count by whether they were in the cache."""
    steps = progress(session.embed(frames), total=len(frames), what="embedding")
    return Counter(step.was_cached for step in steps)
