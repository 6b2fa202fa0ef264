from __future__ import annotations

import numpy as np
import pytest

from napari_sam_decoder.interactive.focus import SMALLEST_SIDE, Focus
from napari_sam_decoder.model.values import GRID_SIDE

SHAPE = (60, 90)
ROWS, COLUMNS = np.indices(SHAPE, dtype=np.float32)
WAVE = np.sin(ROWS / 12) + np.cos(COLUMNS / 15)


@pytest.mark.parametrize("side", [24, 50, 96, 140])
@pytest.mark.parametrize("middle", [(30, 45), (3, 85), (-2, 40)])
def test_a_smooth_plane_survives_the_grid(middle, side):
    focus = Focus.around(middle, side, SHAPE)
    (cells,) = focus.sample([WAVE])
    enlarged, shown = focus.enlarge(cells), WAVE[focus.place]
    assert enlarged.shape == shown.shape
    # Beside the frame are zeros, which reach into its outermost pixels.
    inner = np.s_[3:-3, 3:-3]
    np.testing.assert_allclose(enlarged[inner], shown[inner], atol=0.06)


def test_beyond_the_frame_is_nothing():
    focus = Focus.around((0, 0), 48, SHAPE)
    (cells,) = focus.sample([np.ones(SHAPE)])
    beyond = (np.arange(GRID_SIDE) + 0.5) * focus.cell + focus.row < -1
    assert beyond.sum() > 40
    assert not cells[beyond].any()
    assert not cells[:, beyond].any()
    assert cells[-1, -1] == pytest.approx(1)
    np.testing.assert_allclose(focus.inside, cells, atol=1e-6)


def test_a_window_off_the_frame_shows_nothing_of_it():
    focus = Focus(200, -100, 30, SHAPE)
    (cells,) = focus.sample([np.ones(SHAPE)])
    assert not cells.any()
    assert focus.enlarge(cells).size == 0
    assert not focus.rim.any()


@pytest.mark.parametrize("low_res", [64, 256])
@pytest.mark.parametrize("middle", [(30, 45), (2, 88)])
def test_low_res_logits_are_where_the_frame_shows_them(low_res, middle):
    """A plane that rises by one per pixel tells where each cell is taken from."""
    focus = Focus.around(middle, 40, SHAPE)
    pixels = (np.arange(low_res) + 0.5) * max(SHAPE) / low_res - 0.5
    planes = np.stack(np.broadcast_arrays(pixels[:, None], pixels[None]))
    rows, columns = focus.sample_low_res(planes)
    middles = (np.arange(GRID_SIDE) + 0.5) * focus.cell - 0.5
    for found, start, axis in ((rows, focus.row, 1), (columns, focus.column, 0)):
        expected = (start + middles).clip(pixels[0], pixels[-1])
        np.testing.assert_allclose(found.mean(axis=axis), expected, atol=1e-3)
        assert np.ptp(found, axis=axis).max() < 1e-3


@pytest.mark.parametrize("side", [30, 140])
@pytest.mark.parametrize("low_res", [30, 64, 256])
@pytest.mark.parametrize("middle", [(30, 45), (2, 88)])
def test_cells_come_back_to_low_res_pixels(low_res, middle, side):
    focus = Focus.around(middle, side, SHAPE)
    middles = (np.arange(GRID_SIDE) + 0.5) * focus.cell - 0.5
    planes = np.broadcast_arrays(
        middles[:, None] + focus.row, middles[None] + focus.column
    )
    for axis, plane in enumerate(planes):
        place, values = focus.to_low_res(plane, low_res)
        low_res_pixels = (np.arange(low_res) + 0.5) * max(SHAPE) / low_res - 0.5
        expected = low_res_pixels[place[axis]]
        assert len(expected)
        assert expected[0] >= focus.place[axis].start - 0.5
        assert expected[-1] <= focus.place[axis].stop - 0.5
        # Less wide than a cell, or than what is averaged, at the window's rim.
        off = max(focus.cell, max(SHAPE) / low_res)
        np.testing.assert_allclose(values.mean(axis=1 - axis), expected, atol=off)


def test_a_window_is_centred_on_what_it_is_put_around():
    mask = np.zeros(SHAPE, bool)
    mask[10:20, 30:70] = True
    focus = Focus.around_mask(mask, 1.5)
    assert focus.side == 60
    assert focus == Focus.around_box((10, 30, 20, 70), 1.5, SHAPE)
    assert abs(focus.row + focus.side / 2 - 15) <= 0.5
    assert abs(focus.column + focus.side / 2 - 50) <= 0.5


def test_windows_are_never_too_small_to_recognise_anything():
    assert Focus.around((5, 5), 1, SHAPE).side == SMALLEST_SIDE
    dot = np.zeros(SHAPE, bool)
    dot[7, 9] = True
    assert Focus.around_mask(dot, 1.5).side == SMALLEST_SIDE


def test_the_rim_leaves_out_what_is_off_the_frame():
    whole, corner = Focus.around((30, 45), 30, SHAPE), Focus.around((0, 0), 30, SHAPE)
    assert whole.rim.sum() == 4 * (GRID_SIDE - 1)
    assert not corner.rim[0].any()
    assert not corner.rim[:, 0].any()
    middles = (np.arange(GRID_SIDE) + 0.5) * corner.cell + corner.row
    assert corner.rim.sum() == 2 * (middles >= 0).sum() - 1
