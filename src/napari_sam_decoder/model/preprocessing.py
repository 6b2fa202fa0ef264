"""A frame's pixels as the network wants them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image

from napari_sam_decoder.errors import MovieError
from napari_sam_decoder.model.geometry import input_shape

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["prepare_frame"]

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
    if frame.ndim != 3 or frame.shape[2] != 3 or frame.dtype != np.uint8:
        raise MovieError(
            f"A frame of shape {frame.shape} and type {frame.dtype} cannot be "
            "embedded; convert it to (Y, X, 3) uint8 RGB."
        )
    rows, columns = input_shape((frame.shape[0], frame.shape[1]), image_size)
    picture = Image.fromarray(np.ascontiguousarray(frame))
    resized = picture.resize((columns, rows), Image.Resampling.BILINEAR)
    pixels = torch.from_numpy(np.array(resized)).float()
    normalised = (pixels - torch.tensor(_PIXEL_MEAN)) / torch.tensor(_PIXEL_STD)
    image = normalised.permute(2, 0, 1)[None]
    return F.pad(image, (0, image_size - columns, 0, image_size - rows))
