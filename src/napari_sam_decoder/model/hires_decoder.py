"""The mask decoder of the design document: masks at the full resolution of the input.

No public weights fit it; it is trained on top of a frozen image encoder. The document
[1]_ leaves open, or contradicts itself on, the following; what was chosen, and why:

- The image has 256 channels, after the encoder's neck. The 1280 of the document are
  the width of ViT-H before it, which no other encoder has.
- "Block 8 at 128 x 128" is the first stage of TinyViT, which sees the image finest:
  64 channels at 256 x 256. A strided convolution brings them to 128 x 128, as TinyViT
  itself does behind that stage. ViT-H has no features of that resolution at all.
- They are concatenated, as the document's code says, not added, as its text says.
- Queries, keys and values are taken from the tokens as they are; the positions of
  image cells are added to the keys, as SAM does, since otherwise no token could tell
  where it looks. Norms follow each step, as in SAM. The image itself is not changed.
- One stream draws all masks: "4 x 64 x 64 x 256" plus the image would be one stream
  for each token, but the last convolution has one channel for each mask. So tokens are
  joined by a linear layer, and what it gives is spread over the image.
- The IoU token is the last one.

What is not in the document, and only done where logits are sharpened: the pixels of
the picture are joined at 512 and at 1024, with how much each of them has in common with
what is on either side of the edge. Early features know edges, but not to the pixel.

.. [1] docs/explanation/design_document.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from napari_sam_decoder.model.layers import LearnedVectors, Mlp, gelu, initialise
from napari_sam_decoder.model.transformer import (
    Attention,
    ReadImage,
    SelfAttention,
    TransformerConfig,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["DRAWN", "SLIM", "HiresConfig", "HiresDecoder", "Seen", "start_from"]

_RATED = [0, 2, 3, 4]
"""Of SAM's tokens: those of the IoU and of its hypotheses, not of its single mask."""

_LOGIT_SCALE = 8.0
"""Beyond twice this a low-res logit says no more than that it is sure."""

_COLOURS = 3
_NEIGHBOURHOODS = (5, 17)
"""Low-res pixels a side, over which colours on either side of an edge are averaged."""

_SAME_COLOUR = 0.05
"""Colours that differ by less, in standard deviations, are told apart by nobody."""


@dataclass(frozen=True)
class HiresConfig:
    """The spec sheet of one decoder; the defaults are the document's.

    Attributes
    ----------
    depth : int
        Layers in which tokens read prompts and image. With 0 SAM's own decoder has
        read them: its low-res logits of one mask are drawn sharper, and its tokens
        tell how good each hypothesis is.
    masks : int
        Hypotheses.
    widths : tuple of int
        Channels at 128, 256, 512 and 1024 pixels a side.
    skips : bool
        Whether what the encoder saw early is joined, at 128 and, where logits are
        sharpened, at 256 pixels a side.
    iou_head : bool
        Whether the IoU of each hypothesis is predicted.
    channels : int
        Of the image embedding and of tokens.
    early_channels : int
        Of what the encoder saw early.
    pixels : bool
        Whether the picture itself is joined, at 512 and 1024 pixels a side; only
        where logits are sharpened.
    """

    depth: int = 2
    masks: int = 3
    widths: tuple[int, int, int, int] = (256, 128, 64, 32)
    skips: bool = True
    iou_head: bool = True
    channels: int = 256
    early_channels: int = 64
    pixels: bool = False


@dataclass(frozen=True, eq=False)
class Seen:
    """What there is to be seen in a window of H x W cells.

    Attributes
    ----------
    grid : (B, channels, H, W) tensor
        Of the image embedding, with the dense prompt where tokens have read it.
    early : (B, early_channels, 4 * H, 4 * W) tensor
        What the encoder saw early.
    pixels : (B, 3, 16 * H, 16 * W) tensor of float32, optional
        The network's input, for decoders that look at it.
    """

    grid: Tensor
    early: Tensor
    pixels: Tensor | None = None


