"""Photographs of scikit-image that may be used for any purpose."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from skimage import color, data

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import numpy as np

__all__ = ["PHOTOGRAPHS", "photographs"]

PHOTOGRAPHS: Mapping[str, str] = MappingProxyType(
    {
        "astronaut": "NASA, public domain",
        "brick": "CC0Textures.com, CC0",
        "camera": "Lav Varshney, CC0",
        "cat": "Stefan van der Walt, CC0",
        "cell": "Paul Müller and others, CC0",
        "coffee": "Rachel Michetti, CC0",
        "coins": "Brooklyn Museum, no known copyright restrictions",
        "grass": "CC0Textures.com, CC0",
        "gravel": "CC0Textures.com, CC0",
        "hubble_deep_field": "NASA, public domain",
        "immunohistochemistry": "CMMI Belgium, no known copyright restrictions",
        "moon": "NASA, public domain",
        "retina": "Häggström, public domain",
        "rocket": "SpaceX, CC0",
    }
)
"""Name in `skimage.data`: author and licence."""


def photographs() -> dict[str, np.ndarray]:
    """Return the photographs.

    Returns
    -------
    dict of str to (Y, X, 3) array of uint8
        By their names in `PHOTOGRAPHS`; grey ones have three equal channels.
    """
    return {name: _in_colour(getattr(data, name)) for name in PHOTOGRAPHS}


def _in_colour(load: Callable[[], np.ndarray]) -> np.ndarray:
    picture = load()
    colourful: np.ndarray = color.gray2rgb(picture) if picture.ndim == 2 else picture
    return colourful[..., :3]
