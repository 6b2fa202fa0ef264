"""Correct an object around a frame that the user has corrected, and nothing else."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import reduce
from typing import TYPE_CHECKING, Self

import numpy as np
from scipy import ndimage

from napari_sam_decoder.appearance.memory import Memory
from napari_sam_decoder.frames import Window
from napari_sam_decoder.labels import overlap_after_merge, replace_mask
from napari_sam_decoder.metrics import mask_iou
from napari_sam_decoder.prompts import mask_logits
from napari_sam_decoder.propagation.accumulator import (
    AGREEING_IOU,
    Estimate,
    PackedLogits,
    draw_estimate,
    offer_daughters,
)
from napari_sam_decoder.propagation.corrected_frame import (
    FixedFrames,
    corrected_mask,
)
from napari_sam_decoder.propagation.decoding import MovedTracks
from napari_sam_decoder.propagation.plan import legs_around
from napari_sam_decoder.propagation.refiner_trial import refiner_share
from napari_sam_decoder.propagation.results import (
    FrameResult,
    ObjectResult,
    Verdict,
)
from napari_sam_decoder.propagation.track import advance_tracks, warp_logits
from napari_sam_decoder.propagation.views import transfer_logits

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from napari_sam_decoder.prompts import PromptSet
    from napari_sam_decoder.propagation.context import Context
    from napari_sam_decoder.propagation.initial_masks import InitialMask
    from napari_sam_decoder.propagation.plan import Leg
    from napari_sam_decoder.propagation.track import Track, TrackUpdate
    from napari_sam_decoder.propagation.views import Views

__all__ = ["CurrentLabels", "MaskChange", "correct"]

WIDENING = 2
"""Low-res pixels by which a change may grow from frame to frame."""
SHARE_OF_PIXEL = 0.5


@dataclass(frozen=True, eq=False)
class MaskChange:
    """Low-res pixels that a correction has added to an object or removed from it.

    Attributes
    ----------
    added, removed : (h, w) array of bool
    """

    added: np.ndarray
    removed: np.ndarray

    @classmethod
    def between(cls, newer: np.ndarray, older: np.ndarray) -> Self:
        """Compare two (h, w) masks."""
        return cls(newer & ~older, older & ~newer)

    @classmethod
    def anywhere(cls, shape: tuple[int, ...]) -> Self:
        """Return a change that may be anywhere: nothing is known about it."""
        return cls(np.ones(shape, bool), np.ones(shape, bool))

    def seen_in(self, source: Window, target: Window) -> Self:
        """Bring the change from one window to another."""
        if source == target:
            return self
        moved = (
            transfer_logits(mask.astype(np.float32), source, target) > SHARE_OF_PIXEL
            for mask in (self.added, self.removed)
        )
        return type(self)(*moved)

    @property
    def pixels(self) -> np.ndarray:
        """(h, w) bool: all pixels that have changed."""
        changed: np.ndarray = self.added | self.removed
        return changed

    @property
    def surroundings(self) -> np.ndarray:
        """(h, w) bool: all pixels that have changed, and those next to them."""
        return _widened(self.pixels)

    def moved(self, displacement: np.ndarray) -> Self:
        """Move the change by a (2, rows, columns) displacement."""
        return type(self)(
            _moved(self.added, displacement), _moved(self.removed, displacement)
        )

    def confine(self, other: Self) -> Self:
        """Keep the part of another change that agrees with this one or adjoins it."""
        return type(self)(
            other.added & _widened(self.added), other.removed & _widened(self.removed)
        )


def _moved(mask: np.ndarray, displacement: np.ndarray) -> np.ndarray:
    """Move a mask; beyond the displacement's extent is only padding."""
    rows, columns = displacement.shape[1:]
    visible = warp_logits(mask[:rows, :columns].astype(np.float32), displacement)
    moved = np.zeros_like(mask)
    moved[:rows, :columns] = visible > SHARE_OF_PIXEL
    return moved


def _widened(mask: np.ndarray) -> np.ndarray:
    wide: np.ndarray = ndimage.binary_dilation(mask, iterations=WIDENING)
    return wide


NEGLIGIBLE = 0.01
"""A difference of a smaller share of the object counts as none."""
UNCHANGED_FRAMES = 2
"""After so many frames in a row without a difference a leg ends."""


