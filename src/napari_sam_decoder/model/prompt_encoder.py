"""SAM's prompt encoder: points, box corners and a previous mask as vectors."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import numpy as np
import torch
from torch import Tensor, nn

from napari_sam_decoder.errors import PromptError
from napari_sam_decoder.model.layers import (
    LayerNorm2d,
    LearnedVectors,
    linear,
    standard_normal,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from napari_sam_decoder.model.values import ModelPrompt

__all__ = ["PromptEncoder", "PromptTokens", "batches", "tokenise"]

_PADDING = -1
_CORNERS = (2, 3)


@dataclass(frozen=True, eq=False)
class PromptTokens:
    """Positions and kinds of the tokens of one prompt.

    Attributes
    ----------
    positions : (T, 2) array of float32
        (x, y) in pixels of the network input.
    kinds : (T,) array of int64
        -1 padding, 0 background, 1 object, 2 and 3 the box's first and last corner.
    """

    positions: np.ndarray
    kinds: np.ndarray


def tokenise(prompt: ModelPrompt) -> PromptTokens:
    """Turn a prompt into tokens: its points, then its box or a padding point.

    Parameters
    ----------
    prompt : ModelPrompt
        Points, a box, or both.

    Returns
    -------
    PromptTokens
        One token per point, and two for a box or one for padding.

    Raises
    ------
    PromptError
        If there is neither point nor box, or an array has the wrong shape or values.
    """
    points, signs = _checked_points(prompt)
    if prompt.box is not None:
        corners, kinds = _checked_box(prompt.box), np.array(_CORNERS)
    elif len(points) > 0:
        corners, kinds = np.zeros((1, 2), np.float32), np.array([_PADDING])
    else:
        raise PromptError(
            "A prompt needs at least one point or a box: a previous mask alone does "
            "not say which object is meant. Add a point on the object."
        )
    return PromptTokens(
        np.concatenate([points, corners]), np.concatenate([signs, kinds])
    )


def batches(tokens: Sequence[PromptTokens], largest: int) -> Iterator[list[int]]:
    """Group prompts that can run together, with equally many tokens.

    Parameters
    ----------
    tokens : sequence of PromptTokens
        The prompts, in any order.
    largest : int
        How many prompts may run together at most.

    Yields
    ------
    list of int
        1 to `largest` indices into `tokens`; each index is in one list.
    """
    by_length: dict[int, list[int]] = {}
    for index, item in enumerate(tokens):
        by_length.setdefault(len(item.kinds), []).append(index)
    for indices in by_length.values():
        for start in range(0, len(indices), largest):
            yield indices[start : start + largest]


def _checked_points(prompt: ModelPrompt) -> tuple[np.ndarray, np.ndarray]:
    points = np.asarray(prompt.points, np.float32)
    signs = np.asarray(prompt.signs, np.int64)
    if points.size == 0 and signs.size == 0:
        return np.zeros((0, 2), np.float32), np.zeros(0, np.int64)
    if points.ndim != 2 or points.shape[1] != 2 or signs.shape != points.shape[:1]:
        raise PromptError(
            f"Points of shape {points.shape} with signs of shape {signs.shape} do "
            "not fit together; give (N, 2) positions (x, y) and N signs."
        )
    if not np.isin(signs, (0, 1)).all():
        raise PromptError(
            f"Signs {sorted(set(signs.tolist()))} are not understood; use 1 "
            "for a point on the object and 0 for one on the background."
        )
    return _checked_finite(points), signs


def _checked_box(box: np.ndarray) -> np.ndarray:
    corners = np.asarray(box, np.float32)
    if corners.shape != (4,):
        raise PromptError(
            f"A box of shape {corners.shape} is not understood; give its four "
            "numbers (x0, y0, x1, y1)."
        )
    return _checked_finite(corners.reshape(2, 2))


def _checked_finite(positions: np.ndarray) -> np.ndarray:
    if not np.isfinite(positions).all():
        raise PromptError(
            "A prompt has a position that is not a finite number; place its points "
            "and box inside the frame."
        )
    return positions


_POINT_KINDS = 4
_MASK_CHANNELS = 16


class PromptEncoder(nn.Module):
    """Embed prompts for the mask decoder.

    Parameters
    ----------
    image_size : int
        Side of the square network input, in the pixels that points are given in.
    grid : int
        Side of the image embedding; masks have four times as many pixels per side.
    width : int
        Channels of the embedding.
    """

    def __init__(self, image_size: int, grid: int, width: int = 256) -> None:
        super().__init__()
        self.image_size = image_size
        self.grid = grid
        self.width = width
        self.pe_layer = FourierPositions(width)
        self.point_embeddings = nn.ModuleList(
            LearnedVectors(1, width) for _ in range(_POINT_KINDS)
        )
        self.not_a_point_embed = LearnedVectors(1, width)
        self.mask_downscaling = nn.Sequential(
            nn.Conv2d(1, _MASK_CHANNELS // 4, kernel_size=2, stride=2),
            LayerNorm2d(_MASK_CHANNELS // 4),
            nn.GELU(),
            nn.Conv2d(_MASK_CHANNELS // 4, _MASK_CHANNELS, kernel_size=2, stride=2),
            LayerNorm2d(_MASK_CHANNELS),
            nn.GELU(),
            nn.Conv2d(_MASK_CHANNELS, width, kernel_size=1),
        )
        self.no_mask_embed = LearnedVectors(1, width)

    def embed_tokens(self, positions: Tensor, kinds: Tensor) -> Tensor:
        """Embed points and box corners.

        Parameters
        ----------
        positions : (B, T, 2) tensor
            (x, y) in pixels of the network input.
        kinds : (B, T) tensor of int64
            -1 padding, 0 background, 1 object, 2 and 3 the box's first and last corner.

        Returns
        -------
        (B, T, width) tensor
            One vector per token; padding has no position.
        """
        vectors = torch.cat([kind() for kind in self._kinds()])
        # Pixel centres lie at half pixels.
        encoded = self.pe_layer((positions + 0.5) / self.image_size)
        placed = torch.where(kinds[..., None] < 0, 0.0, encoded)
        return placed + vectors[kinds + 1]

    def embed_masks(self, masks: Tensor, dtype: torch.dtype) -> Tensor:
        """Embed masks of earlier calls.

        Parameters
        ----------
        masks : (B, 1, 4 * grid, 4 * grid) tensor
            Unthresholded logits.
        dtype : torch.dtype
            Number type of the image embedding.

        Returns
        -------
        (B, grid * grid, width) tensor
            To be added to the cells of the image embedding.
        """
        shrunk = self.mask_downscaling[:-1](masks)
        cells = shrunk.flatten(2).transpose(1, 2).to(dtype).contiguous()
        # A 1 x 1 convolution as a linear layer gives channels last.
        last = cast("nn.Conv2d", self.mask_downscaling[-1])
        weight, bias = last.weight.flatten(1), cast("Tensor", last.bias)
        return linear(cells, weight.to(dtype), bias.to(dtype))

    def embed_no_mask(self) -> Tensor:
        """Return the (1, width) embedding of having no mask."""
        vector: Tensor = self.no_mask_embed()
        return vector

    def grid_positions(self) -> Tensor:
        """Return the (grid * grid, width) positions of the embedding's cells."""
        matrix = self.pe_layer.positional_encoding_gaussian_matrix
        steps = torch.arange(self.grid, device=matrix.device, dtype=matrix.dtype)
        centres = (steps + 0.5) / self.grid
        y, x = torch.meshgrid(centres, centres, indexing="ij")
        encoded: Tensor = self.pe_layer(torch.stack([x, y], dim=-1))
        return encoded.flatten(0, 1)

    def _kinds(self) -> list[nn.Module]:
        return [self.not_a_point_embed, *self.point_embeddings]


class FourierPositions(nn.Module):
    """Positional encoding: sines and cosines of random projections."""

    positional_encoding_gaussian_matrix: Tensor

    def __init__(self, width: int) -> None:
        super().__init__()
        matrix = standard_normal(2, width // 2)
        self.register_buffer("positional_encoding_gaussian_matrix", matrix)

    def forward(self, positions: Tensor) -> Tensor:
        """Return (..., width) for (..., 2) positions between 0 and 1."""
        centred = 2 * positions - 1
        phases = 2 * math.pi * (centred @ self.positional_encoding_gaussian_matrix)
        return torch.cat([phases.sin(), phases.cos()], dim=-1)
