from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from napari_sam_decoder.errors import DecodingError
from napari_sam_decoder.model.heads import REACH, Rater, Sharpener, near_edge
from napari_sam_decoder.model.hires_decoder import SLIM, HiresDecoder
from napari_sam_decoder.model.transforms import enlarge
from napari_sam_decoder.model.values import Detail, Embedding

CONFIG = replace(SLIM, widths=(8, 8, 4, 4), channels=16, early_channels=4)


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


def look_closely(frame: np.ndarray, cells: tuple[slice, slice]) -> Detail:
    rng = np.random.default_rng(1)
    assert frame is PICTURE
    rows, columns = (side.stop - side.start for side in cells)
    return Detail(
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
    return Sharpener(decoder, look_closely)


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
