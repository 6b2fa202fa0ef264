"""Follow objects from frame to frame: expect, decode, accept or miss."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from napari_sam_decoder.appearance.memory import Memory
from napari_sam_decoder.model.values import BACKGROUND_LOGIT
from napari_sam_decoder.propagation.accumulator import (
    Estimate,
    PackedLogits,
    stabilise,
)
from napari_sam_decoder.propagation.decoding import build_queries, decode_queries
from napari_sam_decoder.propagation.division import Wholeness, halves
from napari_sam_decoder.propagation.prior import (
    MotionPrior,
    appearance_anywhere,
    rival_penalty,
    strongest_component,
)
from napari_sam_decoder.propagation.results import ObjectResult, Reason
from napari_sam_decoder.propagation.views import low_res_box, transfer_logits
from napari_sam_decoder.selection import MAX_FRAME_SHARE, Expectation

if TYPE_CHECKING:
    from collections.abc import Mapping

    from napari_sam_decoder.appearance.features import FrameFeatures
    from napari_sam_decoder.frames import Window
    from napari_sam_decoder.propagation.context import Context
    from napari_sam_decoder.propagation.decoding import DecoderQuery, MovedTracks
    from napari_sam_decoder.propagation.prior import Grid
    from napari_sam_decoder.selection import Choice

__all__ = [
    "LARGEST_GROWTH",
    "Motion",
    "Track",
    "TrackUpdate",
    "advance_tracks",
    "mask_centre",
    "shift_logits",
    "warp_logits",
]

SMOOTHING = 0.5
"""Weight of the newest displacement; the same as in micro-sam's tracker."""


@dataclass(frozen=True)
class Motion:
    """Centre and smoothed velocity of an object, in pixels of some grid.

    Attributes
    ----------
    centre : (row, column)
        Of the object where it was last seen.
    velocity : (rows, columns) per frame
        Exponentially smoothed displacement; zero until there are two frames.
    is_moving : bool
        Whether there are two frames.
    """

    centre: tuple[float, float]
    velocity: tuple[float, float] = (0.0, 0.0)
    is_moving: bool = False

    def updated(self, centre: tuple[float, float], frames: int = 1) -> Motion:
        """Return the motion after the object was seen again, some frames later."""
        step = np.subtract(centre, self.centre) / frames
        if self.is_moving:
            step = SMOOTHING * step + (1 - SMOOTHING) * np.asarray(self.velocity)
        return Motion(centre, (float(step[0]), float(step[1])), is_moving=True)

    def rescaled(self, scale: float, shift: np.ndarray) -> Motion:
        """Return the same in another grid: positions times ``scale``, then shifted."""
        centre = scale * (np.asarray(self.centre) + 0.5) - 0.5 + shift
        velocity = self.velocity
        return replace(
            self,
            centre=(float(centre[0]), float(centre[1])),
            velocity=(scale * velocity[0], scale * velocity[1]),
        )


def mask_centre(mask: np.ndarray) -> tuple[float, float]:
    """Centre of mass of a non-empty boolean mask, as (row, column)."""
    rows, columns = np.nonzero(mask)
    return float(rows.mean()), float(columns.mean())


def shift_logits(logits: np.ndarray, displacement: tuple[float, float]) -> np.ndarray:
    """Shift low-res logits with subpixel precision.

    Parameters
    ----------
    logits : (rows, columns) array of float32
        Unthresholded, without padding: that must not enter the frame.
    displacement : (rows, columns)
        In low-res pixels.

    Returns
    -------
    (rows, columns) array of float32
        Values from outside repeat those at the border, so that an object that enters
        the picture gets no hole.
    """
    if displacement == (0.0, 0.0):
        return logits
    shifted: np.ndarray = ndimage.shift(logits, displacement, order=1, mode="nearest")
    return shifted


