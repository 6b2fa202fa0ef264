"""One frame, prepared for telling an object on it from everything else."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, cached_property
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image
from scipy import ndimage

from napari_sam_decoder.appearance.ridge import Lesson, with_constant
from napari_sam_decoder.linalg import cosine, gram_matrix, matmul, sigmoid

if TYPE_CHECKING:
    from napari_sam_decoder.model.values import Embedding

__all__ = ["CellView", "PixelView", "View", "picture_of"]

SMALLEST_NORM = 1e-6

FINE, COARSE = 1.0, 4.0
"""Standard deviations, in low-res pixels, of the blurs through which pixels are seen: a
pixel's own colour, and that of what is around it."""

COLOUR_WIDTH = 0.6
"""Colours that differ by this, in standard deviations of the frame, are two colours."""

WAVES = 96

TAUGHT_EVERY = 2
"""Neighbouring pixels teach much the same; one in so many rows and columns will do."""

TAUGHT_WITHIN = 3.0
"""Sides of the object around it beyond which pixels count too little to be taught."""


@dataclass(frozen=True, eq=False)
class View:
    """One frame as the network saw it, and as it is; prepared as far as it is needed.

    Attributes
    ----------
    embedding : Embedding
        Of the frame.
    picture : (C, rows, columns) array of float32
        The frame itself, see `picture_of`.
    mask_size : int
        Low-res pixels along a side of the whole grid.
    """

    embedding: Embedding
    picture: np.ndarray
    mask_size: int

    def prepare(self) -> None:
        """Do now what is otherwise done when it is first needed."""
        _ = self.cells, self.pixels

    @cached_property
    def cells(self) -> CellView:
        """What the network recognises."""
        return CellView(self.embedding, self.picture.shape[1:], self.mask_size)

    @cached_property
    def pixels(self) -> PixelView:
        """The colours."""
        return PixelView(self.picture)


