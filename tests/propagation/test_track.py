from __future__ import annotations

import numpy as np
import pytest

from napari_sam_decoder.appearance import Look
from napari_sam_decoder.frames import FrameGeometry
from napari_sam_decoder.propagation.track import Grid, Track, prompt_from_mask

GRID = Grid((48, 64), 4.0)
LOOK = Look(np.array([1.0, 0.0]))


def square(row, column, size=11):
    logits = np.full((64, 64), -8, np.float32)
    logits[max(row, 0) : row + size, column : column + size] = 8
    return logits


def test_the_grid_leaves_the_padding_out():
    grid = Grid.of(FrameGeometry.fit((480, 854), 1024), 1024, 256)
    assert grid == Grid((144, 256), 4.0)
    assert grid.cut(np.zeros((2, 256, 256))).shape == (2, 144, 256)


def test_a_track_expects_the_object_further_on():
    track = Track.start(square(10, 10), GRID, LOOK).accept(square(12, 11), GRID)
    np.testing.assert_array_equal(track.expect(GRID).logits > 0, square(14, 12) > 0)


def test_a_lost_object_is_expected_to_move_on():
    track = Track.start(square(10, 10), GRID, LOOK).accept(square(12, 10), GRID)
    expected = track.miss().miss().expect(GRID).logits
    np.testing.assert_array_equal(expected > 0, square(18, 10) > 0)


def test_a_found_object_has_moved_over_all_missed_frames():
    track = Track.start(square(10, 10), GRID, LOOK).miss().accept(square(14, 10), GRID)
    assert (track.motion.velocity, track.missed) == ((2, 0), 0)


def test_trust_is_inherited():
    track = (
        Track.start(square(1, 1), GRID, LOOK, trust=0.4)
        .miss()
        .accept(square(2, 1), GRID)
    )
    assert track.trust == 0.4


def test_an_empty_mask_starts_nothing():
    assert Track.start(np.full((64, 64), -1, np.float32), GRID, LOOK) is None


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


def test_the_size_follows_slowly():
    track = Track.start(square(9, 9, size=8), GRID, LOOK).accept(
        square(9, 9, size=4), GRID
    )
    assert track.expect(GRID).size == pytest.approx(64 * 0.25**0.1)


def test_the_size_is_not_expected_where_the_border_cuts_the_object():
    whole = Track.start(square(10, 10), GRID, LOOK)
    leaving = whole.accept(square(4, 10), GRID)
    assert whole.expect(GRID).size == 121
    assert leaving.expect(GRID).size is None


def test_a_cut_off_object_keeps_its_size_and_an_entering_one_gets_a_new_one():
    leaving = Track.start(square(10, 10), GRID, LOOK).accept(square(-4, 10), GRID)
    assert leaving.size == 121
    entering = Track.start(square(0, 10, size=4), GRID, LOOK)
    assert entering.accept(square(0, 10, size=8), GRID).size == 64


def test_an_object_is_not_expected_to_become_the_scene():
    small = Track.start(square(9, 9), GRID, LOOK)
    assert small.expect(GRID).largest == pytest.approx(0.4 * 48 * 64)
    large = Track.start(square(0, 0, size=40), GRID, LOOK)
    assert large.expect(GRID).largest == 2 * 40 * 40
