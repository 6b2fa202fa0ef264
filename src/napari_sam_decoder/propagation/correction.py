"""Correct one object around a frame that the user has corrected, and leave the rest."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import reduce
from typing import TYPE_CHECKING, Self

import numpy as np
from scipy import ndimage

from napari_sam_decoder.appearance.memory import Memory
from napari_sam_decoder.labels import claim_after_merge, replace_mask
from napari_sam_decoder.prompts import mask_logits
from napari_sam_decoder.propagation.accumulator import full_size
from napari_sam_decoder.propagation.corrected_frame import Known, amend
from napari_sam_decoder.propagation.decoding import Journey
from napari_sam_decoder.propagation.plan import legs_around
from napari_sam_decoder.propagation.results import FrameResult, ObjectResult, Verdict
from napari_sam_decoder.propagation.track import absent, follow_tracks, warp_logits

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from napari_sam_decoder.prompts import PromptSet
    from napari_sam_decoder.propagation.accumulator import Outcome
    from napari_sam_decoder.propagation.context import Scene
    from napari_sam_decoder.propagation.initial_masks import Seed
    from napari_sam_decoder.propagation.plan import Leg
    from napari_sam_decoder.propagation.prior import Grid
    from napari_sam_decoder.propagation.track import Track

__all__ = ["Change", "Draft", "mend", "mend_all"]

WIDENING = 2
"""Low-res pixels by which a change may grow from frame to frame."""
SHARE_OF_PIXEL = 0.5


@dataclass(frozen=True, eq=False)
class Change:
    """Pixels of the low-res grid that a correction has turned.

    Attributes
    ----------
    added, removed : (h, w) array of bool
        Those that are the object's since, and those that are no longer.
    """

    added: np.ndarray
    removed: np.ndarray

    @classmethod
    def between(cls, newer: np.ndarray, older: np.ndarray) -> Self:
        """Compare two (h, w) masks."""
        return cls(newer & ~older, older & ~newer)

    @classmethod
    def anywhere(cls, shape: tuple[int, ...]) -> Self:
        """Return the change of which nothing is known."""
        return cls(np.ones(shape, bool), np.ones(shape, bool))

    @property
    def pixels(self) -> np.ndarray:
        """(h, w) bool: all that has turned."""
        turned: np.ndarray = self.added | self.removed
        return turned

    @property
    def surroundings(self) -> np.ndarray:
        """(h, w) bool: all that has turned, and what is next to it."""
        return _widened(self.pixels)

    def moved(self, displacement: np.ndarray) -> Self:
        """Move on with the picture, by a (2, rows, columns) displacement."""
        return type(self)(
            _moved(self.added, displacement), _moved(self.removed, displacement)
        )

    def confine(self, other: Self) -> Self:
        """Keep of another change what turns the same way, here or next to here."""
        return type(self)(
            other.added & _widened(self.added), other.removed & _widened(self.removed)
        )


def _moved(mask: np.ndarray, displacement: np.ndarray) -> np.ndarray:
    """Move a mask; beyond the displacement's extent there is only padding."""
    rows, columns = displacement.shape[1:]
    visible = warp_logits(mask[:rows, :columns].astype(np.float32), displacement)
    moved = np.zeros_like(mask)
    moved[:rows, :columns] = visible > SHARE_OF_PIXEL
    return moved


def _widened(mask: np.ndarray) -> np.ndarray:
    wide: np.ndarray = ndimage.binary_dilation(mask, iterations=WIDENING)
    return wide


LITTLE = 0.01
"""A difference of less than this share of the object is none."""
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


@dataclass(frozen=True, eq=False)
class _Correction:
    """What became of the corrected frame.

    Attributes
    ----------
    seed : Seed
    change : Change
        Where the user has changed the mask; anywhere if that is not known.
    known : Known, optional
        What the object's other fixed frames tell.
    fills_gap : bool
        Whether the object was missing on the frame. Then it may be missing on the next
        ones too, but where it was found it stays as it is.
    """

    seed: Seed
    change: Change
    known: Known | None
    fills_gap: bool

    def start(self, grid: Grid) -> Track | None:
        """Go on from the corrected frame; None if the object is not on it."""
        memory = self.seed.memory
        if memory is None:
            return None
        if self.known is not None:
            memory = memory.join(self.known.memory)
        return self.seed.track(memory, grid)


