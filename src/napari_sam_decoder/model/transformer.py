"""The two-way transformer in which tokens and image features ask each other.

Kirillov et al., "Segment Anything", ICCV 2023, appendix A.

There are thousands of grid cells and a handful of tokens, so what attention does to the
cells is done to the tokens instead, wherever the order of two products allows it: the
query of a token is taken through the transposed projection of the keys, and compared
with the cells as they are; cells are summed before their values are projected. The
results are the same, at half of the sums. The cells may be in a smaller number type
than the tokens; it is that of the image which is handed in.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from napari_sam_decoder.model.layers import LayerNorm, Mlp, unflattened

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
        self.final_attn_token_to_image = TokenToImageAttention(
            config, config.cross_width
        )
        self.norm_final_attn = nn.LayerNorm(config.width)

    def forward(
        self, image: Tensor, positions: Tensor, tokens: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Run all layers.

        Parameters
        ----------
        image : (B, N, width) tensor
            Image features with the dense prompt added, one row per grid cell.
        positions : (N, width) tensor
            Positional encoding of the grid cells, in the number type of the image.
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
        read = self.final_attn_token_to_image(state + tokens, image, positions)
        return self.norm_final_attn(state + read), image


class TwoWayLayer(nn.Module):
    """Self-attention, token to image, MLP, image to token; a norm after each."""

    def __init__(self, config: TransformerConfig, is_first: bool) -> None:
        super().__init__()
        self.is_first = is_first
        self.self_attn = SelfAttention(config, config.width)
        self.norm1 = nn.LayerNorm(config.width)
        self.cross_attn_token_to_image = TokenToImageAttention(
            config, config.cross_width
        )
        self.norm2 = nn.LayerNorm(config.width)
        self.mlp = Mlp(config.width, config.hidden, nn.ReLU())
        self.norm3 = nn.LayerNorm(config.width)
        self.cross_attn_image_to_token = ImageToTokenAttention(
            config, config.cross_width
        )
        self.norm4 = LayerNorm(config.width)

    def forward(
        self, tokens: Tensor, image: Tensor, positions: tuple[Tensor, Tensor]
    ) -> tuple[Tensor, Tensor]:
        """Return new tokens and image; `positions` are those of both, in that order."""
        of_tokens, of_image = positions
        tokens = self.norm1(self._self_attended(tokens, of_tokens))
        read = self.cross_attn_token_to_image(tokens + of_tokens, image, of_image)
        tokens = self.norm2(tokens + read)
        tokens = self.norm3(tokens + self.mlp(tokens))
        told = (tokens + of_tokens, tokens)
        written = self.cross_attn_image_to_token(image, of_image, told)
        return tokens, self.norm4(written)

    def _self_attended(self, tokens: Tensor, positions: Tensor) -> Tensor:
        """In the first layer tokens are their own positions: no sum, no residual."""
        if self.is_first:
            replaced: Tensor = self.self_attn(tokens, tokens)
            return replaced
        attended: Tensor = tokens + self.self_attn(tokens + positions, tokens)
        return attended


class Attention(nn.Module):
    """The projections of multi-head attention, which may run at a smaller width."""

    def __init__(self, config: TransformerConfig, inner_width: int) -> None:
        super().__init__()
        self.heads = config.heads
        self.q_proj = nn.Linear(config.width, inner_width)
        self.k_proj = nn.Linear(config.width, inner_width)
        self.v_proj = nn.Linear(config.width, inner_width)
        self.out_proj = nn.Linear(inner_width, config.width)

    @property
    def scale(self) -> float:
        """By which products of queries and keys are multiplied."""
        return float((self.q_proj.out_features // self.heads) ** -0.5)

    def split_heads(self, tokens: Tensor) -> Tensor:
        """Return (B, heads, T, inner / heads) for (B, T, inner)."""
        return unflattened(tokens, -1, (self.heads, -1)).transpose(1, 2)

    def through_transposed(self, tokens: Tensor, projection: nn.Linear) -> Tensor:
        """Take (B, heads, T, inner / heads) vectors through a transposed projection.

        Their products with cells are then those with the projected cells.

        Returns
        -------
        (B, heads * T, width) tensor
        """
        weights = unflattened(projection.weight, 0, (self.heads, -1))
        return (tokens @ weights).flatten(1, 2)


class SelfAttention(Attention):
    """Tokens look at each other."""

    def forward(self, placed: Tensor, tokens: Tensor) -> Tensor:
        """Return (B, T, width) for tokens with and without their positions."""
        mixed = F.scaled_dot_product_attention(
            self.split_heads(self.q_proj(placed)),
            self.split_heads(self.k_proj(placed)),
            self.split_heads(self.v_proj(tokens)),
        )
        out: Tensor = self.out_proj(mixed.transpose(1, 2).flatten(2))
        return out


class TokenToImageAttention(Attention):
    """Tokens look at the cells of the image."""

    def forward(self, tokens: Tensor, image: Tensor, positions: Tensor) -> Tensor:
        """Return (B, T, width) for (B, T, width), (B, N, width) and (N, width).

        The bias of the keys is the same for all cells, so it changes nothing.
        """
        queries = self.through_transposed(
            self.split_heads(self.q_proj(tokens)), self.k_proj
        )
        queries = (self.scale * queries).to(image.dtype)
        # Torch is several times faster along rows than across them.
        scores = _scores(image, positions, queries).transpose(1, 2).contiguous()
        seen = torch.bmm(scores.softmax(dim=-1), image).to(tokens.dtype)
        values = self._projected(unflattened(seen, 1, (self.heads, -1)))
        out: Tensor = self.out_proj(values.transpose(1, 2).flatten(2))
        return out

    def _projected(self, seen: Tensor) -> Tensor:
        """(B, heads, T, inner / heads) values of (B, heads, T, width) sums of cells."""
        weights = unflattened(self.v_proj.weight, 0, (self.heads, -1))
        biases = unflattened(self.v_proj.bias, 0, (self.heads, 1, -1))
        return seen @ weights.transpose(1, 2) + biases


class ImageToTokenAttention(Attention):
    """The cells of the image look at the tokens, and add what they see."""

    def forward(
        self, image: Tensor, positions: Tensor, told: tuple[Tensor, Tensor]
    ) -> Tensor:
        """Return (B, N, width), the image with what it sees of `told`.

        That is the tokens with and without their positions, each (B, T, width).
        """
        placed, tokens = told
        keys = self.scale * self.split_heads(self.k_proj(placed))
        queries = self.through_transposed(keys, self.q_proj).to(image.dtype)
        biases = (keys @ self._query_biases).flatten(1).to(image.dtype)
        scores = _scores(image, positions, queries) + biases[:, None]
        # With the cells last, torch computes many of them at once.
        split_heads = unflattened(
            scores.transpose(1, 2), 1, (self.heads, -1)
        ).contiguous()
        shares = split_heads.softmax(dim=2).flatten(1, 2)
        messages = self._messages(tokens).to(image.dtype)
        return torch.baddbmm(image, shares.transpose(1, 2), messages)

    @property
    def _query_biases(self) -> Tensor:
        return unflattened(self.q_proj.bias, 0, (self.heads, -1, 1))

    def _messages(self, tokens: Tensor) -> Tensor:
        """(B, heads * T, width): what each token adds to a cell that looks at it only.

        The shares of each head sum to 1, so each may bring its part of the bias.
        """
        values = self.split_heads(self.v_proj(tokens))
        weights = unflattened(self.out_proj.weight, 1, (self.heads, -1))
        bias = self.out_proj.bias / self.heads
        return (values @ weights.permute(1, 2, 0) + bias).flatten(1, 2)


def _scores(image: Tensor, positions: Tensor, queries: Tensor) -> Tensor:
    """(B, N, K) products of (B, N, C) cells, with their positions, and queries."""
    batch, count, _ = queries.shape
    # All prompts have the same positions: one product for all of them.
    of_places = positions @ queries.flatten(0, 1).T
    by_prompt = unflattened(of_places, 1, (batch, count)).transpose(0, 1)
    return torch.baddbmm(by_prompt, image, queries.transpose(1, 2))
