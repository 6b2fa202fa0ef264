"""Positions in the pixels of a frame."""

from __future__ import annotations

from typing import Any

from napari_sam_decoder.errors import PromptError
from napari_sam_decoder.validation import as_finite_array

__all__ = ["Position", "checked_positions"]

Position = tuple[float, float]


def checked_positions(points: Any) -> tuple[Position, ...]:
    """Check (N, 2) positions in the frame.

    Raises
    ------
    PromptError
        If they have another shape, or are not finite numbers.
    """
    found = as_finite_array(points, "points", PromptError)
    if found.shape == (0,):
        return ()
    if found.ndim != 2 or found.shape[1] != 2:
        raise PromptError(
            "points are pairs (row, column), the frame is given apart, as in "
            "Prompt(object_id, frame, points=[(row, column)]); an array of shape "
            f"{found.shape} holds no such pairs"
        )
    return tuple((row, column) for row, column in found.tolist())
