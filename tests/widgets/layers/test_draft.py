from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("napari.layers")

from napari.layers import Image, Labels

from napari_sam_decoder.propagation import FrameResult
from napari_sam_decoder.widgets.layers import LabelsDraft, MovieView

SHAPE = (3, 4, 5, 6)


@pytest.fixture
def layer():
    return Labels(np.zeros(SHAPE, np.uint32))


@pytest.fixture
def draft(layer):
    """The labels of the second volume, followed along its depth."""
    view = MovieView.of(Image(np.zeros(SHAPE, np.uint8)), 1, (1, 0, 0, 0))
    return LabelsDraft(view, layer)


def result_with(frame, number):
    return FrameResult(frame, np.full((5, 6), number, np.uint32))


def test_it_has_the_shape_and_type_of_the_movies_labels(draft):
    assert draft.shape == (4, 5, 6)
    assert draft.dtype == np.uint32


def test_a_picture_is_a_movie_of_one_frame():
    layer = Labels(np.full((5, 6), 3, np.uint16))
    draft = LabelsDraft(MovieView.of(Image(np.zeros((5, 6), np.uint8))), layer)
    assert draft.shape == (1, 5, 6)
    assert (draft[0] == 3).all()


def test_it_shows_the_layer_as_it_is_by_now(draft, layer):
    assert not draft[2].any()
    layer.data[1, 2] = 7
    assert (draft[2] == 7).all()
    assert not draft[1].any()


def test_a_result_is_there_before_the_next_one_is_computed(draft, layer):
    def computed():
        yield result_with(2, 7)
        yield result_with(3, draft[2][0, 0] + 1)

    *_, last = draft.follow(computed())
    assert (last.labels == 8).all()
    assert not layer.data.any(), "only the window writes"


def test_a_result_that_was_written_is_read_from_the_layer(draft, layer):
    (result,) = draft.follow([result_with(2, 7)])
    layer.data[1, 2] = 5
    assert (draft[2] == 7).all()
    draft.settle(result)
    assert (draft[2] == 5).all(), "the layer may hold more than the result"


def test_a_later_result_of_the_frame_outlasts_an_earlier_one(draft):
    earlier, later = draft.follow([result_with(2, 7), result_with(2, 8)])
    draft.settle(earlier)
    assert (draft[2] == 8).all()
    draft.settle(later)
    assert not draft[2].any()
