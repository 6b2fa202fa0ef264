"""A prompt as the row of tokens that the prompt encoder embeds; plain numpy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_sam_decoder.errors import PromptError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from napari_sam_decoder.model.values import ModelPrompt

__all__ = ["PromptTokens", "batches", "tokenise"]

_PADDING_LABEL = -1
_CORNER_LABELS = (2, 3)


@dataclass(frozen=True, eq=False)
class PromptTokens:
    """Positions and kinds of the tokens of one prompt.

    Attributes
    ----------
    positions : (T, 2) array of float32
        (x, y) in pixels of the network input.
    labels : (T,) array of int64
        -1 padding, 0 background, 1 object, 2 and 3 the box's first and last corner.
    """

    positions: np.ndarray
    labels: np.ndarray


def tokenise(prompt: ModelPrompt) -> PromptTokens:
    """Lay a prompt out as tokens: its points, then its box or one padding point.

    Parameters
    ----------
    prompt : ModelPrompt
        Points, a box, or both.

    Returns
    -------
    PromptTokens
        One token per point, and two for a box or one for the lack of it.

    Raises
    ------
    PromptError
        If there is neither point nor box, or an array has the wrong shape or values.
    """
    points, labels = _checked_points(prompt)
    if prompt.box is not None:
        corners, kinds = _checked_box(prompt.box), np.array(_CORNER_LABELS)
    elif len(points) > 0:
        corners, kinds = np.zeros((1, 2), np.float32), np.array([_PADDING_LABEL])
    else:
        raise PromptError(
            "A prompt needs at least one point or a box: a previous mask alone does "
            "not say which object is meant. Add a point on the object."
        )
    return PromptTokens(
        np.concatenate([points, corners]), np.concatenate([labels, kinds])
    )


def batches(tokens: Sequence[PromptTokens], largest: int) -> Iterator[list[int]]:
    """Yield indices of prompts that can run together, having equally many tokens.

    Parameters
    ----------
    tokens : sequence of PromptTokens
        The prompts, in any order.
    largest : int
        How many prompts may run together at most.

    Yields
    ------
    list of int
        Between 1 and `largest` indices into `tokens`; each index comes once.
    """
    by_length: dict[int, list[int]] = {}
    for index, item in enumerate(tokens):
        by_length.setdefault(len(item.labels), []).append(index)
    for indices in by_length.values():
        for start in range(0, len(indices), largest):
            yield indices[start : start + largest]


def _checked_points(prompt: ModelPrompt) -> tuple[np.ndarray, np.ndarray]:
    points = np.asarray(prompt.points, np.float32)
    labels = np.asarray(prompt.labels, np.int64)
    if points.size == 0 and labels.size == 0:
        return np.zeros((0, 2), np.float32), np.zeros(0, np.int64)
    if points.ndim != 2 or points.shape[1] != 2 or labels.shape != points.shape[:1]:
        raise PromptError(
            f"Points of shape {points.shape} with labels of shape {labels.shape} do "
            "not fit together; give (N, 2) positions (x, y) and N labels."
        )
    if not np.isin(labels, (0, 1)).all():
        raise PromptError(
            f"Point labels {sorted(set(labels.tolist()))} are not understood; use 1 "
            "for a point on the object and 0 for one on the background."
        )
    return _checked_finite(points), labels


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