DRAWN = HiresConfig()
"""As the document draws it."""

SLIM = HiresConfig(depth=0, widths=(96, 64, 32, 16), pixels=True)
"""For use: sharpens one mask of SAM's own decoder, where it is, and rates all."""


class HiresDecoder(nn.Module):
    """Tokens that read prompts and image, and a drawing at full resolution.

    Parameters
    ----------
    config : HiresConfig
        Depth, widths, and which parts there are.
    """

    def __init__(self, config: HiresConfig) -> None:
        super().__init__()
        self.config = config
        self.reader = PromptReader(config) if config.depth else None
        self.drawing = Drawing(config)
        self.iou_prediction_head = IouHead(config) if config.iou_head else None

    def read(self, image: Tensor, positions: Tensor, prompts: Tensor) -> Tensor:
        """Let the tokens read prompts and image.

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
            Those of the masks, and that of the predicted IoU.
        """
        if self.reader is None:
            raise ValueError("a decoder without depth has no tokens; give it logits")
        tokens: Tensor = self.reader(image, positions, prompts)
        return tokens

    def draw(self, seen: Seen, given: Tensor) -> Tensor:
        """Draw masks on a part of the grid.

        Parameters
        ----------
        seen : Seen
            Any window.
        given : (B, masks + 1, channels) or (B, 1, 4 * H, 4 * W) tensor
            Tokens from `read`; with a depth of 0, the low-res logits to be sharpened.

        Returns
        -------
        (B, masks, 16 * H, 16 * W) tensor of float32
            Logits; above 0 is object. One of them is one pixel of the network's input.
            With a depth of 0, of the given mask only: (B, 1, 16 * H, 16 * W).
        """
        logits: Tensor = self.drawing(seen, given)
        return logits

    def rate(self, tokens: Tensor) -> Tensor:
        """Predict the IoU of each hypothesis.

        Parameters
        ----------
        tokens : (B, masks + 1, channels) or (B, 1 + 4, channels) tensor
            From `read`; with a depth of 0, from SAM's own `MaskDecoder`.

        Returns
        -------
        (B, masks) tensor
            0..1; with a depth of 0, of SAM's hypotheses without its single mask.
        """
        if self.iou_prediction_head is None:
            raise ValueError("this decoder was made without an IoU head")
        ratings: Tensor = self.iou_prediction_head(tokens)
        return ratings


class PromptReader(nn.Module):
    """The document's transformer: tokens read, the image stays as it is.

    Entries have the names of SAM's `TwoWayTransformer` where they do the same.
    """

    def __init__(self, config: HiresConfig) -> None:
        super().__init__()
        width = config.channels
        self.mask_tokens = LearnedVectors(config.masks, width)
        self.iou_token = LearnedVectors(1, width)
        inner = TransformerConfig(width=width)
        self.layers = nn.ModuleList(ReadingLayer(inner) for _ in range(config.depth))

    def forward(self, image: Tensor, positions: Tensor, prompts: Tensor) -> Tensor:
        """Return (B, masks + 1, width) for (B, N, width), (N, width), (B, T, width)."""
        tokens = torch.cat([self.mask_tokens(), self.iou_token()])
        tokens = tokens.expand(len(prompts), -1, -1)
        for layer in self.layers:
            tokens = layer(tokens, (image, positions), prompts)
        return tokens


