"""Quality of single-frame masks after a few clicks, as picked by the program."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from tracking_parts.prompting import inmost, wrong_place

from napari_sam_decoder import Prompt, Session
from napari_sam_decoder.metrics import mask_iou

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tracking_parts.data import Clip

__all__ = ["GOOD", "MOST_CLICKS", "Clicked", "click_on_all"]

GOOD = 0.8
MOST_CLICKS = 6
FEWEST_PIXELS = 30


@dataclass(frozen=True)
class Clicked:
    """What clicks on one object of one frame have brought.

    Attributes
    ----------
    ious : tuple of float
        After one click, two, and so on; no more once it was `GOOD` after the third.
    """

    ious: tuple[float, ...]

    def after(self, clicks: int) -> float:
        """IoU after so many clicks, or after the last one that was made."""
        return self.ious[min(clicks, len(self.ious)) - 1]

    @property
    def needed(self) -> int:
        """Clicks until the mask was `GOOD`; one more than `MOST_CLICKS` if never."""
        good = [number for number, iou in enumerate(self.ious, 1) if iou >= GOOD]
        return good[0] if good else MOST_CLICKS + 1


def click_on_all(
    session: Session, clip: Clip, frames: Sequence[int], most: int | None
) -> Iterator[Clicked]:
    """Click on each object of some frames, first inmost, then on what is most wrong.

    Parameters
    ----------
    session : Session
        Of the clip.
    clip : Clip
        Knows the truth.
    frames : sequence of int
        Which ones.
    most : int, optional
        So many of the largest objects of each frame, all by default.
    """
    for frame in frames:
        ids, areas = np.unique(clip.masks[frame], return_counts=True)
        seen = [
            int(ids[place])
            for place in np.argsort(-areas, kind="stable")
            if ids[place] and areas[place] >= FEWEST_PIXELS
        ]
        for object_id in seen[:most]:
            yield _click_on(session, frame, clip.masks[frame] == object_id)


def _click_on(session: Session, frame: int, truth: np.ndarray) -> Clicked:
    prompt = Prompt(1, frame, [inmost(truth)])
    ious: list[float] = []
    while True:
        found = session.preview(prompt).chosen.mask
        ious.append(mask_iou(found, truth))
        is_good = max(ious) >= GOOD and len(ious) >= 3
        click = wrong_place(truth, found)
        if click is None or is_good or len(ious) == MOST_CLICKS:
            return Clicked(tuple(ious))
        place, is_missing = click
        prompt = prompt.merge(Prompt(1, frame, [place], signs=[is_missing]))
