from __future__ import annotations

import numpy as np
import pytest

from napari_sam_decoder.training.pointing import (
    box_around,
    input_pixel,
    lower_mask,
    next_clicks,
    place_of_doubt,
    point,
)


def disc() -> np.ndarray:
    rows, columns = np.mgrid[:64, :64]
    return np.hypot(rows - 30, columns - 20) < 12


@pytest.mark.parametrize("seed", range(8))
def test_one_begins_with_a_click_on_the_object_or_a_box_around_it(seed: int) -> None:
    pointing = point(2, disc(), np.random.default_rng(seed))
    if pointing.box is None:
        (x, y), sign = pointing.points[0], pointing.signs[0]
        assert sign == 1
        assert disc()[int(y) // 4, int(x) // 4]
    else:
        assert not pointing.points
        assert np.abs(pointing.box - (36, 76, 128, 168)).max() < 25
    assert pointing.index == 2


def test_corrections_lie_in_what_is_wrong() -> None:
    pointing = point(0, disc(), np.random.default_rng(0))
    pointing.mask = np.where(np.roll(disc(), 20, axis=1), 3.0, -3.0)
    pointing.mask[:32] = -3
    pointing.correct()
    x, y = pointing.prompt.points[-1]
    row, column = int(y) // 4, int(x) // 4
    assert (pointing.mask[row, column] > 0) != disc()[row, column]
    assert pointing.prompt.signs[-1] == disc()[row, column]


def test_where_nothing_is_wrong_the_object_is_clicked_on() -> None:
    assert disc()[place_of_doubt(disc(), disc())]


def test_clicks_lie_in_the_middle_of_low_res_pixels() -> None:
    assert input_pixel((2, 5)) == (21.5, 9.5)


def test_low_res_pixels_are_in_a_mask_if_most_of_them_is() -> None:
    mask = np.zeros((10, 16), bool)
    mask[:9, 2:11] = True
    lowered = lower_mask(mask, 16, 4)
    assert lowered.astype(int).tolist() == [
        [0, 1, 1, 0],
        [0, 1, 1, 0],
        [0, 0, 0, 0],
        [0, 0, 0, 0],
    ]


def test_each_of_several_masks_is_clicked_on_where_it_is_wrong() -> None:
    nothing = np.zeros_like(disc())
    wanted, found = np.stack([disc(), nothing]), np.stack([nothing, disc()])
    places, signs = next_clicks(wanted, found)
    assert signs.tolist() == [1, 0]
    for x, y in places:
        assert disc()[int(y) // 4, int(x) // 4]


def test_a_box_goes_around_all_of_a_mask() -> None:
    mask = np.zeros((8, 10), bool)
    mask[2:5, 3:7] = True
    assert box_around(mask).tolist() == [12, 8, 28, 20]
    with pytest.raises(ValueError, match="empty"):
        box_around(~mask & mask)
