"""Label propagation: a cell takes the labels of the earlier cells that it resembles.

Nothing is fitted, so an object is followed whose parts look different, or that changes
from frame to frame. This is how the features of a network are tested for what they
know of correspondence (as in Jabri et al., "Space-Time Correspondence as a Contrastive
Random Walk", 2020).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Self

import numpy as np

from napari_sam_decoder.linalg import mean_of_nearest
from napari_sam_decoder.model.transforms import extent

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from napari_sam_decoder.appearance.features import CellFeatures

    Window = tuple[slice, slice]

__all__ = ["LabelledCells", "propagate_labels", "window_around"]

NEIGHBOURS = 8
"""Cells that each cell takes its label from."""
TEMPERATURE = 0.07
"""Difference in the cosine by which one of them counts 1 / e as much."""
REACH = 6
"""Cells by which something may have moved since the latest frames."""
MARGIN = 8
"""Cells around an object that are known as its background."""
TILE = 8
"""Side of the squares of cells that are compared with the same cells."""
SMALLEST_SHARE = 0.1
"""A cell with a smaller share of the object is not a reason to look around it."""


@dataclass(frozen=True, eq=False)
class LabelledCells:
    """The cells around an object on a frame, and how much of each is the object.

    Attributes
    ----------
    directions : (rows, columns, C) array of float16
        Their features, as vectors of length 1.
    shares : (rows, columns) array of float32
        0..1.
    origin : (row, column)
        Of the first of them, among all cells of the frame.
    """

    directions: np.ndarray
    shares: np.ndarray
    origin: tuple[int, int]

    @classmethod
    def of(cls, cells: CellFeatures, logits: np.ndarray) -> LabelledCells | None:
        """Cut the object of (h, w) low-res logits out; None if there is nothing."""
        shares = cells.coverage(logits).reshape(cells.grid)
        window = window_around(shares > SMALLEST_SHARE, MARGIN)
        if window is None:
            return None
        directions = cells.uncentred[window].astype(np.float16)
        return cls(directions, shares[window], (window[0].start, window[1].start))

    def widened(self) -> Self:
        """Return the same in float32: computed with, that is twice as fast."""
        return replace(self, directions=self.directions.astype(np.float32))

    def shifted(self, rows: int, columns: int) -> Self:
        """Return the same, so many cells further down and to the right."""
        row, column = self.origin
        return replace(self, origin=(row + rows, column + columns))

    def near(self, window: Window) -> LabelledCells:
        """Return those that may have moved to a window of the frame."""
        rows, columns = (
            slice(max(side.start - REACH - first, 0), max(side.stop + REACH - first, 0))
            for side, first in zip(window, self.origin, strict=True)
        )
        return LabelledCells(
            self.directions[rows, columns],
            self.shares[rows, columns],
            (self.origin[0] + rows.start, self.origin[1] + columns.start),
        )

    def listed(self) -> tuple[np.ndarray, np.ndarray]:
        """Return (N, C) directions and (N,) shares."""
        return _listed(self.directions), self.shares.ravel()


def window_around(mask: np.ndarray, margin: int) -> Window | None:
    """Rows and columns of a 2-D mask, and of a margin; None if the mask is empty."""
    inside = extent(mask)
    if inside is None:
        return None
    rows, columns = (
        slice(max(side.start - margin, 0), min(side.stop + margin, length))
        for side, length in zip(inside, mask.shape, strict=True)
    )
    return rows, columns


def propagate_labels(
    cells: CellFeatures,
    window: Window,
    fixed: Sequence[LabelledCells],
    latest: Sequence[LabelledCells],
) -> np.ndarray:
    """Say how much of each cell is the object, by the cells of other frames.

    Parameters
    ----------
    cells : CellFeatures
        Of the frame.
    window : (slice, slice)
        Rows and columns of the cells in question.
    fixed : sequence of LabelledCells
        Of frames that the user has fixed, where a cell may find its like anywhere.
    latest : sequence of LabelledCells
        Of the latest frames, where it is sought near its own place.

    Returns
    -------
    (N,) array of float32
        0..1 for all cells of the frame; 0 outside the window, and where nothing is
        known.
    """
    shares = np.zeros(cells.grid, np.float32)
    anywhere = [one.widened().listed() for one in fixed]
    nearby = [one.widened() for one in latest]
    for tile in _tiles(window):
        known = anywhere + [one.near(tile).listed() for one in nearby]
        keys, labels = zip(*known, strict=True) if known else ((), ())
        if any(map(len, keys)):
            queries = _listed(cells.uncentred[tile]) / np.float32(TEMPERATURE)
            found = mean_of_nearest(
                queries, np.concatenate(keys), np.concatenate(labels), NEIGHBOURS
            )
            shares[tile] = found.reshape(shares[tile].shape)
    return shares.ravel()


def _tiles(window: Window) -> Iterator[Window]:
    """Yield the parts of a window that are compared with the same cells."""
    rows, columns = (range(side.start, side.stop, TILE) for side in window)
    for top in rows:
        for left in columns:
            yield (
                slice(top, min(top + TILE, rows.stop)),
                slice(left, min(left + TILE, columns.stop)),
            )


def _listed(directions: np.ndarray) -> np.ndarray:
    """(N, C) of (rows, columns, C)."""
    return directions.reshape(-1, directions.shape[-1])
