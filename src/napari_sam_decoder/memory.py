"""What an object's accepted frames say about this one, from cached embeddings alone.

Each object has a linear classifier on the encoder's features, fitted in closed form to
the frames where the object is known: the user's own frames for ever, recent accepted
ones with a fading weight. It is the idea of discriminative target models for video
object segmentation (Robinson et al., "Learning Fast and Robust Target Models for Video
Object Segmentation", 2020; Bhat et al., "Learning What to Learn for Video Object
Segmentation", 2020) in its simplest form, ridge regression, so that a memory of any
number of frames is one matrix and needs no training.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
from scipy.linalg import solve
from scipy.special import expit

if TYPE_CHECKING:
    from napari_sam_decoder.model.values import Embedding

__all__ = ["Memory", "View"]

SMALLEST_NORM = 1e-6
SMALLEST_SHARE = 0.5
"""Cells; a class with less than this in all does not count in full."""

RIDGE = 0.01
"""Relative to the mean variance of a feature. Ten times more blurs the object, ten
times less fits single cells."""

FADING = 0.9
"""How much of what recent frames say is left one frame later."""


class View:
    """One frame's embedding, prepared for comparing parts of it.

    The frame's mean is taken away, since all that a frame has in common, such as
    its illumination, says nothing about the object; each cell then counts the same.

    Parameters
    ----------
    embedding : Embedding
        (C, H, W) features.
    content : (rows, columns)
        The low-res pixels that show the frame.
    mask_size : int
        Low-res pixels along a side of the whole grid.

    Attributes
    ----------
    cells : (N, C) array of float32
        Features of the cells that show the frame, of length 1, row by row.
    """

    def __init__(
        self, embedding: Embedding, content: tuple[int, int], mask_size: int
    ) -> None:
        self._size = mask_size // embedding.features.shape[-1]
        rows, columns = (-(-side // self._size) for side in content)
        features = embedding.features[:, :rows, :columns].astype(np.float32)
        cells = features.reshape(len(features), -1).T
        cells = cells - cells.mean(axis=0)
        norms = np.linalg.norm(cells, axis=1, keepdims=True)
        self.cells: np.ndarray = cells / np.maximum(norms, SMALLEST_NORM)
        self._grid = rows, columns
        self._content = content

    def shares(self, logits: np.ndarray) -> np.ndarray:
        """How much of each cell an object covers: (N,) in 0..1 of (h, w) logits."""
        (rows, columns), size = self._grid, self._size
        visible = expit(logits[: rows * size, : columns * size])
        cells: np.ndarray = visible.reshape(rows, size, columns, size).mean((1, 3))
        return cells.ravel()

    def spread(self, values: np.ndarray) -> np.ndarray:
        """Interpolate (N,) values of cells to the pixels that show the frame."""
        rows, columns = self._grid
        down = _interpolation(rows, self._size)[: self._content[0]]
        across = _interpolation(columns, self._size)[: self._content[1]]
        spread: np.ndarray = down @ values.reshape(rows, columns) @ across.T
        return spread


@dataclass(frozen=True, eq=False)
class _Evidence:
    """Weighted sums over cells, all that a least-squares fit needs of them.

    Attributes
    ----------
    moments : (C + 1, C + 1) array of float32
    targets : (C + 1,) array of float32
    """

    moments: np.ndarray
    targets: np.ndarray

    @classmethod
    def of(cls, cells: np.ndarray, shares: np.ndarray) -> _Evidence:
        """Object and background count the same, however small the object is."""
        rest = 1 - shares
        weights = 0.5 * (
            shares / max(float(shares.sum()), SMALLEST_SHARE)
            + rest / max(float(rest.sum()), SMALLEST_SHARE)
        )
        extended = _with_constant(cells)
        weighted = extended * weights[:, None]
        return cls(weighted.T @ extended, weighted.T @ (2 * shares - 1))

    def __add__(self, other: _Evidence) -> _Evidence:
        return _Evidence(self.moments + other.moments, self.targets + other.targets)

    def __mul__(self, factor: float) -> _Evidence:
        return _Evidence(
            (factor * self.moments).astype(np.float32),
            (factor * self.targets).astype(np.float32),
        )


@dataclass(frozen=True, eq=False)
class Memory:
    """One object's appearance against everything else on its frames.

    Its size does not depend on how many frames it holds.

    Attributes
    ----------
    certain : _Evidence
        Frames that the user has fixed; never forgotten.
    recent : _Evidence
        Accepted frames, fading.
    look : (C,) array of float32
        Sum of the directions in feature space that set the object apart from each
        of the certain frames.
    weights : (C + 1,) array of float32
        Of the classifier that fits both.
    """

    certain: _Evidence
    recent: _Evidence
    look: np.ndarray
    weights: np.ndarray

    @classmethod
    def of(cls, view: View, logits: np.ndarray) -> Memory:
        """Remember a frame that the user has fixed.

        Parameters
        ----------
        view : View
            Of the frame.
        logits : (h, w) array
            Low-res logits of the object there.
        """
        shares = view.shares(logits)
        certain = _Evidence.of(view.cells, shares)
        return cls._fitted(certain, certain * 0, _direction(view, shares))

    def join(self, other: Memory) -> Memory:
        """Add what another memory of the same object has for certain."""
        return self._fitted(
            self.certain + other.certain, self.recent, self.look + other.look
        )

    def seen(self, view: View, logits: np.ndarray, confidence: float) -> Memory:
        """Remember an accepted frame for some time, as far as it can be trusted."""
        newest = _Evidence.of(view.cells, view.shares(logits))
        recent = self.recent * FADING + newest * ((1 - FADING) * confidence)
        return self._fitted(self.certain, recent, self.look)

    def scores(self, view: View) -> np.ndarray:
        """Say for each cell of a frame whether it is the object.

        Returns
        -------
        (N,) array of float32
            About 1 for cells like the object's, about -1 for cells like the
            background's and other objects', 0 on the border between them.
        """
        scores: np.ndarray = view.cells @ self.weights[:-1] + self.weights[-1]
        return scores

    def likeness(self, view: View, logits: np.ndarray) -> float:
        """Cosine between what is under a mask and the object on its certain frames.

        Returns
        -------
        float
            -1..1. The same object on different frames has mostly above 0.5, and above
            0.3 even where it turns or deforms; a piece of background has around or
            below 0.
        """
        length = max(float(np.linalg.norm(self.look)), SMALLEST_NORM)
        return float(_direction(view, view.shares(logits)) @ self.look) / length

    @classmethod
    def _fitted(cls, certain: _Evidence, recent: _Evidence, look: np.ndarray) -> Memory:
        evidence = certain + recent
        features = len(evidence.targets) - 1
        moments = evidence.moments.copy()
        diagonal = np.arange(features)
        moments[diagonal, diagonal] += RIDGE / features
        # The constant has no ridge, but a frame without contrast leaves it singular.
        moments[features, features] += SMALLEST_NORM
        weights = solve(moments, evidence.targets, assume_a="pos")
        return cls(certain, recent, look, weights.astype(np.float32))


def _with_constant(cells: np.ndarray) -> np.ndarray:
    return np.concatenate([cells, np.ones((len(cells), 1), np.float32)], axis=1)


def _direction(view: View, shares: np.ndarray) -> np.ndarray:
    summed = shares @ view.cells
    unit: np.ndarray = summed / max(float(np.linalg.norm(summed)), SMALLEST_NORM)
    return unit


@cache
def _interpolation(cells: int, size: int) -> np.ndarray:
    """Matrix (cells * size, cells) of linear interpolation between cell centres."""
    positions = np.clip((np.arange(cells * size) + 0.5) / size - 0.5, 0, cells - 1)
    shares = np.maximum(0, 1 - np.abs(positions[:, None] - np.arange(cells)[None]))
    matrix: np.ndarray = shares.astype(np.float32)
    return matrix
