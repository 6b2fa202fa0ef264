"""What a person would point at who knows the truth, and how that goes on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from napari_sam_decoder.model.transforms import extent
from napari_sam_decoder.model.values import ModelPrompt

if TYPE_CHECKING:
    Place = tuple[int, int]

__all__ = [
    "Pointing",
    "box_around",
    "input_pixel",
    "lower_mask",
    "next_clicks",
    "place_of_doubt",
    "point",
]

_BOX = 0.25
_DEEPEST = 0.3


@dataclass
class Pointing:
    """Clicks on one object, as they become more.

    Attributes
    ----------
    index : int
        Which object.
    truth : (256, 256) array of bool
        Where it is, in low-res pixels.
    points : list of (float, float)
        (x, y) in the network's input.
    signs : list of int
        1 on the object, 0 beside it.
    box : (4,) array of float32, optional
        (x0, y0, x1, y1).
    mask : (256, 256) array of float32, optional
        Low-res logits of what has been found so far.
    """

    index: int
    truth: np.ndarray
    points: list[tuple[float, float]]
    signs: list[int]
    box: np.ndarray | None
    mask: np.ndarray | None = None

    @property
    def prompt(self) -> ModelPrompt:
        """All of it, as the network wants it."""
        points = np.array(self.points, np.float32).reshape(-1, 2)
        return ModelPrompt(points, np.array(self.signs, int), self.box)

    def correct(self) -> None:
        """Click on the middle of what is most wrong."""
        found = np.zeros_like(self.truth) if self.mask is None else self.mask > 0
        where = place_of_doubt(self.truth, found)
        self.points.append(input_pixel(where))
        self.signs.append(int(self.truth[where]))


def point(index: int, truth: np.ndarray, rng: np.random.Generator) -> Pointing:
    """Begin with a box, or with a click that is seldom in the very middle.

    Parameters
    ----------
    index : int
        Which object.
    truth : (256, 256) array of bool
        Where it is, in low-res pixels; not empty.
    rng : Generator
        What is pointed at follows from it.
    """
    if rng.random() < _BOX:
        return Pointing(index, truth, [], [], _shaken_box(truth, rng))
    if rng.random() < _DEEPEST:
        where = _inmost(truth)
    else:
        depth = ndimage.distance_transform_edt(np.pad(truth, 1))[1:-1, 1:-1]
        places = np.argwhere(depth >= min(depth.max(), max(1, 0.3 * depth.max())))
        row, column = places[rng.integers(len(places))]
        where = int(row), int(column)
    return Pointing(index, truth, [input_pixel(where)], [1], None)


def place_of_doubt(truth: np.ndarray, found: np.ndarray) -> Place:
    """(row, column) of the middle of what is most wrong; on the object, if all fits.

    The latter only makes sure that all prompts of a batch go on.
    """
    wrong = found != truth
    return _inmost(wrong if wrong.any() else truth)


def next_clicks(truth: np.ndarray, found: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Click on what is most wrong, in each of several masks.

    Parameters
    ----------
    truth, found : (B, h, w) arrays of bool
        Low-res masks; of each pair at least one has some pixel.

    Returns
    -------
    places : (B, 2) array of float
        x and y in the network's input.
    signs : (B,) array of int
        1 where the object is, else 0.
    """
    where = [place_of_doubt(*masks) for masks in zip(truth, found, strict=True)]
    signs = [mask[place] for mask, place in zip(truth, where, strict=True)]
    return np.array([input_pixel(place) for place in where]), np.array(signs, int)


def input_pixel(where: Place) -> tuple[float, float]:
    """(x, y) in the network's input of the middle of a low-res (row, column)."""
    row, column = where
    return 4 * column + 1.5, 4 * row + 1.5


def box_around(mask: np.ndarray) -> np.ndarray:
    """(x0, y0, x1, y1) in the network's input around a (h, w) low-res mask.

    Raises
    ------
    ValueError
        If nothing is in it.
    """
    window = extent(mask)
    if window is None:
        raise ValueError("there is no box around an empty mask")
    rows, columns = window
    return 4.0 * np.array([columns.start, rows.start, columns.stop, rows.stop])


def lower_mask(mask: np.ndarray, image_size: int, mask_size: int) -> np.ndarray:
    """(mask_size, mask_size) bool: which low-res pixels are mostly covered."""
    square = np.zeros((image_size, image_size), np.float32)
    square[: mask.shape[0], : mask.shape[1]] = mask
    factor = image_size // mask_size
    blocks = square.reshape(mask_size, factor, mask_size, factor)
    covered: np.ndarray = blocks.mean(axis=(1, 3)) > 0.5
    return covered


def _shaken_box(truth: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """(x0, y0, x1, y1) around an object, drawn as a hurried hand draws it."""
    box = box_around(truth)
    sides = np.tile(box[2:] - box[:2], 2)
    shaken: np.ndarray = box + (0.05 * sides + 1) * rng.standard_normal(4)
    return shaken.astype(np.float32)


def _inmost(mask: np.ndarray) -> Place:
    depth = ndimage.distance_transform_edt(np.pad(mask, 1))
    row, column = np.unravel_index(int(depth.argmax()), depth.shape)
    return int(row) - 1, int(column) - 1
