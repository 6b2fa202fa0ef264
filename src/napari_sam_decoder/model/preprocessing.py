"""A frame's pixels as the network wants them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from PIL import Image

from napari_sam_decoder.errors import MovieError
from napari_sam_decoder.model.geometry import input_shape

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["prepare_frame", "prepare_window"]

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
