"""Prompts on the objects of lessons, with what is to be seen and known around them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from torch import Tensor

from napari_sam_decoder.model.prompt_encoder import tokenise
from napari_sam_decoder.model.transforms import scaled
from napari_sam_decoder.training.pointing import lower_mask, point
from shipped_head.asking import Window

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_sam_decoder.model.sam import Sam
    from napari_sam_decoder.training.lessons import Lesson
    from napari_sam_decoder.training.pointing import Pointing

__all__ = ["Batch", "Prompted", "Recipe"]

CELL = 16
"""Pixels of the network's input a side."""


@dataclass(frozen=True)
class Recipe:
    """What a batch is made of.

    Attributes
    ----------
    pictures : int
        Lessons that take part in it.
    objects : int
        Prompts on each of them, by chance on the same object.
    near, far : int
        Cells a side of the window at the object, and of the one anywhere.
    """

    pictures: int = 2
    objects: int = 2
    near: int = 20
    far: int = 10


class Batch(NamedTuple):
    """Prompts on objects, and the truth.

    Attributes
    ----------
    grid : (B, C, G, G) tensor of float32
        Image embeddings.
    places, kinds : (B, 2, 2) tensor of float32, (B, 2) tensor of int64
        The tokens of a box, or of a point and of the lack of a box.
    lowered : (B, 1, 4 * G, 4 * G) tensor of bool
        The truth in low-res pixels.
    near_corners, far_corners : (B, 2) tensor of int64
        First row and column of a window, in cells.
    near_early, far_early : (B, E, 4 * N, 4 * N) tensor of float32
        What the encoder saw early there.
    near_truth, far_truth : (B, 16 * N, 16 * N) tensor of float32
        0 or 1; 0 in the padding.
    """

    grid: Tensor
    places: Tensor
    kinds: Tensor
    lowered: Tensor
    near_corners: Tensor
    near_early: Tensor
    near_truth: Tensor
    far_corners: Tensor
    far_early: Tensor
    far_truth: Tensor

    @property
    def windows(self) -> list[Window]:
        """The near and the far one."""
        return [
            Window(self.near_corners, self.near_early),
            Window(self.far_corners, self.far_early),
        ]

    @property
    def truth(self) -> Tensor:
        """(B, P) tensor of float32: all pixels of both windows in a row."""
        return torch.cat([self.near_truth.flatten(1), self.far_truth.flatten(1)], dim=1)


class Prompted:
    """Draws prompts by chance.

    Parameters
    ----------
    lessons : sequence of Lesson
        Asked for one whenever prompts on it are wanted; each has objects.
    sam : Sam
        What has embedded them; looks at windows more closely.
    recipe : Recipe
        What a batch is made of.
    """

    def __init__(self, lessons: Sequence[Lesson], sam: Sam, recipe: Recipe) -> None:
        self._lessons = lessons
        self._sam = sam
        self._recipe = recipe

    def batch(self, rng: np.random.Generator) -> Batch:
        """Draw objects, prompts and windows.

        Returns
        -------
        Batch
            With `Recipe.pictures` times `Recipe.objects` prompts.
        """
        parts: list[tuple[Tensor, ...]] = []
        while len(parts) < self._recipe.pictures * self._recipe.objects:
            lesson = self._lessons[int(rng.integers(len(self._lessons)))]
            pointings = self._point(lesson, rng)
            parts += [self._example(lesson, pointing, rng) for pointing in pointings]
        return Batch(*(torch.stack(part) for part in zip(*parts, strict=True)))

    def _point(self, lesson: Lesson, rng: np.random.Generator) -> list[Pointing]:
        """Point at some objects; at none, if none is large enough to be seen."""
        sizes = self._sam.image_size, self._sam.mask_size
        lowered = [
            lower_mask(lesson.mask(index), *sizes) for index in range(len(lesson.truth))
        ]
        seen = [index for index, mask in enumerate(lowered) if mask.any()]
        chosen = rng.integers(len(seen), size=self._recipe.objects) if seen else ()
        return [point(seen[one], lowered[seen[one]], rng) for one in chosen]

    def _example(
        self, lesson: Lesson, pointing: Pointing, rng: np.random.Generator
    ) -> tuple[Tensor, ...]:
        """One row of a batch."""
        tokens = tokenise(pointing.prompt)
        mask = lesson.mask(pointing.index)
        middle = _middle(pointing)
        near = _near_corner(pointing.truth, middle, self._recipe.near, rng)
        far = _far_corner(lesson, self._sam.embedding_shape[1], self._recipe.far, rng)
        parts = (
            lesson.features.astype(np.float32),
            tokens.positions,
            tokens.labels,
            pointing.truth[None],
            *self._window(lesson, mask, near, self._recipe.near),
            *self._window(lesson, mask, far, self._recipe.far),
        )
        return tuple(torch.from_numpy(part) for part in parts)

    def _window(
        self, lesson: Lesson, mask: np.ndarray, corner: np.ndarray, side: int
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Corner, early features and truth of a window."""
        row, column = corner.tolist()
        cells = slice(row, row + side), slice(column, column + side)
        early = self._sam.look_closely(lesson.picture, cells).early
        rows, columns = (scaled(one, CELL) for one in cells)
        shown = mask[rows, columns]
        truth = np.zeros((CELL * side, CELL * side), np.float32)
        truth[: shown.shape[0], : shown.shape[1]] = shown
        return corner, np.ascontiguousarray(early), truth


def _middle(pointing: Pointing) -> np.ndarray:
    """Row and column, in cells, of the click or of the middle of the box."""
    box = pointing.box
    x, y = pointing.points[0] if box is None else (box[:2] + box[2:]) / 2
    return np.array([y, x]) // CELL


def _near_corner(
    lowered: np.ndarray, middle: np.ndarray, side: int, rng: np.random.Generator
) -> np.ndarray:
    """First row and column of a window with the object in it, or a part of it.

    Of an object that does not fit, the part that was pointed at: a U-Net sees no
    prompts but those in the window.
    """
    count = len(lowered) // 4
    filled = [np.flatnonzero(lowered.any(axis=axis)) // 4 for axis in (1, 0)]
    first = np.array([places[0] for places in filled])
    last = np.array([places[-1] for places in filled]) + 1 - side
    corner = rng.integers(np.minimum(first, last), np.maximum(first, last) + 1)
    around = corner.clip(middle - side + 1, middle).clip(0, count - side)
    chosen: np.ndarray = around.astype(np.int64)
    return chosen


def _far_corner(
    lesson: Lesson, count: int, side: int, rng: np.random.Generator
) -> np.ndarray:
    """First row and column of a window anywhere, if possible without padding."""
    shown = -(-lesson.shown // CELL)
    highest = (shown - side).clip(0, count - side)
    return rng.integers(0, highest + 1)
