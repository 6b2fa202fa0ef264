"""Synthetic pictures of neurites in an electron microscope, and of filaments."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw
from scipy import ndimage
from skimage import measure

from shipped_head.scenes import FEWEST_PIXELS, SyntheticScene
from shipped_head.tissue import inside, photographed, waves

if TYPE_CHECKING:
    from typing import Any

    Shape = tuple[int, int]
    Pen = ImageDraw.ImageDraw

__all__ = ["filament_scene", "neurite_scene"]

FINER = 2
"""Filaments are drawn at this multiple of their size and shrunk, for soft edges."""

_STEPS = 80
_VISIBLE = 0.5


def neurite_scene(rng: np.random.Generator) -> SyntheticScene:
    """Draw packed regions between thin dark membranes, with organelles inside.

    Parameters
    ----------
    rng : Generator
        Decides on everything.

    Returns
    -------
    SyntheticScene
        384 to 768 pixels a side, grey, grainy and of low contrast. Regions are equally
        bright and differ in size and elongation; membranes belong to the regions
        beside them, or to none.
    """
    shape = _shape(rng)
    regions = _pack(rng, shape)
    depth = ndimage.distance_transform_edt(inside(regions))
    width = rng.uniform(1, 3)
    light = rng.uniform(0.55, 0.75) + rng.uniform(0, 0.05) * waves(rng, shape, 80)
    light += rng.normal(0, rng.uniform(0, 0.05), regions.max() + 1)[regions]
    light += rng.uniform(0.02, 0.06) * waves(rng, shape, rng.uniform(4, 10))
    light -= _organelles(rng, shape) * (depth > 3 * width)
    faintness = 1 + 0.3 * waves(rng, shape, 40).clip(-2, 2)
    light -= rng.uniform(0.15, 0.4) * faintness * np.exp(-((depth / width) ** 2))
    if rng.random() < 0.5:
        regions = np.where(depth > width, regions, 0)
    return _scene(photographed(rng, light), _masks(regions))


def filament_scene(rng: np.random.Generator) -> SyntheticScene:
    """Draw bright filaments that cross on a dark ground, as fluorescence shows them.

    Parameters
    ----------
    rng : Generator
        Decides on everything.

    Returns
    -------
    SyntheticScene
        384 to 768 pixels a side, grey. Masks overlap where filaments cross.
    """
    shape = _shape(rng)
    light = rng.uniform(0.03, 0.15) * (1 + 0.2 * waves(rng, shape, 120))
    masks = []
    for _ in range(rng.integers(3, 16)):
        cover = _filament(rng, shape)
        along = 1 + 0.25 * waves(rng, shape, 60)
        light = np.maximum(light, rng.uniform(0.3, 0.9) * along * cover)
        masks.append(cover > _VISIBLE)
    large = [mask for mask in masks if np.count_nonzero(mask) >= FEWEST_PIXELS]
    return _scene(photographed(rng, light), np.array(large, bool).reshape(-1, *shape))


def _scene(grey: np.ndarray, masks: np.ndarray) -> SyntheticScene:
    return SyntheticScene(np.repeat(grey[..., None], 3, axis=-1), masks)


def _shape(rng: np.random.Generator) -> Shape:
    rows, columns = rng.integers(384, 769, 2)
    return int(rows), int(columns)


def _pack(rng: np.random.Generator, shape: Shape) -> np.ndarray:
    """(Y, X) ids from 1: connected regions of very different sizes, all elongated."""
    spacing = min(shape) * np.exp(rng.uniform(np.log(0.06), np.log(0.25)))
    count = max(4, int(shape[0] * shape[1] / spacing**2))
    bend = spacing * rng.uniform(0.1, 0.3)
    rows, columns = (
        place + bend * waves(rng, shape, spacing * rng.uniform(0.5, 1.5))
        for place in np.mgrid[: shape[0], : shape[1]].astype(np.float32)
    )
    nearest = np.full(shape, np.inf, np.float32)
    owner = np.zeros(shape, int)
    main = rng.uniform(0, np.pi)
    for index in range(count):
        row, column = rng.uniform(0, 1, 2) * shape
        angle = main + rng.normal(0, 0.6)
        size, stretch = np.exp(rng.normal(0, 0.45)), rng.uniform(1, 2.2)
        along = (rows - row) * np.cos(angle) + (columns - column) * np.sin(angle)
        across = (columns - column) * np.cos(angle) - (rows - row) * np.sin(angle)
        distance = np.hypot(along / stretch, across * stretch) / size
        closer = distance < nearest
        nearest[closer], owner[closer] = distance[closer], 1 + index
    regions: np.ndarray = measure.label(owner, connectivity=1)
    return regions


def _organelles(rng: np.random.Generator, shape: Shape) -> np.ndarray:
    """(Y, X) darkness, 0..1: mitochondria and vesicles, anywhere."""
    image = Image.new("L", shape[::-1])
    pen = ImageDraw.Draw(image)
    area = shape[0] * shape[1]
    for _ in range(rng.poisson(area / rng.uniform(6e3, 4e4))):
        _mitochondrion(rng, pen, shape)
    for _ in range(rng.poisson(area / rng.uniform(2e3, 2e4))):
        row, column = rng.uniform(0, 1, 2) * shape
        _ellipse(pen, (row, column), rng.uniform(2, 5), outline=120, width=1)
    drawn = np.asarray(image, np.float32) / 255
    dark: np.ndarray = ndimage.gaussian_filter(drawn, 0.7) * rng.uniform(0.2, 0.7)
    return dark


def _mitochondrion(rng: np.random.Generator, pen: Pen, shape: Shape) -> None:
    """A chain of discs with a dark rim, striped inside."""
    place, angle = rng.uniform(0, 1, 2) * shape, rng.uniform(0, 2 * np.pi)
    radius, body = rng.uniform(5, 14), int(rng.integers(50, 130))
    places = []
    for _ in range(rng.integers(1, 6)):
        places.append((float(place[0]), float(place[1])))
        place = place + 0.8 * radius * np.array([np.sin(angle), np.cos(angle)])
        angle += rng.normal(0, 0.3)
    for centre in places:
        _ellipse(pen, centre, radius + 1.5, fill=min(255, body + 60))
    for centre in places:
        _ellipse(pen, centre, radius, fill=body)
        _ellipse(pen, centre, radius * rng.uniform(0.2, 0.7), outline=body + 40)


def _ellipse(pen: Pen, centre: tuple[float, float], radius: float, **look: Any) -> None:
    row, column = centre
    box = column - radius, row - radius, column + radius, row + radius
    pen.ellipse(box, **look)


def _filament(rng: np.random.Generator, shape: Shape) -> np.ndarray:
    """(Y, X) float32, 0..1: cover of a smooth line through the picture."""
    image = Image.new("L", (FINER * shape[1], FINER * shape[0]))
    bends = ndimage.gaussian_filter1d(rng.normal(0, 0.3, _STEPS), 5)
    angles = rng.uniform(0, 2 * np.pi) + np.cumsum(bends)
    step = max(shape) * rng.uniform(0.3, 1.2) / _STEPS
    path = step * np.cumsum(np.stack([np.sin(angles), np.cos(angles)], axis=1), axis=0)
    path += rng.uniform(0, 1, 2) * shape - path[_STEPS // 2]
    width = round(FINER * np.exp(rng.uniform(np.log(2), np.log(10))))
    corners = [(float(column), float(row)) for row, column in FINER * path]
    ImageDraw.Draw(image).line(corners, fill=255, width=width, joint="curve")
    shrunk = image.reduce(FINER)
    return np.asarray(shrunk, np.float32) / 255


def _masks(regions: np.ndarray) -> np.ndarray:
    """(N, Y, X) bool: the regions that are large enough."""
    areas = np.bincount(regions.ravel())
    ids = 1 + np.flatnonzero(areas[1:] >= FEWEST_PIXELS)
    return np.array([regions == one for one in ids], bool).reshape(-1, *regions.shape)
