"""What has been said about each object on each frame, both ways joined."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from napari_sam_decoder.labels import compare_claims, resolve_overlaps
from napari_sam_decoder.metrics import mask_iou
from napari_sam_decoder.model.values import BACKGROUND_LOGIT, FrameLogits
from napari_sam_decoder.propagation.results import (
    FrameResult,
    ObjectResult,
    Reason,
    Verdict,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from napari_sam_decoder.labels import Claim
    from napari_sam_decoder.prompts import PaintedMask
    from napari_sam_decoder.propagation.context import Scene
    from napari_sam_decoder.propagation.plan import Itinerary
    from napari_sam_decoder.selection import Expectation

__all__ = ["Board", "Outcome", "PackedLogits", "full_size", "fuse", "smooth"]

LARGEST_SHARE_OF_THE_PAST = 0.5
UNLIKE, ALIKE = 0.5, 0.9
"""IoU with the moved mask at which the past has no say, and all that it may have."""
LOGIT_LIMIT = 6.0
"""Only pixels of which the decoder is less sure than this can change sides."""


def smooth(logits: np.ndarray, expectation: Expectation, amount: float) -> np.ndarray:
    """Average the logits with those of the frame before, moved along.

    Parameters
    ----------
    logits : (h, w) array of float32
        As decided on this frame.
    expectation : Expectation
        Holds the mask of the frame before, moved on by the object's motion.
    amount : float
        0..1; 0 changes nothing, 1 gives the past as much weight as the present,
        for an object that keeps its shape. Where the two masks differ much, the shape
        is changing and the past has less say.

    Returns
    -------
    (h, w) array of float32
        What is shown. The next frame still starts from what was decided, so that
        nothing is smeared along the movie.
    """
    rows, columns = expectation.moved.shape
    now = np.clip(logits[:rows, :columns], -LOGIT_LIMIT, LOGIT_LIMIT)
    before = np.clip(expectation.moved, -LOGIT_LIMIT, LOGIT_LIMIT)
    iou = mask_iou(now > 0, before > 0)
    alike = float(np.clip((iou - UNLIKE) / (ALIKE - UNLIKE), 0, 1))
    share = amount * alike * LARGEST_SHARE_OF_THE_PAST
    smoothed = logits.copy()
    smoothed[:rows, :columns] += share * (before - now)
    return smoothed


MARGIN = 3
AGREEING_IOU = 0.5


@dataclass(frozen=True, eq=False)
class PackedLogits:
    """Low-res logits cut to the object and halved: some KB instead of 256.

    Attributes
    ----------
    values : (h, w) array of float16
    origin : (row, column)
        Of the cut in the full grid.
    shape : (rows, columns)
        Of the full grid.
    """

    values: np.ndarray
    origin: tuple[int, int]
    shape: tuple[int, int]

    @classmethod
    def pack(cls, logits: np.ndarray) -> PackedLogits:
        """Cut to the positive logits and a margin that keeps the edge's slope."""
        rows, columns = np.nonzero(logits > 0)
        if rows.size == 0:
            return cls(np.empty((0, 0), np.float16), (0, 0), logits.shape)
        top, left = max(rows.min() - MARGIN, 0), max(columns.min() - MARGIN, 0)
        cut = logits[top : rows.max() + MARGIN + 1, left : columns.max() + MARGIN + 1]
        return cls(cut.astype(np.float16), (int(top), int(left)), logits.shape)

    def unpack(self) -> np.ndarray:
        """Return (rows, columns) float32 logits, far below zero outside the cut."""
        logits = np.full(self.shape, BACKGROUND_LOGIT, np.float32)
        (top, left), (height, width) = self.origin, self.values.shape
        logits[top : top + height, left : left + width] = self.values
        return logits


@dataclass(frozen=True, eq=False)
class Outcome:
    """What one leg says about its object on one frame.

    Attributes
    ----------
    result : ObjectResult
    logits : PackedLogits, optional
        None for an absent object.
    distance : int
        Frames from the prompt that the leg started at.
    painted : PaintedMask, optional
        The user's own mask, which is shown as it is.
    """

    result: ObjectResult
    logits: PackedLogits | None
    distance: int = 0
    painted: PaintedMask | None = None

    @classmethod
    def of(
        cls,
        result: ObjectResult,
        logits: np.ndarray,
        painted: PaintedMask | None = None,
    ) -> Outcome:
        """Keep the low-res logits of an object that is there."""
        return cls(result, PackedLogits.pack(logits), painted=painted)


