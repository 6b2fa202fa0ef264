"""The per-frame loop: expect, ask, choose, carry on, and yield the labels."""

from __future__ import annotations

from napari_sam_decoder.propagation.mend import Draft, mend_all
from napari_sam_decoder.propagation.plan import (
    Direction,
    Itinerary,
    legs_around,
    plan,
)
from napari_sam_decoder.propagation.preview import Hypothesis, Preview, preview_all
from napari_sam_decoder.propagation.results import (
    FrameResult,
    ObjectResult,
    Reason,
    Verdict,
)
from napari_sam_decoder.propagation.run import propagate
from napari_sam_decoder.propagation.scene import Scene, Settings

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
