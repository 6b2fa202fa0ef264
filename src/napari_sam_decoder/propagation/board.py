"""What has been said about each object on each frame, and what is still to come."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from napari_sam_decoder.labels import claims, resolve_overlaps
from napari_sam_decoder.model.values import FrameLogits
from napari_sam_decoder.propagation.fusion import Outcome, fuse
from napari_sam_decoder.propagation.results import FrameResult

if TYPE_CHECKING:
    from collections.abc import Mapping

    from napari_sam_decoder.labels import Claim
    from napari_sam_decoder.prompts import PaintedMask
    from napari_sam_decoder.propagation.plan import Itinerary
    from napari_sam_decoder.propagation.results import ObjectResult
    from napari_sam_decoder.propagation.scene import Scene

__all__ = ["Board", "full_size"]

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
        claimed = claims(logits, labels)
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

    found = zip(outcomes, scene.objects.each(enlarged, outcomes), strict=True)
    return {object_id: logits for object_id, logits in found if logits is not None}


def _as_painted(mask: PaintedMask) -> FrameLogits:
    values = np.where(mask.to_array(), PAINTED_LOGIT, -PAINTED_LOGIT)
    return FrameLogits(values.astype(np.float32), (slice(None), slice(None)))
