"""SAM's prompt encoder and mask decoder as a plain float32 network, to compare with.

As `eager_encoder`, it shares no code with the program. The image embedding is repeated
for each prompt, as published.
"""

from __future__ import annotations

import math
from itertools import pairwise

import torch
from torch import Tensor, nn

from speed_parts.eager_layers import LayerNorm2d

__all__ = ["EagerDecoder"]

WIDTH, INNER, HIDDEN = 256, 128, 2048
HEADS, DEPTH = 8, 2
MASKS = 4
IMAGE_SIZE, GRID = 1024, 64
POINT_KINDS = 4


class EagerDecoder(nn.Module):
    """From an embedding and tokens of prompts to logits and ratings."""

    def __init__(self) -> None:
        super().__init__()
        self.prompt_encoder = PromptEncoder()
        self.mask_decoder = MaskDecoder()

    def forward(
        self,
        embedding: Tensor,
        positions: Tensor,
        labels: Tensor,
        masks: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Decode B prompts.

        Parameters
        ----------
        embedding : (1, 256, 64, 64) tensor
            Of the frame.
        positions : (B, T, 2) tensor
            (x, y) in pixels of the network input.
        labels : (B, T) tensor of int64
            -1 padding, 0 background, 1 object, 2 and 3 corners of the box.
        masks : (B, 1, 256, 256) tensor, optional
            Logits of earlier calls.

        Returns
        -------
        logits : (B, 4, 256, 256) tensor
        ratings : (B, 4) tensor
        """
        # Not len(), which would fix the number of prompts in an exported graph.
        count = positions.shape[0]
        answers: tuple[Tensor, Tensor] = self.mask_decoder(
            embedding.repeat(count, 1, 1, 1) + self.prompt_encoder.dense(masks, count),
            self.prompt_encoder.places().repeat(count, 1, 1, 1),
            self.prompt_encoder.tokens(positions, labels),
        )
        return answers


class PromptEncoder(nn.Module):
    """Points, corners and masks as vectors."""

    def __init__(self) -> None:
        super().__init__()
        self.pe_layer = nn.Module()
        self.pe_layer.register_buffer(
            "positional_encoding_gaussian_matrix", torch.zeros(2, WIDTH // 2)
        )
        self.point_embeddings = nn.ModuleList(
            nn.Embedding(1, WIDTH) for _ in range(POINT_KINDS)
        )
        self.not_a_point_embed = nn.Embedding(1, WIDTH)
        self.no_mask_embed = nn.Embedding(1, WIDTH)
        self.mask_downscaling = nn.Sequential(
            nn.Conv2d(1, 4, 2, stride=2),
            LayerNorm2d(4),
            nn.GELU(),
            nn.Conv2d(4, 16, 2, stride=2),
            LayerNorm2d(16),
            nn.GELU(),
            nn.Conv2d(16, WIDTH, 1),
        )

    def tokens(self, positions: Tensor, labels: Tensor) -> Tensor:
        """Return (B, T, 256)."""
        kind = labels[..., None]
        placed = self._fourier((positions + 0.5) / IMAGE_SIZE) * (kind != -1)
        embedded = placed + self.not_a_point_embed.weight * (kind == -1)
        for number, embedding in enumerate(self.point_embeddings):
            embedded = embedded + embedding.weight * (kind == number)
        return embedded

    def dense(self, masks: Tensor | None, count: int) -> Tensor:
        """Return (B, 256, 64, 64)."""
        if masks is None:
            nothing = self.no_mask_embed.weight[:, :, None, None]
            return nothing.expand(count, -1, GRID, GRID)
        embedded: Tensor = self.mask_downscaling(masks)
        return embedded

    def places(self) -> Tensor:
        """Return the (1, 256, 64, 64) encoding of the grid's cells."""
        steps = (torch.arange(GRID, dtype=torch.float32) + 0.5) / GRID
        y, x = torch.meshgrid(steps, steps, indexing="ij")
        return self._fourier(torch.stack([x, y], dim=-1)).permute(2, 0, 1)[None]

    def _fourier(self, positions: Tensor) -> Tensor:
        matrix = self.pe_layer.positional_encoding_gaussian_matrix
        phases = 2 * math.pi * ((2 * positions - 1) @ matrix)
        return torch.cat([phases.sin(), phases.cos()], dim=-1)


class MaskDecoder(nn.Module):
    """Transformer, upscaling, and a small network for each mask."""

    def __init__(self) -> None:
        super().__init__()
        self.transformer = TwoWayTransformer()
        self.iou_token = nn.Embedding(1, WIDTH)
        self.mask_tokens = nn.Embedding(MASKS, WIDTH)
        self.output_upscaling = nn.Sequential(
            nn.ConvTranspose2d(WIDTH, WIDTH // 4, 2, stride=2),
            LayerNorm2d(WIDTH // 4),
            nn.GELU(),
            nn.ConvTranspose2d(WIDTH // 4, WIDTH // 8, 2, stride=2),
            nn.GELU(),
        )
        self.output_hypernetworks_mlps = nn.ModuleList(
            Perceptron(WIDTH, WIDTH, WIDTH, WIDTH // 8) for _ in range(MASKS)
        )
        self.iou_prediction_head = Perceptron(WIDTH, WIDTH, WIDTH, MASKS)

    def forward(
        self, image: Tensor, places: Tensor, sparse: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Return (B, 4, 256, 256) logits and (B, 4) ratings."""
        outputs = torch.cat([self.iou_token.weight, self.mask_tokens.weight])
        tokens = torch.cat([outputs.expand(sparse.shape[0], -1, -1), sparse], dim=1)
        tokens, cells = self.transformer(image, places, tokens)
        grid = self.output_upscaling(cells.transpose(1, 2).reshape(image.shape))
        kernels = torch.stack(
            [
                network(tokens[:, 1 + number])
                for number, network in enumerate(self.output_hypernetworks_mlps)
            ],
            dim=1,
        )
        logits = (kernels @ grid.flatten(2)).reshape(-1, MASKS, *grid.shape[2:])
        return logits, self.iou_prediction_head(tokens[:, 0])


class Perceptron(nn.Module):
    """Linear layers with ReLU between."""

    def __init__(self, *widths: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(*pair) for pair in pairwise(widths))

    def forward(self, token: Tensor) -> Tensor:
        """Return (B, last width) for (B, first width)."""
        *hidden, last = self.layers
        for layer in hidden:
            token = layer(token).relu()
        out: Tensor = last(token)
        return out


class TwoWayTransformer(nn.Module):
    """Tokens read the image, and the image the tokens."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList(TwoWayLayer(number) for number in range(DEPTH))
        self.final_attn_token_to_image = Attention(INNER)
        self.norm_final_attn = nn.LayerNorm(WIDTH)

    def forward(
        self, image: Tensor, places: Tensor, tokens: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Return (B, T, 256) tokens and (B, 4096, 256) cells."""
        cells = image.flatten(2).permute(0, 2, 1)
        where = places.flatten(2).permute(0, 2, 1)
        state = tokens
        for layer in self.layers:
            state, cells = layer(state, cells, (tokens, where))
        read = self.final_attn_token_to_image(state + tokens, cells + where, cells)
        return self.norm_final_attn(state + read), cells


class TwoWayLayer(nn.Module):
    """Self-attention, tokens to image, MLP, image to tokens; a norm after each."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.is_first = number == 0
        self.self_attn = Attention(WIDTH)
        self.norm1 = nn.LayerNorm(WIDTH)
        self.cross_attn_token_to_image = Attention(INNER)
        self.norm2 = nn.LayerNorm(WIDTH)
        self.mlp = nn.Module()
        self.mlp.lin1 = nn.Linear(WIDTH, HIDDEN)
        self.mlp.lin2 = nn.Linear(HIDDEN, WIDTH)
        self.norm3 = nn.LayerNorm(WIDTH)
        self.cross_attn_image_to_token = Attention(INNER)
        self.norm4 = nn.LayerNorm(WIDTH)

    def forward(
        self, state: Tensor, cells: Tensor, positions: tuple[Tensor, Tensor]
    ) -> tuple[Tensor, Tensor]:
        """Return new tokens and cells; `positions` are those of both."""
        tokens, where = positions
        if self.is_first:
            state = self.self_attn(state, state, state)
        else:
            placed = state + tokens
            state = state + self.self_attn(placed, placed, state)
        state = self.norm1(state)
        read = self.cross_attn_token_to_image(state + tokens, cells + where, cells)
        state = self.norm2(state + read)
        state = self.norm3(state + self.mlp.lin2(self.mlp.lin1(state).relu()))
        written = self.cross_attn_image_to_token(cells + where, state + tokens, state)
        return state, self.norm4(cells + written)


class Attention(nn.Module):
    """Attention by heads, at an inner width of its own."""

    def __init__(self, inner: int) -> None:
        super().__init__()
        self.q_proj = nn.Linear(WIDTH, inner)
        self.k_proj = nn.Linear(WIDTH, inner)
        self.v_proj = nn.Linear(WIDTH, inner)
        self.out_proj = nn.Linear(inner, WIDTH)

    def forward(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        """Return (B, Nq, 256); key and value are (B, Nk, 256)."""
        q = _by_head(self.q_proj(query))
        k = _by_head(self.k_proj(key))
        v = _by_head(self.v_proj(value))
        scores = q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])
        mixed = scores.softmax(dim=-1) @ v
        out: Tensor = self.out_proj(mixed.transpose(1, 2).flatten(2))
        return out


def _by_head(tokens: Tensor) -> Tensor:
    batch, count, width = tokens.shape
    return tokens.reshape(batch, count, HEADS, width // HEADS).transpose(1, 2)
