"""Synthetic microscopy of cells, with exact masks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage
from scipy.spatial import KDTree

from shipped_head.scenes import FEWEST_PIXELS, SyntheticScene

if TYPE_CHECKING:
    from collections.abc import Callable

    Shine = Callable[[np.random.Generator, np.ndarray], np.ndarray]

__all__ = ["cell_scene", "inside", "photographed", "waves"]

LARGEST_MASKS = 24


def cell_scene(
    rng: np.random.Generator, most_masks: int | None = LARGEST_MASKS
) -> SyntheticScene:
    """Draw cells, alone or packed, as one of three kinds of microscopes shows them.

    Parameters
    ----------
    rng : Generator
        Decides on everything.
    most_masks : int, optional
        Number of cells that are told of; None for all.

    Returns
    -------
    SyntheticScene
        256 to 768 pixels a side, grey. Fluorescence, differential interference
        contrast, or stained membranes; with the blur of the optics, shot noise and
        read noise.
    """
    shape = tuple(int(side) for side in rng.uniform(256, 768) * rng.uniform(0.7, 1, 2))
    labels = _grow(rng, (shape[0], shape[1]))
    shine = _LOOKS[rng.integers(len(_LOOKS))]
    light = shine(rng, labels)
    picture = photographed(rng, light)
    return SyntheticScene(
        np.repeat(picture[..., None], 3, axis=-1), _masks(labels)[:most_masks]
    )


def _grow(rng: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
    """(Y, X) ids: each pixel belongs to the nearest centre, in distorted space."""
    spacing = min(shape) * np.exp(rng.uniform(np.log(0.07), np.log(0.45)))
    count = max(3, int(shape[0] * shape[1] / spacing**2))
    centres = rng.uniform(0, 1, (4 * count, 2)) * shape
    centres = centres[_far_apart(centres, 0.75 * spacing)]
    places = np.moveaxis(np.mgrid[: shape[0], : shape[1]].astype(float), 0, -1)
    bend = spacing * rng.uniform(0.03, 0.13)
    for axis in range(2):
        places[..., axis] += bend * waves(rng, shape, spacing * rng.uniform(0.4, 1.2))
    distances, nearest = KDTree(centres).query(places, k=2)
    labels: np.ndarray = 1 + nearest[..., 0]
    if rng.random() < 0.6:  # Not packed: most cells, and only near their centres.
        reach = spacing * rng.uniform(0.3, 0.6, len(centres))
        labels[distances[..., 0] > reach[nearest[..., 0]]] = 0
        absent = 1 + np.flatnonzero(rng.random(len(centres)) < 0.3)
        labels[np.isin(labels, absent)] = 0
    seam = rng.uniform(0, 3)
    labels[distances[..., 1] - distances[..., 0] < seam] = 0
    return labels


def _far_apart(centres: np.ndarray, distance: float) -> np.ndarray:
    """Indices of the centres that are far enough from all earlier ones."""
    kept: list[int] = []
    for index, centre in enumerate(centres):
        others = centres[kept]
        if not kept or np.hypot(*(others - centre).T).min() > distance:
            kept.append(index)
    return np.array(kept)


def waves(
    rng: np.random.Generator, shape: tuple[int, ...], length: float
) -> np.ndarray:
    """Draw smooth noise at low resolution.

    Parameters
    ----------
    rng : Generator
        Decides on everything.
    shape : tuple of int
        (Y, X).
    length : float
        Size of its bumps in pixels, at least 4.

    Returns
    -------
    (Y, X) array of float
        Of standard deviation 1.
    """
    coarse = [max(4, int(4 * side / max(length, 4))) for side in shape]
    noise = ndimage.gaussian_filter(rng.standard_normal(coarse), 1.5, mode="wrap")
    factors = [side / few for side, few in zip(shape, coarse, strict=True)]
    fine = ndimage.zoom(
        noise / noise.std(), factors, order=1, grid_mode=True, mode="nearest"
    )
    drawn: np.ndarray = fine[: shape[0], : shape[1]]
    return drawn


def _fluorescence(rng: np.random.Generator, labels: np.ndarray) -> np.ndarray:
    """Unevenly bright cells on a dim background."""
    levels = np.concatenate([[0.0], rng.uniform(0.15, 0.9, labels.max())])
    body = levels[labels] * (1 + 0.25 * waves(rng, labels.shape, 12))
    ground = rng.uniform(0.02, 0.15) * (1 + 0.2 * waves(rng, labels.shape, 150))
    light: np.ndarray = ground + body
    return light


def _interference(rng: np.random.Generator, labels: np.ndarray) -> np.ndarray:
    """A relief lit from one side: cells show by their slopes, not their brightness."""
    depth = ndimage.distance_transform_edt(labels > 0)
    round_off = rng.uniform(4, 15)
    height = round_off * (1 - np.exp(-depth / round_off))
    height += 0.8 * waves(rng, labels.shape, 8) * (labels > 0)
    height += 0.4 * waves(rng, labels.shape, 20)
    height = ndimage.gaussian_filter(height, 1)
    angle = rng.uniform(0, 2 * np.pi)
    down, across = np.gradient(height)
    slope = np.cos(angle) * down + np.sin(angle) * across
    light: np.ndarray = 0.5 + rng.uniform(0.12, 0.3) * slope
    return light


def _membranes(rng: np.random.Generator, labels: np.ndarray) -> np.ndarray:
    """Stained outlines, bright on dark or dark on bright, and textured contents."""
    edge = np.minimum(
        ndimage.distance_transform_edt(labels > 0),
        ndimage.distance_transform_edt(inside(labels)),
    )
    line = np.exp(-((edge / rng.uniform(1, 2.5)) ** 2))
    line *= 1 + 0.3 * waves(rng, labels.shape, 30)
    contents = 0.15 * rng.random() * waves(rng, labels.shape, rng.uniform(5, 25))
    dark, bright = rng.uniform(0.05, 0.3), rng.uniform(0.45, 0.95)
    light: np.ndarray = dark + (bright - dark) * line + contents
    if rng.random() < 0.5:
        light = bright + dark - light
    light[labels == 0] += rng.uniform(-0.1, 0.1)
    return light


def inside(labels: np.ndarray) -> np.ndarray:
    """Find what does not touch another cell.

    Parameters
    ----------
    labels : (Y, X) array of int
        Ids of cells.

    Returns
    -------
    (Y, X) array of bool
        Pixels whose neighbours below and to the right belong to the same cell.
    """
    same = np.ones(labels.shape, bool)
    same[:-1] &= labels[:-1] == labels[1:]
    same[:, :-1] &= labels[:, :-1] == labels[:, 1:]
    return same


def photographed(rng: np.random.Generator, light: np.ndarray) -> np.ndarray:
    """Add optical blur, shot noise and read noise, and scale to uint8.

    Parameters
    ----------
    rng : Generator
        Decides by how much.
    light : (Y, X) array of float
        About 0..1.

    Returns
    -------
    (Y, X) array of uint8
        The picture.
    """
    signal = ndimage.gaussian_filter(light, rng.uniform(0.4, 2)).clip(0)
    spread = np.sqrt(rng.uniform(0, 0.006) * signal + rng.uniform(0, 0.03) ** 2)
    noisy = signal + spread * rng.standard_normal(signal.shape)
    low, high = np.percentile(noisy, [0.5, 99.8])
    scaled = (noisy - low) / max(high - low, 1e-6) * rng.uniform(0.6, 1)
    grey: np.ndarray = (255 * scaled).clip(0, 255).astype(np.uint8)
    return grey


def _masks(labels: np.ndarray) -> np.ndarray:
    """(N, Y, X) bool: the cells that are large enough."""
    areas = np.bincount(labels.ravel())
    ids = 1 + np.flatnonzero(areas[1:] >= FEWEST_PIXELS)
    return np.array([labels == one for one in ids], bool).reshape(-1, *labels.shape)


_LOOKS: tuple[Shine, ...] = (_fluorescence, _interference, _membranes)
