from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from napari_sam_decoder.project import (
    EntryChange,
    LabelDifference,
    LabelsChange,
    PointRow,
    RowsChange,
    ScribbleRow,
)
from napari_sam_decoder.prompts import PaintedMask

ROWS = st.lists(st.integers(0, 3), max_size=8).map(
    lambda places: tuple(PointRow((place, 0), 1) for place in places)
)


@given(ROWS, ROWS)
def test_rows_lead_to_others_and_back(before, after):
    change = RowsChange.between("points", before, after)
    if change is None:
        assert before == after
        return
    assert change.apply(before) == after
    assert change.inverse().apply(after) == before
    assert change.inverse().inverse() == change


@given(ROWS, ROWS)
def test_rows_that_stay_are_not_in_the_change(before, after):
    change = RowsChange.between("points", before, after)
    if change is None:
        return
    parts = change.removed, change.inserted
    assert any(parts)
    if all(parts):
        assert parts[0][0] != parts[1][0]
        assert parts[0][-1] != parts[1][-1]


def test_an_entry_is_taken_back_by_its_inverse():
    change = EntryChange("ids", (1,), 7, None, True)
    assert change.inverse() == EntryChange("ids", (1,), 7, True, None)
    assert change.touched == change.inverse().touched
    assert change.touched != EntryChange("ids", (2,), 7, None, True).touched


def test_scribbles_count_with_their_runs():
    pixels = PaintedMask.of(np.eye(200, dtype=bool))
    point, scribble = PointRow((0, 0), 1), ScribbleRow((), (), pixels, 1)
    small = RowsChange("points", 0, (), (point,))
    large = RowsChange("scribbles", 0, (), (scribble,))
    assert large.size >= small.size + 8 * len(pixels.runs)
    assert large.inverse().size == large.size


def test_labels_count_with_their_bytes():
    noise = np.random.default_rng(0).integers(0, 99, (64, 64))
    difference = LabelDifference.between(np.zeros_like(noise), noise)
    labels = LabelsChange(1, (0,), (3,), difference)
    painted = EntryChange("painted", (1,), ((0,), (3,)), None, difference)
    small = EntryChange("ids", (1,), 7, None, True)
    for change in (labels, painted):
        assert change.size > small.size + len(difference.content) - 1
        assert change.inverse().size == change.size
    assert labels.inverse().inverse() == labels
