"""One object on its way from frame to frame: what is expected and was accepted."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from napari_sam_decoder.motion import Motion, mask_centre, shift_logits, warp_logits
from napari_sam_decoder.propagation.prior import (
    Place,
    claimed,
    recall_anywhere,
    strongest_part,
)
from napari_sam_decoder.selection import LARGEST_SHARE, Expectation

if TYPE_CHECKING:
    from napari_sam_decoder.memory import Memory
    from napari_sam_decoder.propagation.grid import Grid
    from napari_sam_decoder.selection import Choice
    from napari_sam_decoder.views import View

__all__ = ["LARGEST_GROWTH", "Track"]

LARGEST_GROWTH = 2.0
SIZE_ADAPTATION = 0.2
"""Share of a frame's change in size, on a logarithmic scale, that is believed."""

FIRST_STEADINESS = 0.8
STEADINESS_SMOOTHING = 0.5

MISMATCH = 0.4
"""Of the optical flow, in standard deviations of the picture, at which the outline may
be twice as wrong."""

SMALLEST_REACH = 1.0
UNSTEADY_REACH = 0.3
"""How far the outline may be from where it moved to: low-res pixels for an object that
keeps its shape, and on top of that, for one that has nothing in common with the last
mask, this share of its side (root of its area)."""

DOUBTING = 0.1
"""Share of the newest frame in the confidence."""

REMEMBERED_FROM = 0.5
"""A mask with less confidence is accepted, but does not enter the memory."""


@dataclass(frozen=True, eq=False)
class Track:
    """What is carried from one frame to the next.

    Attributes
    ----------
    logits : (h, w) array of float32
        Unthresholded low-res logits of the last accepted mask.
    memory : Memory
        What the object looks like.
    motion : Motion
        In low-res pixels.
    size : float
        Area in low-res pixels, following that of the masks slowly, so that a mask
        which loses a little every frame is noticed.
    largest : float
        Area in low-res pixels beyond which a mask is no longer the object: a large
        part of the picture, and far more than the object had at its prompt.
    trust : float
        0..1: how sure the mask is that the track started from. No later frame can be
        surer of the object than that.
    confidence : float
        0..1: how well the object has been held so far, see `ObjectResult`.
    steadiness : float
        0..1, usual IoU of one mask with the next: how much the last one tells.
    missed : int
        Frames since the last accepted mask.
    """

    logits: np.ndarray
    memory: Memory
    motion: Motion
    size: float
    largest: float
    trust: float = 1.0
    confidence: float = 1.0
    steadiness: float = FIRST_STEADINESS
    missed: int = 0

    @classmethod
    def start(
        cls, logits: np.ndarray, grid: Grid, memory: Memory, trust: float = 1.0
    ) -> Track | None:
        """Begin at a prompted frame; None if its mask is empty."""
        mask = grid.cut(logits) > 0
        if not mask.any():
            return None
        size = float(mask.sum())
        largest = max(LARGEST_SHARE * mask.size, LARGEST_GROWTH * size)
        motion = Motion(mask_centre(mask))
        return cls(logits, memory, motion, size, largest, trust, confidence=trust)

    def expect(
        self,
        view: View,
        moved: np.ndarray,
        taken: np.ndarray,
        mismatch: np.ndarray,
    ) -> Expectation:
        """Say where the object should be on the next frame, and how large.

        Parameters
        ----------
        view : View
            Of the next frame.
        moved : (rows, columns) array
            The last mask's logits, moved on.
        taken : (rows, columns) array
            Logits of the other objects, moved on. They count only where this object
            was not before, so that one object may lie inside another.
        mismatch : (rows, columns) array
            Of the optical flow: where it is large, the moved mask says little.
        """
        reach = self._reach * (1 + (mismatch / MISMATCH) ** 2)
        # What the border of the picture cuts off will not show elsewhere.
        is_cut_off = _touches_border(moved > 0)
        visible = float(np.count_nonzero(moved > 0)) if is_cut_off else self.size
        place = Place.of(moved, reach, visible)
        recalled = place.recall(self.memory, view)
        return Expectation(
            moved=moved,
            prior=place.logits + recalled - claimed(taken, moved),
            size=None if is_cut_off else self.size,
            largest=self.largest,
        )

    def expect_anywhere(self, view: View, taken: np.ndarray) -> Expectation:
        """Say where an object that was lost long ago may have come back."""
        recalled = recall_anywhere(self.memory, view)
        found = strongest_part(recalled - claimed(taken, np.zeros_like(taken)))
        size = None if _touches_border(found > 0) else self.size
        return Expectation(found, found, size, self.largest)

    def accept(
        self, choice: Choice, grid: Grid, view: View, confidence: float
    ) -> Track:
        """Go on with the mask of this frame."""
        mask = grid.cut(choice.logits) > 0
        motion = self.motion.seen_at(mask_centre(mask), frames=self.missed + 1)
        area = float(mask.sum())
        size = self.size * (area / self.size) ** SIZE_ADAPTATION
        if _touches_border(mask):
            size = max(self.size, area)
        memory = self.memory
        if min(choice.confidence, self.trust) >= REMEMBERED_FROM:
            memory = memory.seen(view, choice.logits, choice.confidence)
        return replace(
            self,
            logits=choice.logits,
            memory=memory,
            motion=motion,
            size=size,
            steadiness=self._steadied(choice.temporal_iou),
            missed=0,
            confidence=confidence,
        )

    def miss(self) -> Track:
        """Go on without a mask of this frame."""
        confidence = self.assured(0.0)
        return replace(self, missed=self.missed + 1, confidence=confidence)

    def assured(self, evidence: float) -> float:
        """Return the confidence after a frame with so much evidence, in 0..1."""
        return (1 - DOUBTING) * self.confidence + DOUBTING * evidence

    def moved(self, grid: Grid, displacement: np.ndarray) -> np.ndarray:
        """Return the last mask's (rows, columns) logits, moved on to the next frame.

        Parameters
        ----------
        grid : Grid
            How low-res pixels lie over the frame.
        displacement : (2, rows, columns) array
            Of the optical flow from the frame before. Over an object that is hidden
            it says nothing; that one is supposed to go on as it went.
        """
        visible = grid.cut(self.logits)
        if not self.missed:
            return warp_logits(visible, displacement)
        rows, columns = self.motion.velocity
        steps = self.missed + 1
        return shift_logits(visible, (rows * steps, columns * steps))

    @property
    def _reach(self) -> float:
        """How far the outline may be from where the mask has moved to."""
        unsteadiness = (1 - self.steadiness) * float(np.sqrt(self.size))
        return (SMALLEST_REACH + UNSTEADY_REACH * unsteadiness) * (self.missed + 1)

    def _steadied(self, temporal_iou: float) -> float:
        newest = STEADINESS_SMOOTHING
        return (1 - newest) * self.steadiness + newest * temporal_iou


def _touches_border(mask: np.ndarray) -> bool:
    rim = (mask[0], mask[-1], mask[:, 0], mask[:, -1])
    return any(bool(side.any()) for side in rim)
