"""Prompts as users and propagation would give them, made from the true mask.

A user draws a box or clicks, then clicks on what is wrong. Propagation prompts with its
prior: about where it expects the object, which here is the truth, distorted.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from napari_sam_decoder.model.transforms import extent
from napari_sam_decoder.model.values import ModelPrompt

if TYPE_CHECKING:
    Pixel = tuple[int, int]

__all__ = [
    "PromptSequence",
    "box_around",
    "correcting_clicks",
    "deepest_error",
    "first_prompt",
    "input_pixel",
    "low_res_mask",
    "prompt_from_prior",
    "simulate_prior",
]

_BOX_SHARE = 0.25
"""Share of the prompts that begin with a box."""

_INMOST_SHARE = 0.3
"""Share of the first clicks that are at the object's inmost pixel."""

_INSIDE, _OUTSIDE = 6.0, -12.0
"""Limits of the prior's logits, as in propagation."""

_UNCERTAINTY = 1.0, 6.0
"""How far the outline of a prior may be off, in low-res pixels: least and most."""

_SHIFT, _BEND, _GROWTH = 0.25, 0.2, 0.2
"""The most by which a prior is shifted, bent, and grown or shrunk, as shares of the
object's side. Masks that have drifted are as wrong as that."""

_DEFECT_SHARE = 0.5
"""Share of the priors that lack a piece, or include one of a neighbour."""

_PIECE = 0.5
"""The largest radius of such a piece, as a share of the object's side."""

_NOISE = 2.0
"""The largest standard deviation of the noise that is added to the logits."""


@dataclass
class PromptSequence:
    """A prompt for one object, which grows by a click after each answer.

    Attributes
    ----------
    index : int
        Number of the object.
    truth : (h, w) array of bool
        Its true mask, in low-res pixels.
    points : list of (float, float)
        (x, y) in the network's input.
    signs : list of int
        1 on the object, 0 on the background.
    box : (4,) array of float32, optional
        (x0, y0, x1, y1) in the network's input.
    mask : (h, w) array of float32, optional
        Low-res logits of the last answer.
    """

    index: int
    truth: np.ndarray
    points: list[tuple[float, float]]
    signs: list[int]
    box: np.ndarray | None
    mask: np.ndarray | None = None

    @property
    def prompt(self) -> ModelPrompt:
        """Points and box as the network takes them."""
        points = np.array(self.points, np.float32).reshape(-1, 2)
        return ModelPrompt(points, np.array(self.signs, int), self.box)

    def add_correction(self) -> None:
        """Add a click at the centre of the largest error of `mask`."""
        found = np.zeros_like(self.truth) if self.mask is None else self.mask > 0
        pixel = deepest_error(self.truth, found)
        self.points.append(input_pixel(pixel))
        self.signs.append(int(self.truth[pixel]))


def first_prompt(
    index: int, truth: np.ndarray, rng: np.random.Generator
) -> PromptSequence:
    """Begin with a box, or with a click that is seldom at the very centre.

    Parameters
    ----------
    index : int
        Number of the object.
    truth : (h, w) array of bool
        Its true mask, in low-res pixels; not empty.
    rng : Generator
        Decides on box or click, and where it is.

    Returns
    -------
    PromptSequence
        With a box or one point.
    """
    if rng.random() < _BOX_SHARE:
        return PromptSequence(index, truth, [], [], _inexact_box(truth, rng))
    if rng.random() < _INMOST_SHARE:
        pixel = _inmost(truth)
    else:
        depth = ndimage.distance_transform_edt(np.pad(truth, 1))[1:-1, 1:-1]
        pixels = np.argwhere(depth >= min(depth.max(), max(1, 0.3 * depth.max())))
        row, column = pixels[rng.integers(len(pixels))]
        pixel = int(row), int(column)
    return PromptSequence(index, truth, [input_pixel(pixel)], [1], None)


def deepest_error(truth: np.ndarray, found: np.ndarray) -> Pixel:
    """Find where a mask is most wrong.

    Parameters
    ----------
    truth, found : (h, w) array of bool
        Not both empty.

    Returns
    -------
    (int, int)
        Row and column of the pixel deepest inside an error; deepest inside the object
        where there is none, so that every prompt of a batch gets a click.
    """
    wrong = found != truth
    return _inmost(wrong if wrong.any() else truth)