class ReadingLayer(nn.Module):
    """Tokens among themselves, then the image, the prompts, and an MLP."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.self_attn = SelfAttention(config, config.width)
        self.norm1 = nn.LayerNorm(config.width)
        self.cross_attn_token_to_image = ReadImage(config, config.cross_width)
        self.norm2 = nn.LayerNorm(config.width)
        self.cross_attn_token_to_prompts = ReadPrompts(config, config.cross_width)
        self.norm_prompts = nn.LayerNorm(config.width)
        self.mlp = Mlp(config.width, config.hidden, nn.ReLU())
        self.norm3 = nn.LayerNorm(config.width)

    def forward(
        self, tokens: Tensor, seen: tuple[Tensor, Tensor], prompts: Tensor
    ) -> Tensor:
        """Return new (B, K, width) tokens; `seen` is the image and its positions."""
        tokens = self.norm1(tokens + self.self_attn(tokens, tokens))
        tokens = self.norm2(tokens + self.cross_attn_token_to_image(tokens, *seen))
        asked = self.cross_attn_token_to_prompts(tokens, prompts)
        tokens = self.norm_prompts(tokens + asked)
        read: Tensor = self.norm3(tokens + self.mlp(tokens))
        return read


class ReadPrompts(Attention):
    """Tokens look at the prompts."""

    def forward(self, tokens: Tensor, prompts: Tensor) -> Tensor:
        """Return (B, K, width) for (B, K, width) and (B, T, width)."""
        mixed = F.scaled_dot_product_attention(
            self.by_head(self.q_proj(tokens)),
            self.by_head(self.k_proj(prompts)),
            self.by_head(self.v_proj(prompts)),
        )
        out: Tensor = self.out_proj(mixed.transpose(1, 2).flatten(2))
        return out


class Drawing(nn.Module):
    """From the grid of the embedding to logits with sixteen times its side.

    ========== ===================== ==========================================
    grid       channels, as drawn    what happens
    ========== ===================== ==========================================
    64 x 64    256                   tokens are joined and spread over the image
    128 x 128  256 (+ 256)           transposed convolution; early features
    256 x 256  128                   transposed convolution; residual block
    512 x 512  64                    transposed convolution
    1024 ...   32, then the masks    transposed convolution; 1 x 1 convolution
    ========== ===================== ==========================================

    Where logits are sharpened, they and the early features are joined at 256 x 256
    too, the pixels at 512 x 512 and 1024 x 1024, and what is drawn is added to the
    logits, bilinearly enlarged.
    """

    def __init__(self, config: HiresConfig) -> None:
        super().__init__()
        first, second, third, fourth = config.widths
        self.join_tokens = (
            nn.Linear(config.masks * config.channels, config.channels)
            if config.depth
            else None
        )
        self.to_128 = _doubling(config.channels, first)
        self.skip_128 = (
            nn.Conv2d(config.early_channels, first, kernel_size=2, stride=2)
            if config.skips
            else None
        )
        self.to_256 = _doubling(first * (1 + config.skips), second)
        self.join_logits = None if config.depth else JoinLogits(config)
        self.refine = ResidualBlock(second)
        self.to_512 = _doubling(second, third)
        self.join_pixels = JoinPixels(config) if config.pixels else None
        self.to_1024 = _doubling(third, fourth)
        self.masks = _last_layer(config)
        if config.depth:
            self.apply(initialise)

    def forward(self, seen: Seen, given: Tensor) -> Tensor:
        """Return (B, masks, 16 * H, 16 * W), see `HiresDecoder.draw`."""
        halves = gelu(self.to_128(self._with_tokens(seen.grid, given)))
        if self.skip_128 is not None:
            halves = torch.cat([halves, gelu(self.skip_128(seen.early))], dim=1)
        quarters = gelu(self.to_256(halves))
        if self.join_logits is not None:
            quarters = self.join_logits(quarters, seen.early, given)
        fine = gelu(self.to_512(self.refine(quarters)))
        if self.join_pixels is not None:
            fine = self.join_pixels(fine, seen.pixels, given)
        finest = gelu(self.to_1024(fine))
        if self.join_pixels is not None and seen.pixels is not None:
            pixels = seen.pixels.to(finest.dtype, memory_format=torch.channels_last)
            finest = torch.cat([finest, pixels], dim=1)
        drawn: Tensor = self.masks(finest).float()
        return drawn if self.join_logits is None else drawn + _enlarged(given, 4)

    def _with_tokens(self, grid: Tensor, given: Tensor) -> Tensor:
        if self.join_tokens is None:
            return grid
        joined: Tensor = self.join_tokens(given[:, :-1].flatten(1))
        return grid + joined[..., None, None].to(grid.dtype)


class JoinLogits(nn.Module):
    """What is drawn at 256 x 256, the logits, and what the encoder saw early."""

    def __init__(self, config: HiresConfig) -> None:
        super().__init__()
        width = config.widths[1]
        self.skip = (
            nn.Conv2d(config.early_channels, width, kernel_size=1)
            if config.skips
            else None
        )
        joined = width * (1 + config.skips) + 2
        self.mix = nn.Conv2d(joined, width, kernel_size=3, padding=1)

    def forward(self, quarters: Tensor, early: Tensor, logits: Tensor) -> Tensor:
        """Return (B, width, H, W) for the same, (B, E, H, W) and (B, 1, H, W)."""
        # Where the edge is, and how sure SAM is farther away from it.
        near, far = torch.tanh(logits), (logits / _LOGIT_SCALE).clamp(-2, 2)
        joined = [quarters, near.to(quarters.dtype), far.to(quarters.dtype)]
        if self.skip is not None:
            joined.append(gelu(self.skip(early)))
        return gelu(self.mix(torch.cat(joined, dim=1)))


class JoinPixels(nn.Module):
    """What is drawn at 512 x 512, the picture, and whose colours each pixel has."""

    def __init__(self, config: HiresConfig) -> None:
        super().__init__()
        width = config.widths[2]
        joined = width + 4 * _COLOURS + 2 * len(_NEIGHBOURHOODS)
        self.mix = nn.Conv2d(joined, width, kernel_size=3, padding=1)

    def forward(self, fine: Tensor, pixels: Tensor, logits: Tensor) -> Tensor:
        """Return (B, width, H, W) for the same, (B, 3, 2 * H, 2 * W), (B, 1, ...)."""
        apart = F.pixel_unshuffle(pixels, 2)
        sides = compare_sides(pixels, logits)
        joined = torch.cat([apart, sides], dim=1)
        given = joined.to(fine.dtype, memory_format=torch.channels_last)
        return gelu(self.mix(torch.cat([fine, given], dim=1)))


def compare_sides(pixels: Tensor, logits: Tensor) -> Tensor:
    """Say whether pixels look like the object around them, or like what is behind it.

    Parameters
    ----------
    pixels : (B, 3, 4 * H, 4 * W) tensor of float32
        The picture.
    logits : (B, 1, H, W) tensor of float32
        Where the object is by now.

    Returns
    -------
    (B, 4, 2 * H, 2 * W) tensor of float32
        From -1, the colour of what is behind the object, to 1, that of the object; and
        how much the two differ. First for what is close by, then for a wider area.
    """
    with torch.autocast(pixels.device.type, enabled=False):
        halves, quarters = F.avg_pool2d(pixels, 2), F.avg_pool2d(pixels, 4)
        inside = torch.sigmoid(logits)
        shares = inside, 1 - inside
        compared = []
        for side in _NEIGHBOURHOODS:
            means = [_local_mean(quarters, share, side) for share in shares]
            colours = [_enlarged(mean, 2) for mean in means]
            to_object, to_rest = (_difference(halves, colour) for colour in colours)
            likeness = (to_rest - to_object) / (to_rest + to_object + _SAME_COLOUR)
            compared += [likeness, _difference(*colours)]
        return torch.cat(compared, dim=1)


def _difference(first: Tensor, second: Tensor) -> Tensor:
    return (first - second).abs().mean(dim=1, keepdim=True)


def _local_mean(image: Tensor, share: Tensor, side: int) -> Tensor:
    """Mean over squares, where each pixel counts by its share."""
    total = _box_sum(torch.cat([image * share, share], dim=1), side)
    return total[:, :-1] / total[:, -1:].clamp(min=1e-4)


def _box_sum(image: Tensor, side: int) -> Tensor:
    """Mean over squares, with nothing beyond the border."""
    down = F.avg_pool2d(image, (side, 1), stride=1, padding=(side // 2, 0))
    return F.avg_pool2d(down, (1, side), stride=1, padding=(0, side // 2))


class ResidualBlock(nn.Module):
    """Two convolutions, added to what came in."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(width, width, kernel_size=3, padding=1)
        self.conv2 = nn.Conv2d(width, width, kernel_size=3, padding=1)

    def forward(self, image: Tensor) -> Tensor:
        """Return (B, width, H, W) for the same."""
        changed: Tensor = image + self.conv2(gelu(self.conv1(image)))
        return changed