def fuse(first: Outcome, second: Outcome) -> Outcome:
    """Join the outcomes of the legs from the prompts before and after a frame.

    Where only one still sees the object, that one is right: the other lost it. Where
    both see the same thing their logits are mixed, the nearer prompt counting more,
    so that no seam shows. Where they contradict each other, the one with the better
    confidence for its distance is taken, and marked doubtful.

    Parameters
    ----------
    first, second : Outcome
        Of the same object on the same frame.

    Returns
    -------
    Outcome
    """
    if first.logits is None or second.logits is None:
        return second if first.logits is None else first
    nearness = second.distance / (first.distance + second.distance)
    preferred = (
        first if _merit(first, nearness) >= _merit(second, 1 - nearness) else second
    )
    a, b = first.logits.unpack(), second.logits.unpack()
    if mask_iou(a > 0, b > 0) < AGREEING_IOU:
        doubtful = replace(
            preferred.result, verdict=Verdict.DOUBTFUL, reason=Reason.CONTRADICTED
        )
        return replace(preferred, result=doubtful)
    mixed = PackedLogits.pack(nearness * a + (1 - nearness) * b)
    return replace(preferred, logits=mixed)


def _merit(outcome: Outcome, nearness: float) -> float:
    return outcome.result.confidence * nearness


PAINTED_LOGIT = 1000.0
"""Above whatever the decoder says: painted pixels are kept."""


class Board:
    """Collects outcomes until a frame has heard from every prompt and leg.

    Parameters
    ----------
    scene : Scene
    itinerary : Itinerary
        The prompts that will be decoded and the legs that will come past.
    """

    def __init__(self, scene: Scene, itinerary: Itinerary) -> None:
        self._scene = scene
        self._dtype = itinerary.labels_dtype
        self._awaited = Counter(prompt.frame for prompt in itinerary.prompts)
        for leg in itinerary.legs:
            self._awaited.update(leg.frames)
        self._outcomes: dict[int, dict[int, Outcome]] = {}

    def note(self, frame: int, outcome: Outcome) -> None:
        """Take down one outcome, joined with an earlier one for the same object."""
        outcomes = self._outcomes.setdefault(frame, {})
        object_id = outcome.result.object_id
        earlier = outcomes.get(object_id)
        outcomes[object_id] = outcome if earlier is None else fuse(earlier, outcome)
        self._awaited[frame] -= 1

    def logits(self, frame: int) -> dict[int, np.ndarray]:
        """Low-res logits of the objects that have been found on a frame so far."""
        return {
            object_id: outcome.logits.unpack()
            for object_id, outcome in self._outcomes.get(frame, {}).items()
            if outcome.logits is not None
        }

    def report(self, frame: int) -> FrameResult:
        """Say what is known of a frame, and forget it once nothing more is to come."""
        is_final = self._awaited[frame] == 0
        outcomes = self._outcomes.pop(frame) if is_final else self._outcomes[frame]
        logits = full_size(self._scene, frame, outcomes)
        frame_shape = self._scene.geometry.frame_shape
        labels = resolve_overlaps(logits, frame_shape, self._dtype)
        claimed = compare_claims(logits, labels)
        return FrameResult(
            frame=frame,
            labels=labels,
            objects={
                key: _judged(outcomes[key], claimed.get(key))
                for key in sorted(outcomes)
            },
            is_final=is_final,
        )


def _judged(outcome: Outcome, claim: Claim | None) -> ObjectResult:
    """Judge an object by what it claims; a painted one owes nobody anything."""
    if claim is None:
        return outcome.result
    if outcome.painted is not None:
        claim = replace(claim, twin=None, prey=None)
    return outcome.result.beside(claim)


def full_size(
    scene: Scene, frame: int, outcomes: Mapping[int, Outcome]
) -> dict[int, FrameLogits]:
    """Bring the logits of the objects that are there to the pixels of the frame.

    Returns
    -------
    dict of object id to FrameLogits
        Painted masks come as they are, with logits above all others.
    """

    def enlarged(object_id: int) -> FrameLogits | None:
        outcome = outcomes[object_id]
        if outcome.painted is not None:
            return _as_painted(outcome.painted)
        if outcome.logits is None:
            return None
        return scene.draw(frame, outcome.logits.unpack())

    found = zip(outcomes, scene.objects.map(enlarged, outcomes), strict=True)
    return {object_id: logits for object_id, logits in found if logits is not None}


def _as_painted(mask: PaintedMask) -> FrameLogits:
    values = np.where(mask.to_array(), PAINTED_LOGIT, -PAINTED_LOGIT)
    return FrameLogits(values.astype(np.float32), (slice(None), slice(None)))
