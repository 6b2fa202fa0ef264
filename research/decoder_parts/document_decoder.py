"""The mask decoder of the design document: whole masks at the input's resolution.

No public weights fit it; it is trained on top of a frozen image encoder. The document
[1]_ leaves open, or contradicts itself on, the following:

- The image has 256 channels, after the encoder's neck. The 1280 of the document are
  the width of ViT-H before it.
- "Block 8 at 128 x 128" is the first stage of TinyViT, the finest features there are:
  64 channels at 256 x 256. A strided convolution brings them to 128 x 128.
- They are concatenated, as the document's code says, not added, as its text says.
- Queries, keys and values are made of the tokens as they are; the positions of image
  cells are added to the keys, as in SAM, since otherwise no token could tell where it
  looks. A norm follows each step, as in SAM. The image itself is not changed.
- "4 x 64 x 64 x 256" plus the image would be one stream for each token, but the last
  convolution has one channel for each mask. So a linear layer joins the mask tokens,
  and its result is added to each cell.
- The IoU token is the last one.

.. [1] docs/explanation/design_document.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from napari_sam_decoder.model.heads import ResidualBlock, doubling
from napari_sam_decoder.model.layers import LearnedVectors, Mlp, gelu, initialise
from napari_sam_decoder.model.transformer import (
    Attention,
    Cells,
    SelfAttention,
    TokenToImageAttention,
    TransformerConfig,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["DocumentConfig", "DocumentDecoder", "copy_from_sam"]


@dataclass(frozen=True)
class DocumentConfig:
    """Widths and depth of a `DocumentDecoder`; the defaults are the document's.

    Attributes
    ----------
    depth : int
        Transformer layers, at least 1.
    masks : int
        Hypotheses.
    widths : tuple of int
        Channels at 128, 256, 512 and 1024 pixels a side.
    skips : bool
        Whether early features are joined at 128 pixels a side.
    iou_head : bool
        Whether the IoU of each hypothesis is predicted.
    channels : int
        Channels of the image embedding and of tokens.
    early_channels : int
        Channels of the first stage of the image encoder.
    """

    depth: int = 2
    masks: int = 3
    widths: tuple[int, int, int, int] = (256, 128, 64, 32)
    skips: bool = True
    iou_head: bool = True
    channels: int = 256
    early_channels: int = 64


class DocumentDecoder(nn.Module):
    """Tokens that read prompts and image, and masks drawn at full resolution.

    Parameters
    ----------
    config : DocumentConfig
        Depth, widths, and which parts there are.
    """

    def __init__(self, config: DocumentConfig) -> None:
        super().__init__()
        self.config = config
        self.reader = TokenTransformer(config)
        self.drawing = MaskUpsampler(config)
        self.iou_prediction_head = TokenIouHead(config) if config.iou_head else None

    def read(self, image: Tensor, positions: Tensor, prompts: Tensor) -> Tensor:
        """Let the tokens attend to prompts and image.

        Parameters
        ----------
        image : (B, N, channels) tensor
            Image embedding with the dense prompt added, one row per grid cell.
        positions : (N, channels) tensor
            Positional encoding of the cells.
        prompts : (B, T, channels) tensor
            Embedded points and box corners.

        Returns
        -------
        (B, masks + 1, channels) tensor
            Tokens of the masks, then that of the IoU.
        """
        tokens: Tensor = self.reader(image, positions, prompts)
        return tokens

    def draw(self, grid: Tensor, early: Tensor, tokens: Tensor) -> Tensor:
        """Draw the masks in a window of H x W cells.

        Parameters
        ----------
        grid : (B, channels, H, W) tensor
            Image embedding with the dense prompt added.
        early : (B, early_channels, 4 * H, 4 * W) tensor
            Features of the encoder's first stage.
        tokens : (B, masks + 1, channels) tensor
            From `read`.

        Returns
        -------
        (B, masks, 16 * H, 16 * W) tensor of float32
            Logits at the pixels of the network's input; above 0 is object.
        """
        logits: Tensor = self.drawing(grid, early, tokens)
        return logits

    def rate(self, tokens: Tensor) -> Tensor:
        """Predict the IoU of each hypothesis.

        Parameters
        ----------
        tokens : (B, masks + 1, channels) tensor
            From `read`.

        Returns
        -------
        (B, masks) tensor
            0..1.

        Raises
        ------
        ValueError
            If the decoder has no IoU head.
        """
        if self.iou_prediction_head is None:
            raise ValueError("this decoder was built without an IoU head")
        ratings: Tensor = self.iou_prediction_head(tokens)
        return ratings


class TokenTransformer(nn.Module):
    """The document's transformer: only tokens change, the image does not.

    Entries have the names of SAM's `TwoWayTransformer` where they do the same.
    """

    def __init__(self, config: DocumentConfig) -> None:
        super().__init__()
        width = config.channels
        self.mask_tokens = LearnedVectors(config.masks, width)
        self.iou_token = LearnedVectors(1, width)
        inner = TransformerConfig(width=width)
        self.layers = nn.ModuleList(TokenLayer(inner) for _ in range(config.depth))

    def forward(self, image: Tensor, positions: Tensor, prompts: Tensor) -> Tensor:
        """Return (B, masks + 1, width) for (B, N, width), (N, width), (B, T, width)."""
        tokens = torch.cat([self.mask_tokens(), self.iou_token()])
        tokens = tokens.expand(len(prompts), -1, -1)
        cells = Cells(image, image + positions)
        for layer in self.layers:
            tokens = layer(tokens, cells, prompts)
        return tokens


class TokenLayer(nn.Module):
    """Self-attention, attention to the image, attention to the prompts, and an MLP."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.self_attn = SelfAttention(config, config.width)
        self.norm1 = nn.LayerNorm(config.width)
        self.cross_attn_token_to_image = TokenToImageAttention(
            config, config.cross_width
        )
        self.norm2 = nn.LayerNorm(config.width)
        self.cross_attn_token_to_prompts = TokenToPromptAttention(
            config, config.cross_width
        )
        self.norm_prompts = nn.LayerNorm(config.width)
        self.mlp = Mlp(config.width, config.hidden, nn.ReLU())
        self.norm3 = nn.LayerNorm(config.width)

    def forward(self, tokens: Tensor, cells: Cells, prompts: Tensor) -> Tensor:
        """Return new (B, K, width) tokens."""
        tokens = self.norm1(tokens + self.self_attn(tokens, tokens))
        tokens = self.norm2(tokens + self.cross_attn_token_to_image(tokens, cells))
        attended = self.cross_attn_token_to_prompts(tokens, prompts)
        tokens = self.norm_prompts(tokens + attended)
        changed: Tensor = self.norm3(tokens + self.mlp(tokens))
        return changed


