"""Carry objects through a movie: decode prompts, follow objects, correct results."""

from __future__ import annotations

from napari_sam_decoder.propagation.context import Context, Settings
from napari_sam_decoder.propagation.correction import CurrentLabels, correct
from napari_sam_decoder.propagation.hypotheses import (
    Hypothesis,
    Preview,
    preview_prompts,
)
from napari_sam_decoder.propagation.plan import (
    Direction,
    Itinerary,
    Leg,
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
from napari_sam_decoder.propagation.search import FoundObject, search_objects
from napari_sam_decoder.propagation.views import Views, WholeFrames

__all__ = [
    "Context",
    "CurrentLabels",
    "Direction",
    "FoundObject",
    "FrameResult",
    "Hypothesis",
    "Itinerary",
    "Leg",
    "ObjectResult",
    "Preview",
    "Reason",
    "Settings",
    "Verdict",
    "Views",
    "WholeFrames",
    "correct",
    "legs_around",
    "plan",
    "preview_prompts",
    "propagate",
    "search_objects",
]
