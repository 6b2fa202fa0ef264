"""Values that go into and come out of the network; plain numpy, no torch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

__all__ = [
    "BACKGROUND_LOGIT",
    "DECODER_LIMIT",
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
"""Sure enough to be background, and exact in float16."""

DECODER_LIMIT = 4.0
"""Propagation takes the decoder's logits for no larger: they grow without bound, and
what is expected for certain is to stand."""


@dataclass(frozen=True, eq=False)
class Embedding:
    """What the image encoder says about one frame.

    Attributes
    ----------
    features : (256, H, W) array of float16 or float32
        Output of the encoder's neck; H = W = 64 for an image size of 1024.
    frame_shape : tuple of int
        (rows, columns) of the frame in its own pixels, needed to know which part
        of the square network input is padding.
    """

    features: np.ndarray
    frame_shape: tuple[int, int]


@dataclass(frozen=True, eq=False)
class EncodedWindow:
    """A window of H x W cells of a frame, seen more finely than its embedding.

    Attributes
    ----------
    pixels : (3, 16 * H, 16 * W) array of float32
        The network's input: normalised, 0 in the padding.
    early : (64, 4 * H, 4 * W) array of float32
        What the image encoder sees early.
    """

    pixels: np.ndarray
    early: np.ndarray


@dataclass(frozen=True, eq=False)
class ModelPrompt:
    """What is asked about one object, in pixels of the resized network input.

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
    """All masks that the decoder offers for a batch of prompts.

    Attributes
    ----------
    low_res_logits : (B, 4, h, w) array of float32
        Unthresholded logits over the padded square input, h = w = 256 for an image
        size of 1024; `BACKGROUND_LOGIT` in the padding. Index 0 is the single-mask
        output, 1 to 3 are the three hypotheses (part, whole, superset as SAM was
        trained to order them loosely).
    iou_predictions : (B, 4) array of float32
        Predicted IoU of each mask with the object; may exceed 1, since SAM's head
        has no sigmoid.
    tokens : (B, 5, 256) array of float32, optional
        What the tokens for the IoU and for the four masks have become.
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
        Rows and columns of the frame that they are of; elsewhere is background.
    """

    values: np.ndarray
    place: tuple[slice, slice]

    def mask(self, frame_shape: tuple[int, int]) -> np.ndarray:
        """Return the (Y, X) pixels of the object as bool."""
        mask = np.zeros(frame_shape, bool)
        mask[self.place] = self.values > 0
        return mask