def warp_logits(logits: np.ndarray, displacement: np.ndarray) -> np.ndarray:
    """Move low-res logits by the optical flow.

    Parameters
    ----------
    logits : (rows, columns) array of float32
        Unthresholded, without padding.
    displacement : (2, rows, columns) array
        What is at ``p`` on this frame was at ``p + displacement[:, p]`` before.

    Returns
    -------
    (rows, columns) array of float32
    """
    from napari_sam_decoder.flow import warp

    warped: np.ndarray = warp(logits[np.newaxis], displacement)[0]
    return warped


LARGEST_GROWTH = 2.0
SIZE_ADAPTATION = 0.2
"""Share of a change in size, on a logarithmic scale, by which the size is updated."""
FIRST_STEADINESS = 0.8
STEADINESS_SMOOTHING = 0.5
MISMATCH = 0.4
"""Mismatch of the optical flow, in standard deviations of the picture, that doubles the
tolerance of the outline."""
SMALLEST_TOLERANCE = 1.0
"""Low-res pixels by which the outline may be wrong if the object keeps its shape."""
UNSTEADY_TOLERANCE = 0.3
"""What is added if a mask shares nothing with the last, as a share of its side."""
DOUBTING = 0.1
"""Weight of the newest frame in the confidence."""
ENDED_BELOW = 0.5
"""Confidence, as a share of that of its prompt, below which an object may have ended:
cells that are held well may come down to nearly that."""
ENDED_SIZE = 0.6
"""Area below which it then has, as a share of that on its prompt. What is followed
badly but stays large is only doubtful."""
FOUND_AGAIN_FROM = 0.1
"""Difference in colour scores between a mask and what is around it from which it may be
an object that was missing. The object itself mostly has more than 0.3."""
RING = 1, 4
"""Low-res pixels from a mask to what counts as around it, and to the end of that."""
REMEMBERED_FROM = 0.5
"""A mask with less confidence may be accepted, but does not enter the memory."""