@dataclass(frozen=True, eq=False)
class CurrentLabels:
    """The labels as they are at the moment, and all prompts.

    Attributes
    ----------
    read : callable
        Returns the current labels of a frame as a (Y, X) array.
    prompts : PromptSet
        All of the user's, the corrections included. Frames with a prompt of an object
        are fixed: what the labels hold of it there is certain.
    """

    read: Callable[[int], np.ndarray]
    prompts: PromptSet

    def frame(self, frame: int) -> np.ndarray:
        """Return the current (Y, X) labels of a frame."""
        return np.asarray(self.read(frame))

    def mask(self, object_id: int, frame: int) -> np.ndarray:
        """Return the current (Y, X) mask of an object."""
        mask: np.ndarray = self.frame(frame) == object_id
        return mask


def correct(
    views: Views,
    labels: CurrentLabels,
    corrected: Iterable[tuple[int, int]],
    frames: range,
) -> Iterator[FrameResult]:
    """Recompute corrected frames, and carry each on as long as it changes something.

    Parameters
    ----------
    views : Views
        Have the frames, the decoder and the settings.
    labels : CurrentLabels
        The caller writes each result into them before it asks for the next one.
    corrected : iterable of (object_id, frame)
        Where the new prompts are.
    frames : range
        Frames that may change, step 1.

    Returns
    -------
    iterator of FrameResult
        One for each recomputed frame, the corrected one first. From there, a leg to
        either side ends at the object's next fixed frame, or after two frames in a row
        that come out as they were. Where the object turns out not to be on the
        corrected frame, no other frame changes.
    """
    for object_id, frame in corrected:
        legs = legs_around(labels.prompts, object_id, frame, frames)
        yield from _ObjectCorrection(views, labels, object_id, frame).results(legs)


@dataclass(frozen=True, eq=False)
class _Start:
    """The corrected frame, from which the correction is carried on.

    Attributes
    ----------
    initial : InitialMask
    change : MaskChange
        Where the user has changed the mask; anywhere if that is not known.
    fixed : FixedFrames, optional
        What the object's other fixed frames tell.
    fills_gap : bool
        Whether the object was missing on the frame. Then it may be missing on the next
        frames too, but where it is present it stays as it is.
    """

    initial: InitialMask
    change: MaskChange
    fixed: FixedFrames | None
    fills_gap: bool

    def track(self, views: Views, refiner_share: float) -> Track | None:
        """Start a track; None if the object is not on the corrected frame."""
        memory = self.initial.memory
        if memory is None:
            return None
        if self.fixed is not None:
            memory = memory.join(self.fixed.memory)
        return self.initial.start_track(views, memory, refiner_share)


