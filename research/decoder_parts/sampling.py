"""Which objects are asked for, and what is answered."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from tracking_parts.data import read

from decoder_parts.heads import View
from decoder_parts.interview import interview

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tracking_parts.data import Clip

    from decoder_parts.heads import Head
    from decoder_parts.interview import Answer
    from napari_sam_decoder.model.sam import Sam

__all__ = ["Sampling", "ask_all", "read"]

FEWEST_PIXELS = 100


@dataclass(frozen=True)
class Sampling:
    """How much of each sequence is asked for.

    Attributes
    ----------
    frames : int
        Evenly spread.
    objects : int
        The largest ones on each.
    """

    frames: int
    objects: int


def ask_all(
    heads: Mapping[str, Head], sam: Sam, clip: Clip, sampling: Sampling
) -> dict[str, list[Answer]]:
    """Ask decoders for the same objects of a sequence; by their names."""
    answers: dict[str, list[Answer]] = {name: [] for name in heads}
    for view, truth in _objects(sam, clip, sampling):
        for name, head in heads.items():
            answers[name].append(interview(head, view, truth))
    return answers


def _objects(
    sam: Sam, clip: Clip, sampling: Sampling
) -> Iterator[tuple[View, np.ndarray]]:
    """Frames from one to the other end, and the largest objects on each."""
    present = np.flatnonzero(clip.masks.any(axis=(1, 2)))
    chosen = np.linspace(0, len(present) - 1, sampling.frames + 2)[1:-1].round()
    for frame in dict.fromkeys(int(present[int(index)]) for index in chosen):
        masks = clip.masks[frame]
        ids, areas = np.unique(masks[masks > 0], return_counts=True)
        largest = ids[np.argsort(-areas)][: sampling.objects]
        picture = clip.movie.as_rgb(clip.movie.raw(frame))
        view = View(picture, sam.encode(picture))
        for object_id in largest:
            truth = masks == object_id
            if np.count_nonzero(truth) >= FEWEST_PIXELS:
                yield view, truth
