"""Random shapes: round, ragged, jointed, angular and thin ones."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw
from scipy import ndimage

if TYPE_CHECKING:
    from collections.abc import Callable

    Draw = Callable[[np.random.Generator, int], np.ndarray]

__all__ = ["draw_shape"]

FINER = 3
"""Shapes are drawn at this multiple of their size and shrunk, for soft edges."""


def draw_shape(rng: np.random.Generator, side: int) -> np.ndarray:
    """Draw a shape that about fills a square.

    Parameters
    ----------
    rng : Generator
        Decides on the kind and form of the shape.
    side : int
        Side of the square in pixels, at least 8.

    Returns
    -------
    (side, side) array of float32
        Share of each pixel that the shape covers, 0..1.
    """
    draw = _KINDS[rng.choice(len(_KINDS), p=_SHARES)]
    large = draw(rng, FINER * side).astype(np.float32)
    shrunk: np.ndarray = large.reshape(side, FINER, side, FINER).mean(axis=(1, 3))
    return shrunk


def _blob(rng: np.random.Generator, side: int) -> np.ndarray:
    """A closed curve of a few waves around a centre, stretched and turned."""
    rows, columns = np.mgrid[-1 : 1 : side * 1j, -1 : 1 : side * 1j]
    turn, stretch = rng.uniform(0, np.pi), rng.uniform(1, 2.5)
    along = rows * np.cos(turn) + columns * np.sin(turn)
    across = stretch * (columns * np.cos(turn) - rows * np.sin(turn))
    angles = np.arctan2(across, along)
    radius = np.full_like(angles, rng.uniform(0.6, 0.8))
    for wave in range(2, 9):
        size = rng.normal(0, 0.22 / wave)
        radius += size * np.cos(wave * angles + rng.uniform(0, 2 * np.pi))
    inside: np.ndarray = np.hypot(along, across) < radius
    return inside


def _ragged(rng: np.random.Generator, side: int) -> np.ndarray:
    """The largest island of a smooth random landscape."""
    coarse = max(side // 6, 8)
    noise = ndimage.gaussian_filter(
        rng.standard_normal((coarse, coarse)), coarse * rng.uniform(0.06, 0.14)
    )
    rows, columns = np.mgrid[-1 : 1 : coarse * 1j, -1 : 1 : coarse * 1j]
    height = noise / noise.std() - 1.5 * np.hypot(rows, columns) ** 3
    fine = np.asarray(
        Image.fromarray(height.astype(np.float32)).resize(
            (side, side), Image.Resampling.BICUBIC
        )
    )
    parts, count = ndimage.label(fine > np.quantile(fine, rng.uniform(0.5, 0.75)))
    sizes = np.bincount(parts.ravel(), minlength=count + 1)[1:]
    island: np.ndarray = parts == 1 + sizes.argmax()
    return island


def _jointed(rng: np.random.Generator, side: int) -> np.ndarray:
    """A body with limbs of two or three bones each."""
    image = Image.new("1", (side, side))
    pen = ImageDraw.Draw(image)
    body = side * rng.uniform(0.35, 0.65, 2)
    axis = side * rng.uniform(0.08, 0.22) * _direction(rng.uniform(0, np.pi))
    _bone(pen, body - axis, body + axis, (side * rng.uniform(0.08, 0.2),) * 2)
    for _ in range(rng.integers(2, 7)):
        joint = body + rng.uniform(-1, 1) * axis
        width, angle = side * rng.uniform(0.025, 0.09), rng.uniform(0, 2 * np.pi)
        for _ in range(rng.integers(1, 4)):
            tip = joint + side * rng.uniform(0.08, 0.28) * _direction(angle)
            _bone(pen, joint, tip, (width, width := width * rng.uniform(0.6, 1)))
            joint, angle = tip, angle + rng.normal(0, 0.7)
        if rng.random() < 0.4:
            _disc(pen, joint, width * rng.uniform(1, 2))
    return np.asarray(image)


def _angular(rng: np.random.Generator, side: int) -> np.ndarray:
    """A polygon, sometimes with a hole."""
    image = Image.new("1", (side, side))
    pen = ImageDraw.Draw(image)
    count = rng.integers(3, 9)
    angles = np.sort(rng.uniform(0, 2 * np.pi, count))
    radii = rng.uniform(0.25, 0.5, count)[:, None]
    corners = side * (0.5 + radii * _direction(angles).T)
    pen.polygon([tuple(corner) for corner in corners], fill=1)
    if rng.random() < 0.25:
        inner = side / 2 + rng.uniform(0.3, 0.6) * (corners - side / 2)
        pen.polygon([tuple(corner) for corner in inner], fill=0)
    return np.asarray(image)


def _thin(rng: np.random.Generator, side: int) -> np.ndarray:
    """A wavy line of constant width, such as a fibre or a cable."""
    image = Image.new("1", (side, side))
    pen = ImageDraw.Draw(image)
    steps = 60
    bends = ndimage.gaussian_filter1d(rng.normal(0, 1.2, steps), 4)
    angles = rng.uniform(0, 2 * np.pi) + np.cumsum(bends) / 3
    path = np.cumsum(_direction(angles).T, axis=0)
    path = (path - path.min(axis=0)) / max(np.ptp(path, axis=0).max(), 1e-6)
    path = side * (0.06 + 0.88 * path)
    width = side * rng.uniform(0.012, 0.05)
    for first, second in itertools.pairwise(path):
        _bone(pen, first, second, (width, width))
    return np.asarray(image)


def _direction(angle: np.ndarray | float) -> np.ndarray:
    return np.array([np.cos(angle), np.sin(angle)])


def _bone(
    pen: ImageDraw.ImageDraw,
    first: np.ndarray,
    second: np.ndarray,
    radii: tuple[float, float],
) -> None:
    """Two discs and the quadrilateral between them."""
    along = second - first
    normal = np.array([-along[1], along[0]]) / max(np.hypot(*along), 1e-6)
    corners = [
        first + radii[0] * normal,
        second + radii[1] * normal,
        second - radii[1] * normal,
        first - radii[0] * normal,
    ]
    pen.polygon([tuple(corner) for corner in corners], fill=1)
    _disc(pen, first, radii[0])
    _disc(pen, second, radii[1])


def _disc(pen: ImageDraw.ImageDraw, centre: np.ndarray, radius: float) -> None:
    pen.ellipse([*(centre - radius), *(centre + radius)], fill=1)


_KINDS: tuple[Draw, ...] = (_blob, _ragged, _jointed, _angular, _thin)
_SHARES = (0.25, 0.2, 0.35, 0.12, 0.08)
