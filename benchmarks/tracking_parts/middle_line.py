"""A line along the middle of a shape, as a hand would draw it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from skimage.graph import MCP_Geometric
from skimage.morphology import skeletonize

if TYPE_CHECKING:
    Pixel = tuple[int, int]

__all__ = ["middle_line"]


def middle_line(shape: np.ndarray) -> list[Pixel]:
    """Find the middle half of the longest path in the skeleton of a shape.

    Parameters
    ----------
    shape : (Y, X) array of bool
        Connected, and not empty.

    Returns
    -------
    list of (row, column)
        Neighbouring pixels inside the shape, at least one.
    """
    # The zero rim is a border like any other.
    skeleton = skeletonize(np.pad(shape, 1))
    start = next(zip(*np.nonzero(skeleton), strict=True))
    _, end = _farthest(skeleton, start)
    path, _ = _farthest(skeleton, end)
    kept = max(1, len(path) // 2)
    first = (len(path) - kept) // 2
    return [(row - 1, column - 1) for row, column in path[first : first + kept]]


def _farthest(skeleton: np.ndarray, start: Pixel) -> tuple[list[Pixel], Pixel]:
    """Walk from a pixel to the farthest one; return the way and where it ends."""
    walk = MCP_Geometric(np.where(skeleton, 1.0, np.inf))
    costs, _ = walk.find_costs([start])
    reached = np.where(np.isfinite(costs), costs, -1)
    row, column = np.unravel_index(int(reached.argmax()), reached.shape)
    end = int(row), int(column)
    return walk.traceback(end), end
