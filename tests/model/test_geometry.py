from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from napari_sam_decoder.errors import MovieError
from napari_sam_decoder.model.geometry import extent, input_shape


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
        "import sys, napari_sam_decoder.model.geometry, "
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
