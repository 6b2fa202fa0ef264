"""One object on its way from frame to frame: what to expect, ask, and accept."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from napari_sam_decoder.model.values import ModelPrompt
from napari_sam_decoder.motion import Motion, mask_centre, shift_logits
from napari_sam_decoder.selection import LARGEST_SHARE, Expectation

if TYPE_CHECKING:
    from napari_sam_decoder.appearance import Look
    from napari_sam_decoder.frames import FrameGeometry

__all__ = ["Grid", "Track", "prompt_from_mask"]

SMALLEST_MASK = 4
"""Fewer low-res pixels than this are too few to ask the decoder about."""

LARGEST_GROWTH = 2.0
SIZE_ADAPTATION = 0.1
"""Share of a frame's change in size, on a logarithmic scale, that is believed."""


@dataclass(frozen=True)
class Grid:
    """How the decoder's low-res grid lies over the frame.

    Attributes
    ----------
    content : (rows, columns)
        The low-res pixels that show the frame; the rest is padding.
    stride : float
        Model pixels per low-res pixel, 4 for SAM.
    """

    content: tuple[int, int]
    stride: float

    @classmethod
    def of(cls, geometry: FrameGeometry, image_size: int, mask_size: int) -> Grid:
        """Grid of a frame whose longest side fills ``image_size`` model pixels."""
        stride = image_size / mask_size
        rows, columns = (int(np.ceil(side / stride)) for side in geometry.model_shape)
        return cls((rows, columns), stride)

    def cut(self, logits: np.ndarray) -> np.ndarray:
        """View of low-res logits without the padding."""
        return logits[..., : self.content[0], : self.content[1]]


@dataclass(frozen=True, eq=False)
class Track:
    """What is carried from one frame to the next.

    Attributes
    ----------
    logits : (h, w) array of float32
        Unthresholded low-res logits of the last accepted mask.
    motion : Motion
        In low-res pixels.
    size : float
        Area in low-res pixels, following that of the masks slowly, so that a mask
        which loses a little every frame is noticed.
    look : Look
        Of the object on the frame that the track started from.
    largest : float
        Area in low-res pixels beyond which a mask is no longer the object: a large
        part of the picture, and far more than the object had at its prompt.
    trust : float
        0..1: how sure the mask is that the track started from. No later frame can be
        surer of the object than that.
    missed : int
        Frames since the last accepted mask.
    """

    logits: np.ndarray
    motion: Motion
    size: float
    look: Look
    largest: float
    trust: float = 1.0
    missed: int = 0

    @classmethod
    def start(
        cls, logits: np.ndarray, grid: Grid, look: Look, trust: float = 1.0
    ) -> Track | None:
        """Begin at a prompted frame; None if its mask is empty."""
        mask = grid.cut(logits) > 0
        if not mask.any():
            return None
        size = float(mask.sum())
        largest = max(LARGEST_SHARE * mask.size, LARGEST_GROWTH * size)
        return cls(logits, Motion(mask_centre(mask)), size, look, largest, trust)

    def expect(self, grid: Grid) -> Expectation:
        """Say where the object should be on the next frame, and how large."""
        steps = self.missed + 1
        rows, columns = self.motion.velocity
        displacement = rows * steps, columns * steps
        moved = shift_logits(self.logits, displacement, grid.content)
        is_whole = not _touches_border(grid.cut(moved) > 0)
        return Expectation(moved, self.size if is_whole else None, self.largest)

    def accept(self, logits: np.ndarray, grid: Grid) -> Track:
        """Go on with the mask of this frame."""
        mask = grid.cut(logits) > 0
        motion = self.motion.seen_at(mask_centre(mask), frames=self.missed + 1)
        area = float(mask.sum())
        size = self.size * (area / self.size) ** SIZE_ADAPTATION
        if _touches_border(mask):
            size = max(self.size, area)
        return replace(self, logits=logits, motion=motion, size=size, missed=0)

    def miss(self) -> Track:
        """Go on without a mask of this frame."""
        return replace(self, missed=self.missed + 1)


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
    # The zero rim keeps the point away from the border of the picture.
    depth = ndimage.distance_transform_edt(np.pad(mask, 1))
    row, column = np.subtract(np.unravel_index(int(depth.argmax()), depth.shape), 1)
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


def _touches_border(mask: np.ndarray) -> bool:
    rim = (mask[0], mask[-1], mask[:, 0], mask[:, -1])
    return any(bool(side.any()) for side in rim)
