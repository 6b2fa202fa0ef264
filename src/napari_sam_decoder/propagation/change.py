"""Where a correction changes an object's mask, so that it changes nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from scipy import ndimage

from napari_sam_decoder.motion import warp_logits
from napari_sam_decoder.propagation.grid import inner_depths

__all__ = ["Change", "Patch"]

EXTENT = 4.0
"""How far from the click a mask may change, in depths of the change at the click. One
clicks in the middle of what is wrong, so what lies far from there is not meant."""

WIDENING = 2
"""Low-res pixels by which a change may grow from frame to frame."""

SHARE_OF_PIXEL = 0.5


@dataclass(frozen=True, eq=False)
class Patch:
    """A mask that differs from what was there around one click only.

    Attributes
    ----------
    logits : (h, w) array of float32
        Low-res logits of the mask.
    centrality : float
        0..1: depth of the change at the click over its largest depth. A change that
        has the click at its rim is hardly the one that was meant.
    """

    logits: np.ndarray
    centrality: float

    @classmethod
    def of(
        cls, candidate: np.ndarray, existing: np.ndarray, spot: tuple[int, int]
    ) -> Self | None:
        """Take from a candidate what it changes around a spot, and nothing else.

        Parameters
        ----------
        candidate, existing : (h, w) array
            Low-res logits.
        spot : (row, column)
            Of the click.

        Returns
        -------
        Patch or None
            None if the candidate does not change what is at the spot.
        """
        different = (candidate > 0) != (existing > 0)
        if not different[spot]:
            return None
        depth = inner_depths(different)
        rows, columns = np.ogrid[: different.shape[0], : different.shape[1]]
        distances = np.hypot(rows - spot[0], columns - spot[1])
        changed = _part_at(different & (distances <= EXTENT * depth[spot]), spot)
        logits = np.where(changed, candidate, existing)
        return cls(logits, float(depth[spot] / depth[changed].max()))


@dataclass(frozen=True, eq=False)
class Change:
    """Pixels of the low-res grid that a correction has turned.

    Attributes
    ----------
    added, removed : (h, w) array of bool
        Those that are the object's since, and those that are no longer.
    """

    added: np.ndarray
    removed: np.ndarray

    @classmethod
    def between(cls, newer: np.ndarray, older: np.ndarray) -> Self:
        """Compare two (h, w) masks."""
        return cls(newer & ~older, older & ~newer)

    @classmethod
    def anywhere(cls, shape: tuple[int, ...]) -> Self:
        """Return the change of which nothing is known."""
        return cls(np.ones(shape, bool), np.ones(shape, bool))

    @property
    def pixels(self) -> np.ndarray:
        """(h, w) bool: all that has turned."""
        turned: np.ndarray = self.added | self.removed
        return turned

    @property
    def surroundings(self) -> np.ndarray:
        """(h, w) bool: all that has turned, and what is next to it."""
        return _widened(self.pixels)

    def moved(self, displacement: np.ndarray) -> Self:
        """Move on with the picture, by a (2, rows, columns) displacement."""
        return type(self)(
            _moved(self.added, displacement), _moved(self.removed, displacement)
        )

    def confine(self, other: Self) -> Self:
        """Keep of another change what turns the same way, here or next to here."""
        return type(self)(
            other.added & _widened(self.added), other.removed & _widened(self.removed)
        )


def _moved(mask: np.ndarray, displacement: np.ndarray) -> np.ndarray:
    """Move a mask; beyond the displacement's extent there is only padding."""
    rows, columns = displacement.shape[1:]
    visible = warp_logits(mask[:rows, :columns].astype(np.float32), displacement)
    moved = np.zeros_like(mask)
    moved[:rows, :columns] = visible > SHARE_OF_PIXEL
    return moved


def _widened(mask: np.ndarray) -> np.ndarray:
    wide: np.ndarray = ndimage.binary_dilation(mask, iterations=WIDENING)
    return wide


def _part_at(mask: np.ndarray, spot: tuple[int, int]) -> np.ndarray:
    """Keep the connected part of a mask that holds a spot."""
    parts, _ = ndimage.label(mask)
    part: np.ndarray = parts == parts[spot]
    return part
