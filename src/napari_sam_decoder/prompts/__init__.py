"""What the user pointed at, per object and frame, in frame pixels (row, column)."""

from __future__ import annotations

from napari_sam_decoder.prompts.painted_mask import PaintedMask, mask_logits
from napari_sam_decoder.prompts.prompt import Prompt
from napari_sam_decoder.prompts.prompt_set import (
    PromptSet,
    checked_prompts,
    prompts_from_points,
    prompts_from_tables,
    read_points,
    read_points_at,
)
from napari_sam_decoder.prompts.scribble import Scribble

__all__ = [
    "PaintedMask",
    "Prompt",
    "PromptSet",
    "Scribble",
    "checked_prompts",
    "mask_logits",
    "prompts_from_points",
    "prompts_from_tables",
    "read_points",
    "read_points_at",
]
