from __future__ import annotations

import numpy as np
import pytest

from napari_sam_decoder.frames import PlacedMask, Window
from napari_sam_decoder.prompts import PaintedMask


@pytest.mark.parametrize("seed", range(6))
def test_a_part_of_a_frame_gives_the_same_mask_as_the_whole(seed):
    rng = np.random.default_rng(seed)
    whole = np.zeros((9, 11), bool)
    window = [Window(2, 3, 4, 5), Window(0, 0, 9, 11), Window(5, 0, 4, 11)][seed % 3]
    whole[window.place] = rng.random(window.shape) < 0.6
    placed = PlacedMask(whole[window.place], window)
    assert PaintedMask.placed(placed, whole.shape) == PaintedMask.of(whole)


@pytest.mark.parametrize("share", [0, 0.02, 0.5, 1])
@pytest.mark.parametrize("window", [Window(2, 3, 4, 5), Window(0, 0, 9, 11)])
def test_a_part_is_read_without_the_rest(share, window):
    pixels = np.random.default_rng(0).random((9, 11)) < share
    mask = PaintedMask.of(pixels)
    np.testing.assert_array_equal(mask.seen_in(window), pixels[window.place])
    assert mask.cut(window) == PaintedMask.of(pixels[window.place])
    assert mask.extent == Window.around(pixels)
    assert mask.area == np.count_nonzero(pixels)
