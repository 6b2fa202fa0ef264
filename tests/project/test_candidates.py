from __future__ import annotations

import numpy as np
import pytest
from made_documents import PlainCut

from napari_sam_decoder.errors import PromptError
from napari_sam_decoder.project import Candidate, Candidates, History
from napari_sam_decoder.prompts import PaintedMask

CUT = PlainCut((5, 8, 9))


def painted(rows, columns):
    mask = np.zeros((8, 9), bool)
    mask[rows, columns] = True
    return PaintedMask.of(mask)


MASKS = [
    painted(slice(0, 2), slice(0, 3)),
    painted(slice(3, 4), slice(0, 3)),
    painted(slice(6, 8), slice(6, 9)),
]
AREAS = [6, 3, 6]


@pytest.fixture
def history():
    return History()


@pytest.fixture
def found(history):
    candidates = Candidates(history.document)
    with history.step("Find", "objects"):
        candidates.replace(Candidate.on(CUT, 3, mask) for mask in MASKS)
    return candidates


def test_they_are_numbered_and_all_kept_at_first(found):
    assert list(found) == [1, 2, 3]
    assert [one.area for one in found.values()] == AREAS
    assert found.kept == dict(found)
    assert found.frame_in(CUT) == 3


def test_small_ones_are_dropped_unless_they_are_chosen(found):
    found.set_smallest(4)
    assert [*found.kept] == [1, 3]
    found.choose(2, is_kept=True)
    found.choose(3, is_kept=False)
    assert [*found.kept] == [1, 2]
    found.set_smallest(0)
    assert [*found.kept] == [1, 2]


def test_the_smallest_size_is_used_for_what_is_found_next(found):
    found.set_smallest(4)
    found.replace(Candidate.on(CUT, 1, mask) for mask in MASKS[1:])
    assert [*found.kept] == [2]
    assert found.frame_in(CUT) == 1


def test_a_merged_one_has_the_pixels_of_all_and_is_kept(found):
    found.set_smallest(100)
    assert found.merge([2, 3]) == 2
    assert [*found] == [1, 2]
    both = MASKS[1].to_array() | MASKS[2].to_array()
    assert np.array_equal(found[2].mask.to_array(), both)
    assert [*found.kept] == [2]


def test_one_is_found_by_a_pixel(found):
    assert found.number_at(3, 2) == 2
    assert found.number_at(2, 2) is None
    assert found.number_at(7, 8) == 3


def test_its_row_fixes_an_object_as_its_mask(found):
    row = found[2].confirmed_as(7)
    assert (row.object_id, row.place, row.is_whole) == (7, (3,), True)
    assert row.pixels == MASKS[1]


def test_a_number_that_is_not_there_is_refused(found):
    assert found.require(3) is found[3]
    with pytest.raises(PromptError, match="1 to 3"):
        found.require(4)
    found.clear()
    with pytest.raises(PromptError, match="look for objects first"):
        found.require(1)


@pytest.mark.parametrize(
    "other",
    [
        PlainCut((5, 8, 9), axis=1),
        PlainCut((5, 9, 8)),
        PlainCut((5, 8, 9), axis=None, fixed=((0, 2),)),
    ],
)
def test_on_another_cut_there_are_none(found, other):
    assert found.frame_in(other) is None


def test_on_a_plane_of_more_axes_they_are_where_they_were_found(history):
    cut = PlainCut((2, 5, 8, 9), axis=1, fixed=((0, 1),))
    candidates = Candidates(history.document)
    candidates.replace([Candidate.on(cut, 4, MASKS[0])])
    assert candidates.frame_in(cut) == 4
    beside = PlainCut((2, 5, 8, 9), axis=1, fixed=((0, 0),))
    assert candidates.frame_in(beside) is None


def test_each_step_is_undone(history, found):
    with history.step("Merge", "objects"):
        found.merge([1, 2])
    history.undo()
    assert [*found] == [1, 2, 3]
    history.undo()
    assert not found
    history.redo()
    assert [one.mask for one in found.values()] == MASKS