class TokenToPromptAttention(Attention):
    """Attention of tokens to the prompts."""

    def forward(self, tokens: Tensor, prompts: Tensor) -> Tensor:
        """Return (B, K, width) for (B, K, width) and (B, T, width)."""
        mixed = F.scaled_dot_product_attention(
            self.split_heads(self.q_proj(tokens)),
            self.split_heads(self.k_proj(prompts)),
            self.split_heads(self.v_proj(prompts)),
        )
        out: Tensor = self.out_proj(mixed.transpose(1, 2).flatten(2))
        return out


class MaskUpsampler(nn.Module):
    """From the grid of the embedding to logits with sixteen times its side.

    ========= ================== ==========================================
    grid      channels           what happens
    ========= ================== ==========================================
    64        256                tokens are joined and added to each cell
    128       256 (+ 256)        transposed convolution; early features
    256       128                transposed convolution; residual block
    512       64                 transposed convolution
    1024      32, then the masks transposed convolution; 1 x 1 convolution
    ========= ================== ==========================================
    """

    def __init__(self, config: DocumentConfig) -> None:
        super().__init__()
        first, second, third, fourth = config.widths
        self.join_tokens = nn.Linear(config.masks * config.channels, config.channels)
        self.to_128 = doubling(config.channels, first)
        self.skip_128 = (
            nn.Conv2d(config.early_channels, first, kernel_size=2, stride=2)
            if config.skips
            else None
        )
        self.to_256 = doubling(first * (1 + config.skips), second)
        self.refine = ResidualBlock(second)
        self.to_512 = doubling(second, third)
        self.to_1024 = doubling(third, fourth)
        self.masks = nn.Conv2d(fourth, config.masks, kernel_size=1)
        self.apply(initialise)

    def forward(self, grid: Tensor, early: Tensor, tokens: Tensor) -> Tensor:
        """Return (B, masks, 16 * H, 16 * W), see `DocumentDecoder.draw`."""
        joined = self.join_tokens(tokens[:, :-1].flatten(1))
        halves = gelu(self.to_128(grid + joined[..., None, None].to(grid.dtype)))
        if self.skip_128 is not None:
            halves = torch.cat([halves, gelu(self.skip_128(early))], dim=1)
        quarters = gelu(self.to_256(halves))
        fine = gelu(self.to_512(self.refine(quarters)))
        logits: Tensor = self.masks(gelu(self.to_1024(fine)))
        return logits.float()


class TokenIouHead(nn.Module):
    """256 - 128 - one score per mask, and a sigmoid; reads the IoU token."""

    def __init__(self, config: DocumentConfig) -> None:
        super().__init__()
        width = config.channels
        self.hidden = nn.Linear(width, width // 2)
        self.scores = nn.Linear(width // 2, config.masks)

    def forward(self, tokens: Tensor) -> Tensor:
        """Return (B, masks) in 0..1 for the tokens of `DocumentDecoder.read`."""
        return torch.sigmoid(self.scores(gelu(self.hidden(tokens[:, -1]))))


def copy_from_sam(decoder: DocumentDecoder, sam_decoder: nn.Module) -> list[str]:
    """Copy the weights that SAM's mask decoder has of the same name and shape.

    Parameters
    ----------
    decoder : DocumentDecoder
        Its weights are replaced where SAM has the same.
    sam_decoder : MaskDecoder
        Of a public checkpoint. Of its mask tokens, those of the three hypotheses are
        taken before that of the single mask.

    Returns
    -------
    list of str
        The entries of the decoder that were replaced.
    """
    theirs = _renamed(sam_decoder.state_dict())
    fitting = {
        name: theirs[name][: len(tensor)]
        for name, tensor in decoder.state_dict().items()
        if name in theirs and theirs[name][: len(tensor)].shape == tensor.shape
    }
    decoder.load_state_dict(fitting, strict=False)
    return sorted(fitting)


def _renamed(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Entries of SAM's mask decoder under their names in a `DocumentDecoder`."""
    renamed = {
        f"reader.{name.removeprefix('transformer.')}": tensor
        for name, tensor in state.items()
    }
    tokens = "reader.mask_tokens.weight"
    return renamed | {tokens: renamed[tokens].roll(-1, dims=0)}
