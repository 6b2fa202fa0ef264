"""One colour per object, the same for its points, previews and labels."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from napari.layers import Labels

if TYPE_CHECKING:
    from collections.abc import Container, Iterable

__all__ = [
    "BACKGROUND_GREY",
    "LIGHT",
    "WARNING_RED",
    "object_colour",
    "object_colours",
    "rim_colours",
]


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


def object_colours(
    object_ids: Iterable[int], background: Container[int] = ()
) -> dict[int, np.ndarray]:
    """Return the colours of several objects by id.

    Parameters
    ----------
    object_ids : iterable of int
        1 or more each.
    background : container of int
        Background objects, which are all of one colour.
    """
    return {
        one: np.array(BACKGROUND_GREY) if one in background else object_colour(one)
        for one in object_ids
    }


BACKGROUND_GREY = (0.62, 0.62, 0.62, 1)
"""Of background objects, which are not part of the result."""


WARNING_RED = (0.85, 0.0, 0.0, 1)
"""Of what is not the object, whatever the colour of that."""
DARK, LIGHT = (0.0, 0, 0, 1), (1.0, 1, 1, 1)
_LUMINANCE = (0.299, 0.587, 0.114)


def rim_colours(colours: np.ndarray) -> np.ndarray:
    """Return colours that can be seen beside others, on any picture.

    Parameters
    ----------
    colours : (N, 4) array of float
        RGBA, 0..1.

    Returns
    -------
    (N, 4) array of float
        Black or white.
    """
    is_light = colours[:, :3] @ _LUMINANCE > 0.5
    return np.where(is_light[:, np.newaxis], DARK, LIGHT)


@lru_cache(maxsize=1)
def _palette() -> Labels:
    return Labels(np.zeros((1, 1), np.uint8))
