"""The two-way transformer in which tokens and image features ask each other.

Kirillov et al., "Segment Anything", ICCV 2023, appendix A.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor, nn

from napari_sam_decoder.model.layers import Mlp

__all__ = ["TransformerConfig", "TwoWayTransformer"]


@dataclass(frozen=True)
class TransformerConfig:
    """The spec sheet of the two-way transformer; the defaults are SAM's.

    Attributes
    ----------
    width : int
        Channels of tokens and image features.
    depth : int
        Number of two-way layers before the final attention.
    heads : int
        Attention heads.
    hidden : int
        Width inside the MLPs.
    cross_width : int
        Width inside attention between tokens and image.
    """

    width: int = 256
    depth: int = 2
    heads: int = 8
    hidden: int = 2048
    cross_width: int = 128


class TwoWayTransformer(nn.Module):
    """Let tokens read the image, and the image read the tokens.

    Parameters
    ----------
    config : TransformerConfig
        Widths and depths.
    """

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            TwoWayLayer(config, is_first=index == 0) for index in range(config.depth)
        )
        self.final_attn_token_to_image = Attention(config, config.cross_width)
        self.norm_final_attn = nn.LayerNorm(config.width)

    def forward(
        self, image: Tensor, positions: Tensor, tokens: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Run all layers.

        Parameters
        ----------
        image : (B, N, width) tensor
            Image features with the dense prompt added, one row per grid cell.
        positions : (1, N, width) tensor
            Positional encoding of the grid cells.
        tokens : (B, T, width) tensor
            Output tokens and prompt tokens; they serve as their own positions.

        Returns
        -------
        tokens : (B, T, width) tensor
            What the tokens have become.
        image : (B, N, width) tensor
            What the image features have become.
        """
        state = tokens
        for layer in self.layers:
            state, image = layer(state, image, (tokens, positions))
        read = self.final_attn_token_to_image(state + tokens, image + positions, image)
        return self.norm_final_attn(state + read), image


class TwoWayLayer(nn.Module):
    """Self-attention, token to image, MLP, image to token; a norm after each."""

    def __init__(self, config: TransformerConfig, is_first: bool) -> None:
        super().__init__()
        self.is_first = is_first
        self.self_attn = Attention(config, config.width)
        self.norm1 = nn.LayerNorm(config.width)
        self.cross_attn_token_to_image = Attention(config, config.cross_width)
        self.norm2 = nn.LayerNorm(config.width)
        self.mlp = Mlp(config.width, config.hidden, nn.ReLU())
        self.norm3 = nn.LayerNorm(config.width)
        self.cross_attn_image_to_token = Attention(config, config.cross_width)
        self.norm4 = nn.LayerNorm(config.width)

    def forward(
        self, tokens: Tensor, image: Tensor, positions: tuple[Tensor, Tensor]
    ) -> tuple[Tensor, Tensor]:
        """Return new tokens and image; `positions` are those of both, in that order."""
        of_tokens, of_image = positions
        tokens = self.norm1(self._self_attended(tokens, of_tokens))
        placed_image = image + of_image
        read = self.cross_attn_token_to_image(tokens + of_tokens, placed_image, image)
        tokens = self.norm2(tokens + read)
        tokens = self.norm3(tokens + self.mlp(tokens))
        written = self.cross_attn_image_to_token(
            placed_image, tokens + of_tokens, tokens
        )
        return tokens, self.norm4(image + written)

    def _self_attended(self, tokens: Tensor, positions: Tensor) -> Tensor:
        """In the first layer tokens are their own positions: no sum, no residual."""
        if self.is_first:
            replaced: Tensor = self.self_attn(tokens, tokens, tokens)
            return replaced
        placed = tokens + positions
        attended: Tensor = tokens + self.self_attn(placed, placed, tokens)
        return attended


class Attention(nn.Module):
    """Multi-head attention that may run at a smaller inner width."""

    def __init__(self, config: TransformerConfig, inner_width: int) -> None:
        super().__init__()
        self.heads = config.heads
        self.q_proj = nn.Linear(config.width, inner_width)
        self.k_proj = nn.Linear(config.width, inner_width)
        self.v_proj = nn.Linear(config.width, inner_width)
        self.out_proj = nn.Linear(inner_width, config.width)

    def forward(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        """Return (B, Nq, width); key and value are (B, Nk, width)."""
        mixed = F.scaled_dot_product_attention(
            self._by_head(self.q_proj(query)),
            self._by_head(self.k_proj(key)),
            self._by_head(self.v_proj(value)),
        )
        out: Tensor = self.out_proj(mixed.transpose(1, 2).flatten(2))
        return out

    def _by_head(self, tokens: Tensor) -> Tensor:
        return tokens.reshape(*tokens.shape[:2], self.heads, -1).transpose(1, 2)
