"""The per-frame loop: expect, ask, choose, carry on, and yield the labels."""

from __future__ import annotations

from napari_sam_decoder.propagation.plan import Itinerary, plan
from napari_sam_decoder.propagation.results import FrameResult, ObjectResult, Verdict
from napari_sam_decoder.propagation.run import propagate
from napari_sam_decoder.propagation.scene import Scene, Settings

__all__ = [
    "FrameResult",
    "Itinerary",
    "ObjectResult",
    "Scene",
    "Settings",
    "Verdict",
    "plan",
    "propagate",
]
