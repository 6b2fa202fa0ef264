"""The pictures of timelines: a bar per frame, as high as the confidence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_sam_decoder.project import CellState

if TYPE_CHECKING:
    from napari_sam_decoder.project import Timeline

__all__ = ["DARK", "LIGHT", "RibbonColours", "draw_cells"]

Colour = tuple[int, int, int]

_LOWEST = 0.15
"""Height of the bar of a mask without any confidence, so that it is seen."""
UNDERLINE = 2


@dataclass(frozen=True)
class RibbonColours:
    """The colours of one theme, 0..255.

    Attributes
    ----------
    bars : dict of CellState to colour
        Of the bar, up to the confidence.
    backs : dict of CellState to colour
        Of what is above it.
    changed : colour
        Of the line under what the last run has changed.
    slider : colour
        Of the line at the frame that is shown.
    """

    bars: dict[CellState, Colour]
    backs: dict[CellState, Colour]
    changed: Colour
    slider: Colour


# Blue, orange and white, or black, are told apart without seeing colours, too.
DARK = RibbonColours(
    bars={
        CellState.UNKNOWN: (46, 50, 58),
        CellState.ABSENT: (90, 96, 106),
        CellState.UNRATED: (120, 126, 136),
        CellState.SURE: (86, 154, 214),
        CellState.FIXED: (240, 240, 240),
        CellState.DOUBTFUL: (255, 160, 40),
    },
    backs={
        CellState.UNKNOWN: (46, 50, 58),
        CellState.ABSENT: (46, 50, 58),
        CellState.UNRATED: (46, 50, 58),
        CellState.SURE: (52, 68, 88),
        CellState.FIXED: (240, 240, 240),
        CellState.DOUBTFUL: (134, 76, 10),
    },
    changed=(214, 120, 255),
    slider=(255, 80, 80),
)
LIGHT = RibbonColours(
    bars={
        CellState.UNKNOWN: (226, 228, 232),
        CellState.ABSENT: (150, 154, 162),
        CellState.UNRATED: (140, 146, 156),
        CellState.SURE: (44, 116, 190),
        CellState.FIXED: (30, 30, 30),
        CellState.DOUBTFUL: (230, 110, 0),
    },
    backs={
        CellState.UNKNOWN: (226, 228, 232),
        CellState.ABSENT: (226, 228, 232),
        CellState.UNRATED: (226, 228, 232),
        CellState.SURE: (190, 208, 230),
        CellState.FIXED: (30, 30, 30),
        CellState.DOUBTFUL: (255, 206, 150),
    },
    changed=(150, 40, 200),
    slider=(210, 0, 0),
)


def draw_cells(
    line: Timeline, columns: np.ndarray, height: int, colours: RibbonColours
) -> np.ndarray:
    """Draw frames of a timeline side by side, each one pixel wide.

    Parameters
    ----------
    line : Timeline
        Of T frames.
    columns : (W,) array of int
        Frames, 0 to T - 1.
    height : int
        Of a bar for full confidence, in pixels; the line under it comes on top.
    colours : RibbonColours
        Of the theme.

    Returns
    -------
    (height + 3, W, 3) array of uint8
        Red, green and blue. Between the bars and the line is one row of background.
    """
    states = line.states[columns]
    shares = np.where(np.isnan(line.confidence[columns]), 1, line.confidence[columns])
    shares = np.maximum(shares, _LOWEST)
    shares[states == CellState.ABSENT] = _LOWEST
    shares[states == CellState.UNRATED] = 0.5
    bars = np.array([colours.bars[one] for one in CellState], np.uint8)[states]
    backs = np.array([colours.backs[one] for one in CellState], np.uint8)[states]
    from_below = np.arange(height, 0, -1)[:, np.newaxis]
    is_bar = from_below <= np.rint(shares * height)
    cells = np.where(is_bar[..., np.newaxis], bars, backs)
    # Two frames side by side can be told apart where there is room.
    ground = np.array(colours.bars[CellState.UNKNOWN], np.uint8)
    changed = np.array(colours.changed, np.uint8)
    is_changed = line.is_changed[columns][:, np.newaxis]
    line_below = np.where(is_changed, changed, ground)
    rows = [cells, np.broadcast_to(ground, (1, *backs.shape))]
    rows += [line_below[np.newaxis]] * UNDERLINE
    return np.ascontiguousarray(np.concatenate(rows))
