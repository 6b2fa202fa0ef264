"""Synthetic pictures of objects in front of photographs, with exact masks."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image
from scipy import ndimage

from shipped_head.shapes import draw_shape

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["SyntheticScene", "compressed", "object_scene", "recoloured"]

FEWEST_PIXELS = 120
"""Objects with fewer visible pixels are left out of the truth."""

_SIZES = np.log(0.12), np.log(0.95)
"""Logarithms of the least and largest size of an object, as shares of the shorter
side."""


@dataclass(frozen=True, eq=False)
class SyntheticScene:
    """A generated picture and the masks of its objects.

    Attributes
    ----------
    picture : (Y, X, 3) array of uint8
        RGB.
    masks : (N, Y, X) array of bool
        The visible part of each object; they may overlap, since parts of objects are
        objects too.
    """

    picture: np.ndarray
    masks: np.ndarray


def object_scene(
    rng: np.random.Generator,
    photographs: Sequence[np.ndarray],
    drawings: Sequence[np.ndarray] = (),
) -> SyntheticScene:
    """Draw objects with surfaces of photographs in front of another photograph.

    Parameters
    ----------
    rng : Generator
        Decides on everything.
    photographs : sequence of (Y, X, 3) arrays of uint8
        For the background and the surfaces.
    drawings : sequence of (Y, X, 4) arrays of uint8, optional
        RGBA pictures of objects. With these, half of the objects have such a shape.

    Returns
    -------
    SyntheticScene
        320 to 1024 pixels along its longer side. Objects overlap, and may resemble
        their background; edges are blurred as by lens and motion, and noise and JPEG
        artefacts are added.
    """
    shape = _choose_shape(rng)
    canvas = _surface(rng, photographs, shape)
    if rng.random() < 0.4:
        canvas = _blurred(canvas, rng.uniform(0.5, 4))
    seen: list[np.ndarray] = []
    for _ in range(rng.integers(2, 9)):
        side = max(int(min(shape) * np.exp(rng.uniform(*_SIZES))), 24)
        if len(drawings) and rng.random() < 0.5:
            drawing = drawings[int(rng.integers(len(drawings)))]
            item = _pose(rng, drawing, _surface(rng, photographs, (side, side)))
        else:
            item = _cut_out(rng, photographs, side)
        for mask in seen:
            mask &= ~_lay(item.cover > 0.5, item, shape)
        seen += [_lay(mask, item, shape) for mask in item.masks]
        _paint(rng, item, canvas)
    seen = [mask for mask in seen if np.count_nonzero(mask) >= FEWEST_PIXELS]
    return SyntheticScene(
        _photograph(rng, canvas), np.array(seen, bool).reshape(-1, *shape)
    )


def _choose_shape(rng: np.random.Generator) -> tuple[int, int]:
    longer = int(rng.uniform(320, 1024))
    shorter = int(longer * rng.uniform(0.55, 1))
    return (shorter, longer) if rng.random() < 0.75 else (longer, shorter)


def _surface(
    rng: np.random.Generator,
    photographs: Sequence[np.ndarray],
    shape: tuple[int, int],
) -> np.ndarray:
    """(Y, X, 3) float32, 0..255: a piece of a photograph in other colours."""
    picture = photographs[int(rng.integers(len(photographs)))]
    rows, columns = _piece(rng, picture.shape[:2], shape)
    piece = Image.fromarray(np.ascontiguousarray(picture[rows, columns]))
    fitted = piece.resize(shape[::-1], Image.Resampling.BICUBIC)
    surface = np.asarray(fitted, np.float32)[:: rng.choice([-1, 1])]
    surface = surface[:, :: rng.choice([-1, 1])]
    lit: np.ndarray = recoloured(rng, surface)
    lit *= _illumination(rng, shape)[..., None]
    return lit


def _piece(
    rng: np.random.Generator, given: tuple[int, ...], wanted: tuple[int, int]
) -> tuple[slice, slice]:
    """A random window with the proportions of `wanted`."""
    largest = min(side / want for side, want in zip(given, wanted, strict=True))
    factor = largest * rng.uniform(0.25, 1)
    sides = [max(2, int(factor * want)) for want in wanted]
    starts = [
        rng.integers(side - size + 1) for side, size in zip(given, sides, strict=True)
    ]
    return (
        slice(starts[0], starts[0] + sides[0]),
        slice(starts[1], starts[1] + sides[1]),
    )


def recoloured(rng: np.random.Generator, surface: np.ndarray) -> np.ndarray:
    """Change the brightness and contrast of a picture, and often its hue.

    Parameters
    ----------
    rng : Generator
        Decides by how much.
    surface : (Y, X, 3) array of float32
        RGB, 0..255.

    Returns
    -------
    (Y, X, 3) array of float32
        Values may lie below 0 or above 255.
    """
    mean = surface.mean(axis=(0, 1))
    contrast = rng.uniform(0.3, 1.2)
    if rng.random() < 0.5:  # Another hue; else only lighter or darker.
        mixing = np.eye(3) + rng.normal(0, 0.35, (3, 3))
        surface = (surface - mean) @ mixing.astype(np.float32) + mean
        mean = mean + rng.normal(0, 35, 3)
    target = 0.6 * mean + 0.4 * rng.uniform(10, 245)
    shifted: np.ndarray = contrast * (surface - surface.mean(axis=(0, 1))) + target
    return shifted.astype(np.float32)


def _illumination(rng: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
    """Around 1, brighter on one side."""
    rows, columns = np.ogrid[-1 : 1 : shape[0] * 1j, -1 : 1 : shape[1] * 1j]
    slope = rng.normal(0, 0.15, 2)
    light: np.ndarray = 1 + slope[0] * rows + slope[1] * columns
    return light.astype(np.float32)


@dataclass(frozen=True, eq=False)
class _Item:
    """An object to be painted on a canvas.

    Attributes
    ----------
    cover : (side, side) array of float32
        Opacity, 0..1.
    parts : tuple of (side, side) arrays of float32
        Opacity of parts with another surface.
    colours : (side, side, 3) array of float32
        0..255.
    corner : (float, float)
        Row and column of its corner, as shares of the canvas.
    """

    cover: np.ndarray
    parts: tuple[np.ndarray, ...]
    colours: np.ndarray
    corner: tuple[float, float]

    @property
    def masks(self) -> list[np.ndarray]:
        """(side, side) bool: the whole object, and each of its parts."""
        whole = self.cover > 0.5
        return [whole, *(whole & (part > 0.5) for part in self.parts)]


def _cut_out(
    rng: np.random.Generator, photographs: Sequence[np.ndarray], side: int
) -> _Item:
    cover = _softened(rng, draw_shape(rng, side))
    parts = tuple(draw_shape(rng, side) for _ in range(rng.integers(0, 3)))
    colours = _surface(rng, photographs, (side, side))
    for part in parts:
        other = _surface(rng, photographs, (side, side))
        colours += part[..., None] * (other - colours)
    return _Item(cover, parts, colours, _corner(rng))


def _pose(rng: np.random.Generator, drawing: np.ndarray, surface: np.ndarray) -> _Item:
    """Rotate a drawing, and mix its colours with the surface of a photograph."""
    side = len(surface)
    turned = Image.fromarray(drawing).rotate(
        rng.normal(0, 20), Image.Resampling.BICUBIC, expand=True
    )
    turned = turned.crop(turned.getbbox())
    fitted = np.asarray(_fitted(turned, side), np.float32)[:, :: rng.choice([-1, 1])]
    cover = _softened(rng, fitted[..., 3] / 255)
    grain = surface - surface.mean(axis=(0, 1))
    colours = rng.uniform(0.5, 1) * fitted[..., :3] + rng.uniform(0, 0.8) * grain
    return _Item(cover, (), colours + rng.normal(0, 15, 3), _corner(rng))


def _fitted(picture: Image.Image, side: int) -> Image.Image:
    """Resize a picture to fit into a square, and centre it there."""
    factor = side / max(picture.size)
    size = [max(1, round(factor * length)) for length in picture.size]
    square = Image.new("RGBA", (side, side))
    corner = (side - size[0]) // 2, (side - size[1]) // 2
    square.paste(picture.resize((size[0], size[1])), corner)
    return square


def _corner(rng: np.random.Generator) -> tuple[float, float]:
    row, column = rng.uniform(-0.15, 0.8, 2)
    return float(row), float(column)


def _softened(rng: np.random.Generator, drawn: np.ndarray) -> np.ndarray:
    """Blur a mask as lens or motion would."""
    soft: np.ndarray = ndimage.gaussian_filter(drawn, rng.uniform(0.2, 1.3))
    if rng.random() < 0.15:
        axis = int(rng.integers(2))
        soft = ndimage.uniform_filter1d(soft, int(rng.integers(2, 9)), axis=axis)
    return soft


def _paint(rng: np.random.Generator, item: _Item, canvas: np.ndarray) -> None:
    place, source = _meeting(item, canvas.shape[:2])
    behind, colours = canvas[place], item.colours[source]
    if rng.random() < 0.3:  # Close to the background.
        colours = behind + rng.uniform(0.25, 0.6) * (colours - behind)
    behind += item.cover[source][..., None] * (colours - behind)


def _lay(mask: np.ndarray, item: _Item, shape: tuple[int, int]) -> np.ndarray:
    """Place a (side, side) mask on an empty canvas, cropped at its borders."""
    canvas = np.zeros(shape, bool)
    place, source = _meeting(item, shape)
    canvas[place] = mask[source]
    return canvas


def _meeting(
    item: _Item, shape: tuple[int, ...]
) -> tuple[tuple[slice, ...], tuple[slice, ...]]:
    """The part of the canvas that an item covers, and that part of the item."""
    places, sources = [], []
    for share, length, side in zip(item.corner, shape, item.cover.shape, strict=True):
        start = int(share * length)
        first, last = max(start, 0), min(start + side, length)
        places.append(slice(first, max(first, last)))
        sources.append(slice(first - start, max(first, last) - start))
    return tuple(places), tuple(sources)


def _blurred(canvas: np.ndarray, sigma: float) -> np.ndarray:
    blurred: np.ndarray = ndimage.gaussian_filter(canvas, (sigma, sigma, 0))
    return blurred


def _photograph(rng: np.random.Generator, canvas: np.ndarray) -> np.ndarray:
    """Add the blur of a lens, the noise of a camera, and JPEG artefacts."""
    light = _blurred(canvas, rng.uniform(0, 1)) if rng.random() < 0.5 else canvas
    if rng.random() < 0.15:
        light = np.broadcast_to(light.mean(axis=-1, keepdims=True), light.shape)
    noisy = light + rng.normal(0, rng.uniform(0, 8), light.shape)
    picture: np.ndarray = noisy.clip(0, 255).astype(np.uint8)
    if rng.random() < 0.6:
        picture = compressed(picture, int(rng.integers(45, 96)))
    return picture


def compressed(picture: np.ndarray, quality: int) -> np.ndarray:
    """Return (Y, X, 3) uint8 pixels after JPEG compression of that quality, 1..95."""
    stream = io.BytesIO()
    Image.fromarray(picture).save(stream, "JPEG", quality=quality)
    return np.asarray(Image.open(stream))