class CellView:
    """The cells of an embedding: what the network recognises, coarsely.

    The frame's mean is taken away, since all that a frame has in common, such as
    its illumination, says nothing about the object; each cell then counts the same.
    """

    def __init__(
        self, embedding: Embedding, content: tuple[int, ...], mask_size: int
    ) -> None:
        self._size = mask_size // embedding.features.shape[-1]
        rows, columns = (-(-side // self._size) for side in content)
        features = embedding.features[:, :rows, :columns].astype(np.float32)
        cells = features.reshape(len(features), -1).T
        cells = cells - cells.mean(axis=0)
        norms = np.linalg.norm(cells, axis=1, keepdims=True)
        self.samples: np.ndarray = with_constant(
            cells / np.maximum(norms, SMALLEST_NORM)
        )
        self._grid = rows, columns
        self._content = content

    @property
    def directions(self) -> np.ndarray:
        """(N, C): what the network sees in each cell, as vectors of length 1."""
        return self.samples[:, :-1]

    @cached_property
    def _total(self) -> np.ndarray:
        return gram_matrix(self.samples)

    def shares(self, logits: np.ndarray) -> np.ndarray:
        """How much of each cell an object covers: (N,) in 0..1 of (h, w) logits."""
        (rows, columns), size = self._grid, self._size
        visible = sigmoid(logits[: rows * size, : columns * size])
        cells: np.ndarray = visible.reshape(rows, size, columns, size).mean((1, 3))
        return cells.ravel()

    def lesson(self, logits: np.ndarray) -> Lesson:
        """All of the frame counts: what else there is may be met anywhere."""
        shares = self.shares(logits)
        return Lesson(self.samples, shares, np.ones_like(shares), self._total)

    def spread(self, values: np.ndarray) -> np.ndarray:
        """Interpolate between the centres of the cells."""
        rows, columns = self._grid
        down = _interpolation(rows, self._size)[: self._content[0]]
        across = _interpolation(columns, self._size)[: self._content[1]]
        return matmul(down, values.reshape(rows, columns), across.T)


class PixelView:
    """The low-res pixels of the frame itself: colours, finely.

    A line cannot tell one colour from all others, so colours are turned into random
    waves over them (Rahimi and Recht, "Random features for large-scale kernel
    machines", 2007), of which a linear classifier can make any smooth function.
    """

    def __init__(self, picture: np.ndarray) -> None:
        rows, columns = self._shape = picture.shape[1:]
        layers = [_blurred(picture, deviation) for deviation in (FINE, COARSE)]
        constant = np.ones((1, rows, columns), np.float32)
        colours = np.concatenate([*layers, constant]).reshape(-1, rows * columns)
        # In place, since getting the memory takes longer than the sums.
        waves = cosine(matmul(colours.T, _waves(len(colours) - 1)))
        waves[:, :-1] *= np.float32(np.sqrt(2 / WAVES))
        self.samples: np.ndarray = waves

    def lesson(self, logits: np.ndarray) -> Lesson:
        """The object's surroundings count most: there the outline is decided."""
        samples = self.samples.reshape(*self._shape, -1)
        visible = logits[: self._shape[0], : self._shape[1]]
        around = _around(visible > 0)
        taught = visible[around]
        nearness = _nearness(taught > 0)
        return Lesson(
            samples[around].reshape(-1, samples.shape[-1]),
            sigmoid(taught).ravel(),
            nearness.ravel(),
        )

    def spread(self, values: np.ndarray) -> np.ndarray:
        """Give each pixel its own value."""
        return values.reshape(self._shape)


def picture_of(rgb: np.ndarray, content: tuple[int, int]) -> np.ndarray:
    """Reduce a frame to the low-res grid.

    Parameters
    ----------
    rgb : (Y, X, 3) array of uint8
        The frame.
    content : (rows, columns)
        The low-res pixels that show the frame.

    Returns
    -------
    (C, rows, columns) array of float32
        Of mean 0 and standard deviation 1; one channel where all three are equal.
    """
    rows, columns = content
    small = Image.fromarray(rgb).resize((columns, rows), Image.Resampling.BILINEAR)
    channels = np.moveaxis(np.asarray(small, np.float32), -1, 0)
    if (channels[0] == channels[1]).all() and (channels[0] == channels[2]).all():
        channels = channels[:1]
    deviation = max(float(channels.std()), SMALLEST_NORM)
    picture: np.ndarray = (channels - channels.mean()) / deviation
    return picture


def _around(mask: np.ndarray) -> tuple[slice, ...]:
    """Every second row and column of a mask and its surroundings."""
    margin = int(TAUGHT_WITHIN * np.sqrt(np.count_nonzero(mask)))
    extents = ndimage.find_objects(mask.astype(np.uint8)) or [
        tuple(map(slice, mask.shape))
    ]
    return tuple(
        slice(max((extent.start or 0) - margin, 0), extent.stop + margin, TAUGHT_EVERY)
        for extent in extents[0]
    )


def _nearness(mask: np.ndarray) -> np.ndarray:
    """0..1 for each pixel: 1 on the mask, a third at a distance of its side."""
    if not mask.any():
        return np.ones(mask.shape, np.float32)
    distances = ndimage.distance_transform_edt(~mask)
    nearness: np.ndarray = np.exp(-distances / np.sqrt(np.count_nonzero(mask)))
    return nearness.astype(np.float32)


def _blurred(picture: np.ndarray, deviation: float) -> np.ndarray:
    """Gaussian of a (C, rows, columns) picture, as products of matrices."""
    rows, columns = (_blur(side, deviation) for side in picture.shape[1:])
    return matmul(rows, picture, columns.T)


@cache
def _blur(side: int, deviation: float) -> np.ndarray:
    matrix: np.ndarray = ndimage.gaussian_filter1d(np.eye(side), deviation, axis=0)
    return matrix.astype(np.float32)


@cache
def _waves(channels: int) -> np.ndarray:
    """(channels + 1, WAVES + 1) directions and, in the last row, phases.

    Always the same. The last wave does not depend on the colour: it is the constant.
    """
    generator = np.random.default_rng(0)
    waves = np.zeros((channels + 1, WAVES + 1), np.float32)
    waves[:-1, :-1] = generator.normal(scale=1 / COLOUR_WIDTH, size=(channels, WAVES))
    waves[-1, :-1] = generator.uniform(0, 2 * np.pi, WAVES)
    return waves


@cache
def _interpolation(cells: int, size: int) -> np.ndarray:
    """Matrix (cells * size, cells) of linear interpolation between cell centres."""
    positions = np.clip((np.arange(cells * size) + 0.5) / size - 0.5, 0, cells - 1)
    shares = np.maximum(0, 1 - np.abs(positions[:, None] - np.arange(cells)[None]))
    matrix: np.ndarray = shares.astype(np.float32)
    return matrix
