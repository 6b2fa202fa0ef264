from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from napari_sam_decoder.errors import DecodingError
from napari_sam_decoder.model.heads import (
    REACH,
    HiresConfig,
    HiresDecoder,
    Rater,
    Sharpener,
    WindowTensors,
    compare_sides,
    near_edge,
)
from napari_sam_decoder.model.transforms import enlarge
from napari_sam_decoder.model.values import Embedding, EncodedWindow

if TYPE_CHECKING:
    from torch import Tensor

CONFIG = HiresConfig(widths=(8, 8, 4, 4), channels=16, early_channels=4)


def test_hypotheses_are_rated_between_nothing_and_all() -> None:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        decoder = HiresDecoder(CONFIG)
    tokens = np.random.default_rng(0).standard_normal((6, 5, 16)).astype(np.float32)
    rated = Rater(decoder).rate(tokens)
    assert rated.shape == (6, 3)
    assert rated.dtype == np.float32
    assert rated.min() > 0
    assert rated.max() < 1


def test_want_of_memory_is_told_by_our_own_error() -> None:
    def fail(*_: object) -> None:
        raise MemoryError

    decoder = HiresDecoder(CONFIG)
    decoder.register_forward_pre_hook(fail)
    for part in decoder.modules():
        part.register_forward_pre_hook(fail)
    with pytest.raises(DecodingError, match="could not rate"):
        Rater(decoder).rate(np.zeros((1, 5, 16), np.float32))


def test_tokens_of_another_decoder_are_a_mistake_of_ours() -> None:
    with pytest.raises(RuntimeError):
        Rater(HiresDecoder(CONFIG)).rate(np.zeros((1, 5, 3), np.float32))


FRAME = (300, 480)

PICTURE = np.zeros((*FRAME, 3), np.uint8)


def embedding() -> Embedding:
    rng = np.random.default_rng(0)
    return Embedding(rng.standard_normal((16, 32, 32)).astype(np.float32), FRAME)


def encode_window(frame: np.ndarray, cells: tuple[slice, slice]) -> EncodedWindow:
    rng = np.random.default_rng(1)
    assert frame is PICTURE
    rows, columns = (side.stop - side.start for side in cells)
    return EncodedWindow(
        rng.standard_normal((3, 16 * rows, 16 * columns)).astype(np.float32),
        rng.standard_normal((4, 4 * rows, 4 * columns)).astype(np.float32),
    )


def disc(row: float = 50, column: float = 60, radius: float = 20) -> np.ndarray:
    """(128, 128) logits."""
    rows, columns = np.mgrid[:128, :128]
    distance = np.hypot(rows - row, columns - column)
    return (radius - distance).clip(-8, 8).astype(np.float32)