@dataclass(frozen=True, eq=False)
class Track:
    """One object on its way from frame to frame.

    Attributes
    ----------
    logits : (h, w) array of float32
        Unthresholded low-res logits of the last accepted mask.
    window : Window
        Of the frame, over which these lie.
    memory : Memory
        What the object looks like.
    motion : Motion
        In low-res pixels.
    size : float
        Area in low-res pixels. It follows the masks slowly, so that a mask that loses
        a little on every frame is noticed.
    largest : float
        Area in low-res pixels above which a mask is no longer the object: a large part
        of the picture, and much more than the object had at its prompt.
    initial_confidence : float
        0..1, confidence of the mask that the track started from. No later frame has
        more.
    confidence : float
        0..1, how well the object has been followed so far, see `ObjectResult`.
    steadiness : float
        0..1, usual IoU of one mask with the next.
    missed : int
        Frames since the last accepted mask.
    refiner_share : float
        0..1, weight of the refiner in its masks.
    longest_absence : int
        The most frames in a row without an accepted mask.
    prompted_size : float
        Area in low-res pixels on its prompt.
    has_ended : bool
        Whether it has come to its end, as in a volume. It is searched for no more.
    wholeness : Wholeness
        Whether it has divided. Backwards in time nothing divides.
    """

    logits: np.ndarray
    window: Window
    memory: Memory
    motion: Motion
    size: float
    largest: float
    initial_confidence: float = 1.0
    confidence: float = 1.0
    steadiness: float = FIRST_STEADINESS
    missed: int = 0
    refiner_share: float = 0.0
    longest_absence: int = 0
    prompted_size: float = 0.0
    has_ended: bool = False
    wholeness: Wholeness = field(default_factory=Wholeness)

    @classmethod
    def start(
        cls,
        logits: np.ndarray,
        window: Window,
        grid: Grid,
        memory: Memory,
        initial_confidence: float = 1.0,
    ) -> Track | None:
        """Start from the logits of a prompted frame; None if the mask is empty."""
        mask = grid.crop(logits) > 0
        if not mask.any():
            return None
        size = float(mask.sum())
        largest = _largest(size, mask.size)
        motion = Motion(mask_centre(mask))
        return cls(
            logits,
            window,
            memory,
            motion,
            size,
            largest,
            initial_confidence,
            confidence=initial_confidence,
            prompted_size=size,
            wholeness=Wholeness().after(mask),
        )

    @property
    def extent(self) -> Window | None:
        """Bounding box in the frame of the last accepted mask."""
        return low_res_box(self.logits, self.window)

    @property
    def velocity(self) -> tuple[float, float]:
        """(rows, columns) in frame pixels per frame."""
        unit = self.window.side / self.logits.shape[-1]
        rows, columns = self.motion.velocity
        return unit * rows, unit * columns

    def seen_in(self, window: Window, features: FrameFeatures) -> Track:
        """Return the track as it goes on in another window.

        Parameters
        ----------
        window : Window
            Of the frame.
        features : FrameFeatures
            Of the frame of the last accepted mask, in that window.
        """
        logits = transfer_logits(self.logits, self.window, window)
        scale = self.window.side / window.side
        shift = np.subtract(self.window.origin, window.origin) / (
            window.side / logits.shape[-1]
        )
        if scale == 1:
            memory = self.memory.shifted(features, shift)
            memory = memory.updated(features, logits, self.confidence)
        else:
            # Nothing looks the same at another scale.
            memory = Memory.of(features, logits)
        return replace(
            self,
            logits=logits,
            window=window,
            memory=memory,
            motion=self.motion.rescaled(scale, shift),
            size=self.size * scale**2,
            largest=_largest(self.size * scale**2, features.picture[0].size),
        )

    def expect(
        self,
        features: FrameFeatures,
        moved: np.ndarray,
        rivals: np.ndarray,
        mismatch: np.ndarray,
    ) -> Expectation:
        """Say where the object should be on a frame, and how large.

        Parameters
        ----------
        features : FrameFeatures
            Of the frame.
        moved : (rows, columns) array
            Logits of the last mask, moved to the frame.
        rivals : (rows, columns) array
            Logits of the other objects, moved to the frame. They count only where this
            object was not before, so that one object may lie inside another.
        mismatch : (rows, columns) array
            Of the optical flow: where it is large, the moved mask says little.

        Returns
        -------
        Expectation
        """
        tolerance = self._tolerance * (1 + (mismatch / MISMATCH) ** 2)
        # What the border of the picture cuts off will not reappear elsewhere.
        is_cut_off = _touches_border(moved > 0)
        visible = float(np.count_nonzero(moved > 0)) if is_cut_off else self.size
        by_motion = MotionPrior.of(moved, tolerance, visible)
        by_appearance = by_motion.appearance_logits(self.memory, features)
        return Expectation(
            moved=moved,
            prior=by_motion.logits + by_appearance - rival_penalty(rivals, moved),
            size=None if is_cut_off else self.size,
            largest=self.largest,
        )

    def expect_anywhere(
        self, features: FrameFeatures, rivals: np.ndarray
    ) -> Expectation:
        """Say where an object that was lost long ago may have reappeared."""
        logits = appearance_anywhere(self.memory, features)
        found = strongest_component(
            logits - rival_penalty(rivals, np.zeros_like(rivals))
        )
        size = None if _touches_border(found > 0) else self.size
        return Expectation(found, found, size, self.largest)

    def accept(
        self, choice: Choice, grid: Grid, features: FrameFeatures, confidence: float
    ) -> Track:
        """Return the track after a frame with an accepted mask."""
        mask = grid.crop(choice.logits) > 0
        motion = self.motion.updated(mask_centre(mask), frames=self.missed + 1)
        area = float(mask.sum())
        size = self.size * (area / self.size) ** SIZE_ADAPTATION
        if _touches_border(mask):
            size = max(self.size, area)
        newest, memory = STEADINESS_SMOOTHING, self.memory
        if min(choice.confidence, self.initial_confidence) >= REMEMBERED_FROM:
            memory = memory.updated(features, choice.logits, choice.confidence)
        return replace(
            self,
            logits=choice.logits,
            memory=memory,
            motion=motion,
            size=size,
            steadiness=(1 - newest) * self.steadiness + newest * choice.temporal_iou,
            missed=0,
            confidence=confidence,
        )

    def miss(self) -> Track:
        """Return the track after a frame without a mask."""
        missed = self.missed + 1
        return replace(
            self,
            missed=missed,
            longest_absence=max(self.longest_absence, missed),
            confidence=self.confidence_after(0.0),
        )

    def ends_with(self, area: float, confidence: float, patience: int) -> bool:
        """Whether an object has come to its end, as in a volume.

        Its sections become smaller and smaller there, and less and less sure.

        Parameters
        ----------
        area : float
            Of its mask, in low-res pixels.
        confidence : float
            0..1, with this mask.
        patience : int
            An object that was away for more frames than this comes and goes: it does
            not end.
        """
        is_unsure = confidence < ENDED_BELOW * self.initial_confidence
        is_small = area < ENDED_SIZE * self.prompted_size
        return is_unsure and is_small and self.longest_absence <= patience

    def recognises(self, features: FrameFeatures, mask: np.ndarray) -> bool:
        """Whether a mask may be this object, which was missing before.

        Parameters
        ----------
        features : FrameFeatures
            Of the frame.
        mask : (rows, columns) array of bool
            Not empty. By its colours, it must differ from what is around it.
        """
        inner, outer = (ndimage.binary_dilation(mask, iterations=n) for n in RING)
        around = outer & ~inner
        scores = self.memory.pixel_scores(features)
        if not around.any():
            return True
        difference = float(scores[mask].mean() - scores[around].mean())
        return difference >= FOUND_AGAIN_FROM

    def confidence_after(self, newest: float) -> float:
        """Return the confidence after a frame whose own confidence is given."""
        return (1 - DOUBTING) * self.confidence + DOUBTING * newest

    def moved(self, grid: Grid, displacement: np.ndarray) -> np.ndarray:
        """Return the (rows, columns) logits of the last mask, moved to the next frame.

        Parameters
        ----------
        grid : Grid
            The low-res pixels over the frame.
        displacement : (2, rows, columns) array
            Of the optical flow from the frame before. It says nothing about an object
            that is hidden, which moves by its velocity instead.
        """
        visible = grid.crop(self.logits)
        if not self.missed:
            return warp_logits(visible, displacement)
        rows, columns = self.motion.velocity
        steps = self.missed + 1
        return shift_logits(visible, (rows * steps, columns * steps))

    @property
    def _tolerance(self) -> float:
        """Low-res pixels by which the moved outline may be wrong."""
        unsteadiness = (1 - self.steadiness) * float(np.sqrt(self.size))
        return (SMALLEST_TOLERANCE + UNSTEADY_TOLERANCE * unsteadiness) * (
            self.missed + 1
        )


