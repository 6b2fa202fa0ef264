"""Generated movies with ground truth, for trying out and testing."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from napari_sam_decoder.errors import OptionError
from napari_sam_decoder.samples.cells import deforming_cells
from napari_sam_decoder.samples.pictures import moving_pictures
from napari_sam_decoder.samples.sample_movie import SampleClick, SampleMovie
from napari_sam_decoder.validation import as_integer

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = [
    "SAMPLES",
    "SampleClick",
    "SampleMovie",
    "deforming_cells",
    "load_sample",
    "moving_pictures",
]

SAMPLES: Mapping[str, Callable[[int], SampleMovie]] = MappingProxyType(
    {"cells": deforming_cells, "pictures": moving_pictures}
)


def load_sample(name: str = "cells", seed: int = 0) -> SampleMovie:
    """Generate a sample movie.

    Parameters
    ----------
    name : str
        A key of `SAMPLES`.
    seed : int
        The same seed gives the same bytes; 0 or more.

    Returns
    -------
    SampleMovie

    Raises
    ------
    OptionError
        If the sample is unknown, or the seed is negative.

    Examples
    --------
    >>> load_sample("cells").frames.shape
    (60, 512, 512)
    """
    if str(name) not in SAMPLES:
        names = ", ".join(sorted(SAMPLES))
        raise OptionError(f"There is no sample {name!r}; choose one of: {names}.")
    seed = as_integer(seed, "a seed", OptionError)
    if seed < 0:
        raise OptionError(f"The seed is {seed}; choose 0 or a positive number.")
    return SAMPLES[name](seed)
