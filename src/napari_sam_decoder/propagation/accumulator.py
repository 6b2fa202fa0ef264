"""Collect what each pass says about the objects of a frame, and make its result."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from napari_sam_decoder.labels import measure_overlaps, resolve_overlaps
from napari_sam_decoder.metrics import mask_iou
from napari_sam_decoder.model.values import BACKGROUND_LOGIT, FrameLogits
from napari_sam_decoder.prompts import PaintedMask
from napari_sam_decoder.propagation.results import (
    FrameResult,
    ObjectResult,
    Reason,
    Verdict,
)
from napari_sam_decoder.propagation.views import transfer_logits

if TYPE_CHECKING:
    from collections.abc import Mapping

    from napari_sam_decoder.frames import Window
    from napari_sam_decoder.labels import Overlap
    from napari_sam_decoder.propagation.context import Context
    from napari_sam_decoder.propagation.plan import Itinerary
    from napari_sam_decoder.propagation.views import Views
    from napari_sam_decoder.selection import Expectation

__all__ = [
    "AGREEING_IOU",
    "Accumulator",
    "Estimate",
    "PackedLogits",
    "draw_estimate",
    "draw_estimates",
    "fuse",
    "offer_daughters",
    "stabilise",
]

LARGEST_PAST_SHARE = 0.5
UNLIKE, ALIKE = 0.5, 0.9
"""IoU with the moved mask from which the past counts, and at which it counts fully."""
LOGIT_LIMIT = 6.0
"""Only pixels whose logit is within this limit can change sides."""


def stabilise(
    logits: np.ndarray, expectation: Expectation, amount: float
) -> np.ndarray:
    """Average the logits with those of the frame before, moved along.

    Parameters
    ----------
    logits : (h, w) array of float32
        As decided on this frame.
    expectation : Expectation
        Has the mask of the frame before, moved to this one.
    amount : float
        0..1: 0 changes nothing, 1 gives the past as much weight as the present. The
        less the two masks agree, the less the past counts: the shape is changing.

    Returns
    -------
    (h, w) array of float32
        What is shown. The next frame starts from the logits as decided, so that nothing
        is smeared along the movie.
    """
    rows, columns = expectation.moved.shape
    now = np.clip(logits[:rows, :columns], -LOGIT_LIMIT, LOGIT_LIMIT)
    before = np.clip(expectation.moved, -LOGIT_LIMIT, LOGIT_LIMIT)
    iou = mask_iou(now > 0, before > 0)
    alike = float(np.clip((iou - UNLIKE) / (ALIKE - UNLIKE), 0, 1))
    share = amount * alike * LARGEST_PAST_SHARE
    stabilised = logits.copy()
    stabilised[:rows, :columns] += share * (before - now)
    return stabilised


MARGIN = 3
AGREEING_IOU = 0.5
"""IoU from which two masks of an object show the same thing."""


@dataclass(frozen=True, eq=False)
class PackedLogits:
    """Low-res logits as float16, cropped to the object: a few KB instead of 256.

    Attributes
    ----------
    values : (h, w) array of float16
    origin : (row, column)
        Of the crop in the whole grid.
    shape : (rows, columns)
        Of the whole grid.
    window : Window
        Of the frame, over which the grid lies.
    """

    values: np.ndarray
    origin: tuple[int, int]
    shape: tuple[int, int]
    window: Window

    @classmethod
    def pack(cls, logits: np.ndarray, window: Window) -> PackedLogits:
        """Crop to the positive logits and a margin that keeps the slope of the edge."""
        rows, columns = np.nonzero(logits > 0)
        if rows.size == 0:
            return cls(np.empty((0, 0), np.float16), (0, 0), logits.shape, window)
        top, left = max(rows.min() - MARGIN, 0), max(columns.min() - MARGIN, 0)
        crop = logits[top : rows.max() + MARGIN + 1, left : columns.max() + MARGIN + 1]
        origin = int(top), int(left)
        return cls(crop.astype(np.float16), origin, logits.shape, window)

    def seen_in(self, window: Window) -> np.ndarray:
        """Return (rows, columns) float32 logits over another window."""
        return transfer_logits(self.unpack(), self.window, window)

    def unpack(self) -> np.ndarray:
        """Return (rows, columns) float32 logits, far below 0 outside the crop."""
        logits = np.full(self.shape, BACKGROUND_LOGIT, np.float32)
        (top, left), (height, width) = self.origin, self.values.shape
        logits[top : top + height, left : left + width] = self.values
        return logits


@dataclass(frozen=True, eq=False)
class Estimate:
    """What a prompt, or a leg that starts from one, says about an object on a frame.

    Attributes
    ----------
    result : ObjectResult
    logits : PackedLogits, optional
        None for an absent object.
    distance : int
        Frames from the prompt.
    painted : PaintedMask, optional
        The mask of a prompted frame, in the window of the logits, which is shown as it
        is.
    is_own : bool
        Whether the user has painted it, so that it is neither doubted nor covered.
    daughters : (PackedLogits, PackedLogits), optional
        Its halves, on the frame from which it is taken to have divided.
    """

    result: ObjectResult
    logits: PackedLogits | None = None
    distance: int = 0
    painted: PaintedMask | None = None
    is_own: bool = False
    daughters: tuple[PackedLogits, PackedLogits] | None = None

    @property
    def strength(self) -> float:
        """Logit of a painted mask: what the user has painted covers what is answered.

        Of two answers the surer one covers the other.
        """
        return PAINTED_LOGIT if self.is_own else ANSWERED_LOGIT + self.result.confidence


def fuse(first: Estimate, second: Estimate) -> Estimate:
    """Join the estimates from the prompts before and after a frame.

    If only one of them sees the object, it is right: the other has lost the object. If
    both see the same thing, their logits are averaged, weighted by how near the prompt
    is, so that no seam shows. If they contradict each other, the one with the better
    confidence for its distance is taken and marked as doubtful.

    Parameters
    ----------
    first, second : Estimate
        Of the same object on the same frame.

    Returns
    -------
    Estimate
    """
    if first.logits is None or second.logits is None:
        return second if first.logits is None else first
    window = first.logits.window
    nearness = second.distance / (first.distance + second.distance)
    preferred = (
        first if _merit(first, nearness) >= _merit(second, 1 - nearness) else second
    )
    a, b = first.logits.seen_in(window), second.logits.seen_in(window)
    if mask_iou(a > 0, b > 0) < AGREEING_IOU:
        doubtful = replace(
            preferred.result, verdict=Verdict.DOUBTFUL, reason=Reason.CONTRADICTED
        )
        return replace(preferred, result=doubtful)
    mixed = PackedLogits.pack(nearness * a + (1 - nearness) * b, window)
    return replace(preferred, logits=mixed)


def _merit(estimate: Estimate, nearness: float) -> float:
    return estimate.result.confidence * nearness


ANSWERED_LOGIT = 1000.0
"""Above any logit of the decoder, so that the mask of a prompted frame is kept."""
PAINTED_LOGIT = 2 * ANSWERED_LOGIT
"""Above the masks of all other prompts, so that painted pixels are kept."""


class Accumulator:
    """Collects the estimates of a frame until every prompt and leg has given its own.

    Parameters
    ----------
    views : Views
        Draw the masks.
    itinerary : Itinerary
        The prompts and legs to wait for.
    """

    def __init__(self, views: Views, itinerary: Itinerary) -> None:
        self._views = views
        self._dtype = itinerary.labels_dtype
        self._awaited = Counter(prompt.frame for prompt in itinerary.prompts)
        for leg in itinerary.legs:
            self._awaited.update(leg.frames)
        self._estimates: dict[int, dict[int, Estimate]] = {}

    def add(self, frame: int, estimate: Estimate) -> None:
        """Add an estimate; it is fused with an earlier one for the same object."""
        estimates = self._estimates.setdefault(frame, {})
        object_id = estimate.result.object_id
        earlier = estimates.get(object_id)
        estimates[object_id] = estimate if earlier is None else fuse(earlier, estimate)
        self._awaited[frame] -= 1

    def logits(self, frame: int) -> dict[int, PackedLogits]:
        """Return the low-res logits of the objects found on a frame so far."""
        return {
            object_id: estimate.logits
            for object_id, estimate in self._estimates.get(frame, {}).items()
            if estimate.logits is not None
        }

    def result(self, frame: int) -> FrameResult:
        """Return the result of a frame; once it is final, its estimates are dropped."""
        is_final = self._awaited[frame] == 0
        estimates = self._estimates.pop(frame) if is_final else self._estimates[frame]
        logits = draw_estimates(self._views, frame, estimates)
        labels = resolve_overlaps(logits, self._views.frame_shape, self._dtype)
        overlaps = measure_overlaps(logits, labels)
        objects = {
            key: _judged(estimates[key], overlaps.get(key)) for key in sorted(estimates)
        }
        return FrameResult(
            frame=frame,
            labels=labels,
            objects={
                key: offer_daughters(self._views, frame, estimates[key], one, labels)
                for key, one in objects.items()
            },
            is_final=is_final,
        )


def _judged(estimate: Estimate, overlap: Overlap | None) -> ObjectResult:
    """Judge an object by its overlap; what was painted is not doubted."""
    if overlap is None:
        return estimate.result
    if estimate.is_own:
        overlap = replace(overlap, duplicate=None, displaced=None)
    return estimate.result.judged_by(overlap)


def draw_estimates(
    views: Views, frame: int, estimates: Mapping[int, Estimate]
) -> dict[int, FrameLogits]:
    """Bring the logits of all objects that are present to the pixels of the frame.

    Parameters
    ----------
    views : Views
        Draw the masks.
    frame : int
        All estimates are on it.
    estimates : mapping of object id to Estimate
        Of all objects on the frame.

    Returns
    -------
    dict of object id to FrameLogits
        A painted mask comes as it is, with logits above all others.
    """

    def draw(object_id: int) -> FrameLogits | None:
        logits = estimates[object_id].logits
        if logits is None:
            return None
        drawn = draw_estimate(views.at(logits.window), frame, estimates[object_id])
        return drawn and drawn.moved(logits.window.origin)

    threads = views.whole.object_threads
    drawn = zip(estimates, threads.map(draw, estimates), strict=True)
    return {object_id: logits for object_id, logits in drawn if logits is not None}


def offer_daughters(
    views: Views,
    frame: int,
    estimate: Estimate,
    result: ObjectResult,
    labels: np.ndarray,
) -> ObjectResult:
    """Add the halves of an object that has just divided to its result.

    Parameters
    ----------
    views : Views
        Draw the masks.
    frame : int
        Of the estimate.
    estimate : Estimate
        Of the object.
    result : ObjectResult
        Judged by the final labels.
    labels : (Y, X) array of int
        These: other objects have taken their pixels.

    Returns
    -------
    ObjectResult
        Unchanged where there are no halves, or where one has no pixels left.
    """
    if estimate.daughters is None or result.reason is not Reason.DIVIDED:
        return result
    own = labels == result.object_id
    first, second = (
        _draw(views, frame, half).mask(own.shape) & own for half in estimate.daughters
    )
    first &= ~second
    if not first.any() or not second.any():
        return result
    return replace(result, daughters=(PaintedMask.of(first), PaintedMask.of(second)))


def draw_estimate(
    context: Context, frame: int, estimate: Estimate
) -> FrameLogits | None:
    """Bring the logits of an object to the pixels of its window; None if absent."""
    if estimate.painted is not None:
        return _painted_logits(estimate.painted, estimate.strength)
    if estimate.logits is None:
        return None
    return context.draw(frame, estimate.logits.unpack())


def _draw(views: Views, frame: int, logits: PackedLogits) -> FrameLogits:
    drawn = views.at(logits.window).draw(frame, logits.unpack())
    return drawn.moved(logits.window.origin)


def _painted_logits(mask: PaintedMask, strength: float) -> FrameLogits:
    values = np.where(mask.to_array(), strength, -strength)
    rows, columns = mask.shape
    return FrameLogits(values.astype(np.float32), (slice(rows), slice(columns)))