def _largest(size: float, pixels: int) -> float:
    """Area above which a mask is no longer the object of a size, among all pixels."""
    return max(MAX_FRAME_SHARE * pixels, LARGEST_GROWTH * size)


def _touches_border(mask: np.ndarray) -> bool:
    rim = (mask[0], mask[-1], mask[:, 0], mask[:, -1])
    return any(bool(side.any()) for side in rim)


@dataclass(frozen=True, eq=False)
class TrackUpdate:
    """One object on one frame: what is reported, and the track that goes on.

    Attributes
    ----------
    estimate : Estimate
    track : Track
    """

    estimate: Estimate
    track: Track


def advance_tracks(
    context: Context,
    frame: int,
    moved_tracks: MovedTracks,
    decided: Mapping[int, np.ndarray],
) -> dict[int, TrackUpdate]:
    """Follow objects to the next frame, all in one decoder call.

    Parameters
    ----------
    context : Context
        Has the frames, the decoder and the settings.
    frame : int
        The next frame.
    moved_tracks : MovedTracks
        The objects, moved from the frame before.
    decided : mapping of object id to (h, w) array
        Low-res logits of objects that have been decided on this frame already; the
        others keep away from them.

    Returns
    -------
    dict of object id to TrackUpdate
        Absent if the object has ended, is not expected in the picture, or if no mask
        is good enough, lies where the object should be, and looks like it.
    """
    features, tracks = context.features(frame), moved_tracks.tracks
    is_later = moved_tracks.is_later
    queries = build_queries(context, features, moved_tracks, decided)
    choices = decode_queries(context, frame, queries)

    def judge(decoded: tuple[DecoderQuery, Choice]) -> tuple[int, TrackUpdate]:
        key = decoded[0].object_id
        update = _judge(tracks[key], *decoded, features, context)
        return key, _look_for_division(update, context.grid) if is_later else update

    decoded = zip(queries, choices, strict=True)
    judged = dict(context.object_threads.map(judge, decoded))
    return {
        key: judged.get(key) or _missed(key, track) for key, track in tracks.items()
    }


