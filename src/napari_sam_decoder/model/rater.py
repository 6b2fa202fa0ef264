"""Predicted IoUs by a head that was trained on top of SAM's own decoder."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from napari_sam_decoder.model.failure import computing

if TYPE_CHECKING:
    import numpy as np

    from napari_sam_decoder.model.hires_decoder import HiresDecoder

__all__ = ["Rater"]


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
