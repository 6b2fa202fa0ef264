from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from made_documents import PlainCut

from napari_sam_decoder.errors import LabelsError
from napari_sam_decoder.project import LabelsDraft
from napari_sam_decoder.propagation import FrameResult

PLANES = (3, 4, 5, 6)


@pytest.fixture
def holder():
    return SimpleNamespace(data=np.zeros(PLANES, np.uint32))


@pytest.fixture
def draft(holder):
    """The labels of the second volume, followed along its depth."""
    return LabelsDraft(PlainCut(PLANES, 1, ((0, 1),)), holder)


def result_with(frame, number):
    return FrameResult(frame, np.full((5, 6), number, np.uint32))


def test_it_has_the_shape_and_type_of_the_movies_labels(draft):
    assert draft.shape == (4, 5, 6)
    assert draft.dtype == np.uint32


def test_a_picture_is_a_movie_of_one_frame():
    holder = SimpleNamespace(data=np.full((5, 6), 3, np.uint16))
    draft = LabelsDraft(PlainCut((5, 6), None), holder)
    assert draft.shape == (1, 5, 6)
    assert (draft[0] == 3).all()


def test_it_shows_the_labels_as_they_are_by_now(draft, holder):
    assert not draft[2].any()
    holder.data[1, 2] = 7
    assert (draft[2] == 7).all()
    assert not draft[1].any()


def test_labels_that_have_another_shape_by_now_are_refused(draft, holder):
    holder.data = np.zeros((3, 2, 5, 6), np.uint32)
    with pytest.raises(LabelsError, match=r"\(3, 2, 5, 6\) do not fit .*; choose"):
        draft[1]


def test_a_result_is_there_before_the_next_one_is_computed(draft, holder):
    def computed():
        yield result_with(2, 7)
        yield result_with(3, draft[2][0, 0] + 1)

    *_, last = draft.follow(computed())
    assert (last.labels == 8).all()
    assert not holder.data.any(), "only the window writes"


def test_a_result_that_was_written_is_read_from_the_labels(draft, holder):
    (result,) = draft.follow([result_with(2, 7)])
    holder.data[1, 2] = 5
    assert (draft[2] == 7).all()
    draft.mark_written(result)
    assert (draft[2] == 5).all(), "the labels may hold more than the result"


def test_a_later_result_of_the_frame_outlasts_an_earlier_one(draft):
    earlier, later = draft.follow([result_with(2, 7), result_with(2, 8)])
    draft.mark_written(earlier)
    assert (draft[2] == 8).all()
    draft.mark_written(later)
    assert not draft[2].any()
