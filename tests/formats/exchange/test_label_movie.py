"""What is exchanged with other programs makes sense."""

import numpy as np
import pytest
from label_movies import LABELS, label_movie

from napari_sam_decoder.errors import LabelsError, OptionError


@pytest.mark.parametrize(
    "frames", [None, 3, "labels.tif", LABELS[0], LABELS.astype(str), [[[1]]]]
)
def test_frames_are_a_stack_of_numbers(frames):
    with pytest.raises(LabelsError, match=r"frames= takes an array of whole numbers"):
        label_movie(frames)


@pytest.mark.parametrize("scale", [(1, 1), (1, 0, 1), 3, "abc", (1, 1, np.nan)])
def test_a_scale_is_three_numbers_above_0(scale):
    with pytest.raises(OptionError, match=r"^scale= .*"):
        label_movie(scale=scale)


@pytest.mark.parametrize("parents", [{1: 1}, {1: 2, 2: 3, 3: 1}])
def test_no_object_descends_from_itself(parents):
    with pytest.raises(LabelsError, match=r"object \d descends from itself"):
        label_movie(parents=parents)


@pytest.mark.parametrize("axes", ["YXT", 3, "CTYX", ""])
def test_the_last_axes_are_rows_and_columns(axes):
    with pytest.raises(OptionError, match="labels have the axes TYX or ZYX, not"):
        label_movie(axes=axes)


def test_fractions_are_no_ids():
    with pytest.raises(LabelsError, match=r"frame 2 of the labels holds 0\.5"):
        label_movie(LABELS / 2).frame(2)
