"""What propagation would expect of an object before it asks: nearly the truth."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from napari_sam_decoder.model.values import ModelPrompt
from napari_sam_decoder.training.pointing import box_around, input_pixel, place_of_doubt

if TYPE_CHECKING:
    Shape = tuple[int, int]

__all__ = ["expect", "prompt_at"]

_INSIDE, _OUTSIDE = 6.0, -12.0
"""What propagation expects is not surer."""

_REACHES = 1.0, 6.0
"""By how many low-res pixels outlines may be wrong, as far as propagation knows."""

_SHIFT, _BEND, _GROWTH = 0.25, 0.2, 0.2
"""How far objects are moved, outlines bent, and masks grown or shrunk, in sides of the
object, at most. Masks that drift are as wrong as that, and are to be brought back."""

_SPOILT = 0.5
"""Share of the masks that lack a piece, or hold one that is not theirs."""

_PIECE = 0.5
"""Radius of such a piece, in sides of the object, at most."""

_NOISE = 2.0


def expect(
    truth: np.ndarray, everybody: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Give logits of about where an object is.

    Parameters
    ----------
    truth : (h, w) array of bool
        The object, in low-res pixels; not empty.
    everybody : (h, w) array of bool
        What belongs to it and to its neighbours, as far as that is known.
    rng : Generator
        All that is wrong follows from it.

    Returns
    -------
    (h, w) array of float32
        The mask moved and bent, perhaps with a piece more or less; its logits rise
        with the distance from the outline. The truth itself, soft, where nothing
        would be left.
    """
    side = float(np.sqrt(np.count_nonzero(truth)))
    off = side * rng.random()
    guess = _bent(truth, side, off, rng)
    if rng.random() < _SPOILT:
        guess = _spoilt(guess, everybody, side, rng)
    guess = _depths(guess) > rng.uniform(-_GROWTH, _GROWTH) * off
    if not guess.any():
        guess = truth
    soft = _depths(guess) / rng.uniform(*_REACHES)
    soft += _NOISE * rng.random() * _smooth_noise(truth.shape, max(side / 4, 1), rng)
    least, most = np.where(guess, 0.1, _OUTSIDE), np.where(guess, _INSIDE, -0.1)
    logits: np.ndarray = soft.clip(least, most).astype(np.float32)
    return logits


def prompt_at(expected: np.ndarray) -> ModelPrompt:
    """Ask as propagation does: by the inmost point and the box of what is expected.

    Parameters
    ----------
    expected : (h, w) array
        Low-res logits; somewhere above 0.

    Returns
    -------
    ModelPrompt
    """
    mask = expected > 0
    inmost = input_pixel(place_of_doubt(mask, np.zeros_like(mask)))
    box = box_around(mask) - (0, 0, 1, 1)
    return ModelPrompt(
        np.array([inmost], np.float32), np.array([1]), box.astype(np.float32)
    )


def _depths(mask: np.ndarray) -> np.ndarray:
    """(h, w) distances from the outline of a mask, positive inside."""
    inside = ndimage.distance_transform_edt(mask)
    depths: np.ndarray = inside - ndimage.distance_transform_edt(~mask)
    return depths


def _bent(
    mask: np.ndarray, side: float, off: float, rng: np.random.Generator
) -> np.ndarray:
    """Move a mask, and bend its outline in long waves."""
    shift = rng.uniform(-_SHIFT, _SHIFT, 2) * off
    strength = _BEND * off * rng.random()
    waves = [_smooth_noise(mask.shape, max(side / 3, 1), rng) for _ in range(2)]
    places = [
        axis - moved + strength * wave
        for axis, moved, wave in zip(np.indices(mask.shape), shift, waves, strict=True)
    ]
    soft = mask.astype(np.float32)
    bent: np.ndarray = ndimage.map_coordinates(soft, places, order=1) > 0.5
    return bent


def _spoilt(
    mask: np.ndarray, everybody: np.ndarray, side: float, rng: np.random.Generator
) -> np.ndarray:
    """Take a disk away, or add one of a neighbour, somewhere on the outline."""
    outline = np.argwhere(mask & ~ndimage.binary_erosion(mask))
    if not len(outline):
        return mask
    row, column = outline[rng.integers(len(outline))]
    rows, columns = np.ogrid[: mask.shape[0], : mask.shape[1]]
    radius = _PIECE * side * rng.random()
    disk = (rows - row) ** 2 + (columns - column) ** 2 <= radius**2
    if rng.random() < 0.5:
        lacking: np.ndarray = mask & ~disk
        return lacking
    more: np.ndarray = mask | (disk & everybody)
    return more


def _smooth_noise(shape: Shape, length: float, rng: np.random.Generator) -> np.ndarray:
    """(h, w) numbers that change over about such a length; variance 1."""
    coarse = rng.standard_normal([int(side / length) + 3 for side in shape])
    zoomed = ndimage.zoom(
        coarse,
        [
            (side + 1) / (count - 2)
            for side, count in zip(shape, coarse.shape, strict=True)
        ],
        order=1,
    )
    smooth: np.ndarray = zoomed[: shape[0], : shape[1]]
    return smooth / max(float(smooth.std()), 1e-6)
