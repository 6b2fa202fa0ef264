"""What is trained on top of SAM's own decoder, in use."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    import numpy as np

    from napari_sam_decoder.model.hires_decoder import HiresDecoder
    from napari_sam_decoder.model.sharpener import Sharpener

__all__ = ["Heads", "Rater"]


class Rater:
    """Predicts IoUs of what SAM's decoder offers; may be used from several threads.

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
        """
        device = next(self._decoder.parameters()).device
        rated = self._decoder.rate(torch.from_numpy(tokens).to(device))
        return rated.float().cpu().numpy()


@dataclass(frozen=True, eq=False)
class Heads:
    """What a network has besides its own decoder.

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
