from __future__ import annotations

import numpy as np
import pytest

from napari_sam_decoder.frames import FrameGeometry
from napari_sam_decoder.metrics import mask_iou
from napari_sam_decoder.propagation.prior import Grid, prompt_from_mask
from napari_sam_decoder.training.expecting import expect, prompt_at


def disc(row: float = 60, column: float = 50, radius: float = 14) -> np.ndarray:
    """(128, 128) bool."""
    rows, columns = np.mgrid[:128, :128]
    mask: np.ndarray = np.hypot(rows - row, columns - column) < radius
    return mask


def guesses(everybody: np.ndarray, count: int = 40) -> list[np.ndarray]:
    return [
        expect(disc(), everybody, np.random.default_rng(seed)) for seed in range(count)
    ]


def test_what_is_expected_is_nearly_the_truth() -> None:
    shared = [mask_iou(logits > 0, disc()) for logits in guesses(disc())]
    assert min(shared) > 0.25
    assert 0.6 < np.mean(shared) < 0.95


def test_logits_rise_towards_the_middle() -> None:
    for logits in guesses(disc()):
        assert logits.dtype == np.float32
        assert logits[:20, 90:].max() < -1
        assert -12 <= logits.min() < logits.max() <= 6
    usual = np.mean(guesses(disc()), axis=0)
    assert usual[60, 50] > usual[60, 62] > usual[60, 75]


def test_a_piece_of_a_neighbour_may_be_taken_and_of_nobody_else() -> None:
    alone, beside = guesses(disc()), guesses(disc(radius=30))
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
        assert (expect(pixel, pixel, np.random.default_rng(seed)) > 0).any()


@pytest.mark.parametrize("seed", range(5))
def test_it_is_asked_as_propagation_does(seed: int) -> None:
    logits = expect(disc(), disc(), np.random.default_rng(seed))
    grid = Grid.of(FrameGeometry.fit((512, 512), 512), 512, 128)
    theirs = prompt_from_mask(logits, grid)
    ours = prompt_at(logits)
    assert theirs is not None
    np.testing.assert_array_equal(ours.points, theirs.points)
    np.testing.assert_array_equal(ours.labels, theirs.labels)
    np.testing.assert_array_equal(ours.box, theirs.box)
