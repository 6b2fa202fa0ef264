"""One object on its way from frame to frame: what is expected and was accepted."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from napari_sam_decoder.propagation.accumulator import Outcome, smooth
from napari_sam_decoder.propagation.decoding import ask_all, choose_answers
from napari_sam_decoder.propagation.prior import (
    Place,
    claimed,
    recall_anywhere,
    strongest_part,
)
from napari_sam_decoder.propagation.results import ObjectResult, Reason, Verdict
from napari_sam_decoder.selection import MAX_FRAME_SHARE, Expectation

if TYPE_CHECKING:
    from collections.abc import Mapping

    from napari_sam_decoder.appearance.features import View
    from napari_sam_decoder.appearance.memory import Memory
    from napari_sam_decoder.propagation.context import Scene
    from napari_sam_decoder.propagation.decoding import Journey, Question
    from napari_sam_decoder.propagation.prior import Grid
    from napari_sam_decoder.selection import Choice

__all__ = [
    "LARGEST_GROWTH",
    "Motion",
    "Step",
    "Track",
    "absent",
    "follow_tracks",
    "mask_centre",
    "shift_logits",
    "warp_logits",
]

SMOOTHING = 0.5
"""Weight of the newest displacement; micro-sam's tracker uses the same."""


@dataclass(frozen=True)
class Motion:
    """Centre and smoothed velocity of an object, in pixels of any one grid.

    Attributes
    ----------
    centre : (row, column)
        Where the object was last seen.
    velocity : (rows, columns) per frame
        Exponentially smoothed displacement; zero until two frames are known.
    is_moving : bool
        Whether a displacement has been seen at all.
    """

    centre: tuple[float, float]
    velocity: tuple[float, float] = (0.0, 0.0)
    is_moving: bool = False

    def seen_at(self, centre: tuple[float, float], frames: int = 1) -> Motion:
        """Return the motion after the object was seen some frames later."""
        step = np.subtract(centre, self.centre) / frames
        if self.is_moving:
            step = SMOOTHING * step + (1 - SMOOTHING) * np.asarray(self.velocity)
        return Motion(centre, (float(step[0]), float(step[1])), is_moving=True)


def mask_centre(mask: np.ndarray) -> tuple[float, float]:
    """Centre of mass of a non-empty boolean mask, as (row, column)."""
    rows, columns = np.nonzero(mask)
    return float(rows.mean()), float(columns.mean())


def shift_logits(logits: np.ndarray, displacement: tuple[float, float]) -> np.ndarray:
    """Move low-res logits along, with subpixel precision.

    Parameters
    ----------
    logits : (rows, columns) array of float32
        Unthresholded, over what shows the frame: the padding must not enter it.
    displacement : (rows, columns)
        In low-res pixels.

    Returns
    -------
    (rows, columns) array of float32
        What comes in at the rim continues the rim, so that an object that is entering
        the picture gets no hole.
    """
    if displacement == (0.0, 0.0):
        return logits
    shifted: np.ndarray = ndimage.shift(logits, displacement, order=1, mode="nearest")
    return shifted


def warp_logits(logits: np.ndarray, displacement: np.ndarray) -> np.ndarray:
    """Carry low-res logits along with the pixels that they belong to.

    Parameters
    ----------
    logits : (rows, columns) array of float32
        Unthresholded, over what shows the frame.
    displacement : (2, rows, columns) array
        What is at ``p`` now was at ``p + displacement[:, p]``.

    Returns
    -------
    (rows, columns) array of float32
    """
    from napari_sam_decoder.flow import warp

    warped: np.ndarray = warp(logits[np.newaxis], displacement)[0]
    return warped


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
        largest = max(MAX_FRAME_SHARE * mask.size, LARGEST_GROWTH * size)
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


@dataclass(frozen=True, eq=False)
class Step:
    """One object on one frame: what to report, and what to go on with.

    Attributes
    ----------
    outcome : Outcome
    track : Track
    """

    outcome: Outcome
    track: Track


def follow_tracks(
    scene: Scene, frame: int, journey: Journey, settled: Mapping[int, np.ndarray]
) -> dict[int, Step]:
    """Carry objects to the next frame, all in one decoder call.

    Parameters
    ----------
    scene : Scene
        Where the frames come from and the decoder is.
    frame : int
        The next frame.
    journey : Journey
        The objects, moved on from the frame before.
    settled : mapping of object id to (h, w) array
        Low-res logits of objects that have been decided on this frame already; their
        place is taken.

    Returns
    -------
    dict of object id to Step
        Absent where the object is not expected in the picture, or where no mask is
        good enough, lies where the object should be, and looks like it.
    """
    view = scene.view(frame)
    questions = ask_all(scene, view, journey, settled)
    choices = choose_answers(scene, view.embedding, questions)
    steps = {key: _missed(key, track) for key, track in journey.tracks.items()}

    def judge(answer: tuple[Question, Choice]) -> tuple[int, Step]:
        question, choice = answer
        return question.object_id, _judge(question, choice, view, scene)

    answers = zip(questions, choices, strict=True)
    return steps | dict(scene.objects.map(judge, answers))


def absent(object_id: int, reason: Reason = Reason.LOST) -> Outcome:
    """Say that an object is not on a frame."""
    return Outcome(ObjectResult(object_id, Verdict.ABSENT, reason=reason), None)


def _judge(question: Question, choice: Choice, view: View, scene: Scene) -> Step:
    settings, track = scene.settings, question.track
    likeness = track.memory.likeness(view, choice.logits)
    mask = scene.grid.cut(choice.logits) > 0
    is_object = choice.score > 0 and choice.confidence >= settings.absent_below
    if not is_object or likeness < settings.unlike_below or not mask.any():
        return _missed(question.object_id, track)
    confidence = track.assured(choice.confidence * likeness)
    weakest = min(choice.confidence, track.trust, confidence)
    result = ObjectResult.of(
        question.object_id,
        Verdict.SURE if weakest >= settings.doubtful_below else Verdict.DOUBTFUL,
        choice,
        confidence=confidence,
        likeness=likeness,
        area_change=float(mask.sum()) / track.size,
    )
    shown = smooth(choice.logits, question.expectation, settings.stabilise)
    outcome = Outcome.of(result, shown)
    return Step(outcome, track.accept(choice, scene.grid, view, confidence))


def _missed(object_id: int, track: Track) -> Step:
    lost = track.miss()
    result = ObjectResult(
        object_id, Verdict.ABSENT, confidence=lost.confidence, reason=Reason.LOST
    )
    return Step(Outcome(result, None), lost)
