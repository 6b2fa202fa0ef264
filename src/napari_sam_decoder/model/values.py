"""Values that go into and come out of the network; plain numpy, no torch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

__all__ = [
    "BACKGROUND_LOGIT",
    "DECODER_LIMIT",
    "GRID_SIDE",
    "OWN_DECODER",
    "Embedding",
    "EncodedWindow",
    "FrameLogits",
    "MaskCandidates",
    "ModelPrompt",
]

OWN_DECODER = "sam"
"""Name of the decoder that comes with a checkpoint."""

BACKGROUND_LOGIT = -16.0
"""Logit of certain background; exact in float16."""

DECODER_LIMIT = 4.0
"""Propagation clips the decoder's logits to ± this: they have no bound, and a certain
prior must be able to outweigh them."""


GRID_SIDE = 96
"""Side of the windows in which masks are refined, in cells."""


@dataclass(frozen=True, eq=False)
class Embedding:
    """The embedding of one frame.

    Attributes
    ----------
    features : (256, H, W) array of float16 or float32
        Output of the encoder's neck; H = W = 64 for an image size of 1024.
    frame_shape : tuple of int
        (rows, columns) of the frame in its own pixels; says which part of the square
        network input is padding.
    """

    features: np.ndarray
    frame_shape: tuple[int, int]


@dataclass(frozen=True, eq=False)
class EncodedWindow:
    """Fine features of a window of H x W cells of a frame.

    Attributes
    ----------
    pixels : (3, 16 * H, 16 * W) array of float32
        The network's input: normalised, 0 in the padding.
    early : (64, 4 * H, 4 * W) array of float32
        Features of the first stage of the image encoder.
    """

    pixels: np.ndarray
    early: np.ndarray


@dataclass(frozen=True, eq=False)
class ModelPrompt:
    """A prompt for one object, in pixels of the network's input.

    Attributes
    ----------
    points : (N, 2) array of float32
        Positions as (x, y); N may be 0.
    signs : (N,) array of int
        1 for a point on the object, 0 for one on the background.
    box : (4,) array of float32, optional
        (x0, y0, x1, y1).
    """

    points: np.ndarray
    signs: np.ndarray
    box: np.ndarray | None = None


@dataclass(frozen=True, eq=False)
class MaskCandidates:
    """All masks of the decoder for a batch of prompts.

    Attributes
    ----------
    low_res_logits : (B, 4, h, w) array of float32
        Logits over the padded square input, h = w = 256 for an image size of 1024;
        `BACKGROUND_LOGIT` in the padding. Index 0 is the single-mask output, 1 to 3 are
        the hypotheses, loosely ordered as part, whole and superset.
    iou_predictions : (B, 4) array of float32
        Predicted IoU of each mask with the object; may exceed 1, since SAM's head has
        no sigmoid.
    tokens : (B, 5, 256) array of float32, optional
        Output tokens for the IoU and for the four masks.
    """

    low_res_logits: np.ndarray
    iou_predictions: np.ndarray
    tokens: np.ndarray | None = None


@dataclass(frozen=True, eq=False)
class FrameLogits:
    """Logits of an object at the pixels of a frame, where any are above 0.

    Attributes
    ----------
    values : (rows, columns) array of float32
        Above 0 is object.
    place : (slice, slice)
        Their rows and columns in the frame; elsewhere is background.
    """

    values: np.ndarray
    place: tuple[slice, slice]

    def moved(self, origin: tuple[int, int]) -> FrameLogits:
        """Return the same in a frame of which this frame is a window.

        Parameters
        ----------
        origin : (row, column)
            Of the window.
        """
        starts = [
            (side.start or 0) + first
            for side, first in zip(self.place, origin, strict=True)
        ]
        rows, columns = (
            slice(start, start + length)
            for start, length in zip(starts, self.values.shape, strict=True)
        )
        return FrameLogits(self.values, (rows, columns))

    def mask(self, frame_shape: tuple[int, int]) -> np.ndarray:
        """Return the (Y, X) pixels of the object as bool."""
        mask = np.zeros(frame_shape, bool)
        mask[self.place] = self.values > 0
        return mask
