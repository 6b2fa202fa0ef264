"""What propagation says about a frame and about each object on it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Self

from napari_sam_decoder.labels import (
    MAJORITY,
    is_any_of,
    overlap_after_merge,
    without_objects,
)
from napari_sam_decoder.model.transforms import extent

if TYPE_CHECKING:
    from collections.abc import Collection

    import numpy as np

    from napari_sam_decoder.labels import Overlap
    from napari_sam_decoder.prompts import PaintedMask
    from napari_sam_decoder.selection import Choice

__all__ = ["FrameResult", "ObjectResult", "Reason", "Verdict"]

SHARED_FROM = 0.5
"""IoU of two masks from which they are nearly the same one."""


class Verdict(StrEnum):
    """How far the result for an object on a frame can be trusted."""

    PROMPTED = "prompted"
    SURE = "sure"
    DOUBTFUL = "doubtful"
    ABSENT = "absent"


class Reason(StrEnum):
    """Why an object is doubtful or absent on a frame."""

    UNSURE = "unsure"
    UNLIKE = "unlike"
    CONTRADICTED = "contradicted"
    DIVIDED = "divided"
    SHARED = "shared"
    TAKING = "taking"
    TAKEN = "taken"
    ERASED = "erased"
    KEPT = "kept"
    LOST = "lost"
    ENDED = "ended"
    SAID = "said"
    EMPTY = "empty"

    @property
    def is_conflict(self) -> bool:
        """Whether another object is involved."""
        return self in (Reason.SHARED, Reason.TAKING, Reason.TAKEN)


_SENTENCES = {
    Reason.UNSURE: "the network is not sure of this mask",
    Reason.UNLIKE: "it looks less like the object than where you showed it",
    Reason.CONTRADICTED: "the runs from the prompts before and after disagree",
    Reason.DIVIDED: "it seems to have divided",
    Reason.SHARED: "object {rival} has nearly the same mask",
    Reason.TAKING: "it has most of the pixels of object {rival}",
    Reason.TAKEN: "object {rival} has most of its pixels",
    Reason.ERASED: "most of its pixels were erased in the labels",
    Reason.KEPT: "it was not found again, but its pixels were kept",
    Reason.LOST: "no mask fits its position and appearance",
    Reason.ENDED: "it has become small and unsure, as where an object ends",
    Reason.SAID: "you marked it as absent",
    Reason.EMPTY: "its mask has no pixel",
}
_SENTENCES_OF_ALL = {
    Reason.TAKEN: "object {rival} has all of its pixels",
    Reason.ERASED: "all of its pixels were erased in the labels",
}


@dataclass(frozen=True)
class ObjectResult:
    """One object on one frame.

    Attributes
    ----------
    object_id : int
    verdict : Verdict
        An object is absent exactly where it has no pixels in the labels.
    iou_prediction : float
        0..1, the decoder's estimate for the chosen mask; 0 if nothing was decoded.
    stability : float
        0..1, IoU of the masks at a higher and at a lower threshold.
    memory_agreement : float
        0..1, IoU with the mask that memory and motion expected; 1 on a prompted frame.
    temporal_iou : float
        0..1, soft IoU with the mask of the frame before, moved to this one; 1 on a
        prompted frame.
    area_change : float
        Area divided by the usual area of the object; 1 on a prompted frame.
    likeness : float
        -1..1, how much the content of the mask looks like the object on the frames that
        the user has fixed; 1 on a prompted frame.
    hypothesis : int
        1 to 3 for the chosen hypothesis, 0 for the single-mask output or for none.
    confidence : float
        0..1, how well the object has been followed up to this frame: the smallest of
        predicted IoU, stability and memory agreement, times the likeness, averaged
        over the last frames. An object that was lost some frames ago may have a perfect
        mask on this one, so doubt passes only slowly. Where other objects overlap, it
        is at most the share of the mask that they leave.
    reason : Reason, optional
        Why the object is doubtful or absent; None otherwise.
    rival : int, optional
        The other object, if one is involved.
    mask_area : int
        Pixels of the mask before overlaps with other objects were resolved.
    daughters : (PaintedMask, PaintedMask), optional
        On the frame from which the object is taken to have divided: its two parts, the
        larger one first.
    """

    object_id: int
    verdict: Verdict
    iou_prediction: float = 0.0
    stability: float = 0.0
    memory_agreement: float = 0.0
    temporal_iou: float = 0.0
    area_change: float = 1.0
    likeness: float = 0.0
    hypothesis: int = 0
    confidence: float = 0.0
    reason: Reason | None = None
    rival: int | None = None
    mask_area: int = 0
    daughters: tuple[PaintedMask, PaintedMask] | None = None

    def __repr__(self) -> str:
        why = f", why={self.why!r}" if self.why else ""
        return (
            f"{type(self).__name__}(object_id={self.object_id}, "
            f"verdict={self.verdict.value!r}, confidence={self.confidence:.2f}{why})"
        )

    @property
    def is_doubtful(self) -> bool:
        """Whether a person should look at it: unsure, or in conflict with another."""
        is_conflict = self.reason is not None and self.reason.is_conflict
        return self.verdict is Verdict.DOUBTFUL or is_conflict

    @property
    def why(self) -> str:
        """A sentence on why the object is doubtful or absent; empty otherwise."""
        if self.reason is None:
            return ""
        sentence = _SENTENCES[self.reason]
        if self.verdict is Verdict.ABSENT:
            sentence = _SENTENCES_OF_ALL.get(self.reason, sentence)
        return sentence.format(rival=self.rival)

    def judged_by(self, overlap: Overlap) -> Self:
        """Return the result after overlaps with other objects were resolved.

        Parameters
        ----------
        overlap : Overlap
            How many pixels its mask has, and how many of them it keeps.

        Returns
        -------
        ObjectResult
            Absent without pixels. Doubtful if it lost most of its pixels, if another
            object has nearly the same mask, or if it has most of another's pixels.
        """
        area = max(self.mask_area, overlap.area)
        known = replace(self, mask_area=area)
        if not overlap.kept:
            return known._without_pixels(overlap)
        if self.verdict is Verdict.ABSENT:
            return replace(known, verdict=Verdict.DOUBTFUL, reason=Reason.KEPT)
        left = overlap.kept / area
        if left < MAJORITY:
            reason, rival = known._loss(overlap)
            return known._doubted(reason, rival, left)
        if overlap.duplicate is not None and overlap.duplicate_iou >= SHARED_FROM:
            return known._doubted(
                Reason.SHARED, overlap.duplicate, 1 - overlap.duplicate_iou
            )
        if overlap.displaced is not None:
            return known._doubted(Reason.TAKING, overlap.displaced, left)
        return known

    def _without_pixels(self, overlap: Overlap) -> Self:
        if self.verdict is Verdict.ABSENT:
            return self
        reason, rival = Reason.EMPTY, None
        if self.mask_area or overlap.area:
            reason, rival = self._loss(overlap)
        return replace(
            self, verdict=Verdict.ABSENT, reason=reason, rival=rival, confidence=0.0
        )

    def _loss(self, overlap: Overlap) -> tuple[Reason, int | None]:
        """Return the reason for which its pixels are lost, and to which object."""
        rival = overlap.rival if overlap.rival is not None else self.rival
        return (Reason.ERASED if rival is None else Reason.TAKEN), rival

    def _doubted(self, reason: Reason, rival: int | None, left: float) -> Self:
        return replace(
            self,
            verdict=Verdict.DOUBTFUL,
            reason=reason,
            rival=rival,
            confidence=min(self.confidence, left),
        )

    def divided(self) -> Self:
        """Return the result of an object that seems to have divided."""
        return replace(self, verdict=Verdict.DOUBTFUL, reason=Reason.DIVIDED)

    @classmethod
    def absent(cls, object_id: int, reason: Reason, confidence: float = 0.0) -> Self:
        """Return the result of an object that is not on the frame."""
        return cls(object_id, Verdict.ABSENT, confidence=confidence, reason=reason)

    def rated(self, rating: float, hypothesis: int, doubtful_below: float) -> Self:
        """Return the result of a mask that may not be what the user has meant."""
        is_sure = rating >= doubtful_below
        return replace(
            self,
            verdict=Verdict.PROMPTED if is_sure else Verdict.DOUBTFUL,
            reason=None if is_sure else Reason.UNSURE,
            iou_prediction=rating,
            confidence=rating,
            hypothesis=hypothesis,
        )

    @classmethod
    def confirmed(cls, object_id: int) -> Self:
        """Return the result of a mask that the user has painted or corrected."""
        return cls(
            object_id,
            Verdict.PROMPTED,
            iou_prediction=1.0,
            stability=1.0,
            memory_agreement=1.0,
            temporal_iou=1.0,
            likeness=1.0,
            confidence=1.0,
        )

    @classmethod
    def fixed(cls, object_id: int, area: int) -> Self:
        """Return the result of an object that a person has fixed in the labels.

        Parameters
        ----------
        object_id : int
            Its value in the labels.
        area : int
            Its pixels on the frame; without any, it is absent since the person says so.
        """
        if not area:
            return cls.absent(object_id, Reason.SAID)
        return replace(cls.confirmed(object_id), mask_area=area)

    @classmethod
    def of(
        cls,
        object_id: int,
        choice: Choice,
        doubt: Reason | None = None,
        *,
        confidence: float,
        likeness: float = 1.0,
        area_change: float = 1.0,
    ) -> Self:
        """Return the result of a chosen mask, which may be in doubt for a reason."""
        return cls(
            object_id=object_id,
            verdict=Verdict.DOUBTFUL if doubt else Verdict.SURE,
            iou_prediction=choice.iou_prediction,
            stability=choice.stability,
            memory_agreement=choice.memory_agreement,
            temporal_iou=choice.temporal_iou,
            area_change=area_change,
            likeness=likeness,
            hypothesis=choice.index,
            confidence=confidence,
            reason=doubt,
        )


@dataclass(frozen=True, eq=False)
class FrameResult:
    """The labels of one frame, and what is known of its objects.

    Attributes
    ----------
    frame : int
    labels : (Y, X) array of int
        Object ids, 0 where there is none. All results of a run have the same type.
    objects : dict of int to ObjectResult
        All objects that have been decided on this frame so far.
    affected : dict of int to ObjectResult
        Objects that were not decided, but have lost most of their pixels to a corrected
        one.
    is_final : bool
        False if the backward pass will still reach this frame. Then the frame comes
        again, with the results of both passes joined.
    background : frozenset of int
        Background objects: followed like all others, but not wanted.
    """

    frame: int
    labels: np.ndarray
    objects: dict[int, ObjectResult] = field(default_factory=dict)
    is_final: bool = True
    affected: dict[int, ObjectResult] = field(default_factory=dict)
    background: frozenset[int] = frozenset()

    def __repr__(self) -> str:
        objects = ", ".join(
            f"{key}: {result.verdict.value} {result.confidence:.2f}"
            for key, result in self.judged.items()
        )
        return (
            f"{type(self).__name__}(frame={self.frame}, "
            f"labels={self.labels.dtype}{self.labels.shape}, objects={{{objects}}}, "
            f"is_final={self.is_final})"
        )

    @property
    def judged(self) -> dict[int, ObjectResult]:
        """All objects of the result: decided or affected."""
        return self.affected | self.objects

    @property
    def wanted(self) -> FrameResult:
        """The result without background objects, neither pixels nor verdicts."""
        if not self.background:
            return self

        def without(results: dict[int, ObjectResult]) -> dict[int, ObjectResult]:
            return {
                object_id: result
                for object_id, result in results.items()
                if object_id not in self.background
            }

        return replace(
            self,
            labels=without_objects(self.labels, self.background),
            objects=without(self.objects),
            affected=without(self.affected),
            background=frozenset(),
        )

    def with_fixed(self, object_ids: Collection[int]) -> FrameResult:
        """Return the result where a person, not the program, has decided on objects.

        Parameters
        ----------
        object_ids : collection of int
            Fixed as they are in the labels of the result.
        """
        fixed = {
            one: ObjectResult.fixed(one, int((self.labels == one).sum()))
            for one in object_ids
        }
        return replace(self, objects=self.objects | fixed)

    def with_labels(self, labels: np.ndarray) -> FrameResult:
        """Return the result with other labels, for example merged ones.

        Parameters
        ----------
        labels : (Y, X) array of int
            The final labels of the frame.

        Returns
        -------
        FrameResult
            Its objects are judged by the pixels that they have in these labels.
        """
        # Most of a large frame has none of these objects, neither before nor after.
        is_near = (self.labels != 0) | is_any_of(labels, self.judged)
        near = extent(is_near) or (slice(0), slice(0))
        before, after = self.labels[near], labels[near]

        def again(results: dict[int, ObjectResult]) -> dict[int, ObjectResult]:
            return {
                object_id: result.judged_by(
                    overlap_after_merge(object_id, before, after)
                )
                for object_id, result in results.items()
            }

        return replace(
            self,
            labels=labels,
            objects=again(self.objects),
            affected=again(self.affected),
        )