class IouHead(nn.Module):
    """256 - 128 - one score per mask, and a sigmoid.

    The document's head reads the IoU token alone. Of SAM's tokens, which were not
    taught for it, it reads those of the hypotheses as well.
    """

    def __init__(self, config: HiresConfig) -> None:
        super().__init__()
        self.reads_last = bool(config.depth)
        width = config.channels
        inputs = width if config.depth else len(_RATED) * width
        self.hidden = nn.Linear(inputs, width // 2)
        self.scores = nn.Linear(width // 2, config.masks)

    def forward(self, tokens: Tensor) -> Tensor:
        """Return (B, masks) in 0..1 for tokens as in `HiresDecoder.rate`."""
        known = tokens[:, -1:] if self.reads_last else tokens[:, _RATED]
        return torch.sigmoid(self.scores(gelu(self.hidden(known.flatten(1)))))


def start_from(decoder: HiresDecoder, sam_decoder: nn.Module) -> list[str]:
    """Take over what SAM's mask decoder has of the same name and shape.

    Parameters
    ----------
    decoder : HiresDecoder
        Its weights are replaced where there is something for them.
    sam_decoder : MaskDecoder
        Of a public checkpoint. Of its mask tokens, those of the three hypotheses come
        first, then that of the single mask.

    Returns
    -------
    list of str
        The entries of the decoder that were replaced.
    """
    theirs = _as_read_here(sam_decoder.state_dict())
    fitting = {
        name: theirs[name][: len(tensor)]
        for name, tensor in decoder.state_dict().items()
        if name in theirs and theirs[name][: len(tensor)].shape == tensor.shape
    }
    decoder.load_state_dict(fitting, strict=False)
    return sorted(fitting)


def _as_read_here(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Entries of SAM's mask decoder by the names that they have in a `HiresDecoder`."""
    renamed = {
        f"reader.{name.removeprefix('transformer.')}": tensor
        for name, tensor in state.items()
    }
    tokens = "reader.mask_tokens.weight"
    return renamed | {tokens: renamed[tokens].roll(-1, dims=0)}


def _doubling(before: int, after: int) -> nn.ConvTranspose2d:
    return nn.ConvTranspose2d(
        before, after, kernel_size=3, stride=2, padding=1, output_padding=1
    )


def _enlarged(image: Tensor, factor: int) -> Tensor:
    return F.interpolate(image.float(), scale_factor=factor, mode="bilinear")


def _last_layer(config: HiresConfig) -> nn.Conv2d:
    """Draw the masks; where logits are sharpened, these stay what they are at first."""
    width = config.widths[-1]
    if config.depth:
        return nn.Conv2d(width, config.masks, kernel_size=1)
    layer = (
        nn.Conv2d(width + _COLOURS, 1, kernel_size=3, padding=1)
        if config.pixels
        else nn.Conv2d(width, 1, kernel_size=1)
    )
    for weights in layer.parameters():
        nn.init.zeros_(weights)
    return layer
