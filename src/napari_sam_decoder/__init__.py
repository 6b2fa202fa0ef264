"""Segment objects through movies and volumes from a click.

Names are loaded on first use, so that importing the package costs neither torch nor
Qt.
"""

from __future__ import annotations

import logging
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from napari_sam_decoder.errors import SamDecoderError
    from napari_sam_decoder.formats import open_movie, read_points
    from napari_sam_decoder.frames import Movie
    from napari_sam_decoder.prompts import (
        PaintedMask,
        Prompt,
        PromptSet,
        prompts_from_points,
    )
    from napari_sam_decoder.propagation import (
        Direction,
        FrameResult,
        Hypothesis,
        ObjectResult,
        Preview,
        Reason,
        Settings,
        Verdict,
    )
    from napari_sam_decoder.samples import load_sample
    from napari_sam_decoder.session import Session
    from napari_sam_decoder.weights.registry import load_sam

# Silent, unless whoever uses the package asks to hear of it.
logging.getLogger(__name__).addHandler(logging.NullHandler())

_HOMES = {
    "Direction": "propagation",
    "FrameResult": "propagation",
    "Hypothesis": "propagation",
    "Movie": "frames",
    "ObjectResult": "propagation",
    "PaintedMask": "prompts",
    "Preview": "propagation",
    "Prompt": "prompts",
    "PromptSet": "prompts",
    "Reason": "propagation",
    "SamDecoderError": "errors",
    "Session": "session",
    "Settings": "propagation",
    "Verdict": "propagation",
    "load_sam": "weights.registry",
    "load_sample": "samples",
    "open_movie": "formats",
    "prompts_from_points": "prompts",
    "read_points": "formats",
}

__all__ = [
    "Direction",
    "FrameResult",
    "Hypothesis",
    "Movie",
    "ObjectResult",
    "PaintedMask",
    "Preview",
    "Prompt",
    "PromptSet",
    "Reason",
    "SamDecoderError",
    "Session",
    "Settings",
    "Verdict",
    "load_sam",
    "load_sample",
    "open_movie",
    "prompts_from_points",
    "read_points",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
