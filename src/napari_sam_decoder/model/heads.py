"""Heads trained on top of SAM's decoder: one rates hypotheses, one sharpens masks.

Both are parts of one network, `HiresDecoder`, and used through numpy by `Rater` and
`Sharpener`. Of the decoder in the design document [1]_ they are what pays: an IoU head,
and transposed convolutions with skip connections up to the resolution of the input,
which redraw only the edge of a mask of SAM's. Beyond the document they see the pixels
of the picture at 512 and 1024 pixels a side: early features tell where edges are, but
not to the pixel.

.. [1] docs/explanation/design_document.md; docs/explanation/shipped_head.md says how
   the head that comes with the package was trained.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.nn.functional as F
from scipy import ndimage
from torch import Tensor, nn

from napari_sam_decoder.model.layers import gelu
from napari_sam_decoder.model.torch_errors import computing
from napari_sam_decoder.model.transforms import enlarge, extent, scaled
from napari_sam_decoder.model.values import BACKGROUND_LOGIT, FrameLogits

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_sam_decoder.model.values import Embedding, EncodedWindow

    EncodeWindow = Callable[[np.ndarray, tuple[slice, slice]], EncodedWindow]

__all__ = [
    "REACH",
    "Heads",
    "HiresConfig",
    "HiresDecoder",
    "Rater",
    "ResidualBlock",
    "Sharpener",
    "WindowTensors",
    "compare_sides",
    "doubling",
    "near_edge",
]

REACH = 4
"""Only low-res pixels this close to the edge of a mask are redrawn, on either side.
What is farther away is not a matter of sharpness."""

_PIXELS_PER_CELL = 4
_MARGIN = 2
"""Cells around a mask that are encoded with it: more than `REACH`, for the convolutions
at the border."""

_HYPOTHESES = 3

_RATED_TOKENS = [0, 2, 3, 4]
"""Of SAM's output tokens: that of the IoU and those of the hypotheses, but not that of
the single mask."""

_LOGIT_SCALE = 8.0
"""Low-res logits are divided by this and clipped to -2..2."""

_COLOURS = 3
_NEIGHBOURHOODS = (5, 17)
"""Sides, in low-res pixels, of the squares over which colours are averaged."""

_SAME_COLOUR = 0.05
"""Colours that differ by less, in standard deviations, count as equal."""


@dataclass(frozen=True)
class HiresConfig:
    """Widths of a `HiresDecoder`; the defaults are those of the shipped one.

    Attributes
    ----------
    widths : tuple of int
        Channels at 128, 256, 512 and 1024 pixels a side.
    channels : int
        Channels of the image embedding and of tokens.
    early_channels : int
        Channels of the first stage of the image encoder.
    """

    widths: tuple[int, int, int, int] = (96, 64, 32, 16)
    channels: int = 256
    early_channels: int = 64


@dataclass(frozen=True, eq=False)
class WindowTensors:
    """What is known of a window of H x W cells of B frames.

    Attributes
    ----------
    grid : (B, channels, H, W) tensor
        Image embedding.
    early : (B, early_channels, 4 * H, 4 * W) tensor
        Features of the encoder's first stage.
    pixels : (B, 3, 16 * H, 16 * W) tensor of float32
        The network's input.
    """

    grid: Tensor
    early: Tensor
    pixels: Tensor


class HiresDecoder(nn.Module):
    """The two heads as one network: `drawing` and `iou_prediction_head`.

    Parameters
    ----------
    config : HiresConfig
        Widths.
    """

    def __init__(self, config: HiresConfig) -> None:
        super().__init__()
        self.config = config
        self.drawing = EdgeUpsampler(config)
        self.iou_prediction_head = IouHead(config)


class EdgeUpsampler(nn.Module):
    """Redraw low-res logits at the resolution of the network's input.

    ========= ============== ======================================================
    grid      channels       what happens
    ========= ============== ======================================================
    64        256            the embedding
    128       96 (+ 96)      transposed convolution; early features are joined
    256       64             transposed convolution; logits and early features are
                             joined; residual block
    512       32             transposed convolution; pixels are joined
    1024      16 (+ 3)       transposed convolution; pixels are joined; convolution
    ========= ============== ======================================================

    The result is added to the logits, bilinearly enlarged; untrained, it is 0.
    """

    def __init__(self, config: HiresConfig) -> None:
        super().__init__()
        first, second, third, fourth = config.widths
        self.to_128 = doubling(config.channels, first)
        self.skip_128 = nn.Conv2d(config.early_channels, first, kernel_size=2, stride=2)
        self.to_256 = doubling(2 * first, second)
        self.join_logits = LogitFusion(config)
        self.refine = ResidualBlock(second)
        self.to_512 = doubling(second, third)
        self.join_pixels = PixelFusion(config)
        self.to_1024 = doubling(third, fourth)
        self.masks = nn.Conv2d(fourth + _COLOURS, 1, kernel_size=3, padding=1)
        for weights in self.masks.parameters():
            nn.init.zeros_(weights)

    def forward(self, window: WindowTensors, logits: Tensor) -> Tensor:
        """Sharpen the logits of one mask in each window.

        Parameters
        ----------
        window : WindowTensors
            Of H x W cells.
        logits : (B, 1, 4 * H, 4 * W) tensor of float32
            Low-res logits of SAM's decoder.

        Returns
        -------
        (B, 1, 16 * H, 16 * W) tensor of float32
            Logits at the pixels of the network's input; above 0 is object.
        """
        halves = gelu(self.to_128(window.grid))
        halves = torch.cat([halves, gelu(self.skip_128(window.early))], dim=1)
        quarters = gelu(self.to_256(halves))
        quarters = self.join_logits(quarters, window.early, logits)
        fine = gelu(self.to_512(self.refine(quarters)))
        fine = self.join_pixels(fine, window.pixels, logits)
        finest = gelu(self.to_1024(fine))
        pixels = window.pixels.to(finest.dtype, memory_format=torch.channels_last)
        finest = torch.cat([finest, pixels], dim=1)
        drawn: Tensor = self.masks(finest).float()
        return drawn + _enlarged(logits, 4)


class LogitFusion(nn.Module):
    """Join features at 256 x 256 with the logits and with early features."""

    def __init__(self, config: HiresConfig) -> None:
        super().__init__()
        width = config.widths[1]
        self.skip = nn.Conv2d(config.early_channels, width, kernel_size=1)
        self.mix = nn.Conv2d(2 * width + 2, width, kernel_size=3, padding=1)

    def forward(self, quarters: Tensor, early: Tensor, logits: Tensor) -> Tensor:
        """Return (B, width, H, W) for the same, (B, E, H, W) and (B, 1, H, W)."""
        # Where the edge is, and how sure SAM is farther away from it.
        near, far = torch.tanh(logits), (logits / _LOGIT_SCALE).clamp(-2, 2)
        joined = [quarters, near.to(quarters.dtype), far.to(quarters.dtype)]
        joined.append(gelu(self.skip(early)))
        return gelu(self.mix(torch.cat(joined, dim=1)))


class PixelFusion(nn.Module):
    """Join features at 512 x 512 with the pixels, and whose colour each pixel has."""

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
        joined = joined.to(fine.dtype, memory_format=torch.channels_last)
        return gelu(self.mix(torch.cat([fine, joined], dim=1)))


def compare_sides(pixels: Tensor, logits: Tensor) -> Tensor:
    """Compare each pixel with the object nearby, and with the background nearby.

    Parameters
    ----------
    pixels : (B, 3, 4 * H, 4 * W) tensor of float32
        The picture.
    logits : (B, 1, H, W) tensor of float32
        Where the object is, roughly.

    Returns
    -------
    (B, 4, 2 * H, 2 * W) tensor of float32
        From -1 for the colour of the background to 1 for that of the object, and how
        much the two differ; first in a small neighbourhood, then in a larger one.
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
    """Mean over squares, weighted by the share of each pixel."""
    total = _box_mean(torch.cat([image * share, share], dim=1), side)
    return total[:, :-1] / total[:, -1:].clamp(min=1e-4)


