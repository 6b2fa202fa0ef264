from __future__ import annotations

import numpy as np
import pytest

from napari_sam_decoder.errors import LabelsError
from napari_sam_decoder.labels import label_dtype, merge_labels, resolve_overlaps
from napari_sam_decoder.model.values import FrameLogits


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
    np.testing.assert_array_equal(resolve_overlaps(logits, (1, 4)), [[2, 7, 0, 0]])


def test_equal_logits_go_to_the_smaller_id():
    same = everywhere(1)
    assert resolve_overlaps({9: same, 4: same}, (1, 1)) == 4


def test_objects_may_cover_parts_of_the_frame():
    part = FrameLogits(np.array([[2, 4, -1]], np.float32), (slice(0, 1), slice(1, 4)))
    labels = resolve_overlaps({1: everywhere(3, 3, 3, 3, -3), 5: part}, (1, 5))
    np.testing.assert_array_equal(labels, [[1, 1, 5, 1, 0]])


def test_no_object_is_background():
    labels = resolve_overlaps({}, (2, 3))
    assert labels.shape == (2, 3)
    assert not labels.any()


def test_large_ids_widen_the_labels():
    labels = resolve_overlaps({70000: everywhere(1)}, (1, 1))
    assert labels.dtype == np.uint32
    assert labels[0, 0] == 70000


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


def test_the_merged_type_holds_both():
    wide = np.array([[0, 0, 0, 70000, 0]], np.uint32)
    merged = merge_labels(EXISTING, wide, {70000})
    assert merged.dtype == np.uint32
    np.testing.assert_array_equal(merged, [[5, 5, 1, 70000, 0]])


def test_an_empty_frame_keeps_the_type():
    assert merge_labels(EXISTING, np.zeros_like(NEW), {1}).dtype == np.uint8


def test_labels_of_another_shape_are_refused():
    with pytest.raises(LabelsError, match="do not fit"):
        merge_labels(EXISTING, NEW[:, :3], {1})
