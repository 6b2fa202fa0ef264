"""SAM's mask decoder: four masks and four predicted IoUs for each prompt.

Kirillov et al., "Segment Anything", ICCV 2023, appendix A.
"""

from __future__ import annotations

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from napari_sam_decoder.model.layers import LayerNorm2d, LearnedVectors

__all__ = ["MaskDecoder"]

_MASKS = 4
_HEAD_DEPTH = 3


class MaskDecoder(nn.Module):
    """Turn an image embedding and prompt tokens into masks.

    Parameters
    ----------
    transformer : nn.Module
        Called with image, positions and tokens; returns tokens and image.
    width : int
        Channels of tokens and image features, a multiple of 8.
    """

    def __init__(self, transformer: nn.Module, width: int = 256) -> None:
        super().__init__()
        self.transformer = transformer
        self.iou_token = LearnedVectors(1, width)
        self.mask_tokens = LearnedVectors(_MASKS, width)
        self.output_upscaling = nn.Sequential(
            nn.ConvTranspose2d(width, width // 4, kernel_size=2, stride=2),
            LayerNorm2d(width // 4),
            nn.GELU(),
            nn.ConvTranspose2d(width // 4, width // 8, kernel_size=2, stride=2),
            nn.GELU(),
        )
        self.output_hypernetworks_mlps = nn.ModuleList(
            Head(width, width // 8) for _ in range(_MASKS)
        )
        self.iou_prediction_head = Head(width, _MASKS)

    def forward(
        self, image: Tensor, positions: Tensor, prompt_tokens: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Decode a batch of prompts.

        Parameters
        ----------
        image : (B, width, H, W) tensor
            Image embedding with the dense prompt added.
        positions : (width, H, W) tensor
            Positional encoding of the grid.
        prompt_tokens : (B, T, width) tensor
            Embedded points and box corners.

        Returns
        -------
        logits : (B, 4, 4 * H, 4 * W) tensor
            Single-mask output first, then the three hypotheses; above 0 is object.
        iou_predictions : (B, 4) tensor
            Predicted IoU of each mask, not limited to 1.
        """
        rows = image.flatten(2).transpose(1, 2)
        places = positions.flatten(1).T[None]
        tokens, rows = self.transformer(rows, places, self._with_outputs(prompt_tokens))
        features = self.output_upscaling(rows.transpose(1, 2).view(image.shape))
        kernels = self._kernels(tokens[:, 1 : 1 + _MASKS])
        logits = torch.einsum("bmc,bchw->bmhw", kernels, features)
        return logits, self.iou_prediction_head(tokens[:, 0])

    def _with_outputs(self, prompt_tokens: Tensor) -> Tensor:
        outputs = torch.cat([self.iou_token(), self.mask_tokens()])
        outputs = outputs.expand(len(prompt_tokens), -1, -1)
        return torch.cat([outputs, prompt_tokens], dim=1)

    def _kernels(self, mask_tokens: Tensor) -> Tensor:
        heads = zip(self.output_hypernetworks_mlps, mask_tokens.unbind(1), strict=True)
        return torch.stack([head(token) for head, token in heads], dim=1)


class Head(nn.Module):
    """Three linear layers with ReLU between; nothing after, so no sigmoid."""

    def __init__(self, width: int, outputs: int) -> None:
        super().__init__()
        widths = [width] * _HEAD_DEPTH + [outputs]
        self.layers = nn.ModuleList(
            nn.Linear(before, after) for before, after in pairwise(widths)
        )

    def forward(self, token: Tensor) -> Tensor:
        """Return (B, outputs) for (B, width)."""
        *hidden, last = self.layers
        for layer in hidden:
            token = F.relu(layer(token))
        out: Tensor = last(token)
        return out