def correcting_clicks(
    truth: np.ndarray, found: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Click on the deepest error of each of several masks.

    Parameters
    ----------
    truth, found : (B, h, w) array of bool
        Low-res masks; no pair is empty.

    Returns
    -------
    points : (B, 2) array of float
        (x, y) in the network's input.
    signs : (B,) array of int
        1 on the object, 0 on the background.
    """
    pixels = [deepest_error(*masks) for masks in zip(truth, found, strict=True)]
    signs = [mask[pixel] for mask, pixel in zip(truth, pixels, strict=True)]
    return np.array([input_pixel(pixel) for pixel in pixels]), np.array(signs, int)


def input_pixel(low_res_pixel: Pixel) -> tuple[float, float]:
    """Return the (x, y) in the network's input of a low-res (row, column)."""
    row, column = low_res_pixel
    return 4 * column + 1.5, 4 * row + 1.5


def box_around(mask: np.ndarray) -> np.ndarray:
    """Return the bounding box of a low-res mask.

    Parameters
    ----------
    mask : (h, w) array of bool
        Not empty.

    Returns
    -------
    (4,) array of float
        (x0, y0, x1, y1) in the network's input.

    Raises
    ------
    ValueError
        If the mask is empty.
    """
    window = extent(mask)
    if window is None:
        raise ValueError("an empty mask has no bounding box")
    rows, columns = window
    return 4.0 * np.array([columns.start, rows.start, columns.stop, rows.stop])


def low_res_mask(mask: np.ndarray, image_size: int, mask_size: int) -> np.ndarray:
    """Shrink a mask to the resolution of the decoder's logits.

    Parameters
    ----------
    mask : (rows, columns) array of bool
        At the pixels of the network's input that show the picture.
    image_size, mask_size : int
        Sides of the network's square input and of its logits.

    Returns
    -------
    (mask_size, mask_size) array of bool
        Pixels that are more than half covered.
    """
    square = np.zeros((image_size, image_size), np.float32)
    square[: mask.shape[0], : mask.shape[1]] = mask
    factor = image_size // mask_size
    blocks = square.reshape(mask_size, factor, mask_size, factor)
    covered: np.ndarray = blocks.mean(axis=(1, 3)) > 0.5
    return covered


def simulate_prior(
    truth: np.ndarray, all_objects: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Give logits of about where an object is, as propagation would.

    Parameters
    ----------
    truth : (h, w) array of bool
        The object, in low-res pixels; not empty.
    all_objects : (h, w) array of bool
        The object and its known neighbours.
    rng : Generator
        Decides on all errors.

    Returns
    -------
    (h, w) array of float32
        The mask, shifted and bent, perhaps with a piece missing or added; its logits
        rise with the distance from the outline. Where nothing of the mask would be
        left, the truth with soft edges.
    """
    side = float(np.sqrt(np.count_nonzero(truth)))
    off = side * rng.random()
    guess = _bent(truth, side, off, rng)
    if rng.random() < _DEFECT_SHARE:
        guess = _with_defect(guess, all_objects, side, rng)
    guess = _signed_distance(guess) > rng.uniform(-_GROWTH, _GROWTH) * off
    if not guess.any():
        guess = truth
    soft = _signed_distance(guess) / rng.uniform(*_UNCERTAINTY)
    soft += _NOISE * rng.random() * _smooth_noise(truth.shape, max(side / 4, 1), rng)
    least, most = np.where(guess, 0.1, _OUTSIDE), np.where(guess, _INSIDE, -0.1)
    logits: np.ndarray = soft.clip(least, most).astype(np.float32)
    return logits


def prompt_from_prior(prior: np.ndarray) -> ModelPrompt:
    """Prompt as propagation does: with the inmost point and the box of its prior.

    Parameters
    ----------
    prior : (h, w) array
        Low-res logits; somewhere above 0.

    Returns
    -------
    ModelPrompt
        With one point and a box.
    """
    mask = prior > 0
    inmost = input_pixel(_inmost(mask))
    box = box_around(mask) - (0, 0, 1, 1)
    return ModelPrompt(
        np.array([inmost], np.float32), np.array([1]), box.astype(np.float32)
    )


def _inexact_box(truth: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """(x0, y0, x1, y1) around an object, as inexact as if drawn by hand."""
    box = box_around(truth)
    sides = np.tile(box[2:] - box[:2], 2)
    inexact: np.ndarray = box + (0.05 * sides + 1) * rng.standard_normal(4)
    return inexact.astype(np.float32)


def _inmost(mask: np.ndarray) -> Pixel:
    depth = ndimage.distance_transform_edt(np.pad(mask, 1))
    row, column = np.unravel_index(int(depth.argmax()), depth.shape)
    return int(row) - 1, int(column) - 1


def _signed_distance(mask: np.ndarray) -> np.ndarray:
    """(h, w) distances from the outline of a mask, positive inside."""
    inside = ndimage.distance_transform_edt(mask)
    signed: np.ndarray = inside - ndimage.distance_transform_edt(~mask)
    return signed


def _bent(
    mask: np.ndarray, side: float, off: float, rng: np.random.Generator
) -> np.ndarray:
    """Shift a mask, and bend its outline in long waves."""
    shift = rng.uniform(-_SHIFT, _SHIFT, 2) * off
    strength = _BEND * off * rng.random()
    waves = [_smooth_noise(mask.shape, max(side / 3, 1), rng) for _ in range(2)]
    sources = [
        axis - moved + strength * wave
        for axis, moved, wave in zip(np.indices(mask.shape), shift, waves, strict=True)
    ]
    soft = mask.astype(np.float32)
    bent: np.ndarray = ndimage.map_coordinates(soft, sources, order=1) > 0.5
    return bent


def _with_defect(
    mask: np.ndarray, all_objects: np.ndarray, side: float, rng: np.random.Generator
) -> np.ndarray:
    """Remove a disk somewhere on the outline, or add one of a neighbour there."""
    outline = np.argwhere(mask & ~ndimage.binary_erosion(mask))
    if not len(outline):
        return mask
    row, column = outline[rng.integers(len(outline))]
    rows, columns = np.ogrid[: mask.shape[0], : mask.shape[1]]
    radius = _PIECE * side * rng.random()
    disk = (rows - row) ** 2 + (columns - column) ** 2 <= radius**2
    changed = mask & ~disk if rng.random() < 0.5 else mask | (disk & all_objects)
    return np.asarray(changed)


def _smooth_noise(
    shape: tuple[int, ...], length: float, rng: np.random.Generator
) -> np.ndarray:
    """(h, w) noise of variance 1 that changes over about such a length."""
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