def _box_mean(image: Tensor, side: int) -> Tensor:
    """Mean over squares; beyond the border all is 0."""
    down = F.avg_pool2d(image, (side, 1), stride=1, padding=(side // 2, 0))
    return F.avg_pool2d(down, (1, side), stride=1, padding=(0, side // 2))


def _enlarged(image: Tensor, factor: int) -> Tensor:
    return F.interpolate(image.float(), scale_factor=factor, mode="bilinear")


def doubling(before: int, after: int) -> nn.ConvTranspose2d:
    """Build a transposed convolution that doubles the side of an image.

    Parameters
    ----------
    before, after : int
        Channels of its input and output.

    Returns
    -------
    nn.ConvTranspose2d
        Maps (B, before, H, W) to (B, after, 2 * H, 2 * W).
    """
    return nn.ConvTranspose2d(
        before, after, kernel_size=3, stride=2, padding=1, output_padding=1
    )


class ResidualBlock(nn.Module):
    """Two convolutions, added to their input.

    Parameters
    ----------
    width : int
        Channels.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(width, width, kernel_size=3, padding=1)
        self.conv2 = nn.Conv2d(width, width, kernel_size=3, padding=1)

    def forward(self, image: Tensor) -> Tensor:
        """Return (B, width, H, W) for the same."""
        changed: Tensor = image + self.conv2(gelu(self.conv1(image)))
        return changed


class IouHead(nn.Module):
    """Predict IoUs from SAM's tokens: 128 units, three scores and a sigmoid.

    SAM's token for the IoU was not trained for it, so the head reads the tokens of the
    hypotheses as well.
    """

    def __init__(self, config: HiresConfig) -> None:
        super().__init__()
        width = config.channels
        self.hidden = nn.Linear(len(_RATED_TOKENS) * width, width // 2)
        self.scores = nn.Linear(width // 2, _HYPOTHESES)

    def forward(self, tokens: Tensor) -> Tensor:
        """Return the (B, 3) IoUs in 0..1 for (B, 1 + 4, channels) tokens of SAM."""
        known = tokens[:, _RATED_TOKENS].flatten(1)
        return torch.sigmoid(self.scores(gelu(self.hidden(known))))


class Rater:
    """Rates the hypotheses of SAM's decoder; may be used from several threads.

    Parameters
    ----------
    decoder : HiresDecoder
        It reads tokens of the decoder with which it was trained, and is meaningless
        with another one.
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
        device = _device(self._decoder)
        with computing("rate masks", device):
            read = torch.from_numpy(tokens).to(device)
            return _to_numpy(self._decoder.iou_prediction_head(read))


class Sharpener:
    """Sharpens masks of SAM's decoder; may be used from several threads.

    Parameters
    ----------
    decoder : HiresDecoder
        Its `drawing` may be in another number type than float32.
    encode_window : callable
        `Sam.encode_window` of the network whose masks are sharpened.
    original : HiresDecoder, optional
        The decoder as it was trained, in float32 on the CPU, for writing it to another
        file; by default `decoder`.
    """

    def __init__(
        self,
        decoder: HiresDecoder,
        encode_window: EncodeWindow,
        original: HiresDecoder | None = None,
    ) -> None:
        self._decoder = decoder.eval()
        self._encode_window = encode_window
        self.original = original or decoder

    @torch.inference_mode()
    def sharpen(
        self, frame: np.ndarray, embedding: Embedding, low_res_logits: np.ndarray
    ) -> FrameLogits:
        """Redraw a mask at the pixels of the frame.

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
            If the network fails, or its encoder has no early features.
        """
        size = _PIXELS_PER_CELL * len(low_res_logits)
        square = np.full((size, size), BACKGROUND_LOGIT, np.float32)
        cells = _cells_around(low_res_logits > 0)
        if cells is not None:
            place = tuple(scaled(side, 16) for side in cells)
            square[place] = self._redrawn(frame, embedding, low_res_logits, cells)
        return enlarge(square, embedding.frame_shape, size)

    def _redrawn(
        self,
        frame: np.ndarray,
        embedding: Embedding,
        logits: np.ndarray,
        cells: tuple[slice, slice],
    ) -> np.ndarray:
        """Logits in a window, at the pixels of the input."""
        device = _device(self._decoder)
        quarters = tuple(scaled(side, _PIXELS_PER_CELL) for side in cells)
        given = torch.from_numpy(np.array(logits[quarters], np.float32))[None, None]
        given = given.to(device)
        encoded = self._encode_window(frame, cells)
        window = WindowTensors(
            self._image(embedding.features[(slice(None), *cells)]),
            self._image(encoded.early),
            torch.from_numpy(encoded.pixels)[None].to(device),
        )
        drawn = self._decoder.drawing(window, given)
        smooth = _enlarged(given, 4)
        near = near_edge(logits[quarters] > 0).repeat(4, axis=0).repeat(4, axis=1)
        return np.where(near, _to_numpy(drawn[0, 0]), _to_numpy(smooth[0, 0]))

    def _image(self, features: np.ndarray) -> Tensor:
        """(1, C, H, W) in the number type and on the device of the drawing."""
        weights = next(self._decoder.drawing.parameters())
        image = torch.from_numpy(np.ascontiguousarray(features))[None]
        return image.to(
            weights.device, weights.dtype, memory_format=torch.channels_last
        )


def near_edge(mask: np.ndarray) -> np.ndarray:
    """Find the low-res pixels that may be redrawn.

    Parameters
    ----------
    mask : (h, w) array of bool
        A mask of SAM's decoder.

    Returns
    -------
    (h, w) array of bool
        Those within `REACH` of the edge of the mask; the border of the picture is not
        an edge.
    """
    side = 2 * REACH + 1
    near: np.ndarray = ndimage.maximum_filter(mask, side) & ~ndimage.minimum_filter(
        mask, side
    )
    return near


def _cells_around(mask: np.ndarray) -> tuple[slice, slice] | None:
    """Rows and columns of the cells of a mask and some margin; None if it is empty."""
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


def _device(network: nn.Module) -> torch.device:
    return next(network.parameters()).device


def _to_numpy(tensor: Tensor) -> np.ndarray:
    return tensor.float().cpu().numpy()


@dataclass(frozen=True, eq=False)
class Heads:
    """The heads in use beside a network's own decoder.

    Attributes
    ----------
    rater : Rater, optional
        Rates the hypotheses of a single click; without it the network's own ratings
        count.
    sharpener : Sharpener, optional
        Draws masks at the pixels of the frame; without it they are enlarged.
    """

    rater: Rater | None = None
    sharpener: Sharpener | None = None
