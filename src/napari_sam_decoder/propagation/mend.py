"""Mend one object around a frame that the user has corrected, and leave the rest."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from napari_sam_decoder.labels import overrule
from napari_sam_decoder.memory import Memory
from napari_sam_decoder.prompts import mask_logits
from napari_sam_decoder.propagation.amend import amend
from napari_sam_decoder.propagation.board import full_size
from napari_sam_decoder.propagation.follow import absent, follow_tracks
from napari_sam_decoder.propagation.fusion import Outcome, fuse
from napari_sam_decoder.propagation.plan import legs_around
from napari_sam_decoder.propagation.results import FrameResult, Verdict
from napari_sam_decoder.scoring import mask_iou

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from napari_sam_decoder.prompts import PromptSet
    from napari_sam_decoder.propagation.plan import Leg
    from napari_sam_decoder.propagation.scene import Scene
    from napari_sam_decoder.propagation.seeds import Seed
    from napari_sam_decoder.propagation.track import Track

__all__ = ["Draft", "mend", "mend_all"]

SAME_IOU = 0.97
"""Two masks that agree this well are the same result."""

SETTLED_AFTER = 2
"""Frames in a row with the same result as before, after which nothing will change."""


@dataclass(frozen=True, eq=False)
class Draft:
    """Labels as they are, and what the user has said so far.

    Attributes
    ----------
    frame : callable
        Gives the labels of a frame as a (Y, X) array, as they are by now.
    prompts : PromptSet
        All of the user's, the corrections among them. Frames with a prompt of an
        object are fixed: what the labels hold of it there is certain.
    """

    frame: Callable[[int], np.ndarray]
    prompts: PromptSet

    def mask(self, object_id: int, frame: int) -> np.ndarray:
        """(Y, X) mask of an object as it is by now."""
        mask: np.ndarray = self.labels(frame) == object_id
        return mask

    def labels(self, frame: int) -> np.ndarray:
        """(Y, X) labels of a frame as they are by now."""
        return np.asarray(self.frame(frame))


def mend_all(
    scene: Scene, draft: Draft, corrected: Iterable[tuple[int, int]], frames: range
) -> Iterator[FrameResult]:
    """Mend one object and frame after the other, within the frames that may change."""
    for place in corrected:
        legs = legs_around(draft.prompts, *place, frames)
        yield from mend(scene, draft, place, legs)


def mend(
    scene: Scene, draft: Draft, corrected: tuple[int, int], legs: tuple[Leg, ...]
) -> Iterator[FrameResult]:
    """Decode a corrected frame anew, and carry it on while that changes things.

    Parameters
    ----------
    scene : Scene
        Where the embeddings come from, the decoder, and how to decide.
    draft : Draft
        The labels, which the caller keeps up to date with the results.
    corrected : (object_id, frame)
        Where the new prompt is.
    legs : tuple of Leg
        The way from there to the object's next fixed frame on either side.

    Returns
    -------
    iterator of FrameResult
        One for each frame that was computed, beginning with the corrected one. A leg
        ends where two frames in a row come out as they were.
    """
    return _Mending(scene, draft, *corrected).steps(legs)


class _Mending:
    def __init__(self, scene: Scene, draft: Draft, object_id: int, frame: int) -> None:
        self._scene = scene
        self._draft = draft
        self._object_id = object_id
        self._frame = frame

    def steps(self, legs: tuple[Leg, ...]) -> Iterator[FrameResult]:
        known = self._known()
        labels = self._draft.labels(self._frame)
        existing = self._logits(labels == self._object_id)
        prompt = self._draft.prompts.at(self._object_id, self._frame)
        seed = amend(self._scene, prompt, existing, known)
        yield self._result(self._frame, labels, seed.outcome)
        for leg in legs:
            yield from self._carry(leg, seed, known)

    def _known(self) -> Memory | None:
        """What the object's other fixed frames tell, by the labels that are there."""
        known: Memory | None = None
        for prompt in self._draft.prompts.of_object(self._object_id):
            if prompt.frame == self._frame:
                continue
            logits = self._logits(self._draft.mask(self._object_id, prompt.frame))
            if logits is None:
                continue
            memory = Memory.of(self._scene.view(prompt.frame), logits)
            known = memory if known is None else known.join(memory)
        return known

    def _logits(self, mask: np.ndarray) -> np.ndarray | None:
        if not mask.any():
            return None
        return mask_logits(mask, self._scene.geometry, self._scene.decoder.mask_size)

    def _others(self, labels: np.ndarray) -> dict[int, np.ndarray]:
        """All other objects together, by the labels that are there."""
        logits = self._logits((labels > 0) & (labels != self._object_id))
        return {} if logits is None else {0: logits}

    def _carry(
        self, leg: Leg, seed: Seed, known: Memory | None
    ) -> Iterator[FrameResult]:
        track = self._start(seed, known)
        settled = 0
        for frame in leg.frames:
            labels = self._draft.labels(frame)
            outcome = absent(self._object_id)
            if track is not None:
                step = follow_tracks(
                    self._scene,
                    frame,
                    frame - leg.frames.step,
                    {self._object_id: track},
                    self._others(labels),
                )
                outcome = step[self._object_id].outcome
                track = step[self._object_id].track
            earlier = self._logits(labels == self._object_id)
            settled = settled + 1 if _is_same(outcome, earlier) else 0
            joined = self._joined(outcome, earlier, frame, leg)
            yield self._result(frame, labels, joined)
            if settled == SETTLED_AFTER:
                return

    def _start(self, seed: Seed, known: Memory | None) -> Track | None:
        if seed.memory is None:
            return None
        memory = seed.memory if known is None else seed.memory.join(known)
        return seed.track(memory, self._scene.grid)

    def _joined(
        self, outcome: Outcome, earlier: np.ndarray | None, frame: int, leg: Leg
    ) -> Outcome:
        """Mix with what was there, if that comes from a fixed frame at the end."""
        end = leg.frames[-1] + leg.frames.step
        if earlier is None or not self._is_fixed(end):
            return outcome
        newer = replace(outcome, distance=abs(frame - leg.seed))
        # Nothing is known of how sure the older mask was, so nearness alone decides.
        result = replace(outcome.result, verdict=Verdict.DOUBTFUL)
        older = replace(Outcome.of(result, earlier), distance=abs(end - frame))
        return fuse(newer, older)

    def _is_fixed(self, frame: int) -> bool:
        fixed = self._draft.prompts.of_object(self._object_id)
        return any(prompt.frame == frame for prompt in fixed)

    def _result(
        self, frame: int, existing: np.ndarray, outcome: Outcome
    ) -> FrameResult:
        shape = self._scene.geometry.frame_shape
        logits = full_size(self._scene, {self._object_id: outcome})
        mask = logits[self._object_id] > 0 if logits else np.zeros(shape, bool)
        labels = overrule(
            existing, mask, self._object_id, self._draft.prompts.object_ids
        )
        return FrameResult(frame, labels, {self._object_id: outcome.result})


def _is_same(outcome: Outcome, earlier: np.ndarray | None) -> bool:
    if outcome.logits is None or earlier is None:
        return outcome.logits is None and earlier is None
    return mask_iou(outcome.logits.unpack() > 0, earlier > 0) >= SAME_IOU
