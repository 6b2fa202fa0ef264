from __future__ import annotations

import numpy as np
import pytest
import torch

from napari_sam_decoder.errors import LabelsError
from napari_sam_decoder.labels import (
    check_labels,
    label_dtype,
    merge_labels,
    require_fitting_ids,
    resolve_overlaps,
)
from napari_sam_decoder.model.values import FrameLogits

UINT16, UINT32 = np.dtype("uint16"), np.dtype("uint32")


@pytest.mark.parametrize(
    ("highest", "dtype"),
    [(0, "uint16"), (65535, "uint16"), (65536, "uint32"), (2**32 - 1, "uint32")],
)
def test_the_type_grows_with_the_ids(highest, dtype):
    assert label_dtype(highest) == dtype


def test_an_id_beyond_32_bits_is_refused():
    with pytest.raises(LabelsError, match="smaller"):
        label_dtype(2**32)


def everywhere(*values):
    """Logits of a frame of one row."""
    return FrameLogits(np.array([values], np.float32), (slice(None), slice(None)))


def test_a_pixel_belongs_to_the_higher_logit():
    logits = {2: everywhere(3, 1, -1, 0), 7: everywhere(2, 2, -2, 0)}
    labels = resolve_overlaps(logits, (1, 4), UINT16)
    np.testing.assert_array_equal(labels, [[2, 7, 0, 0]])


def test_equal_logits_go_to_the_smaller_id():
    same = everywhere(1)
    assert resolve_overlaps({9: same, 4: same}, (1, 1), UINT16) == 4


def test_objects_may_cover_parts_of_the_frame():
    part = FrameLogits(np.array([[2, 4, -1]], np.float32), (slice(0, 1), slice(1, 4)))
    labels = resolve_overlaps({1: everywhere(3, 3, 3, 3, -3), 5: part}, (1, 5), UINT16)
    np.testing.assert_array_equal(labels, [[1, 1, 5, 1, 0]])


def test_no_object_is_background():
    labels = resolve_overlaps({}, (2, 3), UINT16)
    assert labels.shape == (2, 3)
    assert not labels.any()


@pytest.mark.parametrize("logits", [{70000: everywhere(1)}, {}])
def test_labels_are_of_the_type_that_is_asked_for(logits):
    labels = resolve_overlaps(logits, (1, 1), UINT32)
    assert labels.dtype == np.uint32
    assert labels[0, 0] == max(logits, default=0)


EXISTING = np.array([[5, 5, 1, 0, 0]], np.uint8)
NEW = np.array([[0, 1, 0, 1, 0]], np.uint16)


def test_other_objects_stay():
    merged = merge_labels(EXISTING, NEW, {1})
    np.testing.assert_array_equal(merged, [[5, 5, 0, 1, 0]])


def test_other_objects_give_way_when_told():
    merged = merge_labels(EXISTING, NEW, {1}, replace=True)
    np.testing.assert_array_equal(merged, [[5, 1, 0, 1, 0]])


@pytest.mark.parametrize(
    ("ids", "expected"),
    [({1, 5}, [0, 0, 0, 3, 9]), ((3, 4, 5, 5), [0, 0, 1, 0, 9]), ((), [5, 5, 1, 3, 9])],
)
def test_only_the_given_objects_give_up_their_pixels(ids, expected):
    existing = np.array([[5, 5, 1, 3, 9]], np.uint8)
    merged = merge_labels(existing, np.zeros_like(existing), ids)
    np.testing.assert_array_equal(merged, [expected])


def test_what_was_there_is_not_changed_in_place():
    before = EXISTING.copy()
    merge_labels(EXISTING, NEW, {1}, replace=True)
    np.testing.assert_array_equal(EXISTING, before)


@pytest.mark.parametrize("new", [NEW, np.zeros_like(NEW)])
@pytest.mark.parametrize("dtype", ["uint8", ">u2", "int64"])
def test_the_merged_type_is_that_of_what_was_there(new, dtype):
    assert merge_labels(EXISTING.astype(dtype), new, {1}).dtype == dtype


@pytest.mark.parametrize("dtype", ["bool", "int8", ">u4", "uint64"])
def test_one_object_in_a_type_of_any_width(dtype):
    existing = np.array([[1, 1, 0]], dtype)
    merged = merge_labels(existing, np.array([[0, 1, 1]], np.uint16), {1})
    assert merged.dtype == existing.dtype
    np.testing.assert_array_equal(merged, [[0, 1, 1]])


def test_no_id_becomes_another_one():
    wide = np.array([[0, 0, 0, 70000, 0]], np.uint32)
    for dtype in ("uint8", "uint16"):
        with pytest.raises(LabelsError, match=r"hold object 70000.*astype\('uint32'\)"):
            merge_labels(EXISTING.astype(dtype), wide, {70000})


@pytest.mark.parametrize(
    ("dtype", "highest"),
    [("bool", 1), ("int8", 127), ("uint16", 65535), (">u4", 2**32 - 1)],
)
def test_a_type_has_room_for_so_many_ids(dtype, highest):
    require_fitting_ids(np.dtype(dtype), (highest, 1))
    if dtype != ">u4":
        with pytest.raises(LabelsError, match=f"end at {highest}"):
            require_fitting_ids(np.dtype(dtype), (highest + 1,))


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([[[0]]], "not a list; convert them"),
        (None, "not a NoneType"),
        (torch.zeros((1, 1, 1), dtype=torch.int64), "are not a numpy array"),
        (np.zeros((1, 1, 1)), "of float64.*are integers"),
        (np.zeros((1, 1), int), "shape .1, 1. do not fit"),
        (np.zeros((1, 1, 1), np.uint8), "cannot hold object 300"),
    ],
)
def test_what_are_no_labels_of_the_movie_is_refused(labels, message):
    with pytest.raises(LabelsError, match=message):
        check_labels(labels, (1, 1, 1), {300})


def test_labels_of_another_shape_are_refused():
    with pytest.raises(LabelsError, match="do not fit"):
        merge_labels(EXISTING, NEW[:, :3], {1})
