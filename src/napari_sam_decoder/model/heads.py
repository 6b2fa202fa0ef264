"""Heads on top of SAM's own decoder: one rates hypotheses, one sharpens masks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.nn.functional as F
from scipy import ndimage

from napari_sam_decoder.model.hires_decoder import Seen
from napari_sam_decoder.model.torch_errors import computing
from napari_sam_decoder.model.transforms import enlarge, extent, scaled
from napari_sam_decoder.model.values import BACKGROUND_LOGIT, FrameLogits

if TYPE_CHECKING:
    from napari_sam_decoder.model.hires_decoder import HiresDecoder

__all__ = ["REACH", "Heads", "Rater", "Sharpener", "near_edge"]


class Rater:
    """Rates what SAM's decoder offers; may be used from several threads.

    Parameters
    ----------
    decoder : HiresDecoder
        Of depth 0, with an IoU head. It reads tokens of the decoder beside which it
        was trained, and means nothing beside another one.
    """

    def __init__(self, decoder: HiresDecoder) -> None:
        self._decoder = decoder.eval()

    @torch.inference_mode()
    def rate(self, tokens: np.ndarray) -> np.ndarray:
        """Predict the IoU of SAM's three hypotheses.

        Parameters
        ----------
        tokens : (B, 5, 256) array of float32
            See `MaskCandidates.tokens`.

        Returns
        -------
        (B, 3) array of float32
            0..1.

        Raises
        ------
        DecodingError
            If the network fails.
        """
        device = next(self._decoder.parameters()).device
        with computing("rate masks", device):
            rated = self._decoder.rate(torch.from_numpy(tokens).to(device))
            return rated.float().cpu().numpy()


if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    from napari_sam_decoder.model.hires_decoder import HiresDecoder
    from napari_sam_decoder.model.values import Detail, Embedding

    Look = Callable[[np.ndarray, tuple[slice, slice]], Detail]
REACH = 4
"""So many low-res pixels on either side of a mask's edge are redrawn, no others. What
is farther away is not a matter of sharpness."""
_PIXELS_PER_CELL = 4
_MARGIN = 2
"""Cells around a mask that are looked at: more than `REACH`, for what a convolution
sees beyond."""


class Sharpener:
    """Sharpens what SAM's decoder offers; may be used from several threads.

    Parameters
    ----------
    decoder : HiresDecoder
        Of depth 0. Its drawing may be in another number type than float32.
    look : callable
        `Sam.look_closely` of the network whose masks are sharpened.
    original : HiresDecoder, optional
        The decoder as it was trained, in float32 and on the CPU, to be written again;
        the same as the one in use by default.
    """

    def __init__(
        self,
        decoder: HiresDecoder,
        look: Look,
        original: HiresDecoder | None = None,
    ) -> None:
        self._decoder = decoder.eval()
        self._look = look
        self.original = original or decoder

    @torch.inference_mode()
    def sharpen(
        self, frame: np.ndarray, embedding: Embedding, low_res_logits: np.ndarray
    ) -> FrameLogits:
        """Draw a mask at the pixels of the frame.

        Parameters
        ----------
        frame : (Y, X, 3) array of uint8
            RGB pixels.
        embedding : Embedding
            Of the frame.
        low_res_logits : (h, h) array
            Logits of one object over the padded square input.

        Returns
        -------
        FrameLogits
            Only where any are above 0.

        Raises
        ------
        DecodingError
            If the network fails, or its encoder sees nothing as finely.
        """
        size = _PIXELS_PER_CELL * len(low_res_logits)
        square = np.full((size, size), BACKGROUND_LOGIT, np.float32)
        cells = _cells_around(low_res_logits > 0)
        if cells is not None:
            place = tuple(scaled(side, 16) for side in cells)
            square[place] = self._drawn(frame, embedding, low_res_logits, cells)
        return enlarge(square, embedding.frame_shape, size)

    def _drawn(
        self,
        frame: np.ndarray,
        embedding: Embedding,
        logits: np.ndarray,
        cells: tuple[slice, slice],
    ) -> np.ndarray:
        """Logits at the pixels of the input, where a mask is and around it."""
        quarters = tuple(scaled(side, _PIXELS_PER_CELL) for side in cells)
        window = torch.from_numpy(np.array(logits[quarters], np.float32))[None, None]
        window = window.to(self._device)
        detail = self._look(frame, cells)
        seen = Seen(
            self._image(embedding.features[(slice(None), *cells)]),
            self._image(detail.early),
            torch.from_numpy(detail.pixels)[None].to(self._device),
        )
        drawn = self._decoder.draw(seen, window)
        smooth = F.interpolate(window, scale_factor=4, mode="bilinear")
        near = near_edge(logits[quarters] > 0).repeat(4, axis=0).repeat(4, axis=1)
        return np.where(near, _to_numpy(drawn), _to_numpy(smooth))

    def _image(self, features: np.ndarray) -> Tensor:
        """(1, C, H, W) in the number type and on the device of the drawing."""
        weights = next(self._decoder.drawing.parameters())
        image = torch.from_numpy(np.ascontiguousarray(features))[None]
        return image.to(
            weights.device, weights.dtype, memory_format=torch.channels_last
        )

    @property
    def _device(self) -> torch.device:
        return next(self._decoder.parameters()).device


def near_edge(mask: np.ndarray) -> np.ndarray:
    """Say which low-res pixels may be redrawn.

    Parameters
    ----------
    mask : (h, w) array of bool
        What SAM's decoder takes for the object.

    Returns
    -------
    (h, w) array of bool
        Those within `REACH` of the mask's edge; the border of the picture is none.
    """
    side = 2 * REACH + 1
    near: np.ndarray = ndimage.maximum_filter(mask, side) & ~ndimage.minimum_filter(
        mask, side
    )
    return near


def _cells_around(mask: np.ndarray) -> tuple[slice, slice] | None:
    """Rows and columns of cells with a mask and some margin; None if it is empty."""
    window = extent(mask)
    if window is None:
        return None
    count = len(mask) // _PIXELS_PER_CELL
    rows, columns = (
        slice(
            max(side.start // _PIXELS_PER_CELL - _MARGIN, 0),
            min(-(-side.stop // _PIXELS_PER_CELL) + _MARGIN, count),
        )
        for side in window
    )
    return rows, columns


def _to_numpy(logits: Tensor) -> np.ndarray:
    return logits[0, 0].cpu().numpy()


@dataclass(frozen=True, eq=False)
class Heads:
    """What has been trained on top of a network.

    Attributes
    ----------
    rater : Rater, optional
        Rates the hypotheses of a single click; without one the network's own ratings
        count.
    sharpener : Sharpener, optional
        Draws masks at the pixels of the frame; without one they are enlarged.
    """

    rater: Rater | None = None
    sharpener: Sharpener | None = None