class _ObjectCorrection:
    """The correction of one object on one frame, carried on from there."""

    def __init__(
        self, views: Views, labels: CurrentLabels, object_id: int, frame: int
    ) -> None:
        self._views = views
        self._labels = labels
        self._object_id = object_id
        self._frame = frame
        self._low_res_shape = (views.whole.decoder.mask_size,) * 2

    def results(self, legs: tuple[Leg, ...]) -> Iterator[FrameResult]:
        labels = self._labels.frame(self._frame)
        context = self._views.at(self._window(labels == self._object_id))
        start = self._start(context, labels)
        estimate = start.initial.estimate
        yield self._result(context, self._frame, labels, estimate, start.change)
        # Where an object is not, nothing is carried on: it may be back at once.
        if estimate.logits is None or not start.change.pixels.any():
            return
        share = refiner_share(self._views, [(self._frame, estimate.logits)])
        track = start.track(self._views, share)
        if track is None:
            return
        for leg in legs:
            yield from self._carry(leg, start, track)

    def _window(self, existing: np.ndarray) -> Window:
        """Choose the window that shows the (Y, X) mask and what was corrected on it."""
        prompt = self._labels.prompts.at(self._object_id, self._frame)
        pyramid = self._views.pyramid
        mask = Window.around(existing) if pyramid.sides else None
        if mask is None:
            return self._views.window_of(prompt)
        shown = prompt.whole_window
        return pyramid.window_for(mask if shown is None else mask.joined(shown))

    def _start(self, context: Context, labels: np.ndarray) -> _Start:
        """Make the mask of the corrected frame."""
        window, shape = context.window, self._low_res_shape
        part = labels[window.place]
        fixed = self._fixed_frames(window)
        existing = _logits(context, part == self._object_id)
        prompt = self._labels.prompts.at(self._object_id, self._frame)
        seen = self._views.seen(prompt, window)
        initial = corrected_mask(context, seen, part, fixed)
        if prompt.mask is not None or initial.logits is None:
            return _Start(initial, MaskChange.anywhere(shape), fixed, fills_gap=False)
        older = np.zeros(shape, bool) if existing is None else existing > 0
        change = MaskChange.between(initial.logits > 0, older)
        return _Start(initial, change, fixed, fills_gap=existing is None)

    def _fixed_frames(self, window: Window) -> FixedFrames | None:
        """Learn from the object's other fixed frames, by the current labels.

        They are seen in windows of the same size as this one: at another scale the
        object would look different.
        """
        memories, sizes = [], []
        prompts = self._labels.prompts.of_object(self._object_id)
        for prompt in sorted(prompts, key=lambda one: abs(one.frame - self._frame)):
            mask = self._labels.mask(self._object_id, prompt.frame)
            box = Window.around(mask)
            if box is None or prompt.frame == self._frame:
                continue
            context = self._views.at(self._views.pyramid.beside(window, box))
            logits = _logits(context, mask[context.window.place])
            if logits is None:
                continue
            memories.append(Memory.of(context.features(prompt.frame), logits))
            sizes.append(np.count_nonzero(logits > 0))
        if not memories:
            return None
        return FixedFrames(reduce(Memory.join, memories), float(np.mean(sizes)))

    def _carry(self, leg: Leg, start: _Start, track: Track) -> Iterator[FrameResult]:
        """Carry the correction along a leg."""
        key, change, unchanged = self._object_id, start.change, 0
        for frame in leg.frames:
            before, window = frame - leg.frames.step, track.window
            track = self._views.follow(before, {key: track})[key]
            change = change.seen_in(window, track.window)
            context = self._views.at(track.window)
            labels = self._labels.frame(frame)
            part = labels[context.window.place]
            earlier = _logits(context, part == key)
            if earlier is not None and start.fills_gap:
                return
            moved = change.moved(context.flow(frame, before).displacement)
            tracks = MovedTracks.between(context, frame, before, {key: track})
            expected = self._expected(context, tracks, moved, earlier)
            # All other objects together, by the current labels.
            others = _logits(context, (part > 0) & (part != key))
            decided = {} if others is None else {0: others}
            update = advance_tracks(context, frame, expected, decided)[key]
            track = update.track
            estimate = self._joined(context, leg, frame, update, earlier)
            if estimate is None:
                return
            difference = _difference(estimate, earlier, moved)
            if difference is None:
                return
            is_negligible = _is_negligible(difference, estimate, earlier)
            unchanged = unchanged + 1 if is_negligible else 0
            change = difference if difference.pixels.any() else moved
            yield self._result(context, frame, labels, estimate, difference)
            if unchanged == UNCHANGED_FRAMES:
                return

    def _joined(
        self,
        context: Context,
        leg: Leg,
        frame: int,
        update: TrackUpdate,
        earlier: np.ndarray | None,
    ) -> Estimate | None:
        """Join what a leg says with the labels, which the fixed frame beyond has made.

        If both show the same thing, their logits are averaged, weighted by how near the
        fixed frames are. If not, what is more like the object for its distance counts.

        Returns
        -------
        Estimate or None
            None if it is the labels that count.
        """
        estimate, beyond = update.estimate, self._fixed_beyond(leg)
        if beyond is None or earlier is None or estimate.logits is None:
            return estimate
        nearness = (beyond - frame) / (beyond - leg.start)
        logits = estimate.logits.unpack()
        if mask_iou(logits > 0, earlier > 0) >= AGREEING_IOU:
            mixed = nearness * logits + (1 - nearness) * earlier
            return replace(estimate, logits=PackedLogits.pack(mixed, context.window))
        likeness = update.track.memory.likeness(context.features(frame), earlier)
        merit = nearness * estimate.result.confidence
        return estimate if merit >= (1 - nearness) * likeness else None

    def _fixed_beyond(self, leg: Leg) -> int | None:
        """Return the fixed frame before which a leg ends; None if there is none.

        None also where the object is fixed as absent: no labels come from there.
        """
        prompts = self._labels.prompts.of_object(self._object_id)
        present = (prompt.frame for prompt in prompts if not prompt.is_absence)
        return leg.frames.stop if leg.frames.stop in present else None

    def _expected(
        self,
        context: Context,
        tracks: MovedTracks,
        change: MaskChange,
        earlier: np.ndarray | None,
    ) -> MovedTracks:
        """Expect the object where the labels have it, except where it has changed."""
        key, grid = self._object_id, context.grid
        if earlier is None or key not in tracks.moved:
            return tracks
        is_open = grid.crop(change.surroundings)
        moved = np.where(is_open, tracks.moved[key], grid.crop(earlier))
        size = max(float(np.count_nonzero(moved > 0)), 1.0)
        sized = replace(tracks.tracks[key], size=size)
        return replace(tracks, tracks={key: sized}, moved={key: moved})

    def _result(
        self,
        context: Context,
        frame: int,
        labels: np.ndarray,
        estimate: Estimate,
        change: MaskChange,
    ) -> FrameResult:
        """Write the estimate into the labels where something has changed."""
        part = labels[context.window.place]
        key, mask = self._object_id, part == self._object_id
        drawn = draw_estimate(context, frame, estimate)
        new = np.zeros_like(mask) if drawn is None else drawn.mask(mask.shape)
        if estimate.painted is None:
            new = np.where(_to_pixels(context, change.pixels), new, mask)
        yielding = self._labels.prompts.object_ids
        replaced = replace_mask(part, new, key, yielding)
        overlap = overlap_after_merge(key, np.where(new, key, 0), replaced)
        corrected = labels.copy()
        corrected[context.window.place] = replaced
        judged = estimate.result.judged_by(overlap)
        result = offer_daughters(self._views, frame, estimate, judged, corrected)
        return FrameResult(
            frame,
            corrected,
            {key: result},
            affected=dict(self._affected(part, replaced, yielding)),
        )

    def _affected(
        self, labels: np.ndarray, corrected: np.ndarray, yielding: Iterable[int]
    ) -> Iterator[tuple[int, ObjectResult]]:
        """Find the objects that have lost most of their pixels to the corrected one."""
        lost = np.unique(labels[labels != corrected])
        for other in {*yielding} & {*lost.tolist()} - {self._object_id}:
            unharmed = ObjectResult(other, Verdict.SURE, confidence=1.0)
            overlap = overlap_after_merge(other, labels, corrected)
            result = unharmed.judged_by(overlap)
            if result.reason is not None:
                yield other, result


