from __future__ import annotations

import json
from dataclasses import asdict

import numpy as np
import pytest

from napari_sam_decoder.errors import PromptError
from napari_sam_decoder.prompts import PaintedMask, Prompt, Scribble

DOT = np.zeros((4, 5), bool)
DOT[2, 3] = True


def test_equal_pixels_make_equal_scribbles():
    assert Scribble(DOT) == Scribble(PaintedMask.of(DOT * np.uint8(7)))
    assert hash(Scribble(DOT)) == hash(Scribble(DOT))
    assert Scribble(DOT) != Scribble(DOT, is_positive=False)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"pixels": np.zeros((4, 5), bool)}, "no pixel; draw at least one"),
        ({"pixels": np.ones((2, 4, 5), bool)}, "one frame of rows and columns"),
        ({"pixels": np.ones((4, 5))}, "booleans or integers"),
        ({"is_positive": 1}, "is_positive must be True or False"),
        ({"after": -1}, "0 or more points, not after -1"),
        ({"after": 0.5}, "number of points before it must be a whole number"),
    ],
)
def test_invalid_values_are_refused(values, message):
    with pytest.raises(PromptError, match=message):
        Scribble(**{"pixels": DOT, **values})


def test_scribbles_can_be_written_to_json():
    prompt = Prompt(1, 0, scribbles=[Scribble([[0, 1, 1], [1, 0, 0]], False)])
    written = json.loads(json.dumps(asdict(prompt)))
    pixels = {"shape": [2, 3], "runs": [1, 3, 2]}
    expected = {"pixels": pixels, "is_positive": False, "after": 0}
    assert written["scribbles"] == [expected]


def test_a_line_is_three_pixels_wide():
    scribble = Scribble.along([(3, 4), (3.2, 7.9)], (9, 12), is_positive=False)
    expected = np.zeros((9, 12), bool)
    expected[2:5, 3:10] = True
    np.testing.assert_array_equal(scribble.pixels.to_array(), expected)
    assert not scribble.is_positive


def test_a_line_goes_through_all_its_vertices():
    scribble = Scribble.along([(1, 1), (1, 18), (16, 3)], (20, 20), after=2)
    pixels = scribble.pixels.to_array()
    assert all(pixels[1, 1:18])
    assert all(pixels[1 + step, 18 - step] for step in range(16))
    assert not pixels[5:, 17:].any()
    assert scribble.after == 2


def test_a_line_of_one_vertex_is_a_dot():
    pixels = Scribble.along([(4, 4)], (9, 9)).pixels.to_array()
    assert pixels.sum() == 9
    assert pixels[3:6, 3:6].all()


def test_a_line_may_leave_the_picture():
    pixels = Scribble.along([(2, -1e9), (2, 1e9)], (9, 9)).pixels.to_array()
    np.testing.assert_array_equal(pixels.any(axis=1).nonzero()[0], [1, 2, 3])
    assert pixels[1:4].all()


@pytest.mark.parametrize(
    ("positions", "shape", "message"),
    [
        ([], (9, 9), "no part of the line is in the picture of 9 rows"),
        ([(-9, 1), (-9, 8)], (9, 9), "no part of the line"),
        ([(0, 1, 1)], (9, 9), "column"),
        ([(1, 1)], (2, 9, 9), r"\(rows, columns\) of one frame, not \(2, 9, 9\)"),
        ([(1, 1)], (9.5, 9), "must be whole numbers"),
    ],
)
def test_a_line_that_cannot_be_drawn_is_refused(positions, shape, message):
    with pytest.raises(PromptError, match=message):
        Scribble.along(positions, shape)