def _judge(
    track: Track,
    query: DecoderQuery,
    choice: Choice,
    features: FrameFeatures,
    context: Context,
) -> TrackUpdate:
    """Accept the chosen mask or miss the object."""
    settings = context.settings
    likeness = track.memory.likeness(features, choice.logits)
    mask = context.grid.crop(choice.logits) > 0
    is_object = choice.score > 0 and choice.confidence >= settings.absent_below
    if not is_object or likeness < settings.unlike_below or not mask.any():
        return _missed(query.object_id, track)
    if track.missed and not track.recognises(features, mask):
        return _missed(query.object_id, track)
    confidence = track.confidence_after(choice.confidence * likeness)
    area = float(mask.sum())
    if track.ends_with(area, confidence, settings.patience):
        return _missed(query.object_id, replace(track, has_ended=True))
    weakest = min(choice.confidence, track.initial_confidence, confidence)
    doubt = None
    if weakest < settings.doubtful_below:
        doubt = Reason.UNSURE
    elif likeness < settings.doubtful_below:
        doubt = Reason.UNLIKE
    result = ObjectResult.of(
        query.object_id,
        choice,
        doubt,
        confidence=confidence,
        likeness=likeness,
        area_change=area / track.size,
    )
    shown = stabilise(choice.logits, query.expectation, settings.stabilise)
    accepted = track.accept(choice, context.grid, features, confidence)
    packed = PackedLogits.pack(shown, track.window)
    return TrackUpdate(Estimate(result, packed), accepted)


def _look_for_division(update: TrackUpdate, grid: Grid) -> TrackUpdate:
    """Doubt an object that has divided, and offer its halves where it has just done so.

    Parameters
    ----------
    update : TrackUpdate
        On a frame that is later than the one before.
    grid : Grid
        The low-res pixels over the frame.
    """
    if update.estimate.logits is None:
        return update
    logits = update.estimate.logits.unpack()
    mask = grid.crop(logits) > 0
    wholeness = update.track.wholeness.after(mask)
    track = replace(update.track, wholeness=wholeness)
    if not wholeness.has_divided:
        return replace(update, track=track)
    estimate = replace(update.estimate, result=update.estimate.result.divided())
    found = halves(mask) if wholeness.divides_now else None
    if found is not None:
        # What lies around a half decides where its outline runs.
        alone = [logits.copy() for _ in found]
        for other, half in zip(reversed(alone), found, strict=True):
            grid.crop(other)[half] = BACKGROUND_LOGIT
        first, second = (PackedLogits.pack(one, track.window) for one in alone)
        estimate = replace(estimate, daughters=(first, second))
    return TrackUpdate(estimate, track)


def _missed(object_id: int, track: Track) -> TrackUpdate:
    missed = track.miss()
    reason = Reason.ENDED if track.has_ended else Reason.LOST
    result = ObjectResult.absent(object_id, reason, missed.confidence)
    return TrackUpdate(Estimate(result), missed)