def make(changes: bool, dtype: torch.dtype = torch.float32) -> Sharpener:
    """Make one that takes everything for an object, or one that changes nothing."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        decoder = HiresDecoder(CONFIG)
    if changes:
        torch.nn.init.constant_(decoder.drawing.masks.bias, 100)
    decoder.drawing.to(dtype)
    return Sharpener(decoder, encode_window)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_what_is_not_redrawn_is_enlarged_as_ever(dtype: torch.dtype) -> None:
    found = make(changes=False, dtype=dtype).sharpen(PICTURE, embedding(), disc())
    smooth = enlarge(disc(), FRAME, 512)
    mask, expected = found.mask(FRAME), smooth.mask(FRAME)
    assert expected.any()
    assert np.count_nonzero(mask != expected) < 0.002 * expected.sum()


def test_only_what_is_near_the_edge_changes() -> None:
    before = enlarge(disc(), FRAME, 512).mask(FRAME)
    after = make(changes=True).sharpen(PICTURE, embedding(), disc()).mask(FRAME)
    assert after.sum() > before.sum()
    rows, columns = np.nonzero(after)
    scale = 512 / 480 / 4
    distance = np.hypot(
        (rows + 0.5) * scale - 0.5 - 50, (columns + 0.5) * scale - 0.5 - 60
    )
    # A corner of the square in which it looks is farther away than its sides.
    assert distance.max() < 20 + 1.5 * REACH + 1


def test_a_mask_at_the_corner_is_drawn_there() -> None:
    found = make(changes=True).sharpen(PICTURE, embedding(), disc(0, 0, 10))
    mask = found.mask(FRAME)
    assert mask[0, 0]
    assert not mask[100:].any()


def test_nothing_stays_nothing() -> None:
    found = make(changes=True).sharpen(PICTURE, embedding(), disc() - 30)
    assert not found.mask(FRAME).any()


def test_the_band_around_an_edge_reaches_as_far_on_either_side() -> None:
    mask = np.zeros((40, 40), bool)
    mask[10:, 12:30] = True
    near = near_edge(mask)
    assert near[10, 20]
    assert near[10 - REACH, 20]
    assert not near[10 - REACH - 1, 20]
    assert near[10 + REACH - 1, 20]
    assert not near[10 + REACH, 20]
    # The border of the picture is no edge.
    assert not near[39, 20]


SMALL = HiresConfig(widths=(16, 12, 8, 4), early_channels=6)


def network(seed: int = 0) -> HiresDecoder:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return HiresDecoder(SMALL).eval()


def window(rows: int = 3, columns: int = 4) -> tuple[WindowTensors, Tensor]:
    """A window of two frames, and low-res logits."""
    noise = torch.Generator().manual_seed(1)
    tensors = WindowTensors(
        torch.randn(2, 256, rows, columns, generator=noise),
        torch.randn(2, 6, 4 * rows, 4 * columns, generator=noise),
        torch.randn(2, 3, 16 * rows, 16 * columns, generator=noise),
    )
    return tensors, 4 * torch.randn(2, 1, 4 * rows, 4 * columns, generator=noise)


def test_the_shipped_heads_have_at_most_four_million_parameters() -> None:
    with torch.device("meta"):
        decoder = HiresDecoder(HiresConfig())
    assert sum(weights.numel() for weights in decoder.parameters()) < 4_000_000


def test_an_untrained_sharpener_leaves_logits_as_they_are() -> None:
    given, logits = window()
    smooth = F.interpolate(logits, scale_factor=4, mode="bilinear")
    torch.testing.assert_close(network().drawing(given, logits), smooth)


def test_every_weight_learns() -> None:
    decoder = network().train()
    # What starts as nothing lets nothing through to the weights before it.
    torch.nn.init.normal_(decoder.drawing.masks.weight)
    loss = decoder.drawing(*window()).square().mean()
    ratings = decoder.iou_prediction_head(torch.randn(2, 5, 256))
    (loss + ratings.square().mean()).backward()
    for weights in decoder.parameters():
        assert weights.grad is not None
        assert weights.grad.abs().sum() > 0


@pytest.mark.parametrize(
    ("dtype", "bound"), [(torch.bfloat16, 0.03), (torch.float16, 0.004)]
)
def test_half_precision_changes_logits_little(dtype: torch.dtype, bound: float) -> None:
    decoder = network()
    torch.nn.init.normal_(decoder.drawing.masks.weight)
    given, logits = window()
    with torch.inference_mode():
        exact = decoder.drawing(given, logits)
        decoder.drawing.to(dtype)
        less = replace(given, grid=given.grid.to(dtype), early=given.early.to(dtype))
        rounded = decoder.drawing(less, logits)
    assert rounded.dtype == torch.float32
    error = (rounded - exact).abs().mean() / exact.abs().mean()
    assert error < bound


def test_pixels_are_like_the_object_or_like_the_background() -> None:
    pixels = torch.zeros(1, 3, 128, 128)
    pixels[..., 70:] = 1.0
    logits = torch.full((1, 1, 32, 32), 8.0)
    logits[..., 16:] = -8.0  # Six pixels too far to the left.
    *_, likeness, contrast = compare_sides(pixels, logits)[0]
    assert likeness.shape == (64, 64)
    assert likeness[:, 20:34].min() > 0.5
    assert likeness[:, 36:44].max() < -0.5
    assert contrast[32, 32] > 0.5


def test_pixels_change_the_sharpened_mask() -> None:
    decoder = network()
    torch.nn.init.normal_(decoder.drawing.masks.weight)
    given, logits = window()
    other = replace(given, pixels=torch.zeros(2, 3, 48, 64))
    drawn = decoder.drawing(given, logits)
    assert not torch.allclose(drawn, decoder.drawing(other, logits))


def test_only_tokens_of_hypotheses_and_iou_are_rated() -> None:
    rate = network().iou_prediction_head
    tokens = torch.randn(2, 5, 256, generator=torch.Generator().manual_seed(3))
    ratings = rate(tokens)
    assert ratings.shape == (2, 3)
    without_single = tokens.clone()
    without_single[:, 1] = 0
    torch.testing.assert_close(rate(without_single), ratings)
    for kept in (0, 2, 3, 4):
        changed = tokens.clone()
        changed[:, kept] = 0
        assert not torch.allclose(rate(changed), ratings)
