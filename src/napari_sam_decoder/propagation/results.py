"""What propagation says about a frame and about each object on it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    import numpy as np

    from napari_sam_decoder.selection import Choice

__all__ = ["FrameResult", "ObjectResult", "Verdict"]


class Verdict(StrEnum):
    """How far the result for an object on a frame can be trusted."""

    PROMPTED = "prompted"
    SURE = "sure"
    DOUBTFUL = "doubtful"
    ABSENT = "absent"


@dataclass(frozen=True)
class ObjectResult:
    """One object on one frame.

    Attributes
    ----------
    object_id : int
    verdict : Verdict
        An absent object has no pixels.
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
        this one, so doubt passes only slowly.
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
        """Report a chosen mask."""
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
    is_final : bool
        False while a run from a later prompt will still come past this frame. Such a
        frame is yielded again with that run's say in it.
    """

    frame: int
    labels: np.ndarray
    objects: dict[int, ObjectResult] = field(default_factory=dict)
    is_final: bool = True

    def with_labels(self, labels: np.ndarray) -> FrameResult:
        """Return the same result with other labels, for instance merged ones."""
        return replace(self, labels=labels)
