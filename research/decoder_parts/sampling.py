"""Which objects are clicked on, and how decoders score."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from tracking_parts.data import read

from decoder_parts.click_scores import score_clicks
from decoder_parts.compared_heads import EncodedPicture

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tracking_parts.data import Clip

    from decoder_parts.click_scores import ClickScores
    from decoder_parts.compared_heads import ComparedHead
    from napari_sam_decoder.model.sam import Sam

__all__ = ["Sampling", "read", "score_all"]

FEWEST_PIXELS = 100


@dataclass(frozen=True)
class Sampling:
    """Which frames and objects of each sequence are used.

    Attributes
    ----------
    frames : int
        Number of frames, evenly spread.
    objects : int
        The number of largest objects on each.
    """

    frames: int
    objects: int


def score_all(
    heads: Mapping[str, ComparedHead], sam: Sam, clip: Clip, sampling: Sampling
) -> dict[str, list[ClickScores]]:
    """Score decoders on the same objects of a sequence; by their names."""
    answers: dict[str, list[ClickScores]] = {name: [] for name in heads}
    for view, truth in _objects(sam, clip, sampling):
        for name, head in heads.items():
            answers[name].append(score_clicks(head, view, truth))
    return answers


def _objects(
    sam: Sam, clip: Clip, sampling: Sampling
) -> Iterator[tuple[EncodedPicture, np.ndarray]]:
    """Evenly spread frames, and the largest objects on each."""
    present = np.flatnonzero(clip.masks.any(axis=(1, 2)))
    chosen = np.linspace(0, len(present) - 1, sampling.frames + 2)[1:-1].round()
    for frame in dict.fromkeys(int(present[int(index)]) for index in chosen):
        masks = clip.masks[frame]
        ids, areas = np.unique(masks[masks > 0], return_counts=True)
        largest = ids[np.argsort(-areas)][: sampling.objects]
        picture = clip.movie.as_rgb(clip.movie.raw(frame))
        view = EncodedPicture(picture, sam.encode(picture))
        for object_id in largest:
            truth = masks == object_id
            if np.count_nonzero(truth) >= FEWEST_PIXELS:
                yield view, truth
