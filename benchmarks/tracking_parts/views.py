"""Volumes followed along all three of their axes, joined by a vote."""

from __future__ import annotations

from time import perf_counter
from typing import TYPE_CHECKING

import numpy as np

from napari_sam_decoder import Movie, Prompt, Session, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from napari_sam_decoder import FrameResult
    from tracking_parts.data import Target

__all__ = ["follow_across", "majority"]

ACROSS = (1, 2)
"""Rows and columns, the axes across which a volume was not followed first."""
MARGIN = 3
"""Slices looked at beyond each end that an object had in the first view."""


def majority(
    session: Session, targets: Sequence[Target], first: Mapping[int, FrameResult]
) -> tuple[dict[int, np.ndarray], float]:
    """Keep what at least two of the three views have of each object.

    Slices that a person has shown stay as they are.

    Parameters
    ----------
    session : Session
        On the volume, with grey slices.
    targets : sequence of Target
        Its objects.
    first : mapping of int to FrameResult
        What following along the slices has given.

    Returns
    -------
    masks : dict of int to (Z, Y, X) array of bool
        By object id.
    seconds : float
        That the other two views took, with their embeddings.
    """
    started = perf_counter()
    shape = len(session.movie), *session.movie.frame_shape
    masks = {one.object_id: np.zeros(shape, bool) for one in targets}
    is_sure = {one.object_id: np.zeros(shape[0], bool) for one in targets}
    for frame, result in first.items():
        for object_id, found in result.objects.items():
            masks[object_id][frame] = result.labels == object_id
            sure = (Verdict.SURE, Verdict.PROMPTED)
            is_sure[object_id][frame] = found.verdict in sure
    votes = {key: mask.astype(np.uint8) for key, mask in masks.items()}
    for axis in ACROSS:
        for key, mask in follow_across(session, axis, masks, is_sure).items():
            votes[key] += mask
    joined = {key: count >= 2 for key, count in votes.items()}
    for frame, result in first.items():
        for object_id, found in result.objects.items():
            if found.verdict is Verdict.PROMPTED:
                joined[object_id][frame] = masks[object_id][frame]
    return joined, perf_counter() - started


def follow_across(
    session: Session,
    axis: int,
    masks: Mapping[int, np.ndarray],
    is_sure: Mapping[int, np.ndarray],
) -> dict[int, np.ndarray]:
    """Follow objects along another axis, from the plane where most of each is sure.

    Parameters
    ----------
    session : Session
        On the volume.
    axis : int
        1 for its rows, 2 for its columns.
    masks : mapping of int to (Z, Y, X) array of bool
        The objects so far.
    is_sure : mapping of int to (Z,) array of bool
        The slices on which these are sure.

    Returns
    -------
    dict of int to (Z, Y, X) array of bool
        The objects as they are seen there.
    """
    movie = session.movie
    pixels = np.stack([movie.raw(frame) for frame in range(len(movie))])
    limits = movie.contrast.low, movie.contrast.high
    turned = Movie(np.moveaxis(pixels, axis, 0), axes="TYX", contrast=limits)
    found = {key: np.zeros(mask.shape, bool) for key, mask in masks.items()}
    planes = {key: np.moveaxis(mask, axis, 0) for key, mask in masks.items()}
    planes = {key: one for key, one in planes.items() if one.any()}
    if not planes:
        return found
    with Session(turned, model=session.model, cache=None) as across:
        for key, stack in planes.items():
            start = int(stack[:, is_sure[key]].sum((1, 2)).argmax())
            across.add_prompt(Prompt(key, start, mask=stack[start]))
        results = across.propagate(_extent(planes.values()), direction="both")
        for result in results:
            for key in planes:
                view = np.moveaxis(found[key], axis, 0)
                view[result.frame] = result.labels == key
    return found


def _extent(stacks: Iterable[np.ndarray]) -> range:
    """From the first to the last plane that has any object, and a few beyond."""
    there = np.flatnonzero(np.any([one.any((1, 2)) for one in stacks], axis=0))
    planes = len(next(iter(stacks)))
    return range(
        max(int(there[0]) - MARGIN, 0), min(int(there[-1]) + MARGIN + 1, planes)
    )
