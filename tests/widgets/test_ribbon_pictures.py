from __future__ import annotations

import numpy as np
import pytest

from napari_sam_decoder.project import CellState, Timeline
from napari_sam_decoder.widgets.ribbon_pictures import DARK, LIGHT, draw_cells

HEIGHT = 10


def line_of(*cells):
    line = Timeline.empty(len(cells))
    for frame, (state, confidence) in enumerate(cells):
        line.states[frame], line.confidence[frame] = state, confidence
    return line


@pytest.mark.parametrize("colours", [DARK, LIGHT])
def test_a_bar_is_as_high_as_the_confidence(colours):
    line = line_of((CellState.SURE, 0.7), (CellState.DOUBTFUL, 0.4))
    picture = draw_cells(line, np.array([0, 1, 1]), HEIGHT, colours)
    assert picture.shape == (HEIGHT + 3, 3, 3)
    for column, state, height in ((0, 3, 7), (1, 5, 4), (2, 5, 4)):
        bar = (picture[:HEIGHT, column] == colours.bars[state]).all(axis=-1)
        back = (picture[:HEIGHT, column] == colours.backs[state]).all(axis=-1)
        assert bar.tolist() == [False] * (HEIGHT - height) + [True] * height
        assert (bar ^ back).all()


def test_a_doubtful_frame_without_any_confidence_is_seen():
    picture = draw_cells(line_of((CellState.DOUBTFUL, 0)), np.array([0]), HEIGHT, DARK)
    assert (picture[HEIGHT - 1, 0] == DARK.bars[CellState.DOUBTFUL]).all()


def test_nothing_is_drawn_where_nothing_is_known():
    line = line_of((CellState.UNKNOWN, np.nan), (CellState.ABSENT, 0.3))
    picture = draw_cells(line, np.array([0, 1]), HEIGHT, DARK)
    assert (picture[:, 0] == DARK.bars[CellState.UNKNOWN]).all()
    is_absent = (picture[:HEIGHT, 1] == DARK.bars[CellState.ABSENT]).all(axis=-1)
    assert is_absent.sum() == 2


def test_a_line_is_under_what_has_changed():
    line = line_of((CellState.SURE, 1), (CellState.SURE, 1))
    line.is_changed[1] = True
    picture = draw_cells(line, np.array([0, 1]), HEIGHT, DARK)
    assert (picture[-2:, 1] == DARK.changed).all()
    assert (picture[-3:, 0] == DARK.bars[CellState.UNKNOWN]).all()
