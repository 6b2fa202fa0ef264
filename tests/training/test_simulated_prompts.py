from __future__ import annotations

import numpy as np
import pytest

from napari_sam_decoder.frames import FrameGeometry
from napari_sam_decoder.metrics import mask_iou
from napari_sam_decoder.propagation.prior import Grid, prompt_from_mask
from napari_sam_decoder.training.simulated_prompts import (
    box_around,
    correcting_clicks,
    deepest_error,
    first_prompt,
    input_pixel,
    low_res_mask,
    prompt_from_prior,
    simulate_prior,
)


def disc() -> np.ndarray:
    rows, columns = np.mgrid[:64, :64]
    return np.hypot(rows - 30, columns - 20) < 12


@pytest.mark.parametrize("seed", range(8))
def test_one_begins_with_a_click_on_the_object_or_a_box_around_it(seed: int) -> None:
    sequence = first_prompt(2, disc(), np.random.default_rng(seed))
    if sequence.box is None:
        (x, y), sign = sequence.points[0], sequence.signs[0]
        assert sign == 1
        assert disc()[int(y) // 4, int(x) // 4]
    else:
        assert not sequence.points
        assert np.abs(sequence.box - (36, 76, 128, 168)).max() < 25
    assert sequence.index == 2


def test_corrections_lie_in_what_is_wrong() -> None:
    sequence = first_prompt(0, disc(), np.random.default_rng(0))
    sequence.mask = np.where(np.roll(disc(), 20, axis=1), 3.0, -3.0)
    sequence.mask[:32] = -3
    sequence.add_correction()
    x, y = sequence.prompt.points[-1]
    row, column = int(y) // 4, int(x) // 4
    assert (sequence.mask[row, column] > 0) != disc()[row, column]
    assert sequence.prompt.signs[-1] == disc()[row, column]


def test_where_nothing_is_wrong_the_object_is_clicked_on() -> None:
    assert disc()[deepest_error(disc(), disc())]


def test_clicks_lie_in_the_middle_of_low_res_pixels() -> None:
    assert input_pixel((2, 5)) == (21.5, 9.5)


def test_low_res_pixels_are_in_a_mask_if_most_of_them_is() -> None:
    mask = np.zeros((10, 16), bool)
    mask[:9, 2:11] = True
    lowered = low_res_mask(mask, 16, 4)
    assert lowered.astype(int).tolist() == [
        [0, 1, 1, 0],
        [0, 1, 1, 0],
        [0, 0, 0, 0],
        [0, 0, 0, 0],
    ]


def test_each_of_several_masks_is_clicked_on_where_it_is_wrong() -> None:
    nothing = np.zeros_like(disc())
    wanted, found = np.stack([disc(), nothing]), np.stack([nothing, disc()])
    places, signs = correcting_clicks(wanted, found)
    assert signs.tolist() == [1, 0]
    for x, y in places:
        assert disc()[int(y) // 4, int(x) // 4]


def test_a_box_goes_around_all_of_a_mask() -> None:
    mask = np.zeros((8, 10), bool)
    mask[2:5, 3:7] = True
    assert box_around(mask).tolist() == [12, 8, 28, 20]
    with pytest.raises(ValueError, match="empty"):
        box_around(~mask & mask)


def large_disc(row: float = 60, column: float = 50, radius: float = 14) -> np.ndarray:
    """(128, 128) bool."""
    rows, columns = np.mgrid[:128, :128]
    mask: np.ndarray = np.hypot(rows - row, columns - column) < radius
    return mask


def priors(all_objects: np.ndarray, count: int = 40) -> list[np.ndarray]:
    return [
        simulate_prior(large_disc(), all_objects, np.random.default_rng(seed))
        for seed in range(count)
    ]


def test_what_is_expected_is_nearly_the_truth() -> None:
    shared = [mask_iou(logits > 0, large_disc()) for logits in priors(large_disc())]
    assert min(shared) > 0.25
    assert 0.6 < np.mean(shared) < 0.95


def test_logits_rise_towards_the_middle() -> None:
    for logits in priors(large_disc()):
        assert logits.dtype == np.float32
        assert logits[:20, 90:].max() < -1
        assert -12 <= logits.min() < logits.max() <= 6
    usual = np.mean(priors(large_disc()), axis=0)
    assert usual[60, 50] > usual[60, 62] > usual[60, 75]


def test_a_piece_of_a_neighbour_may_be_taken_and_of_nobody_else() -> None:
    alone, beside = priors(large_disc()), priors(large_disc(radius=30))
    more = [
        np.count_nonzero((with_it > 0) & ~(without > 0))
        for without, with_it in zip(alone, beside, strict=True)
    ]
    assert max(more) > 10
    assert sum(count > 0 for count in more) < 30


def test_an_object_of_one_pixel_is_expected_somewhere() -> None:
    pixel = np.zeros((128, 128), bool)
    pixel[3, 3] = True
    for seed in range(20):
        assert (simulate_prior(pixel, pixel, np.random.default_rng(seed)) > 0).any()


@pytest.mark.parametrize("seed", range(5))
def test_it_is_asked_as_propagation_does(seed: int) -> None:
    logits = simulate_prior(large_disc(), large_disc(), np.random.default_rng(seed))
    grid = Grid.of(FrameGeometry.fit((512, 512), 512), 512, 128)
    theirs = prompt_from_mask(logits, grid)
    ours = prompt_from_prior(logits)
    assert theirs is not None
    np.testing.assert_array_equal(ours.points, theirs.points)
    np.testing.assert_array_equal(ours.signs, theirs.signs)
    np.testing.assert_array_equal(ours.box, theirs.box)
