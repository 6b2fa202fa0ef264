from __future__ import annotations

import numpy as np
import pytest
import torch

from napari_sam_decoder.errors import MovieError
from napari_sam_decoder.model.preprocessing import prepare_frame


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


def test_empty_frame_is_refused() -> None:
    with pytest.raises(MovieError, match="crop the movie"):
        prepare_frame(np.zeros((0, 8, 3), np.uint8), 64)
