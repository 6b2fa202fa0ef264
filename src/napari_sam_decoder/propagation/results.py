"""What propagation says about a frame and about each object on it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Self

from napari_sam_decoder.labels import MAJORITY, claim_after_merge

if TYPE_CHECKING:
    import numpy as np

    from napari_sam_decoder.labels import Claim
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
    CONTRADICTED = "contradicted"
    SHARED = "shared"
    TAKING = "taking"
    TAKEN = "taken"
    ERASED = "erased"
    KEPT = "kept"
    LOST = "lost"
    SAID = "said"
    EMPTY = "empty"

    @property
    def is_conflict(self) -> bool:
        """Whether another object is part of it."""
        return self in (Reason.SHARED, Reason.TAKING, Reason.TAKEN)


_SENTENCES = {
    Reason.UNSURE: "the network is not sure of this mask",
    Reason.CONTRADICTED: "the runs from the prompts before and after disagree",
    Reason.SHARED: "object {rival} has nearly the same mask",
    Reason.TAKING: "it has most of the pixels of object {rival}",
    Reason.TAKEN: "object {rival} has most of its pixels",
    Reason.ERASED: "most of its pixels were erased in the labels",
    Reason.KEPT: "it was not found again, but not taken away either",
    Reason.LOST: "nothing here fits and looks like it",
    Reason.SAID: "you said that it is not here",
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
        An object is absent where it has no pixels in the labels, and only there.
    iou_prediction : float
        0..1, the decoder's estimate for the chosen mask; 0 where nothing was decoded.
    stability : float
        0..1, IoU of the mask under a stricter and a laxer threshold.
    memory_agreement : float
        0..1, IoU with where memory and motion expected the object; 1 on a prompted
        frame.
    temporal_iou : float
        0..1, soft IoU with the mask of the frame before, moved on; 1 on a prompted
        frame.
    area_change : float
        Area over the usual area of the object; 1 on a prompted frame.
    likeness : float
        -1..1, how much what is under the mask looks like the object on the frames
        that the user has fixed; 1 on a prompted frame.
    hypothesis : int
        1 to 3 for the chosen hypothesis, 0 for the single-mask output or for none.
    confidence : float
        0..1, how well the object has been held up to this frame: the weakest of
        predicted IoU, stability and memory agreement, times the likeness, averaged
        over the last frames. A mask that was lost some frames ago may look perfect on
        this one, so doubt passes only slowly. Where other objects are in the way, it
        is no more than the share of the mask that they leave.
    reason : Reason, optional
        Why it is doubtful or absent; None otherwise.
    rival : int, optional
        The other object, where the reason is about one.
    mask_area : int
        Pixels of its mask before other objects had their say.
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

    @property
    def why(self) -> str:
        """Say in a sentence why it is doubtful or absent; nothing otherwise."""
        if self.reason is None:
            return ""
        sentence = _SENTENCES[self.reason]
        if self.verdict is Verdict.ABSENT:
            sentence = _SENTENCES_OF_ALL.get(self.reason, sentence)
        return sentence.format(rival=self.rival)

    def beside(self, claim: Claim) -> Self:
        """Judge it by what the other objects have left of its mask.

        Parameters
        ----------
        claim : Claim
            How many pixels its mask has, and how many it has in the labels.

        Returns
        -------
        ObjectResult
            Absent without pixels, and doubtful where another object has most of them,
            or nearly the same mask, where most of them were erased, and where it has
            most of another's.
        """
        area = max(self.mask_area, claim.area)
        known = replace(self, mask_area=area)
        if not claim.kept:
            return known._without_pixels(claim)
        if self.verdict is Verdict.ABSENT:
            return replace(known, verdict=Verdict.DOUBTFUL, reason=Reason.KEPT)
        left = claim.kept / area
        if left < MAJORITY:
            reason, rival = known._loss(claim)
            return known._doubted(reason, rival, left)
        if claim.twin is not None and claim.twin_iou >= SHARED_FROM:
            return known._doubted(Reason.SHARED, claim.twin, 1 - claim.twin_iou)
        if claim.prey is not None:
            return known._doubted(Reason.TAKING, claim.prey, left)
        return known

    def _without_pixels(self, claim: Claim) -> Self:
        if self.verdict is Verdict.ABSENT:
            return self
        reason, rival = Reason.EMPTY, None
        if self.mask_area or claim.area:
            reason, rival = self._loss(claim)
        return replace(
            self, verdict=Verdict.ABSENT, reason=reason, rival=rival, confidence=0.0
        )

    def _loss(self, claim: Claim) -> tuple[Reason, int | None]:
        """Say where the pixels of its mask have gone."""
        rival = claim.rival if claim.rival is not None else self.rival
        return (Reason.ERASED if rival is None else Reason.TAKEN), rival

    def _doubted(self, reason: Reason, rival: int | None, left: float) -> Self:
        return replace(
            self,
            verdict=Verdict.DOUBTFUL,
            reason=reason,
            rival=rival,
            confidence=min(self.confidence, left),
        )

    @classmethod
    def pointed(
        cls, object_id: int, choice: Choice, trust: float, doubtful_below: float
    ) -> Self:
        """Report the mask that a prompt has given, if that is sure enough."""
        is_sure = trust >= doubtful_below
        verdict = Verdict.PROMPTED if is_sure else Verdict.DOUBTFUL
        return cls.of(object_id, verdict, choice, confidence=trust)

    @classmethod
    def certain(cls, object_id: int) -> Self:
        """Report a mask of which the user has decided every part."""
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
    def of(
        cls,
        object_id: int,
        verdict: Verdict,
        choice: Choice,
        *,
        confidence: float,
        likeness: float = 1.0,
        area_change: float = 1.0,
    ) -> Self:
        """Report a chosen mask; one that is doubtful is so by itself."""
        return cls(
            object_id=object_id,
            verdict=verdict,
            iou_prediction=choice.iou_prediction,
            stability=choice.stability,
            memory_agreement=choice.memory_agreement,
            temporal_iou=choice.temporal_iou,
            area_change=area_change,
            likeness=likeness,
            hypothesis=choice.index,
            confidence=confidence,
            reason=Reason.UNSURE if verdict is Verdict.DOUBTFUL else None,
        )


@dataclass(frozen=True, eq=False)
class FrameResult:
    """Labels of one frame.

    Attributes
    ----------
    frame : int
    labels : (Y, X) array of int
        Object ids, 0 where there is none. All results of a run have the same type.
    objects : dict of int to ObjectResult
        Every object that has been decided on this frame so far.
    affected : dict of int to ObjectResult
        Objects that were not decided on, and have lost most of their pixels to one that
        was, in a correction.
    is_final : bool
        False while a run from a later prompt will still come past this frame. Such a
        frame is yielded again with that run's say in it.
    """

    frame: int
    labels: np.ndarray
    objects: dict[int, ObjectResult] = field(default_factory=dict)
    is_final: bool = True
    affected: dict[int, ObjectResult] = field(default_factory=dict)

    @property
    def judged(self) -> dict[int, ObjectResult]:
        """All objects of which it says something: decided on or affected."""
        return self.affected | self.objects

    def with_labels(self, labels: np.ndarray) -> FrameResult:
        """Return the same result with other labels, for instance merged ones.

        Parameters
        ----------
        labels : (Y, X) array of int
            What is shown of the frame in the end.

        Returns
        -------
        FrameResult
            Whose objects are judged by the pixels that they have in these labels.
        """

        def again(results: dict[int, ObjectResult]) -> dict[int, ObjectResult]:
            return {
                object_id: result.beside(
                    claim_after_merge(object_id, self.labels, labels)
                )
                for object_id, result in results.items()
            }

        return replace(
            self,
            labels=labels,
            objects=again(self.objects),
            affected=again(self.affected),
        )
