"""The per-frame loop: expect, ask, choose, carry on, and yield the labels."""

from __future__ import annotations

from napari_sam_decoder.propagation.context import Scene, Settings
from napari_sam_decoder.propagation.correction import Draft, mend_all
from napari_sam_decoder.propagation.hypotheses import Hypothesis, Preview, preview_all
from napari_sam_decoder.propagation.plan import (
    Direction,
    Itinerary,
    legs_around,
    plan,
)
from napari_sam_decoder.propagation.results import (
    FrameResult,
    ObjectResult,
    Reason,
    Verdict,
)
from napari_sam_decoder.propagation.run import propagate

__all__ = [
    "Direction",
    "Draft",
    "FrameResult",
    "Hypothesis",
    "Itinerary",
    "ObjectResult",
    "Preview",
    "Reason",
    "Scene",
    "Settings",
    "Verdict",
    "legs_around",
    "mend_all",
    "plan",
    "preview_all",
    "propagate",
]
