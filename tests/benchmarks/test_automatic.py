import automatic
import numpy as np
import pytest
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
