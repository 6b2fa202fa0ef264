from __future__ import annotations

import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from napari_sam_decoder.errors import ProjectError
from napari_sam_decoder.project import LabelDifference

DTYPES = ("?", "u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", ">u2", ">i8")
SHAPES = arrays.array_shapes(min_dims=2, max_dims=2, max_side=8)


@st.composite
def pairs(draw):
    """Two planes of any integers, of one shape and type."""
    dtype = np.dtype(draw(st.sampled_from(DTYPES)))
    shape = draw(SHAPES)
    values = arrays.from_dtype(dtype)
    few = st.sampled_from(draw(st.lists(values, min_size=1, max_size=4)))
    plane = arrays.arrays(dtype, shape, elements=few)
    return draw(plane), draw(plane)


@given(pairs())
def test_it_leads_from_one_plane_to_the_other_and_back(pair):
    before, after = pair
    difference = LabelDifference.between(before, after)
    if difference is None:
        np.testing.assert_array_equal(before, after)
        return
    plane = before.copy()
    difference.apply(plane)
    np.testing.assert_array_equal(plane, after)
    difference.inverse().apply(plane)
    np.testing.assert_array_equal(plane, before)
    assert difference.inverse().inverse() == difference


@given(pairs())
def test_its_window_is_as_small_as_it_can_be(pair):
    before, after = pair
    difference = LabelDifference.between(before, after)
    rows, columns = np.nonzero(before != after)
    if difference is None:
        assert rows.size == 0
        return
    assert difference.window == (
        rows.min(),
        rows.max() + 1,
        columns.min(),
        columns.max() + 1,
    )


@given(pairs(), st.data())
def test_only_pixels_that_are_still_the_same_are_taken_along(pair, data):
    before, after = pair
    difference = LabelDifference.between(before, after)
    if difference is None:
        return
    is_other = data.draw(arrays.arrays(bool, before.shape))
    plane = np.where(is_other, after[0, 0], before).astype(before.dtype)
    expected = np.where((before != after) & (plane == before), after, plane)
    difference.apply_where_unchanged(plane)
    np.testing.assert_array_equal(plane, expected)


def test_labels_that_are_not_given_leave_a_gap():
    before, after = np.zeros((3, 4), np.uint16), np.zeros((3, 4), np.uint16)
    after[0], after[1] = 5, 6
    plane = before.copy()
    LabelDifference.between(before, after).apply_where_unchanged(plane, but_not=(5,))
    np.testing.assert_array_equal(plane, np.where(after == 6, 6, 0))
    after[plane == 0] = 5
    back = LabelDifference.between(after, plane)
    back.apply_where_unchanged(after, but_not={6})
    assert not (after == 5).any()


def test_it_is_small():
    before = np.zeros((480, 854), np.uint16)
    after = before.copy()
    after[100:200, 300:400] = 7
    assert len(LabelDifference.between(before, after).content) < 100


def box(*window):
    plane = np.zeros((9, 9), np.uint8)
    top, bottom, left, right = window
    plane[top:bottom, left:right] = 1
    return LabelDifference.between(np.zeros_like(plane), plane)


@pytest.mark.parametrize(
    ("other", "overlaps"),
    [((3, 6, 3, 6), True), ((4, 9, 0, 9), False), ((0, 9, 4, 9), False)],
)
def test_windows_overlap_where_they_share_a_pixel(other, overlaps):
    assert box(2, 4, 2, 4).overlaps(box(*other)) is overlaps
    assert box(*other).overlaps(box(2, 4, 2, 4)) is overlaps


def packed(*numbers, width=4, dtype="<u4"):
    return zlib.compress(bytes([width]) + np.array(numbers, dtype).tobytes())


GOOD = packed(4, 0, 1)
WINDOW = (0, 2, 0, 2)
DAMAGED = {
    "empty": b"",
    "not compressed": b"anything",
    "truncated": GOOD[:-3],
    "no numbers": packed(),
    "another width": packed(4, 0, 1, width=5),
    "two numbers": packed(4, 0),
    "too few pixels": packed(3, 0, 1),
    "too many pixels": packed(5, 0, 1),
    "a negative length": packed(-1, 5, 0, 0, 1, 1, width=8, dtype="<i8"),
    "an endless length": packed(2**62, 0, 1, width=8, dtype="<i8"),
    "lengths whose sum overflows": packed(
        *[2**62] * 4, 4, *[0] * 5, *[1] * 5, width=8, dtype="<i8"
    ),
    "a bomb": zlib.compress(bytes([4]) + bytes(10**7)),
}


@pytest.mark.parametrize("content", DAMAGED.values(), ids=DAMAGED)
def test_damaged_content_is_refused_and_changes_nothing(content):
    plane = np.zeros((2, 2), np.uint16)
    with pytest.raises(ProjectError, match=r"damaged|corrupt"):
        LabelDifference(WINDOW, content).apply(plane)
    assert not plane.any()


@given(st.binary(max_size=60), st.booleans())
def test_no_content_crashes_it(noise, is_compressed):
    content = zlib.compress(noise) if is_compressed else noise
    plane = np.zeros((2, 2), np.uint16)
    try:
        LabelDifference(WINDOW, content).apply(plane)
    except ProjectError:
        assert not plane.any()


@pytest.mark.parametrize(
    "window",
    [
        (0, 3, 0, 2),
        (0, 2, 0, 3),
        (-1, 1, 0, 2),
        (0, 2, 1, 1),
        (2, 0, 0, 2),
        (0, 2**40, 0, 2**40),
    ],
)
def test_windows_outside_the_plane_are_refused(window):
    with pytest.raises(ProjectError, match=r"does not fit planes of shape \(2, 2\)"):
        LabelDifference(window, GOOD).apply(np.zeros((2, 2), np.uint16))


def test_good_content_is_good():
    plane = np.zeros((2, 2), np.uint16)
    LabelDifference(WINDOW, GOOD).apply(plane)
    assert (plane == 1).all()
