"""What a person shows of an object whose true mask is known, and wrong masks of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage
from skimage.graph import route_through_array
from skimage.measure import find_contours

from napari_sam_decoder.model.transforms import extent
from napari_sam_decoder.prompts import Prompt, Scribble
from shipped_head.tissue import waves

if TYPE_CHECKING:
    Pixel = tuple[int, int]

__all__ = ["Correction", "correct", "disc", "show_first", "spoiled"]

CLICK, BOX, LASSO = 0.5, 0.32, 0.08
"""Shares of the objects that are shown first by these; the others by a scribble."""
INEXACT_BOXES = 0.5
INEXACTNESS = 0.12
"""The most by which a side of such a box is off, in units of the object's."""
LOOSENESS = 0.08
"""The most by which a lasso is larger than the object, in units of its side."""
INMOST = 0.5
"""Share of the clicks that are at the inmost pixel."""
SCRIBBLES = 0.2
"""Share of the corrections that are no clicks."""
LEAST_SCRIBBLED = 30
LEAST_CORRECTED = 6
"""Pixels of the smallest errors that are scribbled on, or corrected at all."""
LARGEST_FIRST = 0.85
"""Share of the corrections of the largest error; the others are of either kind."""
SCRIBBLES_INSIDE = 2 / 3
"""Share of the scribbles that keep inside what they show, however narrow it is."""
FAR_OUTSIDE = 1e3
"""Cost of a pixel beside a region, for which no scribble leaves it."""


@dataclass(frozen=True, eq=False)
class Correction:
    """One more action, on an error of a mask.

    Attributes
    ----------
    prompt : Prompt
        With one point or one scribble.
    error : (Y, X) array of bool
        The connected error on which it is.
    """

    prompt: Prompt
    error: np.ndarray


def show_first(truth: np.ndarray, rng: np.random.Generator) -> Prompt:
    """Show an object by a click, a box, a lasso or a scribble.

    Parameters
    ----------
    truth : (Y, X) array of bool
        The object; not empty.
    rng : Generator
        Decides on the way and the place.
    """
    way = rng.random()
    if way < CLICK:
        return Prompt(1, 0, [_place(truth, rng)])
    if way < CLICK + BOX:
        return Prompt(1, 0, box=_box(truth, rng))
    if way < CLICK + BOX + LASSO:
        return Prompt(1, 0, lasso=_lasso(truth, rng))
    return Prompt(1, 0, scribbles=[_scribble(truth, rng, is_positive=True)])


def correct(
    truth: np.ndarray, mask: np.ndarray, rng: np.random.Generator
) -> Correction | None:
    """Click or scribble on an error of a mask, mostly the largest.

    Parameters
    ----------
    truth, mask : (Y, X) array of bool
        The object and what it is taken for.
    rng : Generator
        Decides on error, way and place.

    Returns
    -------
    Correction or None
        Positive where the object is missing; None if hardly anything is wrong.
    """
    missing, extra = (_largest_part(part) for part in (truth & ~mask, mask & ~truth))
    sizes = np.count_nonzero(missing), np.count_nonzero(extra)
    if max(sizes) < LEAST_CORRECTED:
        return None
    is_missing = bool(sizes[0] >= sizes[1])
    if rng.random() > LARGEST_FIRST and min(sizes):
        is_missing = bool(rng.random() < 0.5)
    error = missing if is_missing else extra
    if rng.random() < SCRIBBLES and np.count_nonzero(error) > LEAST_SCRIBBLED:
        scribble = _scribble(error, rng, is_positive=is_missing)
        return Correction(Prompt(1, 0, scribbles=[scribble]), error)
    return Correction(Prompt(1, 0, [_place(error, rng)], signs=[is_missing]), error)


