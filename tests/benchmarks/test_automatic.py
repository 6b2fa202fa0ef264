import automatic
import numpy as np
import pytest
from automatic_parts.carrying import join_by_overlap
from automatic_parts.challenge import measure
from automatic_parts.methods import find_by_otsu

from napari_sam_decoder import Session

TRUTH = np.zeros((40, 60), int)
TRUTH[5:15, 5:15] = 1
TRUTH[20:30, 30:50] = 2
SQUARES = np.pad(np.kron([[1, 0, 2]], np.ones((40, 40), int)), 20)


def test_an_object_counts_if_more_than_half_of_it_is_covered():
    found = np.zeros_like(TRUTH)
    found[5:15, 5:11] = 7
    found[20:25, 30:50] = 8
    score = automatic.score(found, TRUTH)
    assert score.ious == pytest.approx([0.6, 0])
    assert (score.found, score.matched) == (2, 1)


def test_what_covers_more_than_the_object_costs():
    score = automatic.score(np.where(TRUTH == 1, 0, 3), TRUTH)
    assert score.ious[0] == 0
    assert score.ious[1] == pytest.approx(200 / (2400 - 100))


def test_frames_are_joined():
    total = automatic.score(TRUTH, TRUTH) + automatic.score(TRUTH * 0, TRUTH)
    assert total.ious == [1, 1, 0, 0]
    assert " 0.500 " in automatic.line("name", "ours", total, 1)


def test_otsu_separates_bright_objects(tiny_sam):
    picture = np.where(SQUARES > 0, 200, 20).astype(np.uint8)
    with Session(picture[None], model=tiny_sam, cache=None) as session:
        score = automatic.score(find_by_otsu(session, 0), SQUARES)
    assert min(score.ious) > 0.9
    assert score.found == 2


def moved(step):
    return np.roll(TRUTH, step, axis=1)


def test_what_overlaps_from_frame_to_frame_is_joined():
    other_ids = np.choose(moved(3), [0, 9, 4])
    without_first = np.where(moved(6) == 2, 1, 0)
    joined = join_by_overlap([TRUTH, other_ids, without_first, moved(9)])
    assert np.array_equal(joined[0], TRUTH)
    assert np.array_equal(joined[1], moved(3))
    assert np.array_equal(joined[2], np.where(moved(6) == 2, 2, 0))
    # What comes back is another one, which is not known to be the same.
    assert np.array_equal(joined[3] == 2, moved(9) == 2)
    assert (joined[3][moved(9) == 1] > 2).all()


def test_an_object_goes_on_as_the_one_it_overlaps_most():
    halves = np.zeros_like(TRUTH)
    halves[20:30, 30:37] = 1
    halves[20:30, 37:50] = 2
    joined = join_by_overlap([TRUTH, halves])
    assert (joined[1][halves == 2] == 2).all()
    assert (joined[1][halves == 1] > 2).all()


def test_the_measures_of_the_challenge():
    truth = np.stack([TRUTH, moved(2), moved(4)])
    assert measure(truth, truth) == (1, 1, 1)
    assert measure(np.zeros_like(truth), truth) == (0, 0, 0)
    switched = truth.copy()
    switched[2] = np.choose(truth[2], [0, 2, 1])
    seg, det, tra = measure(switched, truth)
    assert (seg, det) == (1, 1)
    assert 0 < tra < 1
    missed = np.where(truth == 2, 0, truth)
    assert measure(missed, truth)[:2] == pytest.approx((0.5, 0.5))


def test_an_object_that_comes_back_is_another_track():
    truth = np.stack([TRUTH, np.where(TRUTH == 1, 0, TRUTH), TRUTH])
    assert measure(truth, truth) == (1, 1, 1)
