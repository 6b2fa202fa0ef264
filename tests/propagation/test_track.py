from __future__ import annotations

import numpy as np
import pytest

from napari_sam_decoder.appearance.features import FrameFeatures
from napari_sam_decoder.appearance.memory import Memory
from napari_sam_decoder.frames import Window
from napari_sam_decoder.model.values import Embedding
from napari_sam_decoder.propagation.prior import Grid
from napari_sam_decoder.propagation.track import (
    DOUBTING,
    FIRST_STEADINESS,
    Motion,
    Track,
    mask_centre,
    shift_logits,
    warp_logits,
)
from napari_sam_decoder.selection import Choice


def test_a_still_object_stays():
    motion = Motion((5, 5)).updated((5, 5)).updated((5, 5))
    assert motion.velocity == (0, 0)


def test_the_first_step_counts_whole_and_later_ones_half():
    motion = Motion((0, 0)).updated((2, 4))
    assert motion.velocity == (2, 4)
    assert motion.updated((6, 4)).velocity == (3, 2)


def test_a_step_over_several_frames_is_divided():
    assert Motion((0, 0)).updated((6, 3), frames=3).velocity == (2, 1)


def test_the_centre_of_a_mask():
    mask = np.zeros((9, 9), bool)
    mask[2:5, 4:8] = True
    assert mask_centre(mask) == (3, 5.5)


def blob():
    logits = np.full((16, 16), -8, np.float32)
    logits[4:8, 4:8] = 8
    return logits


@pytest.mark.parametrize("step", [(0, 0), (2, 3), (-2, 1)])
def test_whole_steps_move_the_object_exactly(step):
    moved = shift_logits(blob(), step)
    rows, columns = np.nonzero(moved > 0)
    assert (rows.min(), columns.min()) == (4 + step[0], 4 + step[1])
    assert (moved > 0).sum() == 16


def test_half_steps_lie_between():
    moved = shift_logits(blob(), (0.5, 0))
    assert moved[4, 5] == pytest.approx(0)


def test_what_comes_in_continues_the_rim():
    logits = np.full((8, 8), -8, np.float32)
    logits[:2] = 8
    assert (shift_logits(logits, (3, 0))[:5] > 0).all()


def test_a_mask_goes_where_its_pixels_went():
    displacement = np.zeros((2, 16, 16), np.float32)
    displacement[0], displacement[1] = -2, 1
    moved = warp_logits(blob(), displacement)
    np.testing.assert_array_equal(moved, np.roll(blob(), (2, -1), axis=(0, 1)))


def test_parts_of_a_mask_may_go_different_ways():
    displacement = np.zeros((2, 16, 16), np.float32)
    displacement[1, 6:] = -3
    rows, columns = np.nonzero(warp_logits(blob(), displacement) > 0)
    assert set(columns[rows < 6]) == {4, 5, 6, 7}
    assert set(columns[rows >= 6]) == {7, 8, 9, 10}


def test_what_comes_in_from_outside_continues_the_rim():
    logits = np.full((8, 8), -8, np.float32)
    logits[:2] = 8
    displacement = np.zeros((2, 8, 8), np.float32)
    displacement[0] = -5
    assert (warp_logits(logits, displacement)[:7] > 0).all()


WINDOW = Window(0, 0, 32, 32)
GRID = Grid((48, 64), 4.0, 64)
NOBODY = np.full((48, 64), -16.0, np.float32)
STILL = np.zeros((2, 48, 64), np.float32)
MATCH = np.zeros((48, 64), np.float32)