def _logits(context: Context, mask: np.ndarray) -> np.ndarray | None:
    """Bring a (Y, X) mask of the window to the low-res grid; None if it is empty."""
    if not mask.any():
        return None
    return mask_logits(mask, context.geometry, context.decoder.mask_size)


def _to_pixels(context: Context, region: np.ndarray) -> np.ndarray:
    """(Y, X) bool: the pixels of a low-res region, and those around it."""
    wide = ndimage.binary_dilation(region)
    logits = np.where(wide, 1, -1).astype(np.float32)
    shape = context.geometry.frame_shape
    return context.decoder.enlarge(logits, shape).mask(shape)


def _difference(
    estimate: Estimate, earlier: np.ndarray | None, moved: MaskChange
) -> MaskChange | None:
    """Find what an estimate changes; None if the object was lost.

    An object that is lost does not mean that its old pixels were wrong, unless most of
    them are part of the correction.
    """
    nothing = np.zeros(moved.added.shape, bool)
    older = nothing if earlier is None else earlier > 0
    newer = nothing if estimate.logits is None else estimate.logits.unpack() > 0
    wrong = np.count_nonzero(older & moved.removed)
    if not newer.any() and 2 * wrong < np.count_nonzero(older):
        return None
    return moved.confine(MaskChange.between(newer, older))


def _is_negligible(
    difference: MaskChange, estimate: Estimate, earlier: np.ndarray | None
) -> bool:
    older = earlier if earlier is not None else np.zeros(0)
    newer = estimate.logits.values if estimate.logits is not None else np.zeros(0)
    size = max(np.count_nonzero(logits > 0) for logits in (older, newer))
    return bool(np.count_nonzero(difference.pixels) <= NEGLIGIBLE * size)
