"""Pictures that ranges are measured on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from interactive_parts.fibres import filament_scene, neurite_scene
from shipped_head.photographs import photographs
from shipped_head.scenes import object_scene
from shipped_head.tissue import cell_scene

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["HELD_OUT", "calibration_pictures"]

HELD_OUT = "astronaut", "cell", "coffee", "coins"
"""Photographs on which tests compare masks with those of the published network."""


def calibration_pictures(scenes: int) -> Iterator[np.ndarray]:
    """Yield photographs of scikit-image, then scenes of each kind by turns.

    Parameters
    ----------
    scenes : int
        How many of things, of cells, of neurites and of filaments.

    Yields
    ------
    (Y, X, 3) array of uint8
    """
    given = photographs()
    surfaces = [given[name] for name in given if name not in HELD_OUT]
    yield from surfaces
    rng = np.random.default_rng(0)
    for _ in range(scenes):
        yield object_scene(rng, surfaces).picture
        yield cell_scene(rng, None).picture
        yield neurite_scene(rng).picture
        yield filament_scene(rng).picture
