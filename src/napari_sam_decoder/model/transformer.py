"""SAM's two-way transformer: tokens attend to the image, and the image to the tokens.

Kirillov et al., "Segment Anything", ICCV 2023, appendix A.

There are thousands of grid cells and a few tokens, so projections of the cells are
replaced by projections of the tokens wherever two products can be reordered: the query
of a token is multiplied by the transposed projection of the keys and compared with the
unprojected cells, and cells are summed before their values are projected. The results
are the same, at half of the arithmetic. Cells have the number type of the image, which
may be smaller than that of the tokens.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from napari_sam_decoder.model.layers import LayerNorm, Mlp, unflattened

__all__ = ["TransformerConfig", "TwoWayTransformer"]


@dataclass(frozen=True)
class TransformerConfig:
    """Widths and depth of the two-way transformer; the defaults are SAM's.

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


class Cells(NamedTuple):
    """The cells of the image.

    Attributes
    ----------
    plain, placed : (B, N, width) tensor
        Without and with their positions.
    """

    plain: Tensor
    placed: Tensor


class TwoWayTransformer(nn.Module):
    """Layers of attention between tokens and image, both ways.

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
            Output tokens and prompt tokens; they are their own positions.

        Returns
        -------
        tokens : (B, T, width) tensor
            The updated tokens.
        image : (B, N, width) tensor
            The updated image features.
        """
        state = tokens
        for layer in self.layers:
            state, image = layer(state, image, (tokens, positions))
        cells = Cells(image, image + positions)
        read = self.final_attn_token_to_image(state + tokens, cells)
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
        cells = Cells(image, image + of_image)
        tokens = self.norm1(self._self_attended(tokens, of_tokens))
        read = self.cross_attn_token_to_image(tokens + of_tokens, cells)
        tokens = self.norm2(tokens + read)
        tokens = self.norm3(tokens + self.mlp(tokens))
        placed = (tokens + of_tokens, tokens)
        return tokens, self.norm4(self.cross_attn_image_to_token(cells, placed))

    def _self_attended(self, tokens: Tensor, positions: Tensor) -> Tensor:
        """In the first layer there are no positions and no residual."""
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
        """Factor of the products of queries and keys."""
        return float((self.q_proj.out_features // self.heads) ** -0.5)

    def split_heads(self, tokens: Tensor) -> Tensor:
        """Return (B, heads, T, inner / heads) for (B, T, inner)."""
        return unflattened(tokens, -1, (self.heads, -1)).transpose(1, 2)

    def through_transposed(self, tokens: Tensor, projection: nn.Linear) -> Tensor:
        """Multiply vectors of each head by the transpose of a projection.

        Parameters
        ----------
        tokens : (B, heads, T, inner / heads) tensor
            Queries or keys.
        projection : nn.Linear
            The projection of the cells with which they would be multiplied.

        Returns
        -------
        (B, heads * T, width) tensor
            Its products with unprojected cells are those of `tokens` with projected
            ones, but for the bias.
        """
        weights = unflattened(projection.weight, 0, (self.heads, -1))
        return (tokens @ weights).flatten(1, 2)


class SelfAttention(Attention):
    """Attention of tokens to tokens."""

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
    """Attention of tokens to the cells of the image."""

    def forward(self, tokens: Tensor, cells: Cells) -> Tensor:
        """Return (B, T, width) for (B, T, width).

        The bias of the keys adds the same to all cells, so it has no effect.
        """
        queries = self.through_transposed(
            self.split_heads(self.q_proj(tokens)), self.k_proj
        )
        shares = _scores(self.scale * queries, cells).softmax(dim=-1)
        mixed = torch.bmm(shares, cells.plain).to(tokens.dtype)
        values = self._projected(unflattened(mixed, 1, (self.heads, -1)))
        out: Tensor = self.out_proj(values.transpose(1, 2).flatten(2))
        return out

    def _projected(self, mixed: Tensor) -> Tensor:
        """(B, heads, T, inner / heads) values of (B, heads, T, width) sums of cells."""
        weights = unflattened(self.v_proj.weight, 0, (self.heads, -1))
        biases = unflattened(self.v_proj.bias, 0, (self.heads, 1, -1))
        return mixed @ weights.transpose(1, 2) + biases


class ImageToTokenAttention(Attention):
    """Attention of the cells of the image to the tokens, with a residual."""

    def forward(self, cells: Cells, placed_tokens: tuple[Tensor, Tensor]) -> Tensor:
        """Return (B, N, width) for the tokens with and without their positions."""
        placed, tokens = placed_tokens
        image = cells.plain
        keys = self.scale * self.split_heads(self.k_proj(placed))
        scores = _scores(self.through_transposed(keys, self.q_proj), cells)
        biases = (keys @ self._query_biases).flatten(1, 2).to(image.dtype)
        split_heads = unflattened(scores + biases, 1, (self.heads, -1))
        shares = split_heads.softmax(dim=2).flatten(1, 2)
        messages = self._messages(tokens).to(image.dtype)
        return torch.baddbmm(image, shares.transpose(1, 2), messages)

    @property
    def _query_biases(self) -> Tensor:
        return unflattened(self.q_proj.bias, 0, (self.heads, -1, 1))

    def _messages(self, tokens: Tensor) -> Tensor:
        """(B, heads * T, width): what a cell gets that attends to one token only.

        The shares of each head sum to 1, so each head includes its part of the bias.
        """
        values = self.split_heads(self.v_proj(tokens))
        weights = unflattened(self.out_proj.weight, 1, (self.heads, -1))
        bias = self.out_proj.bias / self.heads
        return (values @ weights.permute(1, 2, 0) + bias).flatten(1, 2)


def _scores(queries: Tensor, cells: Cells) -> Tensor:
    """(B, K, N) products of (B, K, width) queries with the cells.

    With the cells last, either softmax is vectorised over them.
    """
    placed = cells.placed
    return torch.bmm(queries.to(placed.dtype), placed.transpose(1, 2))
