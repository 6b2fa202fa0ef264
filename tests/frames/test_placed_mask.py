from __future__ import annotations

import numpy as np
import pytest

from napari_sam_decoder.frames import PlacedMask, Window

WHOLE = Window(0, 0, 256, 256)


def square(row, column, side=16):
    mask = np.zeros(WHOLE.shape, bool)
    mask[row : row + side, column : column + side] = True
    return mask


@pytest.fixture
def placed():
    window = Window(64, 64, 64, 64)
    return PlacedMask(square(70, 90)[window.place], window)


@pytest.mark.parametrize(
    "window", [WHOLE, Window(0, 96, 80, 32), Window(72, 92, 4, 40), Window(0, 0, 9, 9)]
)
def test_it_is_seen_in_other_windows(placed, window):
    seen = placed.seen_in(window)
    np.testing.assert_array_equal(seen, square(70, 90)[window.place])


def test_it_knows_its_place(placed):
    assert placed.extent == Window(70, 90, 16, 16)
    assert placed.area == 256
    assert placed.inside.shape == (16, 16)
    assert placed.inside.all()


@pytest.mark.parametrize(("row", "column"), [(70, 90), (69, 90), (85, 105), (0, 255)])
def test_a_pixel_is_in_it_or_not(placed, row, column):
    assert placed.has(row, column) == square(70, 90)[row, column]


def test_an_empty_one_has_no_extent():
    empty = PlacedMask.of(np.zeros((8, 8), bool))
    assert empty.extent is None
    assert empty.inside.size == 0