def spoiled(
    truth: np.ndarray, labels: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Draw a wrong mask of an object, as propagation does.

    Parameters
    ----------
    truth : (Y, X) array of bool
        The object; not empty.
    labels : (Y, X) array of int
        Of all objects, 0 on the background.
    rng : Generator
        Decides on all errors.

    Returns
    -------
    (Y, X) array of bool
        With one or two of these: a bent outline, a neighbour or a part of it, or else a
        rim, and parts that are lost.
    """
    side = float(np.sqrt(np.count_nonzero(truth)))
    near = _near(truth, round(side) + 4)
    mask = np.zeros_like(truth)
    mask[near] = _spoiled(truth[near], labels[near], side, rng)
    return mask


def disc(shape: tuple[int, int], centre: np.ndarray, radius: float) -> np.ndarray:
    """(Y, X) bool: the pixels around a (row, column)."""
    rows, columns = np.ogrid[: shape[0], : shape[1]]
    inside: np.ndarray = np.hypot(rows - centre[0], columns - centre[1]) <= radius
    return inside


def _spoiled(
    truth: np.ndarray, labels: np.ndarray, side: float, rng: np.random.Generator
) -> np.ndarray:
    way = rng.random()
    depth = _signed_distance(truth) / side
    if way < 0.5:
        length = side * np.exp(rng.uniform(np.log(0.15), np.log(0.8)))
        bends = rng.uniform(0.03, 0.2) * waves(rng, truth.shape, length)
        depth = depth + bends + rng.normal(0, 0.04)
    mask = depth > 0
    if 0.4 < way < 0.75:
        neighbour = _neighbour(truth, labels, side, rng)
        if neighbour is None:
            mask = depth > -rng.uniform(0.05, 0.25)
        else:
            mask = mask | neighbour
    if way > 0.6:
        cut = waves(rng, truth.shape, side * rng.uniform(0.3, 1))
        mask = mask & (cut <= rng.uniform(-0.2, 0.8))
    return np.asarray(mask)


def _neighbour(
    truth: np.ndarray, labels: np.ndarray, side: float, rng: np.random.Generator
) -> np.ndarray | None:
    """(Y, X) bool: an object beside another, or a part of it; None if it is alone."""
    reach = max(int(0.15 * side), 2)
    around = ndimage.binary_dilation(truth, iterations=reach) & ~truth
    ids = np.unique(labels[around & (labels > 0)])
    if not len(ids):
        return None
    neighbour: np.ndarray = labels == rng.choice(ids)
    if rng.random() < 0.5:
        neighbour = neighbour & (waves(rng, truth.shape, 0.7 * side) > 0)
    return neighbour


def _box(
    truth: np.ndarray, rng: np.random.Generator
) -> tuple[float, float, float, float]:
    rows, columns = _near(truth, 0)
    height, width = rows.stop - rows.start, columns.stop - columns.start
    off = np.zeros(4)
    if rng.random() < INEXACT_BOXES:
        sides = np.array([height, width, height, width])
        off = rng.uniform(-INEXACTNESS, INEXACTNESS, 4) * sides
    corners = off + np.array([rows.start, columns.start, rows.stop, columns.stop])
    row0, column0, row1, column1 = corners.tolist()
    return row0, column0, row1, column1


def _lasso(truth: np.ndarray, rng: np.random.Generator) -> list[tuple[float, float]]:
    """(row, column) of each vertex of an outline around most of an object."""
    side = np.sqrt(np.count_nonzero(truth))
    steps = max(1, int(LOOSENESS * side * rng.random()))
    loose = ndimage.binary_dilation(truth, iterations=steps)
    outlines = find_contours(np.pad(loose, 1).astype(float), 0.5)
    longest = max(outlines, key=len)[:-1] - 1
    return [(float(row), float(column)) for row, column in longest]


def _scribble(
    region: np.ndarray, rng: np.random.Generator, *, is_positive: bool
) -> Scribble:
    """A line along the middle of a region, perhaps beyond its edges."""
    depth = _depth(region)
    start = _place(region, rng, depth)
    pixels = np.argwhere(region)
    end = pixels[np.linalg.norm(pixels - start, axis=1).argmax()]
    near = _near(region, 0)
    corner = np.array([near[0].start, near[1].start])
    cost = np.where(region, 1 / (depth + 0.3), FAR_OUTSIDE)[near]
    path, _ = route_through_array(cost, start - corner, end - corner)
    drawn = path[: max(int(len(path) * rng.uniform(0.3, 0.8)), 1)]
    line = Scribble.along(drawn + corner, region.shape, is_positive=is_positive)
    if rng.random() > SCRIBBLES_INSIDE:
        return line
    return Scribble(line.pixels.to_array() & region, is_positive)


def _place(
    region: np.ndarray, rng: np.random.Generator, depth: np.ndarray | None = None
) -> Pixel:
    """A pixel well inside of a region."""
    if depth is None:
        depth = _depth(region)
    least = depth.max() if rng.random() < INMOST else depth.max() * rng.uniform(0.4, 1)
    pixels = np.argwhere(depth >= least)
    row, column = pixels[rng.integers(len(pixels))].tolist()
    return row, column


def _depth(region: np.ndarray) -> np.ndarray:
    """(Y, X) distances to the edge of a region, 0 beside it."""
    near = _near(region, 0)
    depth = np.zeros(region.shape)
    padded = np.pad(region[near], 1)
    depth[near] = ndimage.distance_transform_edt(padded)[1:-1, 1:-1]
    return depth


def _signed_distance(mask: np.ndarray) -> np.ndarray:
    inside = ndimage.distance_transform_edt(mask)
    signed: np.ndarray = inside - ndimage.distance_transform_edt(~mask)
    return signed


def _near(mask: np.ndarray, margin: int) -> tuple[slice, slice]:
    """The part of a frame around a mask that is not empty."""
    found = extent(mask)
    if found is None:
        raise ValueError("an empty mask is nowhere")
    rows, columns = (
        slice(max(side.start - margin, 0), side.stop + margin) for side in found
    )
    return rows, columns


def _largest_part(mask: np.ndarray) -> np.ndarray:
    parts, count = ndimage.label(mask)
    if count < 2:
        return mask
    largest: np.ndarray = parts == 1 + np.bincount(parts.ravel())[1:].argmax()
    return largest
