"""Features of one frame, by which an object is told from everything else."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, cached_property
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image
from scipy import ndimage

from napari_sam_decoder.appearance.ridge import LabelledSamples, with_constant
from napari_sam_decoder.linalg import cosine, gram_matrix, matmul, sigmoid

if TYPE_CHECKING:
    from napari_sam_decoder.model.values import Embedding

__all__ = [
    "CellFeatures",
    "FrameFeatures",
    "PixelFeatures",
    "channels_of",
    "low_res_picture",
]

SMALLEST_NORM = 1e-6

FINE, COARSE = 1.0, 4.0
"""Standard deviations of two blurs, in low-res pixels: for a pixel's colour and
for that of its surroundings."""

COLOUR_WIDTH = 0.6
"""Difference, in standard deviations of the frame, that makes two colours distinct."""

WAVES = 96

SAMPLED_EVERY = 2
"""Neighbouring pixels are alike, so only every n-th row and column is used."""

SAMPLED_WITHIN = 3.0
"""Distance from the object, in units of its side, beyond which pixels are left out."""


@dataclass(frozen=True, eq=False)
class FrameFeatures:
    """One frame as the network sees it, and its colours; each computed when first used.

    Attributes
    ----------
    embedding : Embedding
        Of the frame.
    picture : (C, rows, columns) array of float32
        The frame reduced to the low-res grid, see `low_res_picture`.
    mask_size : int
        Side of the low-res grid, padding included.
    """

    embedding: Embedding
    picture: np.ndarray
    mask_size: int

    def prepare(self) -> None:
        """Compute all features now instead of when they are first used."""
        _ = self.cells, self.pixels

    @cached_property
    def cells(self) -> CellFeatures:
        """Features of the embedding's cells."""
        return CellFeatures(self.embedding, self.picture.shape[1:], self.mask_size)

    @cached_property
    def pixels(self) -> PixelFeatures:
        """Features of the low-res pixels."""
        return PixelFeatures(self.picture)