class _Mending:
    def __init__(self, scene: Scene, draft: Draft, object_id: int, frame: int) -> None:
        self._scene = scene
        self._draft = draft
        self._object_id = object_id
        self._frame = frame

    def steps(self, legs: tuple[Leg, ...]) -> Iterator[FrameResult]:
        labels = self._draft.labels(self._frame)
        correction = self._corrected(self._logits(labels == self._object_id))
        outcome = correction.seed.outcome
        yield self._result(self._frame, labels, outcome, correction.change)
        if correction.change.pixels.any():
            for leg in legs:
                yield from self._carry(leg, correction)

    def _corrected(self, existing: np.ndarray | None) -> _Correction:
        known = self._known()
        prompt = self._draft.prompts.at(self._object_id, self._frame)
        seed = amend(self._scene, prompt, existing, known)
        shape = (self._scene.decoder.mask_size,) * 2
        if prompt.mask is not None or seed.logits is None:
            return _Correction(seed, Change.anywhere(shape), known, fills_gap=False)
        older = np.zeros(shape, bool) if existing is None else existing > 0
        change = Change.between(seed.logits > 0, older)
        return _Correction(seed, change, known, fills_gap=existing is None)

    def _known(self) -> Known | None:
        """What the object's other fixed frames tell, by the labels that are there."""
        memories, sizes = [], []
        for prompt in self._draft.prompts.of_object(self._object_id):
            logits = self._logits(self._draft.mask(self._object_id, prompt.frame))
            if logits is None or prompt.frame == self._frame:
                continue
            memories.append(Memory.of(self._scene.view(prompt.frame), logits))
            sizes.append(np.count_nonzero(logits > 0))
        if not memories:
            return None
        return Known(reduce(Memory.join, memories), float(np.mean(sizes)))

    def _logits(self, mask: np.ndarray) -> np.ndarray | None:
        if not mask.any():
            return None
        return mask_logits(mask, self._scene.geometry, self._scene.decoder.mask_size)

    def _others(self, labels: np.ndarray) -> dict[int, np.ndarray]:
        """All other objects together, by the labels that are there."""
        logits = self._logits((labels > 0) & (labels != self._object_id))
        return {} if logits is None else {0: logits}

    def _carry(self, leg: Leg, correction: _Correction) -> Iterator[FrameResult]:
        track, change = correction.start(self._scene.grid), correction.change
        if track is None:
            yield from self._empty(leg)
            return
        settled = 0
        for frame in leg.frames:
            before = frame - leg.frames.step
            labels = self._draft.labels(frame)
            earlier = self._logits(labels == self._object_id)
            if earlier is not None and correction.fills_gap:
                return
            moved = change.moved(self._scene.flow(frame, before).displacement)
            journey = self._journey(track, frame, before, moved, earlier)
            others = self._others(labels)
            step = follow_tracks(self._scene, frame, journey, others)[self._object_id]
            track = step.track
            difference = _difference(step.outcome, earlier, moved)
            if difference is None:
                return
            settled = (
                settled + 1 if _is_little(difference, step.outcome, earlier) else 0
            )
            change = difference if difference.pixels.any() else moved
            yield self._result(frame, labels, step.outcome, difference)
            if settled == SETTLED_AFTER:
                return

    def _empty(self, leg: Leg) -> Iterator[FrameResult]:
        """Take the object away as far as it was found without a gap."""
        nothing = absent(self._object_id)
        anywhere = Change.anywhere((self._scene.decoder.mask_size,) * 2)
        for frame in leg.frames:
            labels = self._draft.labels(frame)
            if not (labels == self._object_id).any():
                return
            yield self._result(frame, labels, nothing, anywhere)

    def _journey(
        self,
        track: Track,
        frame: int,
        before: int,
        change: Change,
        earlier: np.ndarray | None,
    ) -> Journey:
        """Expect the object where it was found before, but for what has changed."""
        key, grid = self._object_id, self._scene.grid
        journey = Journey.to(self._scene, frame, before, {key: track})
        if earlier is None or key not in journey.moved:
            return journey
        is_open = grid.cut(change.surroundings)
        moved = np.where(is_open, journey.moved[key], grid.cut(earlier))
        size = max(float(np.count_nonzero(moved > 0)), 1.0)
        return replace(
            journey, tracks={key: replace(track, size=size)}, moved={key: moved}
        )

    def _result(
        self, frame: int, labels: np.ndarray, outcome: Outcome, change: Change
    ) -> FrameResult:
        """Show an outcome where it makes a difference; else pixels stay as they are."""
        mask = labels == self._object_id
        logits = full_size(self._scene, frame, {self._object_id: outcome})
        new = np.zeros_like(mask)
        if logits:
            new = logits[self._object_id].mask(mask.shape)
        if outcome.painted is None:
            new = np.where(self._full_size(change.pixels), new, mask)
        yielding = self._draft.prompts.object_ids
        mended = replace_mask(labels, new, self._object_id, yielding)
        claim = claim_after_merge(
            self._object_id, np.where(new, self._object_id, 0), mended
        )
        return FrameResult(
            frame,
            mended,
            {self._object_id: outcome.result.beside(claim)},
            affected=dict(self._affected(labels, mended, yielding)),
        )

    def _affected(
        self, labels: np.ndarray, mended: np.ndarray, yielding: Iterable[int]
    ) -> Iterator[tuple[int, ObjectResult]]:
        """Find the objects that have lost most of their pixels to the mended one."""
        lost = np.unique(labels[labels != mended])
        for other in {*yielding} & {*lost.tolist()} - {self._object_id}:
            unharmed = ObjectResult(other, Verdict.SURE, confidence=1.0)
            result = unharmed.beside(claim_after_merge(other, labels, mended))
            if result.reason is not None:
                yield other, result

    def _full_size(self, region: np.ndarray) -> np.ndarray:
        """(Y, X) bool: the pixels around a region of the low-res grid."""
        wide = ndimage.binary_dilation(region)
        logits = np.where(wide, 1, -1).astype(np.float32)
        shape = self._scene.geometry.frame_shape
        return self._scene.decoder.enlarge(logits, shape).mask(shape)


def _difference(
    outcome: Outcome, earlier: np.ndarray | None, moved: Change
) -> Change | None:
    """Say where the change makes a difference; None where the object was lost.

    An object that was lost on the way says nothing about where it was found before,
    unless most of that is what was wrong.
    """
    nothing = np.zeros(moved.added.shape, bool)
    older = nothing if earlier is None else earlier > 0
    newer = nothing if outcome.logits is None else outcome.logits.unpack() > 0
    wrong = np.count_nonzero(older & moved.removed)
    if not newer.any() and 2 * wrong < np.count_nonzero(older):
        return None
    return moved.confine(Change.between(newer, older))


def _is_little(
    difference: Change, outcome: Outcome, earlier: np.ndarray | None
) -> bool:
    older = earlier if earlier is not None else np.zeros(0)
    newer = outcome.logits.values if outcome.logits is not None else np.zeros(0)
    size = max(np.count_nonzero(logits > 0) for logits in (older, newer))
    return bool(np.count_nonzero(difference.pixels) <= LITTLE * size)
