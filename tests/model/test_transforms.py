from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import torch

from napari_sam_decoder.errors import MovieError
from napari_sam_decoder.model.transforms import extent, input_shape, prepare_frame


@pytest.mark.parametrize(
    ("frame_shape", "expected"),
    [
        ((1024, 1024), (1024, 1024)),
        ((480, 640), (768, 1024)),
        ((640, 480), (1024, 768)),
        ((303, 384), (808, 1024)),
        ((2048, 1365), (1024, 683)),
        ((2048, 3), (1024, 2)),
        ((1, 1), (1024, 1024)),
        ((1, 5000), (1, 1024)),
    ],
)
def test_longest_side_fills_the_square(
    frame_shape: tuple[int, int], expected: tuple[int, int]
) -> None:
    assert input_shape(frame_shape, 1024) == expected


@pytest.mark.parametrize("frame_shape", [(0, 5), (5, 0)])
def test_empty_frame_is_refused(frame_shape: tuple[int, int]) -> None:
    with pytest.raises(MovieError, match="crop the movie"):
        input_shape(frame_shape, 1024)


def test_costs_no_torch() -> None:
    code = (
        "import sys, napari_sam_decoder.model.transforms, "
        "napari_sam_decoder.model.values; print('torch' in sys.modules)"
    )
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert run.stdout.strip() == "False"


def test_the_smallest_window_holds_all_of_a_mask_and_no_more() -> None:
    mask = np.zeros((20, 30), bool)
    mask[4, 9] = mask[9, 21] = True
    assert extent(mask) == (slice(4, 10), slice(9, 22))
    assert extent(mask.T[::3]) == (slice(3, 8), slice(4, 10))


def test_nothing_has_no_window() -> None:
    assert extent(np.zeros((3, 4), bool)) is None
    assert extent(np.zeros((0, 4), bool)) is None


def test_padding_is_zero_after_normalising() -> None:
    prepared = prepare_frame(np.full((10, 20, 3), 255, np.uint8), 64)
    assert prepared.shape == (1, 3, 64, 64)
    assert prepared.dtype == torch.float32
    assert torch.equal(prepared[:, :, 32:], torch.zeros(1, 3, 32, 64))
    white = torch.tensor([(255 - 123.675) / 58.395, (255 - 116.28) / 57.12])
    torch.testing.assert_close(prepared[0, :2, 0, 0], white)


def test_channels_keep_their_order() -> None:
    frame = np.zeros((8, 8, 3), np.uint8)
    frame[..., 0] = 200
    red, green, blue = prepare_frame(frame, 8)[0, :, 0, 0]
    assert red > 0 > green
    assert blue < 0


def test_view_of_a_larger_array_is_read_correctly() -> None:
    frame = np.arange(16 * 16 * 3, dtype=np.uint8).reshape(16, 16, 3)[::2, ::-1]
    expected = prepare_frame(frame.copy(), 32)
    assert torch.equal(prepare_frame(frame, 32), expected)


@pytest.mark.parametrize(
    "frame",
    [
        np.zeros((8, 8), np.uint8),
        np.zeros((8, 8, 4), np.uint8),
        np.zeros((8, 8, 3), np.float32),
    ],
)
def test_other_than_rgb_uint8_is_refused(frame: np.ndarray) -> None:
    with pytest.raises(MovieError, match="convert it to"):
        prepare_frame(frame, 64)


def test_an_empty_frame_is_not_prepared() -> None:
    with pytest.raises(MovieError, match="crop the movie"):
        prepare_frame(np.zeros((0, 8, 3), np.uint8), 64)
