"""One colour per object, the same for its points, previews and labels."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from napari.layers import Labels

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["object_colour", "object_colours"]


def object_colour(object_id: int) -> np.ndarray:
    """Return the colour that a Labels layer gives to an object.

    Parameters
    ----------
    object_id : int
        1 or more.

    Returns
    -------
    (4,) array of float
        RGBA, 0..1.
    """
    return np.asarray(_palette().get_color(object_id), float)


def object_colours(object_ids: Iterable[int]) -> dict[int, np.ndarray]:
    """Return the colours of several objects by id."""
    return {object_id: object_colour(object_id) for object_id in object_ids}


@lru_cache(maxsize=1)
def _palette() -> Labels:
    return Labels(np.zeros((1, 1), np.uint8))
