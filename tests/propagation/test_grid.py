from __future__ import annotations

import numpy as np
import pytest

from napari_sam_decoder.frames import FrameGeometry
from napari_sam_decoder.propagation.grid import BACKGROUND_LOGIT, Grid, prompt_from_mask

GRID = Grid((48, 64), 4.0, 64)


def square(row, column, size=11):
    logits = np.full((64, 64), -8, np.float32)
    logits[max(row, 0) : row + size, column : column + size] = 8
    return logits


def test_the_grid_leaves_the_padding_out():
    grid = Grid.of(FrameGeometry.fit((480, 854), 1024), 1024, 256)
    assert grid == Grid((144, 256), 4.0, 256)
    assert grid.cut(np.zeros((2, 256, 256))).shape == (2, 144, 256)


def test_padding_is_background():
    logits = square(10, 10)
    padded = GRID.pad(GRID.cut(logits))
    np.testing.assert_array_equal(padded[:48], logits[:48])
    assert (padded[48:] == BACKGROUND_LOGIT).all()
    assert np.float16(BACKGROUND_LOGIT) == BACKGROUND_LOGIT


def test_the_object_is_asked_for_by_its_inmost_point_and_its_box():
    prompt = prompt_from_mask(square(10, 20), GRID)
    np.testing.assert_allclose(prompt.points, [[25 * 4 + 1.5, 15 * 4 + 1.5]])
    np.testing.assert_allclose(prompt.box, [80, 40, 31 * 4 - 1, 21 * 4 - 1])
    assert prompt.labels.tolist() == [1]


def test_the_point_keeps_away_from_the_border():
    prompt = prompt_from_mask(square(0, 0), GRID)
    np.testing.assert_allclose(prompt.points, [[5 * 4 + 1.5, 5 * 4 + 1.5]])


@pytest.mark.parametrize("row", [47, 50])
def test_what_lies_in_the_padding_is_not_asked_for(row):
    assert prompt_from_mask(square(row, 10, size=3), GRID) is None
