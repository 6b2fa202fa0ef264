"""How the decoder's low-res grid lies over the frame, and prompts made on it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from napari_sam_decoder.model.values import BACKGROUND_LOGIT, ModelPrompt

if TYPE_CHECKING:
    from napari_sam_decoder.frames import FrameGeometry

__all__ = ["Grid", "inner_depths", "prompt_from_mask", "together"]

SMALLEST_MASK = 4
"""Fewer low-res pixels than this are too few to ask the decoder about."""


@dataclass(frozen=True)
class Grid:
    """How the decoder's low-res grid lies over the frame.

    Attributes
    ----------
    content : (rows, columns)
        The low-res pixels that show the frame; the rest is padding.
    stride : float
        Model pixels per low-res pixel, 4 for SAM.
    side : int
        Low-res pixels along each side, padding and all.
    """

    content: tuple[int, int]
    stride: float
    side: int

    @classmethod
    def of(cls, geometry: FrameGeometry, image_size: int, mask_size: int) -> Grid:
        """Grid of a frame whose longest side fills ``image_size`` model pixels."""
        stride = image_size / mask_size
        rows, columns = (int(np.ceil(side / stride)) for side in geometry.model_shape)
        return cls((rows, columns), stride, mask_size)

    def cut(self, logits: np.ndarray) -> np.ndarray:
        """View of low-res logits without the padding."""
        return logits[..., : self.content[0], : self.content[1]]

    def spots(self, prompt: ModelPrompt) -> np.ndarray:
        """(points, 2) array of int: row and column of the low-res pixel of each."""
        places = prompt.points[:, ::-1] / self.stride
        spots: np.ndarray = places.clip(0, np.subtract(self.content, 1)).astype(int)
        return spots

    def pad(self, logits: np.ndarray) -> np.ndarray:
        """Put (rows, columns) logits of the frame into the whole grid."""
        whole = np.full((self.side, self.side), BACKGROUND_LOGIT, np.float32)
        whole[: self.content[0], : self.content[1]] = logits
        return whole


def prompt_from_mask(expected: np.ndarray, grid: Grid) -> ModelPrompt | None:
    """Ask for the object where it is expected, by its inmost point and its box.

    A mask alone is a poor prompt for SAM, which was trained to see one only together
    with points, so the expected mask always goes along with this.

    Parameters
    ----------
    expected : (h, w) array
        Low-res logits.
    grid : Grid
        How they lie over the frame.

    Returns
    -------
    ModelPrompt or None
        None if next to nothing of the object is expected inside the frame.
    """
    mask = grid.cut(expected) > 0
    if int(mask.sum()) < SMALLEST_MASK:
        return None
    depths = inner_depths(mask)
    row, column = np.unravel_index(int(depths.argmax()), depths.shape)
    rows, columns = np.nonzero(mask)
    centre = (grid.stride - 1) / 2
    first = np.array([columns.min(), rows.min()]) * grid.stride
    last = np.array([columns.max() + 1, rows.max() + 1]) * grid.stride - 1
    return ModelPrompt(
        points=np.array(
            [[column * grid.stride + centre, row * grid.stride + centre]], np.float32
        ),
        labels=np.array([1]),
        box=np.concatenate([first, last]).astype(np.float32),
    )


def inner_depths(mask: np.ndarray) -> np.ndarray:
    """Distance of each pixel of a mask to what is outside; so is beyond the border.

    Parameters
    ----------
    mask : (rows, columns) array of bool
        Any.

    Returns
    -------
    (rows, columns) array of float32
        In pixels, 1 along the rim of the mask; 0 outside of it.
    """
    depths = np.zeros(mask.shape, np.float32)
    for extent in ndimage.find_objects(mask.astype(np.uint8)):
        # Only where the mask is: that takes a fraction of the time.
        padded = np.pad(mask[extent], 1)
        depths[extent] = ndimage.distance_transform_edt(padded)[1:-1, 1:-1]
    return depths


def together(
    clicks: ModelPrompt, inner: ModelPrompt, box: np.ndarray | None
) -> ModelPrompt:
    """Ask by the points of two prompts, and by a box if there is one."""
    return ModelPrompt(
        points=np.concatenate([clicks.points, inner.points]),
        labels=np.concatenate([clicks.labels, inner.labels]),
        box=box,
    )