class CellFeatures:
    """The cells of an embedding: they recognise things, but only coarsely.

    The mean of the frame is subtracted, because what all of a frame has in common, such
    as its illumination, says nothing about the object. Each cell then has length 1.

    Attributes
    ----------
    size : int
        Side of a cell in low-res pixels.
    grid : (rows, columns)
        Cells that show the frame.
    samples : (N, C + 1) array of float32
        Of all cells, row by row, and 1 as the last feature.
    uncentred : (rows, columns, C) array of float32
        Vectors of length 1, without subtracting anything: by these, cells are compared
        with those of other frames.
    """

    def __init__(
        self, embedding: Embedding, content: tuple[int, ...], mask_size: int
    ) -> None:
        self.size: int = mask_size // embedding.features.shape[-1]
        rows, columns = (-(-side // self.size) for side in content)
        features = embedding.features[:, :rows, :columns].astype(np.float32)
        cells = np.ascontiguousarray(features.reshape(len(features), -1).T)
        self.samples: np.ndarray = with_constant(_unit(cells - cells.mean(axis=0)))
        self.uncentred: np.ndarray = _unit(cells).reshape(rows, columns, -1)
        self.grid: tuple[int, int] = rows, columns
        self._content = content

    @property
    def directions(self) -> np.ndarray:
        """(N, C) features of the cells, as vectors of length 1."""
        return self.samples[:, :-1]

    @cached_property
    def _products(self) -> np.ndarray:
        return gram_matrix(self.samples)

    def coverage(self, logits: np.ndarray) -> np.ndarray:
        """(N,) share in 0..1 of each cell that an object of (h, w) logits covers."""
        (rows, columns), size = self.grid, self.size
        visible = sigmoid(logits[: rows * size, : columns * size])
        cells: np.ndarray = visible.reshape(rows, size, columns, size).mean((1, 3))
        return cells.ravel()

    def covering(self, pixels: np.ndarray) -> np.ndarray:
        """(rows, columns) bool: the cells of any of (rows, columns) low-res pixels."""
        touched = np.zeros(self.grid, bool)
        rows, columns = np.nonzero(pixels)
        touched[rows // self.size, columns // self.size] = True
        return touched

    def labelled(self, logits: np.ndarray) -> LabelledSamples:
        """Label all cells: any of them may look like what is found elsewhere."""
        shares = self.coverage(logits)
        return LabelledSamples(
            self.samples, shares, np.ones_like(shares), self._products
        )

    def to_map(self, values: np.ndarray) -> np.ndarray:
        """Interpolate (N,) values of cells to (rows, columns) low-res pixels."""
        rows, columns = self.grid
        down = _interpolation(rows, self.size)[: self._content[0]]
        across = _interpolation(columns, self.size)[: self._content[1]]
        return matmul(down, values.reshape(rows, columns), across.T)


class PixelFeatures:
    """The low-res pixels of the frame: they know only colours, but at full detail.

    A linear classifier cannot tell one colour from all others. So colours are turned
    into random Fourier features (Rahimi and Recht, "Random features for large-scale
    kernel machines", 2007), with which it can fit any smooth function of them.
    """

    def __init__(self, picture: np.ndarray) -> None:
        rows, columns = self._shape = picture.shape[1:]
        layers = [_blurred(picture, deviation) for deviation in (FINE, COARSE)]
        constant = np.ones((1, rows, columns), np.float32)
        colours = np.concatenate([*layers, constant]).reshape(-1, rows * columns)
        # In place: allocating the memory takes longer than the arithmetic.
        waves = cosine(matmul(colours.T, _waves(len(colours) - 1)))
        waves[:, :-1] *= np.float32(np.sqrt(2 / WAVES))
        self.samples: np.ndarray = waves

    def labelled(self, logits: np.ndarray) -> LabelledSamples:
        """Label the pixels around the object; those near it count most."""
        samples = self.samples.reshape(*self._shape, -1)
        visible = logits[: self._shape[0], : self._shape[1]]
        around = _around(visible > 0)
        sampled = visible[around]
        nearness = _nearness(sampled > 0)
        return LabelledSamples(
            samples[around].reshape(-1, samples.shape[-1]),
            sigmoid(sampled).ravel(),
            nearness.ravel(),
        )

    def to_map(self, values: np.ndarray) -> np.ndarray:
        """Arrange (N,) values as (rows, columns) low-res pixels."""
        return values.reshape(self._shape)


def low_res_picture(rgb: np.ndarray, content: tuple[int, int]) -> np.ndarray:
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
        With mean 0 and standard deviation 1; one channel if all three are equal.
    """
    rows, columns = content
    small = Image.fromarray(rgb).resize((columns, rows), Image.Resampling.BILINEAR)
    channels = channels_of(np.asarray(small, np.float32))
    deviation = max(float(channels.std()), SMALLEST_NORM)
    picture: np.ndarray = (channels - channels.mean()) / deviation
    return picture


def channels_of(rgb: np.ndarray) -> np.ndarray:
    """Return the (3, Y, X) channels of a (Y, X, 3) picture; one if all are equal."""
    channels = np.moveaxis(rgb, -1, 0)
    is_grey = all((channels[0] == other).all() for other in channels[1:])
    return channels[:1] if is_grey else channels


def _unit(vectors: np.ndarray) -> np.ndarray:
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit: np.ndarray = vectors / np.maximum(norms, SMALLEST_NORM)
    return unit


def _around(mask: np.ndarray) -> tuple[slice, ...]:
    """Return the slices of a mask and its surroundings, with every second pixel."""
    margin = int(SAMPLED_WITHIN * np.sqrt(np.count_nonzero(mask)))
    extents = ndimage.find_objects(mask.astype(np.uint8)) or [
        tuple(map(slice, mask.shape))
    ]
    return tuple(
        slice(max((extent.start or 0) - margin, 0), extent.stop + margin, SAMPLED_EVERY)
        for extent in extents[0]
    )


def _nearness(mask: np.ndarray) -> np.ndarray:
    """Weight of each pixel: 1 on the mask, 1 / e at a distance of the mask's side."""
    if not mask.any():
        return np.ones(mask.shape, np.float32)
    distances = ndimage.distance_transform_edt(~mask)
    nearness: np.ndarray = np.exp(-distances / np.sqrt(np.count_nonzero(mask)))
    return nearness.astype(np.float32)


def _blurred(picture: np.ndarray, deviation: float) -> np.ndarray:
    """Blur a (C, rows, columns) picture by a Gaussian, as products of matrices."""
    rows, columns = (_blur(side, deviation) for side in picture.shape[1:])
    return matmul(rows, picture, columns.T)


@cache
def _blur(side: int, deviation: float) -> np.ndarray:
    matrix: np.ndarray = ndimage.gaussian_filter1d(np.eye(side), deviation, axis=0)
    return matrix.astype(np.float32)


@cache
def _waves(channels: int) -> np.ndarray:
    """Draw (channels + 1, WAVES + 1) frequencies and, in the last row, phases.

    They are always the same. The last column is the constant feature.
    """
    generator = np.random.default_rng(0)
    waves = np.zeros((channels + 1, WAVES + 1), np.float32)
    waves[:-1, :-1] = generator.normal(scale=1 / COLOUR_WIDTH, size=(channels, WAVES))
    waves[-1, :-1] = generator.uniform(0, 2 * np.pi, WAVES)
    return waves


@cache
def _interpolation(cells: int, size: int) -> np.ndarray:
    """Return the (cells * size, cells) matrix that interpolates cell centres."""
    positions = np.clip((np.arange(cells * size) + 0.5) / size - 0.5, 0, cells - 1)
    shares = np.maximum(0, 1 - np.abs(positions[:, None] - np.arange(cells)[None]))
    matrix: np.ndarray = shares.astype(np.float32)
    return matrix
