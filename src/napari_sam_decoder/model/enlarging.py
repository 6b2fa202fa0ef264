"""From the square input of the network to the pixels of a frame."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch

from napari_sam_decoder.model.geometry import input_shape
from napari_sam_decoder.model.values import FrameLogits

__all__ = ["enlarge"]

_WHOLE = 0.999
"""Sum of shares, but for rounding, of a pixel that is a mean of known ones."""


def enlarge(
    logits: np.ndarray, frame_shape: tuple[int, int], image_size: int
) -> FrameLogits:
    """Bring logits over the square input to the pixels of the frame.

    Parameters
    ----------
    logits : (h, h) array
        Over the padded square input, whose side is a multiple of h.
    frame_shape : tuple of int
        (Y, X) of the frame.
    image_size : int
        Side of the square input in pixels.

    Returns
    -------
    FrameLogits
        Only where a mean of neighbours can be above 0.
    """
    matrices = _enlargements(frame_shape, image_size, len(logits))
    rows, columns = np.nonzero(logits > 0)
    if not rows.size:
        return FrameLogits(np.empty((0, 0), np.float32), (slice(0), slice(0)))
    sources = _around(rows, logits.shape[0]), _around(columns, logits.shape[1])
    places = []
    for matrix, source in zip(matrices, sources, strict=True):
        (reached,) = np.nonzero(matrix[:, source].sum(axis=1) > _WHOLE)
        places.append(slice(reached[0], reached[-1] + 1) if reached.size else slice(0))
    down, across = (
        matrix[place, source]
        for matrix, place, source in zip(matrices, places, sources, strict=True)
    )
    near = torch.from_numpy(np.array(logits[sources], np.float32))
    values = torch.from_numpy(down) @ near @ torch.from_numpy(across).T
    return FrameLogits(values.numpy(), (places[0], places[1]))


def _around(places: np.ndarray, size: int) -> slice:
    """From the first to the last place, and what else is averaged with these."""
    return slice(max(int(places.min()) - 2, 0), min(int(places.max()) + 3, size))


@lru_cache(maxsize=8)
def _enlargements(
    frame_shape: tuple[int, int], image_size: int, mask_size: int
) -> tuple[np.ndarray, np.ndarray]:
    """(Y, mask_size) and (X, mask_size) matrices from low-res pixels to the frame's."""
    fitted = input_shape(frame_shape, image_size)
    square = _interpolation(mask_size, image_size)
    down, across = (
        _interpolation(shown, side) @ square[:shown]
        for shown, side in zip(fitted, frame_shape, strict=True)
    )
    return down, across


def _interpolation(size: int, wanted: int) -> np.ndarray:
    """(wanted, size) matrix of bilinear interpolation, pixels being areas."""
    places = (np.arange(wanted) + 0.5) * size / wanted - 0.5
    places = places.clip(0, size - 1)[:, None]
    shares = np.maximum(0, 1 - np.abs(places - np.arange(size)))
    matrix: np.ndarray = shares.astype(np.float32)
    return matrix
