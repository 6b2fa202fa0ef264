"""Transforms between the pixels of a frame and the square input of the network."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from napari_sam_decoder.errors import MovieError
from napari_sam_decoder.model.values import FrameLogits

if TYPE_CHECKING:
    from torch import Tensor

__all__ = [
    "enlarge",
    "extent",
    "input_shape",
    "prepare_frame",
    "prepare_window",
    "scaled",
]


def input_shape(frame_shape: tuple[int, int], image_size: int) -> tuple[int, int]:
    """Return the size to which a frame is resized before it is padded.

    Parameters
    ----------
    frame_shape : tuple of int
        (rows, columns) of the frame, each at least 1.
    image_size : int
        Side of the network's square input, 1024 for the public checkpoints.

    Returns
    -------
    tuple of int
        (rows, columns) of the content; the longer one is `image_size`. The rest of the
        square, at the bottom or right, is padding.

    Raises
    ------
    MovieError
        If the frame is empty.

    Notes
    -----
    Half pixels are rounded up, as in the training of the public checkpoints. A side is
    at least 1, however long and thin the frame is.

    Examples
    --------
    >>> input_shape((480, 640), 1024)
    (768, 1024)
    """
    rows, columns = frame_shape
    if min(rows, columns) < 1:
        raise MovieError(
            f"A frame of {rows} x {columns} pixels is empty; crop the movie so that "
            "every frame has at least one row and one column."
        )
    scale = image_size / max(rows, columns)
    return _rounded(rows * scale), _rounded(columns * scale)


def scaled(side: slice, factor: int) -> slice:
    """Return the range of pixels of a range of cells, `factor` pixels to a cell."""
    return slice(factor * side.start, factor * side.stop)


def extent(mask: np.ndarray) -> tuple[slice, slice] | None:
    """Return the bounding box of a mask.

    Parameters
    ----------
    mask : (rows, columns) array of bool
        Of any size.

    Returns
    -------
    (slice, slice) or None
        Rows and columns as Python ints, since zarr takes no others; None if the mask is
        empty.

    Notes
    -----
    By projections to both axes: `scipy.ndimage.find_objects` visits each pixel, which
    is slow for a whole frame.
    """
    filled = [np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0)]
    if not filled[0].size:
        return None
    rows, columns = (slice(int(side[0]), int(side[-1]) + 1) for side in filled)
    return rows, columns


def _rounded(side: float) -> int:
    return max(1, int(side + 0.5))


# Channel statistics of ImageNet on the scale 0 to 255, as in SAM's training.
_PIXEL_MEAN = (123.675, 116.28, 103.53)
_PIXEL_STD = (58.395, 57.12, 57.375)


def prepare_frame(frame: np.ndarray, image_size: int) -> Tensor:
    """Resize, normalise and pad one frame.

    Parameters
    ----------
    frame : (Y, X, 3) array of uint8
        RGB pixels.
    image_size : int
        Side of the network's square input.

    Returns
    -------
    (1, 3, image_size, image_size) tensor of float32
        Network input on the CPU; the padding, at the bottom and right, is 0.

    Raises
    ------
    MovieError
        If the frame is empty or not RGB uint8.
    """
    return prepare_window(frame, image_size, (slice(0, image_size),) * 2)


def prepare_window(
    frame: np.ndarray, image_size: int, window: tuple[slice, slice]
) -> Tensor:
    """Resize, normalise and pad a part of one frame.

    Parameters
    ----------
    frame : (Y, X, 3) array of uint8
        RGB pixels of the whole frame.
    image_size : int
        Side of the network's square input.
    window : (slice, slice)
        Rows and columns of the square input, from 0 to at most its side.

    Returns
    -------
    (1, 3, rows, columns) tensor of float32
        This part of what `prepare_frame` returns; where it is enlarged or shrunk, its
        outermost pixels may differ by what their neighbours are.

    Raises
    ------
    MovieError
        If the frame is empty or not RGB uint8.
    """
    import torch

    if frame.ndim != 3 or frame.shape[2] != 3 or frame.dtype != np.uint8:
        raise MovieError(
            f"A frame of shape {frame.shape} and type {frame.dtype} cannot be "
            "embedded; convert it to (Y, X, 3) uint8 RGB."
        )
    frame_shape = frame.shape[0], frame.shape[1]
    image = torch.zeros(1, 3, *(side.stop - side.start for side in window))
    shown = [
        (side.start, min(side.stop, content))
        for side, content in zip(
            window, input_shape(frame_shape, image_size), strict=True
        )
    ]
    (top, bottom), (left, right) = shown
    if top < bottom and left < right:
        pixels = _resized(frame, image_size, (slice(top, bottom), slice(left, right)))
        image[0, :, : bottom - top, : right - left] = pixels
    return image


def _resized(frame: np.ndarray, image_size: int, window: tuple[slice, slice]) -> Tensor:
    """(3, rows, columns) normalised pixels of a window without any padding in it."""
    import torch

    rows, columns = window
    height, width = input_shape((frame.shape[0], frame.shape[1]), image_size)
    down, across = frame.shape[0] / height, frame.shape[1] / width
    box = (
        across * columns.start,
        down * rows.start,
        across * columns.stop,
        down * rows.stop,
    )
    size = columns.stop - columns.start, rows.stop - rows.start
    picture = Image.fromarray(np.ascontiguousarray(frame))
    resized = picture.resize(size, Image.Resampling.BILINEAR, box)
    pixels = torch.from_numpy(np.array(resized)).float()
    normalised = (pixels - torch.tensor(_PIXEL_MEAN)) / torch.tensor(_PIXEL_STD)
    return normalised.permute(2, 0, 1)


_WHOLE = 0.999
"""Sum of the weights of a pixel that is interpolated from known ones only."""


def enlarge(
    logits: np.ndarray, frame_shape: tuple[int, int], image_size: int
) -> FrameLogits:
    """Enlarge logits over the square input to the pixels of the frame.

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
        Only where interpolated logits can be above 0.
    """
    import torch

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
    """From the first to the last index, and the neighbours used in interpolation."""
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