def features_of(*blocks):
    """A frame on which 12 x 12 pixels from each (row, column) look like the object."""
    features = np.zeros((2, 16, 16), np.float16)
    for row, column in blocks:
        features[0, row // 4 : row // 4 + 3, column // 4 : column // 4 + 3] = 1
    features[1] = 1 - features[0]
    picture = np.kron(features[0, :12], np.ones((4, 4)))[None].astype(np.float32)
    return FrameFeatures(Embedding(features, (48, 64)), picture, GRID.side)


FEATURES = features_of((8, 8))


def square(row, column, size=11):
    logits = np.full((64, 64), -8, np.float32)
    logits[max(row, 0) : row + size, column : column + size] = 8
    return logits


MEMORY = Memory.of(FEATURES, square(8, 8, size=12))


def start(logits, **values):
    return Track.start(logits, WINDOW, GRID, MEMORY, **values)


def choice_of(logits, confidence=0.9, temporal_iou=0.9):
    return Choice(2, logits, confidence, 1.0, 1.0, temporal_iou, confidence)


def accept(track, logits, confidence=0.9, **values):
    choice = choice_of(logits, confidence, **values)
    return track.accept(choice, GRID, FEATURES, confidence)


def expect(track, features=FEATURES, displacement=STILL, mismatch=MATCH):
    return track.expect(features, track.moved(GRID, displacement), NOBODY, mismatch)


def test_a_track_goes_where_its_pixels_went():
    displacement = STILL.copy()
    displacement[0], displacement[1] = -2, -5
    moved = start(square(10, 10)).moved(GRID, displacement)
    np.testing.assert_array_equal(moved > 0, GRID.crop(square(12, 15)) > 0)


def test_a_lost_object_is_expected_to_move_on():
    track = accept(start(square(10, 10)), square(12, 10))
    moved = track.miss().miss().moved(GRID, STILL)
    np.testing.assert_array_equal(moved > 0, GRID.crop(square(18, 10)) > 0)


def test_a_found_object_has_moved_over_all_missed_frames():
    track = accept(start(square(10, 10)).miss(), square(14, 10))
    assert (track.motion.velocity, track.missed) == ((2, 0), 0)


def test_memory_finds_the_object_beside_where_it_was_going_but_not_far_away():
    track = accept(start(square(8, 8, size=12)), square(8, 8, 12), temporal_iou=0.0)
    near = expect(track, features_of((8, 12))).prior
    assert (near[10:18, 21:23] > 0).all()
    far = expect(track, features_of((8, 48))).prior
    assert not (far[:, 40:] > 0).any()


def test_an_object_may_come_back_anywhere():
    track = start(square(8, 8, size=12))
    expectation = track.expect_anywhere(features_of((8, 48)), NOBODY)
    assert (expectation.prior[12:16, 52:56] > 0).all()
    assert (expectation.size, expectation.largest) == (track.size, track.largest)


def test_the_object_is_expected_in_one_position_only():
    prior = (
        start(square(8, 8)).expect_anywhere(features_of((8, 48), (32, 8)), NOBODY).prior
    )
    assert (prior[12:16, 52:56] > 0).any() != (prior[36:40, 12:16] > 0).any()


def test_a_steady_object_is_expected_where_its_last_mask_was():
    steady = start(square(8, 8, size=12))
    for _ in range(6):
        steady = accept(steady, square(8, 8, size=12), temporal_iou=1.0)
    unsteady = accept(start(square(8, 8, size=12)), square(8, 8), temporal_iou=0.0)
    assert unsteady.steadiness < FIRST_STEADINESS < steady.steadiness
    outside = [
        expect(track, features_of()).prior[14, 24] for track in (steady, unsteady)
    ]
    assert outside[0] < outside[1]


def test_where_the_flow_fails_the_position_counts_less():
    track = start(square(8, 8, size=12))
    explained, not_at_all = (
        expect(track, features_of(), mismatch=MATCH + value).prior
        for value in (0.0, 2.0)
    )
    assert explained[14, 14] > not_at_all[14, 14] > 0


def test_what_the_border_cuts_off_is_not_searched_for_elsewhere():
    leaving = accept(start(square(10, 10)), square(-8, 10))
    assert leaving.size == 121
    assert expect(leaving, features_of()).prior.min() < -7


def test_doubt_comes_and_passes_slowly():
    track = start(square(8, 8))
    doubted = track.confidence_after(0.0)
    assert doubted == pytest.approx(1 - DOUBTING)
    lost = track.miss()
    assert lost.confidence == doubted
    assert (
        accept(lost, square(8, 8), confidence=lost.confidence_after(1.0)).confidence < 1
    )


def test_the_initial_confidence_is_kept():
    track = accept(start(square(1, 1), initial_confidence=0.4).miss(), square(2, 1))
    assert track.initial_confidence == 0.4


@pytest.mark.parametrize(
    ("confidence", "initial_confidence", "is_remembered"),
    [(0.9, 1.0, True), (0.5, 1.0, True), (0.49, 1.0, False), (0.9, 0.49, False)],
)
def test_doubtful_masks_are_not_remembered(
    confidence, initial_confidence, is_remembered
):
    track = start(square(8, 8), initial_confidence=initial_confidence)
    accepted = accept(track, square(9, 9), confidence=confidence)
    assert (accepted.memory is not MEMORY) == is_remembered
    np.testing.assert_array_equal(accepted.logits, square(9, 9))


def test_a_missed_frame_changes_nothing_but_the_count():
    track = start(square(8, 8))
    missed = track.miss()
    assert missed.memory is track.memory
    assert (track.missed, missed.missed, missed.miss().missed) == (0, 1, 2)


@pytest.mark.parametrize(
    ("area", "confidence", "has_ended"),
    [(60, 0.45, True), (80, 0.45, False), (60, 0.55, False)],
)
def test_an_object_that_is_small_and_unsure_has_ended(area, confidence, has_ended):
    track = start(square(8, 8))
    assert track.ends_with(area, confidence, patience=5) == has_ended


def test_less_is_asked_of_an_object_whose_prompt_was_unsure():
    track = start(square(8, 8), initial_confidence=0.8)
    assert not track.ends_with(20, 0.45, patience=5)


def test_what_was_away_for_long_comes_and_goes():
    track = start(square(8, 8))
    for _ in range(6):
        track = track.miss()
    returned = accept(track, square(8, 8, size=3))
    assert returned.ends_with(9, 0.2, patience=6)
    assert not returned.ends_with(9, 0.2, patience=5)


def test_an_object_that_was_missing_is_recognised_by_its_colours():
    track = start(square(8, 8, size=12)).miss()
    found, beside = (
        GRID.crop(square(*place, size=12)) > 0 for place in ((8, 8), (32, 40))
    )
    assert track.recognises(FEATURES, found)
    assert not track.recognises(FEATURES, beside)


def test_an_empty_mask_starts_nothing():
    assert start(np.full((64, 64), -1, np.float32)) is None


def test_a_mask_in_the_padding_starts_nothing():
    assert start(square(48, 10)) is None


def test_the_size_follows_slowly():
    track = accept(start(square(9, 9, size=8)), square(9, 9, size=4))
    assert expect(track).size == pytest.approx(64 * 0.25**0.2)


def test_the_size_is_not_expected_where_the_border_cuts_the_object():
    whole = start(square(10, 10))
    leaving = accept(whole, square(0, 10))
    assert expect(whole).size == 121
    assert expect(leaving).size is None


def test_a_cut_off_object_keeps_its_size_and_an_entering_one_gets_a_new_one():
    leaving = accept(start(square(10, 10)), square(-4, 10))
    assert leaving.size == 121
    entering = accept(start(square(0, 10, size=4)), square(0, 10, size=8))
    assert entering.size == 64


def test_an_object_is_not_expected_to_become_the_scene():
    small = start(square(9, 9))
    assert expect(small).largest == pytest.approx(0.4 * 48 * 64)
    large = start(square(0, 0, size=40))
    assert expect(large).largest == 2 * 40 * 40
